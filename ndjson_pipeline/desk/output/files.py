"""The Parquet files of a date, as they lie in the output bucket."""

import re
from dataclasses import dataclass

from ndjson_pipeline.desk.clients import Desk

# What else lies there (a marker of another tool, a file that is none) is not read by any query either.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.parquet")


@dataclass(frozen=True)
class ParquetFile:
    """A file.

    Attributes:
        key: its key.
        size_bytes: its size.
        etag: of its content.
    """

    key: str
    size_bytes: int
    etag: str

    @property
    def name(self) -> str:
        """Its name in the date's folder."""
        return self.key.rpartition("/")[2]


def output_files(desk: Desk, date: str) -> list[ParquetFile]:
    """Return the Parquet files of a date, by key.

    Raises:
        ClientError: S3 or Glue refused or failed.
    """
    folder = f"{desk.output_prefix}/" if desk.output_prefix else ""
    pages = desk.s3.get_paginator("list_objects_v2").paginate(
        Bucket=desk.names.output_bucket, Prefix=f"{folder}merged-parquet-{date}/"
    )
    return [
        ParquetFile(one["Key"], int(one["Size"]), one["ETag"])
        for page in pages
        for one in page.get("Contents", [])
        if _NAME.fullmatch(one["Key"].rpartition("/")[2])
    ]
