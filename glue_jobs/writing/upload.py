"""Objects written while they are made, visible only when they are completed."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import OutputWriteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

# S3 takes 10,000 parts of an upload, so this allows objects of 160 GB.
PART_BYTES: Final = 16 * 1_048_576
_UNDER_WAY: Final = 2


@dataclass(frozen=True)
class Upload:
    """An object that lies in S3 whole, but is not there for anybody until it is completed.

    Attributes:
        bucket: where.
        key: its name, which another object may bear until then.
        upload_id: S3's id.
        etags: of its parts, in order.
        size: in bytes.
    """

    bucket: str
    key: str
    upload_id: str
    etags: tuple[str, ...]
    size: int

    def complete(self, client: S3Client) -> str:
        """Make the object visible, in place of one of that name; it may be done twice.

        Returns:
            Its ETag.

        Raises:
            OutputWriteError: S3 refuses.
        """
        parts = [{"ETag": etag, "PartNumber": number} for number, etag in enumerate(self.etags, start=1)]
        try:
            answer = client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=self.key,
                UploadId=self.upload_id,
                MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
            )
        except (ClientError, BotoCoreError) as error:
            raise OutputWriteError(f"s3://{self.bucket}/{self.key} can't be completed: {error}") from error
        return answer["ETag"]

    def abort(self, client: S3Client) -> None:
        """Give the object up; failing to is logged, since nobody sees what is left."""
        try:
            client.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=self.upload_id)
        except (ClientError, BotoCoreError) as error:
            logger.warning(
                "parts of s3://%s/%s stay until the bucket's lifecycle removes them: %s",
                self.bucket,
                self.key,
                error,
            )


class UploadSink:
    """Takes an object's bytes as a file does, and sends them while they come.

    Args:
        client: S3.
        bucket: where the object goes.
        key: its name.
        content_type: its media type.
        metadata: of the object, as readers of it get it.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        key: str,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._content_type = content_type
        self._metadata = dict(metadata or {})
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._upload_id: str | None = None
        self._etags: list[str] = []
        self._under_way: deque[Future[str]] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="write")
        self.size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        """Take bytes.

        Raises:
            OutputWriteError: S3 refuses what came before.
        """
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self.size += len(data)
        if self._waiting_bytes >= PART_BYTES:
            self._send()
        return len(data)

    def tell(self) -> int:
        """Return how many bytes came."""
        return self.size

    def flush(self) -> None:
        """Do nothing: parts are sent when they are full."""

    def close(self) -> None:
        """Do nothing: what becomes of the bytes is said by `finish` or `abort`."""
        self.closed = True

    def readable(self) -> bool:
        """Return that nothing can be read."""
        return False

    def writable(self) -> bool:
        """Return that bytes can be written."""
        return True

    def seekable(self) -> bool:
        """Return that the place can't be changed."""
        return False

    def finish(self) -> Upload:
        """Send what is left.

        Raises:
            OutputWriteError: S3 refuses.
        """
        if self._waiting or not self._etags:
            self._send()
        self._collect(0)
        self._pool.shutdown()
        assert self._upload_id is not None, "finishing sends at least one part"
        return Upload(self._bucket, self._key, self._upload_id, tuple(self._etags), self.size)

    def put_small(self) -> bool:
        """Write the object at once, with one request, where nothing was sent yet.

        Returns:
            Whether it is written.

        Raises:
            OutputWriteError: S3 refuses.
        """
        if self._upload_id is not None:
            return False
        body = b"".join(self._waiting)
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=body,
                ContentType=self._content_type,
                Metadata=self._metadata,
            )
        except (ClientError, BotoCoreError) as error:
            raise self._refused(error) from error
        finally:
            self._pool.shutdown()
        return True

    def abort(self) -> None:
        """Give up what was sent."""
        for future in self._under_way:
            future.cancel()
        self._pool.shutdown()
        self._waiting.clear()
        if self._upload_id is not None:
            Upload(self._bucket, self._key, self._upload_id, (), 0).abort(self._client)
            self._upload_id = None

    def _send(self) -> None:
        if self._upload_id is None:
            try:
                answer = self._client.create_multipart_upload(
                    Bucket=self._bucket,
                    Key=self._key,
                    ContentType=self._content_type,
                    Metadata=self._metadata,
                )
            except (ClientError, BotoCoreError) as error:
                raise self._refused(error) from error
            self._upload_id = answer["UploadId"]
        self._collect(_UNDER_WAY - 1)
        body = b"".join(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
        number = len(self._etags) + len(self._under_way) + 1
        self._under_way.append(self._pool.submit(self._send_part, self._upload_id, number, body))

    def _send_part(self, upload_id: str, number: int, body: bytes) -> str:
        answer = self._client.upload_part(
            Bucket=self._bucket, Key=self._key, UploadId=upload_id, PartNumber=number, Body=body
        )
        return answer["ETag"]

    def _collect(self, left: int) -> None:
        """Wait until at most so many parts are under way."""
        try:
            while len(self._under_way) > left:
                etag = self._under_way[0].result()
                self._under_way.popleft()
                self._etags.append(etag)
        except (ClientError, BotoCoreError) as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> OutputWriteError:
        return OutputWriteError(f"s3://{self._bucket}/{self._key} can't be written: {error}")
