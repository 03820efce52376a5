"""The record of a refused file: written only while the object still holds what is refused.

A refused content may be long gone: its event comes late, or again. So the object is asked first, after the
record was read, and the record is put only if it is as it was read. Whatever order the events of a bad and a
good content come in, the good one's record stands:

object holds        record                 what happens
------------        ------                 ------------
what is accepted    any                    the file is tracked, as by its own event
what is refused     none                   quarantined, put if absent
what is refused     the same, quarantined  nothing is written
what is refused     other, not manifested  quarantined, if the record is as it was read; then the object is
                                           asked again: a good content's event may have met that record
what is refused     the same, manifested   the batch stands, and the file stays where it is
what is refused     other, manifested      the batch stands; recorded beside it, to be told
nothing             any                    nothing
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime

from botocore.exceptions import ClientError

from lambda_ingest.aws.patience import Patience, Refusal, RemainingSeconds, refusal_of
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.dates import parse_date
from lambda_ingest.contract.items import Item
from lambda_ingest.contract.records import FileStatus
from lambda_ingest.contract.text import printable
from lambda_ingest.contract.validation import AcceptedFile, RefusedFile
from lambda_ingest.files.contents import Contents
from lambda_ingest.files.file_records import (
    FileRecords,
    RecordContentionError,
    is_known_content,
    overwrite_due,
)
from lambda_ingest.files.identity import is_record_of
from lambda_ingest.files.tracking import FileTracker, Tracked, TrackingOutcome, note_overwrite

# Judges an object by its name and size; the date is that of its first arrival, where its key gives none.
Judge = Callable[[ObjectCreated, date], AcceptedFile | RefusedFile]


@dataclass(frozen=True)
class Refused:
    """A refused file whose record says so.

    Attributes:
        file: with the content that the object held last, and the sort key of its record.
        tracked: what its event meant to the record.
    """

    file: RefusedFile
    tracked: Tracked


class RefusedRecords:
    """Records refused files."""

    def __init__(
        self,
        table: Table,
        records: FileRecords,
        contents: Contents,
        tracker: FileTracker,
        patience: Patience,
        *,
        judge: Judge,
    ) -> None:
        self._table = table
        self._records = records
        self._contents = contents
        self._tracker = tracker
        self._patience = patience
        self._judge = judge

    def record(self, refused: RefusedFile, remaining_seconds: RemainingSeconds) -> Refused | Tracked | None:
        """Record a file as refused, if its object still holds what is.

        Returns:
            The refused file; or the outcome, where its object is to stay: what it holds is accepted, or is in
            a manifest; or None, where the object is gone.

        Raises:
            ClientError: DynamoDB or S3 refused or failed.
            ObjectUnreadableError: S3 refuses to say what the object holds.
            RecordContentionError: the record changed at every attempt.
            ForeignRecordError: another's record stands where only this file's can.
            LoadedUnknownError: the time did not reach for what an old date has loaded.
        """
        waits = self._patience.waits(remaining_seconds)
        now = self._table.clock()
        file, existing = self._records.restored(refused, now, remaining_seconds)
        while True:
            judged = self._judged(file)
            if judged is None:
                return None
            if isinstance(judged, AcceptedFile):
                return self._tracker.track(judged, remaining_seconds)
            file, outcome = judged, None
            try:
                if existing is None:
                    existing = self._records.put_if_absent(self._values(file, now))
                    if existing is None:
                        return _refused(file, TrackingOutcome.NEW)
                    # The object was asked before this record was known, and the record may be a newer one's.
                    continue
                if not is_record_of(existing, file.object.uri):
                    file, existing = self._records.beside_others(file, existing), None
                    continue
                outcome = self._meet(file, existing, now)
            except ClientError as error:
                if refusal_of(error) is not Refusal.CONTENDED:
                    raise
            if outcome is not None:
                return outcome
            if not waits.again(Refusal.CONTENDED):
                raise RecordContentionError(
                    f"the record of {file.object.uri} was being written by others {waits}"
                )
            existing = self._records.read(file)

    def _judged(self, file: RefusedFile) -> AcceptedFile | RefusedFile | None:
        """Judge what the object holds now; None where it is gone."""
        current = self._contents.present(file.object)
        if current is None:
            return None
        judged = self._judge(current, parse_date(file.date_prefix))
        if isinstance(judged, AcceptedFile):
            return judged
        # The sort key may be one of its own by now, and the date is that of the event.
        return replace(file, object=current, reason=judged.reason)

    def _meet(self, file: RefusedFile, existing: Item, now: datetime) -> Refused | Tracked | None:
        """Bring record and object together, or return None where either has to be looked at again."""
        status = existing.get("status")
        if status == FileStatus.MANIFESTED:
            if is_known_content(file.object.etag, existing):
                # What was loaded is refused by a setting that was changed since; its batch stands.
                due = overwrite_due(file, existing)
                return Tracked(file, TrackingOutcome.DUPLICATE, is_pending=False, overwritten=due)
            noted = note_overwrite(self._records, file, existing, now)
            return None if noted is None else Refused(file, noted)
        if status == FileStatus.QUARANTINED and existing.get("etag") == file.object.etag:
            return _refused(file, TrackingOutcome.DUPLICATE)
        if not self._records.put_if_unchanged(self._values(file, now), existing):
            return None
        current = self._contents.present(file.object)
        if current is None or current.etag == file.object.etag:
            return _refused(file, TrackingOutcome.NEW)
        return None

    def _values(self, file: RefusedFile, now: datetime) -> Item:
        return {
            **self._records.attributes(file, now),
            "status": FileStatus.QUARANTINED.value,
            "reason": printable(file.reason),
            "ttl": self._table.expiry(now),
        }


def _refused(file: RefusedFile, outcome: TrackingOutcome) -> Refused:
    return Refused(file, Tracked(file, outcome, is_pending=False))
