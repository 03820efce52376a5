"""An object that S3 says was created, and the event by which S3 says so."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

from lambda_ingest.contract.dates import utc_timestamp


@dataclass(frozen=True)
class ObjectCreated:
    """One object that S3 says was created.

    Attributes:
        bucket: its bucket.
        key: its key, decoded.
        size_bytes: its size.
        etag: its entity tag without quotes.
        version_id: its version, where the bucket keeps versions.
        event_time: when S3 wrote it, aware; None where the event does not say.
    """

    bucket: str
    key: str
    size_bytes: int
    etag: str
    version_id: str | None = None
    event_time: datetime | None = None

    @property
    def uri(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"


def created_event(
    bucket: str, key: str, *, size_bytes: int, etag: str, written_at: datetime
) -> dict[str, Any]:
    """Return the event that S3 sends of an object that is written; pure.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html

    Args:
        bucket: the object's.
        key: the object's, decoded.
        size_bytes: its size.
        etag: its entity tag without quotes.
        written_at: when it was written, aware.
    """
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventTime": utc_timestamp(written_at),
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": {
                        "key": quote_plus(key, safe="/"),
                        "size": size_bytes,
                        "eTag": etag,
                    },
                },
            }
        ]
    }
