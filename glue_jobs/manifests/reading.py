"""Manifests, read from S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import ManifestReadError
from lambda_ingest.contract.errors import ContractError, ManifestKeyError
from lambda_ingest.contract.keys import ManifestName, split_s3_uri
from lambda_ingest.contract.manifest import Manifest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
