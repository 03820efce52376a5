"""What an input object holds now, and whether that is what a record stands for, under another entity tag.

An entity tag changes where an object is encrypted anew, copied in place or uploaded in other parts, and its
bytes do not. What tells, in this order:

1. Their sizes differ: other content.
2. The former version is there: where both have a checksum of their whole content by the same algorithm, that
   decides; else both entity tags do, where both are MD5s of the content.
3. Nothing is left to tell. Of a bucket without versions that is so whenever the sizes are equal: what was
   there is gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.objects import ObjectHead, ObjectUnreadableError, head_object
from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.keys import split_s3_uri
from lambda_ingest.contract.rows import text_of, whole_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class Likeness(Enum):
    """Whether two contents are one."""

    SAME = "same"
    OTHER = "other"
    UNTOLD = "untold"


@dataclass(frozen=True)
class Comparison:
    """What was found, with the reason in a sentence."""

    likeness: Likeness
    reason: str


class Contents:
    """Asks S3 what input objects hold."""

    def __init__(self, s3: "S3Client") -> None:
        self._s3 = s3

    def present(self, created: ObjectCreated) -> ObjectCreated | None:
        """Return what an object holds now, or None where it is gone.

        Raises:
            ClientError: S3 failed, or was throttled.
            ObjectUnreadableError: S3 refuses to say.
        """
        head = head_object(self._s3, created.bucket, created.key)
        if head is None:
            return None
        return ObjectCreated(
            bucket=created.bucket,
            key=created.key,
            size_bytes=head.size_bytes,
            etag=head.etag,
            version_id=head.version_id,
            event_time=created.event_time,
        )

    def compare(self, record: Mapping[str, Any]) -> Comparison:
        """Compare the content that a record stands for with that which came over it.

        Args:
            record: a file's, with `overwritten_etag`.

        Raises:
            ClientError: S3 failed, or was throttled.
            ContractError: the record names no object.
        """
        before, after = whole_of(record, "file_size_bytes"), whole_of(record, "overwritten_size_bytes")
        if before is not None and after is not None and before != after:
            return Comparison(Likeness.OTHER, f"its size changed from {before} to {after} bytes")
        version_id = text_of(record, "version_id")
        if version_id is None:
            return Comparison(
                Likeness.UNTOLD, "its size is the same, and the bucket keeps no former version to compare"
            )
        bucket, key = split_s3_uri(str(record.get("file_path")))
        try:
            present = head_object(self._s3, bucket, key, with_checksums=True)
            if present is None or present.etag != record.get("overwritten_etag"):
                return Comparison(Likeness.UNTOLD, "the object was replaced or removed again since")
            former = head_object(self._s3, bucket, key, version_id=version_id, with_checksums=True)
        except ObjectUnreadableError as error:
            logger.warning("Contents could not be compared", uri=record.get("file_path"), reason=str(error))
            return Comparison(Likeness.UNTOLD, str(error))
        if former is None:
            return Comparison(Likeness.UNTOLD, "its size is the same, and its former version is gone")
        return compared(former, present)


def compared(former: ObjectHead, present: ObjectHead) -> Comparison:
    """Compare two contents by what S3 says of them; pure."""
    if former.size_bytes != present.size_bytes:
        return Comparison(
            Likeness.OTHER, f"its size changed from {former.size_bytes} to {present.size_bytes} bytes"
        )
    common = sorted(former.checksums.keys() & present.checksums.keys())
    if common:
        if all(former.checksums[name] == present.checksums[name] for name in common):
            return Comparison(Likeness.SAME, f"size and checksum are the same ({', '.join(common)})")
        return Comparison(Likeness.OTHER, f"its checksum changed ({', '.join(common)})")
    if former.md5 is not None and present.md5 is not None:
        if former.md5 == present.md5:
            return Comparison(Likeness.SAME, "size and MD5 are the same")
        return Comparison(Likeness.OTHER, "its MD5 changed")
    return Comparison(
        Likeness.UNTOLD,
        "its size is the same, and S3 keeps no checksum of both by one algorithm",
    )
