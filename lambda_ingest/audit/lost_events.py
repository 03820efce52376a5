"""Lost events: input objects that no record knows get an event of their own."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from lambda_ingest.audit.listing import DateListings, ListedObject, without_match
from lambda_ingest.audit.progress import Progress
from lambda_ingest.aws.patience import Patience, Refusal
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.files.events import ObjectCreated
from lambda_ingest.files.identity import is_record_of, knows_content, own_key
from lambda_ingest.files.loaded import LoadedFiles
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


class LostEvents:
    """Compares the input bucket's listing of a folder and date with the date's records."""

    def __init__(
        self,
        table: Table,
        s3: "S3Client",
        sqs: "SQSClient",
        loaded: LoadedFiles,
        patience: Patience,
        *,
        bucket: str,
        queue_url: str,
        input_prefix: str,
    ) -> None:
        self._table = table
        self._listings = DateListings(table, s3)
        self._sqs = sqs
        self._loaded = loaded
        self._patience = patience
        self._bucket = bucket
        self._queue_url = queue_url
        self._input_prefix = input_prefix

    def resend(
        self, folder: str, date_prefix: str, now: datetime, progress: Progress, resent: Counter[str]
    ) -> None:
        """Send an event for each object that no record knows, or knows with other content.

        Doing it again before the events are handled sends them again, which does no harm. Of a date whose
        records may have expired, what a committed manifest lists with the same content is known, too.

        Args:
            folder: below the input prefix, ending in `/`; the top is the empty one.
            date_prefix: the date.
            now: the present instant, aware.
            progress: where it begins and whether there is time; follows what is done.
            resent: gets the events of each date as they are sent.

        Raises:
            ClientError: AWS refused or failed.
            ResendError: SQS took only some of the events; the next sweep sends the rest.
            TimeIsUpError: the time is up.
            LoadedUnknownError: so it is for the manifests of an old date.
        """
        group: list[ListedObject] = []
        for listed, is_unknown in self._compared(folder, date_prefix, now, progress):
            if is_unknown:
                group.append(listed)
            if len(group) == _MESSAGES_PER_BATCH:
                self._send(group, date_prefix, progress, resent)
                group = []
            if not group:
                progress.position = replace(progress.position, after=listed.key)
        if group:
            self._send(group, date_prefix, progress, resent)

    def _compared(
        self, folder: str, date_prefix: str, now: datetime, progress: Progress
    ) -> Iterator[tuple[ListedObject, bool]]:
        """Yield the objects of a folder and date, each with whether it needs an event."""
        file_key_prefix = f"{folder}{date_prefix}-"
        after = progress.position.after
        pairs = without_match(
            self._listings.objects(
                self._bucket, f"{self._input_prefix}{file_key_prefix}", progress, after=after
            ),
            self._listings.records(
                date_prefix, file_key_prefix, progress, after=after.removeprefix(self._input_prefix)
            ),
            left_key=lambda listed: listed.key.removeprefix(self._input_prefix),
            right_key=lambda record: str(record["file_key"]),
        )
        for listed, found in pairs:
            progress.demand_time()
            is_young = now - listed.modified_at < GRACE
            yield listed, not is_young and not self._is_known(listed, date_prefix, found, now, progress)

    def _is_known(
        self,
        listed: ListedObject,
        date_prefix: str,
        record: Mapping[str, Any] | None,
        now: datetime,
        progress: Progress,
    ) -> bool:
        below = listed.key.removeprefix(self._input_prefix)
        refused_key = sort_key_of_refused(below)
        if record is None and refused_key != below:
            # Its record, if there is one, stands elsewhere in the order.
            record = self._table.read(date_prefix, refused_key)
        uri = f"s3://{self._bucket}/{listed.key}"
        if record is not None and not is_record_of(record, uri):
            # Another bucket's file of the same name came first.
            record = self._table.read(date_prefix, own_key(_object(self._bucket, listed)))
        if record is None:
            return self._loaded.is_needed(date_prefix, now) and self._loaded.lists(
                date_prefix, uri, listed.etag, progress.remaining_seconds
            )
        return knows_content(record, uri, listed.etag)

    def _send(
        self, group: Sequence[ListedObject], date_prefix: str, progress: Progress, resent: Counter[str]
    ) -> None:
        """Send a group of events; what SQS is too busy for is sent again after a pause."""
        waits = self._patience.waits(progress.remaining_seconds)
        left = {str(position): listed for position, listed in enumerate(group)}
        while left:
            response = self._sqs.send_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": each, "MessageBody": json.dumps(_event(self._bucket, listed))}
                    for each, listed in left.items()
                ],
            )
            refused = {entry["Id"]: entry for entry in response.get("Failed", [])}
            resent[date_prefix] += len(left) - len(refused)
            left = {each: listed for each, listed in left.items() if each in refused}
            if any(entry["SenderFault"] for entry in refused.values()) or (
                left and not waits.again(Refusal.THROTTLED)
            ):
                codes = sorted({str(entry["Code"]) for entry in refused.values()})
                raise ResendError(
                    f"SQS refused {len(refused)} of {len(group)} events of {date_prefix} {waits}: "
                    f"{', '.join(codes)}"
                )


def _object(bucket: str, listed: ListedObject) -> ObjectCreated:
    return ObjectCreated(bucket, listed.key, listed.size_bytes, listed.etag)


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
