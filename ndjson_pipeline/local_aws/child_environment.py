"""The environment variables of everything that talks to the local AWS."""

import os
from collections.abc import Mapping
from pathlib import Path

from ndjson_pipeline.local_aws.credentials import LocalCredentials

# What a child process needs of its parent's environment, and nothing that could name real credentials.
_INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "VIRTUAL_ENV",
    "SYSTEMROOT",
    "COVERAGE_PROCESS_START",
)
_LOCAL_HOSTS = "127.0.0.1,localhost"


def client_environment(
    endpoint_url: str, credentials: LocalCredentials, region: str, directory: Path
) -> dict[str, str]:
    """Return what points any AWS client at the local endpoint, and away from real credentials.

    Args:
        endpoint_url: where the local AWS answers.
        credentials: those of its start.
        region: its region.
        directory: where an AWS configuration file is written, so that the user's own is not read.
    """
    # boto3 takes an empty AWS_PROFILE for a profile's name, so it is given one that exists.
    configuration = directory / "aws-config"
    directory.mkdir(parents=True, exist_ok=True)
    configuration.write_text(f"[default]\nregion = {region}\n")
    present = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    no_proxy = f"{present},{_LOCAL_HOSTS}" if present else _LOCAL_HOSTS
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": "",
        "AWS_PROFILE": "default",
        "AWS_CONFIG_FILE": str(configuration),
        "AWS_SHARED_CREDENTIALS_FILE": str(configuration),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def inherited_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Pick what a child process needs of a parent's environment: paths and language, no credentials."""
    return {name: environment[name] for name in _INHERITED if name in environment}
