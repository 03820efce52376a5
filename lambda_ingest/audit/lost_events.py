"""Lost events: input objects that no record knows get an event of their own."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from lambda_ingest.audit.listing import DateListings, ListedObject, without_match
from lambda_ingest.aws.log import logger
from lambda_ingest.aws.table import Table
from lambda_ingest.batches.cutter import RESERVED_SECONDS, RemainingSeconds
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.files.validation import sort_key_of_refused

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient

# Events normally come within seconds; an object younger than this may still get its own.
GRACE = timedelta(minutes=15)
# SendMessageBatch takes at most this many messages.
_MESSAGES_PER_BATCH = 10


class ResendError(IngestError):
    """SQS did not take every event that was sent again."""


@dataclass(frozen=True)
class Resent:
    """What the search for lost events did to one date.

    Attributes:
        files: how many events were sent again.
        is_complete: whether the time reached for all of the date.
        undecidable: objects that no record knows, but that are so old that theirs may have expired; they are
            left alone, for a file that is tracked anew would be loaded twice.
    """

    files: int
    is_complete: bool
    undecidable: int = 0


class LostEvents:
    """Compares the input bucket's listing of a date with the date's records."""

    def __init__(
        self,
        table: Table,
        s3: "S3Client",
        sqs: "SQSClient",
        *,
        bucket: str,
        queue_url: str,
        input_prefix: str,
    ) -> None:
        self._table = table
        self._listings = DateListings(table, s3)
        self._sqs = sqs
        self._bucket = bucket
        self._queue_url = queue_url
        self._input_prefix = input_prefix
        # A record lives at least this long after its object was written.
        self._most_age = table.ttl - timedelta(days=1)

    def resend(self, date_prefix: str, now: datetime, remaining_seconds: RemainingSeconds) -> Resent:
        """Send an event for each object of the date that no record knows, or knows with other content.

        Doing it again before the events are handled sends them again, which does no harm.

        Raises:
            ClientError: AWS refused or failed.
            ResendError: SQS took only some of the events; the next sweep sends the rest.
        """
        sent = 0
        undecidable: list[str] = []
        for folder in self._listings.folders(date_prefix):
            unknown = self._unknown(date_prefix, folder, now, undecidable)
            for group in _groups(unknown, _MESSAGES_PER_BATCH):
                self._send(group)
                sent += len(group)
                if remaining_seconds() < RESERVED_SECONDS:
                    logger.warning("Stopped the search for lost events", date_prefix=date_prefix, sent=sent)
                    return Resent(sent, is_complete=False, undecidable=len(undecidable))
        if sent:
            logger.warning("Sent lost events again", date_prefix=date_prefix, file_count=sent)
        if undecidable:
            logger.warning(
                "Left objects alone whose records may have expired",
                date_prefix=date_prefix,
                file_count=len(undecidable),
                first=undecidable[0],
            )
        return Resent(sent, is_complete=True, undecidable=len(undecidable))

    def _unknown(
        self, date_prefix: str, folder: str, now: datetime, undecidable: list[str]
    ) -> Iterator[ListedObject]:
        """Yield the objects of a folder that need an event, and note the keys of those that can't be told."""
        file_key_prefix = f"{folder}{date_prefix}-"
        pairs = without_match(
            self._listings.objects(self._bucket, f"{self._input_prefix}{file_key_prefix}"),
            self._listings.records(date_prefix, file_key_prefix),
            left_key=lambda listed: listed.key.removeprefix(self._input_prefix),
            right_key=lambda record: str(record["file_key"]),
        )
        for listed, found in pairs:
            if now - listed.modified_at < GRACE:
                continue
            below = listed.key.removeprefix(self._input_prefix)
            refused_key = sort_key_of_refused(below)
            record = found
            if record is None and refused_key != below:
                # Its record, if there is one, stands elsewhere in the order.
                record = self._table.read(date_prefix, refused_key)
            if record is None and now - listed.modified_at > self._most_age:
                undecidable.append(listed.key)
                continue
            is_known = record is not None and listed.etag in {
                record.get("etag"),
                record.get("overwritten_etag"),
            }
            # An overwrite whose alert a crash kept back has no event left to bring it up again.
            if record is None or not is_known or record.get("overwrite_alert_due"):
                yield listed

    def _send(self, group: Sequence[ListedObject]) -> None:
        response = self._sqs.send_message_batch(
            QueueUrl=self._queue_url,
            Entries=[
                {"Id": str(position), "MessageBody": json.dumps(_event(self._bucket, listed))}
                for position, listed in enumerate(group)
            ],
        )
        if refused := response.get("Failed"):
            raise ResendError(f"SQS refused {len(refused)} of {len(group)} events: {refused[0].get('Code')}")


def _event(bucket: str, listed: ListedObject) -> dict[str, Any]:
    """Return the event that S3 would have sent.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventTime": utc_timestamp(listed.modified_at),
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": {
                        "key": quote_plus(listed.key, safe="/"),
                        "size": listed.size_bytes,
                        "eTag": listed.etag,
                    },
                },
            }
        ]
    }


def _groups(items: Iterable[ListedObject], size: int) -> Iterator[list[ListedObject]]:
    left = iter(items)
    while group := list(islice(left, size)):
        yield group
