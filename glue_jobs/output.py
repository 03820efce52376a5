"""Output files: their names, their writing, the removal of an earlier attempt's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from glue_jobs.errors import OutputWriteError

if TYPE_CHECKING:
    from collections.abc import Collection

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

    from lambda_ingest.contract.keys import ManifestName

# What --COMPRESSION_TYPE may say, and the name's part that tells readers of the folder.
CODECS: Final = {"snappy": "snappy", "zstd": "zstd", "gzip": "gzip", "none": "uncompressed"}
_DELETE_BATCH: Final = 1000


def output_folder(prefix: str, date_prefix: str) -> str:
    """Return the folder of a date, with a slash at its end.

    Args:
        prefix: folder above it, without slashes at its ends; may be empty.
        date_prefix: `YYYY-MM-DD`.
    """
    folder = f"merged-parquet-{date_prefix}/"
    return f"{prefix}/{folder}" if prefix else folder


def manifest_stem(prefix: str, name: ManifestName) -> str:
    """Return what the keys of all output files of a manifest begin with, and no other's."""
    return f"{output_folder(prefix, name.date_prefix)}part-{name.sequence:06d}-{name.digest}-"


def part_key(prefix: str, name: ManifestName, part: int, codec: str) -> str:
    """Name an output file.

    Args:
        prefix: folder above the date's folder.
        name: of its manifest.
        part: its number in the manifest, from 0.
        codec: a key of `CODECS`.
    """
    return f"{manifest_stem(prefix, name)}{part:04d}.{CODECS[codec]}.parquet"


def write_part(client: S3Client, bucket: str, key: str, content: pa.Buffer) -> None:
    """Write an output file whole, with one request; readers see the old one or the new one.

    Raises:
        botocore.exceptions.ClientError: S3 refused it.
    """
    client.put_object(
        Bucket=bucket, Key=key, Body=pa.BufferReader(content), ContentType="application/vnd.apache.parquet"
    )


def remove_stale_parts(client: S3Client, bucket: str, stem: str, written: Collection[str]) -> list[str]:
    """Remove a manifest's output files that an earlier attempt wrote under names of its own.

    Args:
        client: S3.
        bucket: the output bucket.
        stem: the result of `manifest_stem`.
        written: keys of this attempt.

    Returns:
        The removed keys.

    Raises:
        OutputWriteError: S3 kept one; the manifest's rows would be there twice.
    """
    stale: list[ObjectIdentifierTypeDef] = []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=stem):
        stale.extend({"Key": item["Key"]} for item in page.get("Contents", []) if item["Key"] not in written)
    for start in range(0, len(stale), _DELETE_BATCH):
        answer = client.delete_objects(
            Bucket=bucket, Delete={"Objects": stale[start : start + _DELETE_BATCH], "Quiet": True}
        )
        for refused in answer.get("Errors", []):
            raise OutputWriteError(
                f"s3://{bucket}/{refused.get('Key')} of an earlier attempt can't be removed "
                f"({refused.get('Code')}); allow s3:DeleteObject and convert the manifest again"
            )
    return [item["Key"] for item in stale]
