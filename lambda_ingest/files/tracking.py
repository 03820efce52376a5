"""The record of an input file: created once, and following the object's content while it is pending.

event            record            outcome
-----            ------            -------
etag A           none              NEW          put if absent
etag A again     A, any status     DUPLICATE    nothing is written
etag B           A, pending        FOLLOWED     pending and etag A -> etag B
etag B           A, quarantined    NEW          the producer mended the file: quarantined -> pending
etag B           A, manifested     OVERWRITTEN  A's batch stands; B is recorded beside it, to be alerted
etag B, late     A                 STALE        the object's content is A: events came out of order
any              any               GONE         the object does not exist any more
any, old date    none, but listed  as above     the record is written again, manifested, from its manifest

A pending record has no `ttl`, so that what is open never expires; it gets one with its end.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import Patience, Refusal, RemainingSeconds, refusal_of
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import (
    Item,
    error_code,
    is_condition_failure,
    item_of_failure,
    to_item,
)
from lambda_ingest.contract.records import BYTES_PER_MB, PENDING_DATE_ATTRIBUTE, FileStatus
from lambda_ingest.files.events import ObjectCreated
from lambda_ingest.files.loaded import LoadedFiles
from lambda_ingest.files.validation import AcceptedFile, RefusedFile

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

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
        alert_due: the content of an overwrite that is recorded and that nobody was told of yet, by its etag.
    """

    file: AcceptedFile
    outcome: TrackingOutcome
    is_pending: bool
    alert_due: str | None = None


class RecordContentionError(IngestError):
    """A record changed at every attempt to write it; the message is worth a retry."""


