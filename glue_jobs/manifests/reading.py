"""Manifests, read from S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import ManifestReadError
from lambda_ingest.contract.errors import ContractError, ManifestKeyError
from lambda_ingest.contract.keys import ManifestName, split_s3_uri
from lambda_ingest.contract.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_s3 import S3Client

# A URI that ends so is an object that lists manifests, for an argument of a process has a longest length.
LIST_SUFFIX: Final = ".txt"


def manifest_uris(client: S3Client, given: Iterable[str]) -> tuple[str, ...]:
    """Return the manifests that the arguments name, each once, in order.

    Args:
        client: S3.
        given: URIs of manifests, or of objects that list some: a line each, of which the first word counts.

    Raises:
        ManifestReadError: a list can't be read, or names none.
    """
    uris: dict[str, None] = {}
    for uri in given:
        uris.update(dict.fromkeys(_listed(client, uri) if uri.endswith(LIST_SUFFIX) else [uri]))
    return tuple(uris)


def _listed(client: S3Client, uri: str) -> list[str]:
    try:
        bucket, key = split_s3_uri(uri)
        lines = client.get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()
    except (ContractError, UnicodeDecodeError, ClientError, BotoCoreError) as error:
        raise ManifestReadError(f"the list of manifests {uri} can't be read: {error}") from error
    listed = [line.split()[0] for line in lines if line.strip()]
    if not listed:
        raise ManifestReadError(f"the list of manifests {uri} names none; expected a URI in each line")
    return listed


def read_manifest(client: S3Client, uri: str) -> Manifest:
    """Read a manifest.

    Raises:
        ManifestReadError: it is absent, no manifest, or bears another's name.
    """
    try:
        bucket, key = split_s3_uri(uri)
        manifest = Manifest.from_json(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ContractError as error:
        raise ManifestReadError(f"manifest {uri} can't be used: {error}") from error
    except (ClientError, BotoCoreError) as error:
        raise ManifestReadError(f"manifest {uri} can't be read: {error}") from error
    filename = uri.rpartition("/")[2]
    if filename != manifest.name.filename and _is_manifest_name(filename):
        raise ManifestReadError(
            f"manifest {uri} calls itself {manifest.name.filename}; its output would replace that one's"
        )
    return manifest


def _is_manifest_name(filename: str) -> bool:
    try:
        ManifestName.parse(filename)
    except ManifestKeyError:
        return False
    return True
