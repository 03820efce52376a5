"""Rejected records, kept in the quarantine bucket."""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Final

from glue_jobs.writing.upload import UploadSink

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from glue_jobs.reading.lines import Rejected

_GZIP_WINDOW: Final = 31
_LEVEL: Final = 6


def _reject_line(rejected: Rejected, source_file: str, manifest_uri: str) -> bytes:
    """Write a rejected record as a line."""
    record: dict[str, object] = {
        "source_file": source_file,
        "line_number": rejected.line_number,
        "byte_offset": rejected.byte_offset,
        "reason": rejected.reason,
    }
    try:
        record["raw"] = rejected.raw.decode()
    except UnicodeDecodeError:
        record["raw_base64"] = base64.b64encode(rejected.raw).decode()
    if rejected.raw_length is not None:
        record["raw_length"] = rejected.raw_length
    record["manifest_path"] = manifest_uri
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


class RejectsWriter:
    """Keeps the rejected records of one part; the same records give the same bytes.

    Args:
        client: S3.
        bucket: the quarantine bucket; None where there is none, and records are only counted.
        key: the object's name.
        manifest_uri: of the part's manifest.

    Attributes:
        count: of records taken.
        lost_bytes: of their files' text, as far as they are of it.
    """

    def __init__(self, client: S3Client, bucket: str | None, key: str, manifest_uri: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._manifest_uri = manifest_uri
        self._sink: UploadSink | None = None
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        self.count = 0
        self.lost_bytes = 0

    def write(self, rejected: Rejected, source_file: str) -> None:
        """Take a record.

        Raises:
            OutputWriteError: S3 refuses what came before.
        """
        self.count += 1
        self.lost_bytes += rejected.lost_bytes
        if self._bucket is None:
            return
        if self._sink is None:
            self._sink = UploadSink(self._client, self._bucket, self._key, "application/gzip")
        packed = self._packer.compress(_reject_line(rejected, source_file, self._manifest_uri))
        if packed:
            self._sink.write(packed)

    def finish(self) -> str | None:
        """Write the object.

        Returns:
            Its key; None where there is nothing to keep, or no bucket for it.

        Raises:
            OutputWriteError: S3 refuses.
        """
        if self._sink is None:
            return None
        self._sink.write(self._packer.flush())
        if not self._sink.put_small():
            self._sink.finish().complete(self._client)
        self._sink = None
        return self._key

    def abort(self) -> None:
        """Give up what was sent."""
        if self._sink is not None:
            self._sink.abort()
            self._sink = None