class FileTracker:
    """Writes file records, every write under a condition."""

    def __init__(self, table: Table, s3: "S3Client", loaded: LoadedFiles, patience: Patience) -> None:
        self._table = table
        self._s3 = s3
        self._loaded = loaded
        self._patience = patience

    def track(self, file: AcceptedFile, remaining_seconds: RemainingSeconds) -> Tracked:
        """Record a file, however often and in whatever order its events come.

        Raises:
            ClientError: DynamoDB or S3 refused or failed; nothing half-done is visible.
            RecordContentionError: the record changed at every attempt.
            LoadedUnknownError: the time did not reach for what an old date has loaded.
        """
        now = self._table.clock()
        event_time = file.object.event_time
        if event_time is None or now - event_time > timedelta(seconds=FRESH_EVENT_SECONDS):
            current = self.current_content(file.object)
            if current is None:
                return Tracked(file, TrackingOutcome.GONE, is_pending=False)
            # What the record should say is the object's content, whatever an old event says of it.
            file = AcceptedFile(file.date_prefix, file.file_key, current)
        waits = self._patience.waits(remaining_seconds)
        existing = self._restored(file, now, remaining_seconds)
        while True:
            try:
                existing = existing or self._put_if_absent(file, now)
                if existing is None:
                    return Tracked(file, TrackingOutcome.NEW, is_pending=True)
                tracked = self._meet(file, existing, now)
            except ClientError as error:
                if refusal_of(error) is not Refusal.CONTENDED:
                    raise
                tracked = None
            if tracked is not None:
                return tracked
            if not waits.again(Refusal.CONTENDED):
                raise RecordContentionError(
                    f"the record of {file.object.uri} was being written by others {waits}"
                )
            existing = self._table.read(file.date_prefix, file.file_key)

    def current_content(self, created: ObjectCreated) -> ObjectCreated | None:
        """Return what the object holds now, or None where it is gone."""
        try:
            head = self._s3.head_object(Bucket=created.bucket, Key=created.key)
        except ClientError as error:
            if error_code(error) in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise
        return ObjectCreated(
            bucket=created.bucket,
            key=created.key,
            size_bytes=head["ContentLength"],
            etag=head["ETag"].strip('"'),
            version_id=_real_version(head.get("VersionId")),
            event_time=created.event_time,
        )

    def record_quarantined(self, refused: RefusedFile, remaining_seconds: RemainingSeconds) -> Tracked:
        """Record a refused file; a batch that already holds the key's former content stands.

        Raises:
            ClientError: DynamoDB refused or failed.
            RecordContentionError: the record changed at every attempt.
            LoadedUnknownError: the time did not reach for what an old date has loaded.
        """
        waits = self._patience.waits(remaining_seconds)
        self._restored(
            AcceptedFile(refused.date_prefix, refused.file_key, refused.object),
            self._table.clock(),
            remaining_seconds,
        )
        while True:
            try:
                tracked = self._put_quarantined(refused)
            except ClientError as error:
                if refusal_of(error) is not Refusal.CONTENDED:
                    raise
                tracked = None
            if tracked is not None:
                return tracked
            if not waits.again(Refusal.CONTENDED):
                raise RecordContentionError(
                    f"the record of {refused.object.uri} was being written by others {waits}"
                )

    def _put_quarantined(self, refused: RefusedFile) -> Tracked | None:
        """Put the record of a refused file, or return None where another's changed while it was looked at."""
        now = self._table.clock()
        values = {
            **self._attributes(refused.date_prefix, refused.file_key, refused.object, now),
            "status": FileStatus.QUARANTINED.value,
            "reason": refused.reason,
            "ttl": self._table.expiry(now),
        }
        as_file = AcceptedFile(refused.date_prefix, refused.file_key, refused.object)
        try:
            self._table.dynamodb.put_item(
                TableName=self._table.name,
                Item=to_item(values),
                ConditionExpression="attribute_not_exists(file_key) OR #status <> :manifested",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item({":manifested": FileStatus.MANIFESTED.value}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            existing = item_of_failure(error)
            if not is_condition_failure(error) or existing is None:
                raise
            if existing.get("etag") == refused.object.etag:
                # What was loaded is refused by a setting that was changed since; its batch stands.
                return Tracked(as_file, TrackingOutcome.DUPLICATE, is_pending=False)
            return self._record_overwrite(as_file, existing, now)
        return Tracked(as_file, TrackingOutcome.NEW, is_pending=False)

    def overwrite_alerted(self, date_prefix: str, file_key: str, etag: str) -> None:
        """Note that the overwrite by this content was alerted, so that no redelivery alerts it again."""
        try:
            self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key=to_item({"date_prefix": date_prefix, "file_key": file_key}),
                UpdateExpression="REMOVE overwrite_alert_due",
                ConditionExpression="overwritten_etag = :etag",
                ExpressionAttributeValues=to_item({":etag": etag}),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            logger.info("Another overwrite followed before this one's alert was noted", file_key=file_key)

    def _restored(
        self, file: AcceptedFile, now: datetime, remaining_seconds: RemainingSeconds
    ) -> Item | None:
        """Return the record of an old date's file, written again where a manifest lists the file.

        Its first record may have expired, and what was loaded must not be loaded again. Of other dates
        nothing is read: None says only that the put will tell.
        """
        if not self._loaded.is_needed(file.date_prefix, now):
            return None
        existing = self._table.read(file.date_prefix, file.file_key)
        if existing is not None:
            return existing
        loaded = self._loaded.find(file.date_prefix, file.object.uri, remaining_seconds)
        if loaded is None:
            return None
        listed = replace(
            file.object,
            size_bytes=loaded.file.size_bytes,
            etag=loaded.file.etag,
            version_id=loaded.file.version_id,
        )
        values = {
            **self._attributes(file.date_prefix, file.file_key, listed, now),
            "status": FileStatus.MANIFESTED.value,
            "manifest_path": loaded.manifest_path,
            "ttl": self._table.expiry(now),
        }
        logger.info("Wrote an expired record again", uri=file.object.uri, manifest_path=loaded.manifest_path)
        return self._put_record_if_absent(values) or values

    def _put_if_absent(self, file: AcceptedFile, now: datetime) -> Item | None:
        """Put a pending record, and return None; or return the record that is there."""
        values = {
            **self._attributes(file.date_prefix, file.file_key, file.object, now),
            "status": FileStatus.PENDING.value,
            PENDING_DATE_ATTRIBUTE: file.date_prefix,
        }
        existing = self._put_record_if_absent(values)
        if existing is None:
            return None
        # A put that took effect and then timed out is refused by its own record at the retry.
        is_own = all(existing.get(name) == values[name] for name in ("status", "etag", "created_at"))
        return None if is_own else existing

    def _put_record_if_absent(self, values: Item) -> Item | None:
        """Put a record, and return None; or return the one that is there."""
        try:
            self._table.dynamodb.put_item(
                TableName=self._table.name,
                Item=to_item(values),
                ConditionExpression="attribute_not_exists(file_key)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            existing = item_of_failure(error)
            if not is_condition_failure(error) or existing is None:
                raise
            return existing
        return None

    def _meet(self, file: AcceptedFile, existing: Item, now: datetime) -> Tracked | None:
        """Bring the record and the event together, or return None where the record changed meanwhile."""
        status = existing.get("status")
        is_quarantined = status == FileStatus.QUARANTINED
        if existing.get("etag") == file.object.etag and not is_quarantined:
            return Tracked(
                file,
                TrackingOutcome.DUPLICATE,
                is_pending=status == FileStatus.PENDING,
                alert_due=_alert_due(existing),
            )
        if existing.get("overwritten_etag") == file.object.etag:
            return Tracked(
                file,
                TrackingOutcome.DUPLICATE,
                is_pending=False,
                alert_due=_alert_due(existing),
            )
        # Events come out of order, so only the object itself tells which content is the newer one.
        current = self.current_content(file.object)
        if current is None:
            return Tracked(file, TrackingOutcome.GONE, is_pending=status == FileStatus.PENDING)
        if current.etag == existing.get("etag") and not is_quarantined:
            return Tracked(file, TrackingOutcome.STALE, is_pending=status == FileStatus.PENDING)
        newer = AcceptedFile(file.date_prefix, file.file_key, current)
        if status == FileStatus.MANIFESTED:
            return self._record_overwrite(newer, existing, now)
        return self._follow(newer, existing, now)

    def _follow(self, file: AcceptedFile, existing: Item, now: datetime) -> Tracked | None:
        """Let a record that is in no manifest stand for the object's new content."""
        was_pending = existing.get("status") == FileStatus.PENDING
        values = {
            **self._attributes(file.date_prefix, file.file_key, file.object, now),
            "status": FileStatus.PENDING.value,
            PENDING_DATE_ATTRIBUTE: file.date_prefix,
            # The file waits since it was first seen, not since its content changed.
            "created_at": existing.get("created_at") if was_pending else utc_timestamp(now),
        }
        unchanged, expected = _unchanged(existing)
        try:
            self._table.dynamodb.put_item(
                TableName=self._table.name,
                Item=to_item(values),
                ConditionExpression=unchanged,
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item(expected),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return None
        outcome = TrackingOutcome.FOLLOWED if was_pending else TrackingOutcome.NEW
        return Tracked(file, outcome, is_pending=True)

    def _record_overwrite(self, file: AcceptedFile, existing: Item, now: datetime) -> Tracked | None:
        """Note new content beside a manifested record, to be alerted."""
        if existing.get("overwritten_etag") == file.object.etag:
            return Tracked(
                file,
                TrackingOutcome.DUPLICATE,
                is_pending=False,
                alert_due=_alert_due(existing),
            )
        unchanged, expected = _unchanged(existing)
        try:
            self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key=to_item({"date_prefix": file.date_prefix, "file_key": file.file_key}),
                UpdateExpression=(
                    "SET overwritten_etag = :new, overwritten_at = :now, overwrite_alert_due = :yes, "
                    "updated_at = :now"
                ),
                ConditionExpression=unchanged,
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item(
                    {**expected, ":new": file.object.etag, ":now": utc_timestamp(now), ":yes": True}
                ),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return None
        return Tracked(file, TrackingOutcome.OVERWRITTEN, is_pending=False, alert_due=file.object.etag)

    def _attributes(self, date_prefix: str, file_key: str, created: ObjectCreated, now: datetime) -> Item:
        instant = utc_timestamp(now)
        return {
            "date_prefix": date_prefix,
            "file_key": file_key,
            "file_path": created.uri,
            "file_size_mb": size_in_mb(created.size_bytes),
            "file_size_bytes": created.size_bytes,
            "etag": created.etag,
            "version_id": created.version_id,
            "created_at": instant,
            "updated_at": instant,
        }


def size_in_mb(size_bytes: int) -> Decimal:
    """Return a size in MB of 1,048,576 bytes, exact to 9 decimals, which tells single bytes apart."""
    return round(Decimal(size_bytes) / BYTES_PER_MB, 9)


def _alert_due(existing: Item) -> str | None:
    return existing.get("overwritten_etag") if existing.get("overwrite_alert_due") else None


def _unchanged(existing: Item) -> tuple[str, Item]:
    """Return the condition, with its values, that a record still has the status and content that was read."""
    if existing.get("etag") is None:
        return "#status = :status AND attribute_not_exists(etag)", {":status": existing.get("status", "")}
    return "#status = :status AND etag = :etag", {
        ":status": existing.get("status", ""),
        ":etag": existing["etag"],
    }


def _real_version(version: str | None) -> str | None:
    # A bucket that never kept versions calls its only one null.
    return None if version in {None, "", "null"} else version
