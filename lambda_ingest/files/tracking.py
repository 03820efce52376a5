"""The record of an input file: created once, and following the object's content while it is pending.

event            record            outcome
-----            ------            -------
etag A           none              NEW          put if absent
etag A again     A, any status     DUPLICATE    nothing is written
etag B           A, pending        FOLLOWED     pending and etag A -> etag B
etag B           A, quarantined    NEW          the producer mended the file: quarantined -> pending
etag B           A, manifested     OVERWRITTEN  A's batch stands; B is recorded beside it, to be told
etag B, late     A                 STALE        the object's content is A: events came out of order
any              another bucket's  as above     under a sort key of its own
any              any               GONE         the object does not exist any more
any, old date    none, but listed  as above     the record is written again, manifested, from its manifest

A pending record has no `ttl`, so that what is open never expires; it gets one with its end.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from botocore.exceptions import ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import Patience, Refusal, RemainingSeconds, refusal_of
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.items import Item
from lambda_ingest.contract.records import PENDING_DATE_ATTRIBUTE, FileStatus
from lambda_ingest.contract.validation import AcceptedFile, RefusedFile
from lambda_ingest.files.contents import Contents
from lambda_ingest.files.file_records import (
    FileRecords,
    RecordContentionError,
    is_known_content,
    overwrite_due,
)
from lambda_ingest.files.identity import is_record_of
from lambda_ingest.files.overwrites import Overwritten

# An event handled within this time of its object's creation is believed without a look at the object: a
# request a file is what it would cost. After it (a backlog, a redrive, a lost event sent again) the object
# may have been deleted, and a manifest that lists it would fail.
FRESH_EVENT_SECONDS = 60


class TrackingOutcome(Enum):
    """What an event meant to the record of its file."""

    NEW = "new"
    DUPLICATE = "duplicate"
    FOLLOWED = "followed"
    OVERWRITTEN = "overwritten"
    STALE = "stale"
    GONE = "gone"


@dataclass(frozen=True)
class Tracked:
    """The outcome of tracking one file.

    Attributes:
        file: the file, with the content that the record now stands for.
        outcome: what happened.
        is_pending: whether its record is pending now, so that its date is worth a build.
        overwritten: an overwrite that is recorded and that nobody was told of yet.
    """

    file: AcceptedFile | RefusedFile
    outcome: TrackingOutcome
    is_pending: bool
    overwritten: Overwritten | None = None


class FileTracker:
    """Records accepted files."""

    def __init__(self, table: Table, records: FileRecords, contents: Contents, patience: Patience) -> None:
        self._table = table
        self._records = records
        self._contents = contents
        self._patience = patience

    def track(self, file: AcceptedFile, remaining_seconds: RemainingSeconds) -> Tracked:
        """Record a file, however often and in whatever order its events come.

        Raises:
            ClientError: DynamoDB or S3 refused or failed; nothing half-done is visible.
            ObjectUnreadableError: S3 refuses to say what the object holds.
            RecordContentionError: the record changed at every attempt.
            ForeignRecordError: another's record stands where only this file's can.
            LoadedUnknownError: the time did not reach for what an old date has loaded.
        """
        now = self._table.clock()
        event_time = file.object.event_time
        if event_time is None or now - event_time > timedelta(seconds=FRESH_EVENT_SECONDS):
            current = self._contents.present(file.object)
            if current is None:
                return Tracked(file, TrackingOutcome.GONE, is_pending=False)
            # What the record should say is the object's content, whatever an old event says of it.
            file = replace(file, object=current)
        waits = self._patience.waits(remaining_seconds)
        file, existing = self._records.restored(file, now, remaining_seconds)
        while True:
            tracked = None
            try:
                existing = existing or self._put_pending(file, now)
                if existing is None:
                    return Tracked(file, TrackingOutcome.NEW, is_pending=True)
                if not is_record_of(existing, file.object.uri):
                    file, existing = self._records.beside_others(file, existing), None
                    continue
                tracked = self._meet(file, existing, now)
            except ClientError as error:
                if refusal_of(error) is not Refusal.CONTENDED:
                    raise
            if tracked is not None:
                return tracked
            if not waits.again(Refusal.CONTENDED):
                raise RecordContentionError(
                    f"the record of {file.object.uri} was being written by others {waits}"
                )
            existing = self._records.read(file)

    def _put_pending(self, file: AcceptedFile, now: datetime) -> Item | None:
        """Put a pending record, and return None; or return the record that is there."""
        return self._records.put_if_absent(
            {
                **self._records.attributes(file, now),
                "status": FileStatus.PENDING.value,
                PENDING_DATE_ATTRIBUTE: file.date_prefix,
            }
        )

    def _meet(self, file: AcceptedFile, existing: Item, now: datetime) -> Tracked | None:
        """Bring the record and the event together, or return None where the record changed meanwhile."""
        status = existing.get("status")
        is_quarantined = status == FileStatus.QUARANTINED
        is_pending = status == FileStatus.PENDING
        if status not in set(FileStatus):
            logger.warning(
                "A file's record has an unknown status",
                date_prefix=file.date_prefix,
                file_key=file.file_key,
                found=status,
            )
        due = overwrite_due(file, existing)
        if not is_quarantined and is_known_content(file.object.etag, existing):
            return Tracked(file, TrackingOutcome.DUPLICATE, is_pending=is_pending, overwritten=due)
        if existing.get("overwritten_etag") == file.object.etag:
            return Tracked(file, TrackingOutcome.DUPLICATE, is_pending=False, overwritten=due)
        # Events come out of order, so only the object itself tells which content is the newer one.
        current = self._contents.present(file.object)
        if current is None:
            return Tracked(file, TrackingOutcome.GONE, is_pending=is_pending)
        if not is_quarantined and is_known_content(current.etag, existing):
            return Tracked(file, TrackingOutcome.STALE, is_pending=is_pending, overwritten=due)
        newer = replace(file, object=current)
        if status == FileStatus.MANIFESTED:
            return note_overwrite(self._records, newer, existing, now)
        return self._follow(newer, existing, now)

    def _follow(self, file: AcceptedFile, existing: Item, now: datetime) -> Tracked | None:
        """Let a record that is in no manifest stand for the object's new content."""
        was_pending = existing.get("status") == FileStatus.PENDING
        values = {
            **self._records.attributes(file, now),
            "status": FileStatus.PENDING.value,
            PENDING_DATE_ATTRIBUTE: file.date_prefix,
        }
        if was_pending and isinstance(existing.get("created_at"), str):
            # The file waits since it was first seen, not since its content changed.
            values["created_at"] = existing["created_at"]
        if not self._records.put_if_unchanged(values, existing):
            return None
        outcome = TrackingOutcome.FOLLOWED if was_pending else TrackingOutcome.NEW
        return Tracked(file, outcome, is_pending=True)


def note_overwrite(
    records: FileRecords, file: AcceptedFile | RefusedFile, existing: Item, now: datetime
) -> Tracked | None:
    """Record new content beside a manifested record, or return None where that changed meanwhile."""
    if existing.get("overwritten_etag") == file.object.etag:
        due = overwrite_due(file, existing)
        return Tracked(file, TrackingOutcome.DUPLICATE, is_pending=False, overwritten=due)
    if not records.note_overwrite(file, existing, now):
        return None
    overwritten = Overwritten(file.date_prefix, file.file_key, file.object.uri, file.object.etag)
    return Tracked(file, TrackingOutcome.OVERWRITTEN, is_pending=False, overwritten=overwritten)
