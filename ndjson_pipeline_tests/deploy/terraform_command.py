"""Terraform as the tests run it: the provider from this disk where it lies there, in folders that end."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ndjson_pipeline.local_aws import lifeline
from ndjson_pipeline_tests.patience import PATIENCE

REQUIRE_VARIABLE = "NDJSON_TESTS_REQUIRE_TERRAFORM"
_PROVIDER = "registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws*"
_REATTACH_VARIABLE = "TF_REATTACH_PROVIDERS"
# Terraform and its provider are Go programs that read 1,500 resource types and end: what they would collect
# of their memory meanwhile is a quarter of their work.
GO_VARIABLES = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}
# Where packages and people lay providers (https://developer.hashicorp.com/terraform/cli/config/
# config-file#implied-local-mirror-directories, and the folders of images).
_MIRRORS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/opt/*",
)
# Of the local AWS: an action that moto lacks answers 500, which the default would try again for minutes.
LOCAL_PROVIDER = {
    "s3_use_path_style": True,
    "skip_credentials_validation": True,
    "skip_metadata_api_check": "true",
    "skip_requesting_account_id": False,
    "max_retries": 2,
}


class TerraformError(AssertionError):
    """A command of Terraform's failed; the text is what it said."""


@dataclass(frozen=True)
class Terraform:
    """Terraform in a folder.

    Attributes:
        folder: of the root module.
        variables: environment variables on top of PATH and HOME.
    """

    folder: Path
    variables: Mapping[str, str]

    def run(self, *arguments: str, statuses: tuple[int, ...] = (0,), seconds: float = 600.0) -> str:
        """Return what a command prints.

        Raises:
            TerraformError: it ended with another status.
        """
        ended = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=seconds * PATIENCE,
            check=False,
        )
        if ended.returncode not in statuses:
            raise TerraformError(
                f"terraform {' '.join(arguments)} ended with {ended.returncode}:\n"
                f"{ended.stdout}\n{ended.stderr}"
            )
        return ended.stdout

    def init(self) -> None:
        """Make the provider known, the one of this disk where there is one."""
        mirror = provider_mirror()
        self.run("init", "-input=false", "-no-color", *([f"-plugin-dir={mirror}"] if mirror else []))

    @contextmanager
    def kept_provider(self) -> Iterator["Terraform"]:
        """Keep one process of the provider for all commands, once it is known; else each has several.

        Yields:
            the same, whose commands ask that process.
        """
        with kept_provider(self.folder, self._environment()) as reattached:
            yield replace(self, variables={**self.variables, **reattached})

    def _environment(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            **GO_VARIABLES,
            **self.variables,
        }

    def plan(self, name: str = "plan.out") -> dict[str, Any]:
        """Return a plan as `terraform show -json` tells it."""
        self.run("plan", "-input=false", "-no-color", "-parallelism=20", f"-out={name}")
        plan: dict[str, Any] = json.loads(self.run("show", "-json", name))
        return plan

    def apply(self) -> None:
        """Make everything."""
        self.run("apply", "-input=false", "-no-color", "-auto-approve", "-parallelism=20")

    def changes(self) -> str:
        """Return what another plan would change; empty where nothing."""
        text = self.run(
            "plan", "-input=false", "-no-color", "-detailed-exitcode", "-parallelism=20", statuses=(0, 2)
        )
        # What comes before tells what was looked at.
        return "" if "No changes." in text else text[text.find("Terraform will perform") :]

    def destroy(self) -> None:
        """Take everything away."""
        self.run("destroy", "-input=false", "-no-color", "-auto-approve", "-parallelism=20")


@contextmanager
def kept_provider(folder: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run the provider that a root module's init found, and yield what makes Terraform ask it.

    A command starts the provider for each of its steps, has it make its schemas, and first reads its 700 MB
    to see that they are those that init found. The way is HashiCorp's for debuggers and tests of providers:
    https://developer.hashicorp.com/terraform/plugin/debugging. What the provider reads of its environment,
    as where AWS is, it reads here.

    Raises:
        TerraformError: it does not start.
    """
    program = next((folder / ".terraform" / "providers").glob(_PROVIDER))
    quiet = {"TF_LOG_SDK": "off", "TF_LOG_PROVIDER": "off"}
    # It is killed once this process lets go of its input, however that comes; it has nothing to put away.
    with subprocess.Popen(
        [sys.executable, lifeline.__file__, str(folder / "provider.pid"), str(program), "-debug"],
        env={**environment, **quiet},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as provider:
        assert provider.stdin is not None
        assert provider.stdout is not None
        with provider.stdin:
            said = (re.search(rf"{_REATTACH_VARIABLE}='(.+)'", line) for line in provider.stdout)
            found = next(filter(None, said), None)
            if found is None:
                raise TerraformError(f"{program} ended with {provider.wait()}")
            yield {_REATTACH_VARIABLE: found[1]}


def require_terraform() -> None:
    """Skip, or fail where it is required, without Terraform on the PATH."""
    if shutil.which("terraform"):
        return
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(f"{REQUIRE_VARIABLE} is 1, and there is no terraform on the PATH")
    pytest.skip("there is no terraform on the PATH")


def provider_mirror() -> Path | None:
    """Return a folder with the AWS provider, as `-plugin-dir` wants it; None leaves it to the registry."""
    for pattern in _MIRRORS:
        expanded = Path(pattern).expanduser()
        for folder in sorted(Path(expanded.anchor).glob(str(expanded.relative_to(expanded.anchor)))):
            if next(folder.glob(_PROVIDER), None):
                return folder
    return None
