"""Objects that an earlier attempt left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import OutputReplacedError, OutputWriteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_DELETE_BATCH: Final = 1000
_REPLACED: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


def list_objects(client: S3Client, bucket: str, stem: str) -> dict[str, str]:
    """Return the keys that begin with a stem, each with the object's ETag.

    Raises:
        OutputWriteError: S3 does not list them.
    """
    found: dict[str, str] = {}
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=stem):
            found |= {item["Key"]: item["ETag"] for item in page.get("Contents", [])}
    except (ClientError, BotoCoreError) as error:
        raise OutputWriteError(f"s3://{bucket}/{stem}* can't be listed: {error}") from error
    return found


def remove(client: S3Client, bucket: str, objects: Mapping[str, str]) -> None:
    """Remove objects that are still what they were; those that are gone count as removed.

    Args:
        client: S3.
        bucket: the bucket.
        objects: the keys, each with its object's ETag.

    Raises:
        OutputReplacedError: one was written anew.
        OutputWriteError: S3 kept one.
    """
    left = list(objects.items())
    for start in range(0, len(left), _DELETE_BATCH):
        batch: list[ObjectIdentifierTypeDef] = [
            {"Key": key, "ETag": etag} for key, etag in left[start : start + _DELETE_BATCH]
        ]
        try:
            answer = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        except (ClientError, BotoCoreError) as error:
            raise OutputWriteError(f"objects of s3://{bucket} can't be removed: {error}") from error
        for refused in answer.get("Errors", []):
            uri, code = f"s3://{bucket}/{refused.get('Key')}", refused.get("Code")
            if code in _REPLACED:
                raise OutputReplacedError(f"{uri} was written by another run just now, and stays")
            if code != "NoSuchKey":
                raise OutputWriteError(
                    f"{uri} of an earlier attempt can't be removed ({code}); allow s3:DeleteObject and "
                    "s3:GetObject, and convert the manifest again"
                )
