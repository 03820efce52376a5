"""Copies of refused objects in the quarantine bucket, where nothing is ever overwritten.

The copy has the object's key. Where another object lies there, it has one of its own beside it, which follows
from bucket, key and entity tag: a retry after a crash finds its own copy again, and makes no second.
"""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import ClientError

from lambda_ingest.aws.objects import CHANGED, GONE, ObjectUnreadableError, head_object
from lambda_ingest.aws.patience import RESERVED_SECONDS, RemainingSeconds
from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CopySourceTypeDef

# What one copy does a second at least. AWS promises nothing; within a region it is mostly several times this.
COPY_BYTES_PER_SECOND = 25 * 1024**2
# Of one request: a client that hears nothing for its read timeout of 10 s would send it again.
_PART_BYTES = 128 * 1024**2
_PARTS_AT_ONCE = 8
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
_MOST_PARTS = 10_000
_MOST_KEY_BYTES = 1024
# S3 takes 2 KB of metadata in all.
_LONGEST_REASON = 1_000
_MOST_NEIGHBOURS = 5
_BROKEN_ESCAPE = re.compile("%.?$")


class CopyTimeError(IngestError):
    """The time did not reach for a copy; whoever has more of it goes on."""


class QuarantineOccupiedError(IngestError):
    """Other objects lie wherever a refused one's copy could; nothing is overwritten."""


class _Copied(Enum):
    """What became of one attempt at a copy."""

    DONE = "done"
    REFUSED = "a condition refused it"


def seconds_for(size_bytes: int) -> float:
    """Return how long a copy takes at most; pure."""
    return size_bytes / (COPY_BYTES_PER_SECOND * min(_PARTS_AT_ONCE, max(1, _part_count(size_bytes))))


class QuarantineCopies:
    """Copies objects into the quarantine bucket."""

    def __init__(self, s3: "S3Client", *, bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def copy(self, source: ObjectCreated, reason: str, remaining_seconds: RemainingSeconds) -> str | None:
        """Copy an object, once, if it still has the content that was judged.

        Returns:
            The copy's key; None where the object is gone or has other content.

        Raises:
            ClientError: S3 failed, or was throttled.
            CopyTimeError: the time did not reach.
            ObjectUnreadableError: S3 refuses to say what lies where the copy should.
            QuarantineOccupiedError: there is no room beside other objects.
        """
        for key in _candidates(source):
            if not self._may_be_free(key):
                if self._is_copy(source, key):
                    return key
                continue
            try:
                copied = self._attempt(source, key, reason, remaining_seconds)
            except ClientError as error:
                if error_code(error) in GONE:
                    return None
                raise
            if copied is _Copied.DONE or self._is_copy(source, key):
                return key
            # Either the object changed, or something was put here just now.
            if self._may_be_free(key):
                return None
        raise QuarantineOccupiedError(
            f"{_MOST_NEIGHBOURS + 1} other objects lie where the copy of {source.uri} could, at "
            f"{s3_uri(self.bucket, source.key)} and beside it; move them away"
        )

    def _may_be_free(self, key: str) -> bool:
        """Tell whether nothing is known to lie there; the copy's own condition makes sure."""
        try:
            return head_object(self._s3, self.bucket, key) is None
        except ObjectUnreadableError:
            # A role that may put objects, but not see whether there are any.
            return True

    def _is_copy(self, source: ObjectCreated, key: str) -> bool:
        found = head_object(self._s3, self.bucket, key)
        return (
            found is not None
            and found.size_bytes == source.size_bytes
            and found.metadata.get("original_bucket") == source.bucket
            and found.metadata.get("original_etag") == source.etag
        )

    def _attempt(
        self, source: ObjectCreated, key: str, reason: str, remaining_seconds: RemainingSeconds
    ) -> _Copied:
        metadata = {
            "quarantine_reason": _ascii(reason),
            "original_bucket": source.bucket,
            "original_etag": source.etag,
        }
        try:
            if _part_count(source.size_bytes) > 1:
                self._copy_parts(source, key, metadata, remaining_seconds)
            else:
                self._s3.copy_object(
                    Bucket=self.bucket,
                    Key=key,
                    CopySource={"Bucket": source.bucket, "Key": source.key},
                    CopySourceIfMatch=source.etag,
                    IfNoneMatch="*",
                    Metadata=metadata,
                    MetadataDirective="REPLACE",
                )
        except ClientError as error:
            if error_code(error) not in CHANGED:
                raise
            return _Copied.REFUSED
        return _Copied.DONE

    def _copy_parts(
        self,
        source: ObjectCreated,
        key: str,
        metadata: dict[str, str],
        remaining_seconds: RemainingSeconds,
    ) -> None:
        """Copy in parts; what is left of an attempt that died is for the bucket's lifecycle rule."""
        where: CopySourceTypeDef = {"Bucket": source.bucket, "Key": source.key}
        count = _part_count(source.size_bytes)
        size = -(-source.size_bytes // count)
        upload = self._s3.create_multipart_upload(Bucket=self.bucket, Key=key, Metadata=metadata)
        upload_id = upload["UploadId"]

        def copy_part(number: int) -> "CompletedPartTypeDef":
            if remaining_seconds() < RESERVED_SECONDS:
                raise CopyTimeError(
                    f"the time did not reach for the {source.size_bytes} bytes of {source.uri}"
                )
            first = (number - 1) * size
            last = min(first + size, source.size_bytes) - 1
            answer = self._s3.upload_part_copy(
                Bucket=self.bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                CopySource=where,
                CopySourceIfMatch=source.etag,
                CopySourceRange=f"bytes={first}-{last}",
            )
            return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

        try:
            with ThreadPoolExecutor(max_workers=_PARTS_AT_ONCE) as pool:
                parts = list(pool.map(copy_part, range(1, count + 1)))
            self._s3.complete_multipart_upload(
                Bucket=self.bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
                IfNoneMatch="*",
            )
        except (ClientError, CopyTimeError):
            self._s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
            raise


def _part_count(size_bytes: int) -> int:
    return min(_MOST_PARTS, -(-size_bytes // _PART_BYTES))


def _candidates(source: ObjectCreated) -> list[str]:
    """Return the keys that a copy may have, in order; pure."""
    keys = [source.key]
    for number in range(_MOST_NEIGHBOURS):
        identity = f"{source.bucket}\n{source.key}\n{source.etag}\n{number}"
        suffix = f".{hashlib.sha256(identity.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
        room = _MOST_KEY_BYTES - len(suffix)
        keys.append(source.key.encode()[:room].decode("utf-8", "ignore") + suffix)
    return keys


def _ascii(reason: str) -> str:
    """Return text as S3 keeps metadata: ASCII headers."""
    quoted = quote(printable(reason), safe=" :,.;()%+=-_/'")
    return quoted if len(quoted) <= _LONGEST_REASON else _BROKEN_ESCAPE.sub("", quoted[:_LONGEST_REASON])
