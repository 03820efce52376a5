"""A Parquet object in S3 as a file of which only some ranges are read."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# A footer and what stands before it come with one request.
_TAIL_BYTES = 64 * 1024


class RangeFile(io.RawIOBase):
    """Reads ranges of an object, on the condition that it is still the one that was listed.

    Args:
        s3: the client.
        bucket: its bucket.
        key: its key.
        size_bytes: its size.
        etag: of its content.

    Attributes:
        bytes_read: of S3, so far.
    """

    def __init__(self, s3: "S3Client", bucket: str, key: str, size_bytes: int, etag: str) -> None:
        self._s3, self._bucket, self._key = s3, bucket, key
        self._size, self._etag = size_bytes, etag
        self._at = 0
        self._tail_start, self._tail = size_bytes, b""
        self.bytes_read = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes.

        Raises:
            ClientError: S3 refused or failed, or the object is another one by now.
        """
        end = self._size if size is None or size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return b""
        if end > self._size - _TAIL_BYTES and not self._tail:
            self._tail_start = max(0, self._size - _TAIL_BYTES)
            self._tail = self._get(self._tail_start, self._size)
        if self._at >= self._tail_start:
            found = self._tail[self._at - self._tail_start : end - self._tail_start]
        else:
            found = self._get(self._at, end)
        self._at += len(found)
        return found

    def _get(self, start: int, end: int) -> bytes:
        answer = self._s3.get_object(
            Bucket=self._bucket, Key=self._key, Range=f"bytes={start}-{end - 1}", IfMatch=self._etag
        )
        content: bytes = answer["Body"].read()
        self.bytes_read += len(content)
        return content
