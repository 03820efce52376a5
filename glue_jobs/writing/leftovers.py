"""Objects that an earlier attempt left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import OutputWriteError

if TYPE_CHECKING:
    from collections.abc import Collection

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_DELETE_BATCH: Final = 1000


def list_keys(client: S3Client, bucket: str, stem: str) -> list[str]:
    """Return the keys that begin with a stem.

    Raises:
        OutputWriteError: S3 does not list them.
    """
    keys: list[str] = []
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=stem):
            keys.extend(item["Key"] for item in page.get("Contents", []))
    except (ClientError, BotoCoreError) as error:
        raise OutputWriteError(f"s3://{bucket}/{stem}* can't be listed: {error}") from error
    return keys


def remove_others(client: S3Client, bucket: str, stem: str, wanted: Collection[str]) -> list[str]:
    """Remove objects that an earlier attempt wrote under names of its own.

    Args:
        client: S3.
        bucket: the bucket.
        stem: what the keys of all of a manifest's objects begin with.
        wanted: keys of this attempt.

    Returns:
        The removed keys.

    Raises:
        OutputWriteError: S3 kept one; the manifest's rows would be there twice.
    """
    stale = [key for key in list_keys(client, bucket, stem) if key not in wanted]
    for start in range(0, len(stale), _DELETE_BATCH):
        objects: list[ObjectIdentifierTypeDef] = [
            {"Key": key} for key in stale[start : start + _DELETE_BATCH]
        ]
        try:
            answer = client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        except (ClientError, BotoCoreError) as error:
            raise OutputWriteError(f"s3://{bucket}/{stem}* can't be removed: {error}") from error
        for refused in answer.get("Errors", []):
            raise OutputWriteError(
                f"s3://{bucket}/{refused.get('Key')} of an earlier attempt can't be removed "
                f"({refused.get('Code')}); allow s3:DeleteObject and convert the manifest again"
            )
    return stale
