"""Lost events: input objects that no record knows get an event of their own."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lambda_ingest.audit.listing import DateListings, ListedObject, without_match
from lambda_ingest.audit.progress import Progress
from lambda_ingest.aws.patience import Patience, Refusal
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.created_objects import ObjectCreated, created_event
from lambda_ingest.contract.dates import parse_date, utc_date
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.file_dates import FileDate, find_date, folder_date
from lambda_ingest.contract.file_keys import sort_key_of_refused
from lambda_ingest.contract.gate import stopped
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.records import MAX_SORT_KEY_BYTES
from lambda_ingest.contract.settings import DateSource
from lambda_ingest.files.arrivals import FirstArrivals
from lambda_ingest.files.identity import is_record_of, knows_content, own_key
from lambda_ingest.files.loaded import LoadedFiles
from lambda_ingest.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sqs.client import SQSClient

# Events normally come within seconds; an object younger than this may still get its own.
GRACE = timedelta(minutes=15)
# SendMessageBatch takes at most this many messages.
_MESSAGES_PER_BATCH = 10
# BatchGetItem takes as many keys.
_ARRIVALS_PER_LOOK = 100
# A group that does not fill is sent after so many objects, for the progress stands still meanwhile.
_MOST_BETWEEN_SENDS = 1_000


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
        arrivals: FirstArrivals,
        patience: Patience,
        *,
        bucket: str,
        queue_url: str,
        settings: Settings,
    ) -> None:
        self._table = table
        self._listings = DateListings(table, s3)
        self._sqs = sqs
        self._loaded = loaded
        self._arrivals = arrivals
        self._patience = patience
        self._bucket = bucket
        self._queue_url = queue_url
        self._settings = settings

    def audited_dates(self, folder: str, dates: Sequence[str]) -> Sequence[str]:
        """Return which dates are looked for in a folder: one, where the folder gives it, else all; pure.

        Args:
            folder: below the input prefix, ending in `/`; the top is the empty one.
            dates: those that are audited.
        """
        sources = self._settings.date_sources
        day = folder_date(folder) if DateSource.PATH in sources else None
        if day is not None:
            return [day.isoformat()] if day.isoformat() in dates else []
        return dates if DateSource.NAME in sources else []

    def resend(
        self, folder: str, date_prefix: str, now: datetime, progress: Progress, resent: Counter[str]
    ) -> None:
        """Send an event for each object that no record knows, or knows with other content.

        Doing it again before the events are handled sends them again, which does no harm. Of a date whose
        records may have expired, what a committed manifest lists with the same content is known, too. What
        the gate stops is left alone here, too.

        Args:
            folder: below the input prefix, ending in `/`; the top is the empty one. One that gives a date
                stands for all folders in it; of others the files with the date in their name are looked at.
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
        seen = 0
        for listed, is_unknown in self._compared(folder, date_prefix, now, progress):
            seen += 1
            if is_unknown:
                group.append(listed)
            if len(group) == _MESSAGES_PER_BATCH or seen >= _MOST_BETWEEN_SENDS:
                self._send(group, date_prefix, progress, resent)
                group, seen = [], 0
            if not group:
                progress.position = replace(progress.position, after=listed.key)
        self._send(group, date_prefix, progress, resent)

    def resend_arrivals(
        self, dates: Sequence[str], now: datetime, progress: Progress, resent: Counter[str]
    ) -> None:
        """Send an event for each object without a date in its key that was written on one of these dates.

        Costs the listing of all objects below the input prefix, a call a thousand, and three reads a hundred
        of the recent ones.

        Args:
            dates: by the objects' last modification.
            now: the present instant, aware.
            progress: where it begins and whether there is time; follows what is done.
            resent: gets the events of each date as they are sent.

        Raises:
            ClientError: AWS refused or failed.
            ResendError: SQS took only some of the events.
            UnreadKeysError: the table is throttled.
            TimeIsUpError: the time is up.
            LoadedUnknownError: so it is for the manifests of an old date.
        """
        group: list[ListedObject] = []
        seen = 0
        for listed in self._listings.objects(
            self._bucket, self._settings.input_prefix, progress, after=progress.position.after
        ):
            progress.demand_time()
            seen += 1
            is_recent = utc_date(listed.modified_at).isoformat() in dates
            if (
                is_recent
                and self._is_input(listed, now)
                and self._date_of(listed).source is DateSource.ARRIVAL
            ):
                group.append(listed)
            if len(group) == _ARRIVALS_PER_LOOK or seen >= _MOST_BETWEEN_SENDS:
                self._resend_arrivals_of(group, now, progress, resent)
                group, seen = [], 0
            if not group:
                progress.position = replace(progress.position, after=listed.key)
        self._resend_arrivals_of(group, now, progress, resent)

    def _resend_arrivals_of(
        self, group: Sequence[ListedObject], now: datetime, progress: Progress, resent: Counter[str]
    ) -> None:
        """Compare a group of objects without a date in their keys, and send what is unknown."""
        if not group:
            return
        arrived = self._arrivals.dates_of(
            [self._uri(listed) for listed in group], self._patience.waits(progress.remaining_seconds)
        )
        keys = {
            (day.isoformat(), below)
            for listed in group
            if (day := arrived.get(self._uri(listed))) is not None
            for below in {self._below(listed), sort_key_of_refused(self._below(listed))}
            if len(below.encode()) <= MAX_SORT_KEY_BYTES
        }
        records = {
            (str(item["date_prefix"]), str(item["file_key"])): item
            for item in self._table.read_keys(sorted(keys), self._patience.waits(progress.remaining_seconds))
        }
        unknown: dict[str, list[ListedObject]] = {}
        for listed in group:
            day = arrived.get(self._uri(listed))
            date_prefix = utc_date(listed.modified_at).isoformat() if day is None else day.isoformat()
            record = records.get((date_prefix, self._below(listed))) or records.get(
                (date_prefix, sort_key_of_refused(self._below(listed)))
            )
            if day is None or not self._is_known(listed, date_prefix, record, now, progress):
                unknown.setdefault(date_prefix, []).append(listed)
        for date_prefix, lost in unknown.items():
            for first in range(0, len(lost), _MESSAGES_PER_BATCH):
                self._send(lost[first : first + _MESSAGES_PER_BATCH], date_prefix, progress, resent)

    def _compared(
        self, folder: str, date_prefix: str, now: datetime, progress: Progress
    ) -> Iterator[tuple[ListedObject, bool]]:
        """Yield the objects of a folder and date, each with whether it needs an event."""
        input_prefix, sources = self._settings.input_prefix, self._settings.date_sources
        is_dated = DateSource.PATH in sources and folder_date(folder) is not None
        file_key_prefix = folder if is_dated else f"{folder}{date_prefix}-"
        after = progress.position.after
        pairs = without_match(
            self._listings.objects(self._bucket, f"{input_prefix}{file_key_prefix}", progress, after=after),
            self._listings.records(
                date_prefix, file_key_prefix, progress, after=after.removeprefix(input_prefix)
            ),
            left_key=self._below,
            right_key=lambda record: str(record["file_key"]),
        )
        for listed, found in pairs:
            progress.demand_time()
            day = self._date_of(listed).day
            if day is None or not self._is_input(listed, now):
                # Without a possible date it is recorded under the day it came.
                yield listed, False
            elif day == parse_date(date_prefix):
                yield listed, not self._is_known(listed, date_prefix, found, now, progress)
            elif is_dated:
                # Its name has another date than its folder, and counts more.
                record = self._table.read(day.isoformat(), self._below(listed))
                yield listed, not self._is_known(listed, day.isoformat(), record, now, progress)
            else:
                yield listed, False

    def _is_input(self, listed: ListedObject, now: datetime) -> bool:
        """Tell whether an object should have a record by now."""
        is_young = now - listed.modified_at < GRACE
        return not is_young and stopped(self._bucket, listed.key, self._settings) is None

    def _date_of(self, listed: ListedObject) -> FileDate:
        return find_date(self._below(listed), self._settings.date_sources)

    def _below(self, listed: ListedObject) -> str:
        return listed.key.removeprefix(self._settings.input_prefix)

    def _uri(self, listed: ListedObject) -> str:
        return s3_uri(self._bucket, listed.key)

    def _is_known(
        self,
        listed: ListedObject,
        date_prefix: str,
        record: Mapping[str, Any] | None,
        now: datetime,
        progress: Progress,
    ) -> bool:
        below = self._below(listed)
        refused_key = sort_key_of_refused(below)
        if record is None and refused_key != below:
            # Its record, if there is one, stands elsewhere in the order.
            record = self._table.read(date_prefix, refused_key)
        uri = self._uri(listed)
        if record is not None and not is_record_of(record, uri):
            # Another bucket's file of the same name came first.
            record = self._table.read(date_prefix, own_key(_object(self._bucket, listed)))
        if record is None:
            return self._loaded.is_needed(date_prefix, now) and self._loaded.lists(
                date_prefix, uri, listed.etag, progress.remaining_seconds
            )
        return knows_content(record, uri, listed.etag)

    def _event_of(self, listed: ListedObject) -> dict[str, Any]:
        return created_event(
            self._bucket,
            listed.key,
            size_bytes=listed.size_bytes,
            etag=listed.etag,
            written_at=listed.modified_at,
        )

    def _send(
        self, group: Sequence[ListedObject], date_prefix: str, progress: Progress, resent: Counter[str]
    ) -> None:
        """Send a group of events; what SQS is too busy for is sent again after a pause."""
        if not group:
            return
        waits = self._patience.waits(progress.remaining_seconds)
        left = {str(position): listed for position, listed in enumerate(group)}
        while left:
            response = self._sqs.send_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": each, "MessageBody": json.dumps(self._event_of(listed))}
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
