"""Rejected records, kept in the quarantine bucket."""

from __future__ import annotations

import base64
import zlib
from json.encoder import encode_basestring as _quoted
from typing import TYPE_CHECKING, Final

from glue_jobs.writing.upload import UploadSink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_s3 import S3Client

    from glue_jobs.reading.lines import Rejected

_GZIP_WINDOW: Final = 31
# Rejected records are much alike; a higher level costs twice the time for a tenth of the bytes.
_LEVEL: Final = 1
# Packed together, since each call costs more than a line.
_LINES_AT_ONCE: Final = 200
_LONG_BYTES: Final = 8_192


class _Lines:
    """Writes rejected records as lines; what does not change from one to the next is written once.

    Args:
        manifest_uri: of the part's manifest.
    """

    def __init__(self, manifest_uri: str) -> None:
        self._end = f', "manifest_path": {_quoted(manifest_uri)}}}\n'
        self._source_file = ""
        self._beginning = ""

    def line(self, rejected: Rejected, source_file: str) -> bytes:
        """Return a line with its newline."""
        if source_file != self._source_file:
            self._source_file = source_file
            self._beginning = f'{{"source_file": {_quoted(source_file)}, "line_number": '
        try:
            raw = f'"raw": {_quoted(rejected.raw.decode())}'
        except UnicodeDecodeError:
            raw = f'"raw_base64": "{base64.b64encode(rejected.raw).decode()}"'
        if rejected.raw_length is not None:
            raw += f', "raw_length": {rejected.raw_length}'
        return (
            f'{self._beginning}{rejected.line_number}, "byte_offset": {rejected.byte_offset}, '
            f'"reason": {_quoted(rejected.reason)}, {raw}{self._end}'
        ).encode(errors="surrogatepass")


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
        self._lines = _Lines(manifest_uri)
        self._unpacked: list[bytes] = []
        self._sink: UploadSink | None = None
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        self.count = 0
        self.lost_bytes = 0

    def write(self, rejected: Rejected, source_file: str) -> None:
        """Take a record.

        Raises:
            OutputWriteError: S3 refuses what came before.
        """
        self.write_all((rejected,), source_file)

    def write_all(self, records: Sequence[Rejected], source_file: str) -> None:
        """Take records of one file.

        Raises:
            OutputWriteError: S3 refuses what came before.
        """
        if not records:
            return
        self.count += len(records)
        self.lost_bytes += sum(rejected.lost_bytes for rejected in records)
        if self._bucket is None:
            return
        if self._sink is None:
            self._sink = UploadSink(self._client, self._bucket, self._key, "application/gzip")
        unpacked, line = self._unpacked, self._lines.line
        for rejected in records:
            unpacked.append(line(rejected, source_file))
            if len(unpacked) >= _LINES_AT_ONCE or len(rejected.raw) >= _LONG_BYTES:
                self._pack()

    def finish(self) -> str | None:
        """Write the object.

        Returns:
            Its key; None where there is nothing to keep, or no bucket for it.

        Raises:
            OutputWriteError: S3 refuses.
        """
        if self._sink is None:
            return None
        self._pack()
        self._sink.write(self._packer.flush())
        if not self._sink.put_small():
            self._sink.finish().complete(self._client)
        self._sink = None
        return self._key

    def _pack(self) -> None:
        assert self._sink is not None, "it is opened with the first record"
        packed = self._packer.compress(b"".join(self._unpacked))
        self._unpacked.clear()
        if packed:
            self._sink.write(packed)

    def abort(self) -> None:
        """Give up what was sent."""
        if self._sink is not None:
            self._sink.abort()
            self._sink = None
