"""Reads and conditional writes of manifest records."""

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import Item, from_item, is_condition_failure, item_of_failure, to_item
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import (
    ALERT_PENDING_ATTRIBUTE,
    ALERTS_PENDING_INDEX,
    FAILED_DATE_ATTRIBUTE,
    FAILED_MANIFESTS_INDEX,
    MANIFEST_FILE_KEY_PREFIX,
    MANIFESTS_BY_STATUS_INDEX,
    RETRIES_DUE_INDEX,
    RETRY_AT_ATTRIBUTE,
    ManifestStatus,
    manifest_record_key,
)
from lambda_ingest.contract.settings import SharedSettings
from ndjson_pipeline.claims.completion import (
    OF_EARLIER_ATTEMPTS,
    Completion,
    CompletionWriter,
    Refused,
    is_of_attempt,
    stale_holder,
)
from ndjson_pipeline.claims.due_alerts import DueAlert
from ndjson_pipeline.claims.moves import ALLOWED_FROM, Move
from ndjson_pipeline.claims.record import ManifestRecord, parse_record
from ndjson_pipeline.claims.retries import RETRY_WAITS, FailureKind, NextTry, next_try
from ndjson_pipeline.claims.totals import DateTotals, GlueCharge, ManifestNumbers, totals_key
from ndjson_pipeline.errors import RecordFormatError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

logger = logging.getLogger(__name__)

# DynamoDB items hold 400 KB; an operator reads a few lines. Both in characters, of four bytes at most.
_LONGEST_ERROR = 2000
_LONGEST_ERROR_OF_ALERT = 1000
# Where alerts can't be published for days, the oldest failure of a manifest gives way to the newest.
_MOST_ALERTS_DUE = 30
# What a claim forgets of the attempt before it.
_OF_AN_END = (
    "glue_job_run_id",
    "completed_time",
    "failed_time",
    "error_message",
    "records_processed",
    RETRY_AT_ATTRIBUTE,
    FAILED_DATE_ATTRIBUTE,
)
# A tick names so many rows of other shapes; they are there at each.
_MOST_SKIPPED_NAMED = 20
# How often a write that depends on what was read is made again where that has changed since.
_TRIES = 5


@dataclass(frozen=True)
class Claim:
    """A run's right to change a record: it holds until a later attempt claims it.

    Attributes:
        record: the record as it was claimed, its attempt already counted.
        run_id: the Dagster run that holds it.
        begun_at: when the attempt was first claimed, UTC text, where this claim goes on with one that an
            earlier process began; None where the attempt is new.
    """

    record: ManifestRecord
    run_id: str
    begun_at: str | None = None

    @property
    def attempt(self) -> int:
        """The attempt that this claim is."""
        return self.record.attempt


class ManifestRecordStore:
    """The manifest records of one tracking table.

    Args:
        dynamodb: the client.
        table: the tracking table.
        manifest_bucket: has the manifests; None where the records are believed on that.
        clock: tells the time.
        ttl: how long a record lives after it has ended.
        retry_waits: after the first failure, the second, and so on.
        sleep: waits for so many seconds.
        jitter: returns a number from 0 to 1.
    """

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        *,
        table: str,
        manifest_bucket: str | None = None,
        clock: Clock,
        ttl: timedelta = timedelta(days=SharedSettings.ttl_days),
        retry_waits: Sequence[timedelta] = RETRY_WAITS,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._manifest_bucket = manifest_bucket
        self._clock = clock
        self._ttl = ttl
        self._retry_waits = retry_waits
        self._sleep = sleep
        self._jitter = jitter

    def with_status(self, status: ManifestStatus, limit: int) -> list[ManifestRecord]:
        """Return up to `limit` records of a status, by the index, which lags; costs what has that status."""
        return self._collect(
            limit,
            IndexName=MANIFESTS_BY_STATUS_INDEX,
            KeyConditionExpression="#status = :status",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=to_item({":status": status.value}),
        )

    def alerts_pending(
        self, limit: int, after: Mapping[str, str] | None = None
    ) -> tuple[list[ManifestRecord], dict[str, str] | None]:
        """Return up to `limit` records with failures that nobody was told of, whatever their status.

        By an index of these alone, which lags.

        Args:
            limit: the most records.
            after: where an earlier call ended.

        Returns:
            The records, and where this call ended; None where it came to the end.
        """
        start = {} if after is None else {"ExclusiveStartKey": to_item(after)}
        found, end = self._read(self._dynamodb.scan, limit, IndexName=ALERTS_PENDING_INDEX, **start)
        return found, None if end is None else from_item(end)

    def retries_due(self, now: datetime, limit: int) -> list[ManifestRecord]:
        """Return up to `limit` failed records that may be tried again by now.

        By an index, which lags; costs what is to be tried again, now or later.
        """
        found, _ = self._read(
            self._dynamodb.scan,
            limit,
            IndexName=RETRIES_DUE_INDEX,
            FilterExpression=f"{RETRY_AT_ATTRIBUTE} <= :now",
            ExpressionAttributeValues=to_item({":now": utc_timestamp(now)}),
        )
        return found

    def failed_of(
        self, date_prefix: str, limit: int, also: Iterable[ManifestName] = ()
    ) -> list[ManifestRecord]:
        """Return up to `limit` failed records of a date; costs what is failed of that date alone.

        The index names them, and lags: each is strongly read, so that one that was mended does not count.

        Args:
            date_prefix: the date.
            limit: how many are enough.
            also: manifests of it that failed just now, and that the index may not show yet.
        """
        indexed = self._collect(
            None,
            IndexName=FAILED_MANIFESTS_INDEX,
            KeyConditionExpression=f"{FAILED_DATE_ATTRIBUTE} = :date",
            ExpressionAttributeValues=to_item({":date": date_prefix}),
        )
        found: dict[ManifestName, ManifestRecord] = {}
        for name in chain(also, (record.name for record in indexed)):
            if len(found) == limit:
                break
            record = None if name in found else self.find(name)
            if record is not None and record.status is ManifestStatus.FAILED:
                found[name] = record
        return sorted(found.values(), key=lambda record: record.name)

    def of_date_with_status(self, date_prefix: str, status: ManifestStatus) -> list[ManifestRecord]:
        """Return a date's records of a status, by the index, which lags; costs what has that status."""
        return self._collect(
            None,
            IndexName=MANIFESTS_BY_STATUS_INDEX,
            KeyConditionExpression="#status = :status",
            FilterExpression="date_prefix = :date",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=to_item({":status": status.value, ":date": date_prefix}),
        )

    def of_date(self, date_prefix: str) -> list[ManifestRecord]:
        """Return every record of a date in order of their counters, strongly read."""
        return self._collect(
            None,
            KeyConditionExpression="date_prefix = :date AND begins_with(file_key, :manifest)",
            ExpressionAttributeValues=to_item({":date": date_prefix, ":manifest": MANIFEST_FILE_KEY_PREFIX}),
            ConsistentRead=True,
        )

    def read(self, name: ManifestName) -> ManifestRecord | None:
        """Return a manifest's record as it is now, strongly read, or None where there is none.

        Raises:
            RecordFormatError: it has another shape by now.
        """
        response = self._dynamodb.get_item(
            TableName=self._table, Key=to_item(_key(name)), ConsistentRead=True
        )
        return self._parse(from_item(response["Item"])) if "Item" in response else None

    def find(self, name: ManifestName) -> ManifestRecord | None:
        """Return a manifest's record as `read` does; one of another shape counts as none, with a warning."""
        try:
            return self.read(name)
        except RecordFormatError as error:
            logger.warning("Skipped a row of another shape: %s", error)
            return None

    def _parse(self, item: Mapping[str, Any]) -> ManifestRecord:
        return parse_record(item, self._manifest_bucket)

    def claim(self, record: ManifestRecord, run_id: str, move: Move = Move.CLAIM) -> Claim | None:
        """Take a record for a run, or return None where its status or attempt has moved on.

        A claim that this very run holds already is returned again, so that a step may be repeated. Failures
        that nobody was told of stay due. What an earlier crash taught stays, too, unless a person or a
        backfill begins anew.

        Args:
            record: as it was read; its attempt must still be the newest.
            run_id: the Dagster run.
            move: `CLAIM`, `RETRY` after a crash, or `RECLAIM` for a person or a backfill.
        """
        now = self._clock()
        allowed = sorted(ALLOWED_FROM[move])
        forgotten = [*_OF_AN_END, *(OF_EARLIER_ATTEMPTS if move is Move.RECLAIM else ())]
        places = {f":from{position}": status.value for position, status in enumerate(allowed)}
        # A record that another tool wrote may lack the attempt; it counts as none.
        attempt = "(attempt = :attempt OR attribute_not_exists(attempt))"
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(_key(record.name)),
                UpdateExpression=(
                    "SET #status = :processing, attempt = :next, dagster_run_id = :run, "
                    "processing_start_time = :now, updated_at = :now "
                    f"REMOVE #ttl, {', '.join(forgotten)}"
                ),
                ConditionExpression=f"#status IN ({', '.join(places)}) AND {attempt}",
                ExpressionAttributeNames={"#status": "status", "#ttl": "ttl"},
                ExpressionAttributeValues=to_item(
                    {
                        **places,
                        ":now": utc_timestamp(now),
                        ":processing": ManifestStatus.PROCESSING.value,
                        ":attempt": record.attempt,
                        ":next": record.attempt + 1,
                        ":run": run_id,
                    }
                ),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return self._own_claim(item_of_failure(error), run_id, written_at=now)
        claimed = replace(
            record,
            status=ManifestStatus.PROCESSING,
            attempt=record.attempt + 1,
            dagster_run_id=run_id,
            glue_job_run_id=None,
            error_message=None,
            records_processed=None,
            processing_start_time=utc_timestamp(now),
            retry_at=None,
        )
        if move is Move.RECLAIM:
            claimed = replace(claimed, crashes=0, refused_starts=0, group_size=None)
        return Claim(claimed, run_id)

    def take_over(self, record: ManifestRecord, run_id: str) -> Claim | None:
        """Take an attempt over from the run that holds it, or return None where it has moved on.

        The attempt and its Glue run stay as they are. The former holder's later writes are refused, for they
        compare the run id. Whether the former holder has ended is the caller's to know.

        Args:
            record: as it was read; its attempt and its holder must still be the newest.
            run_id: the run that goes on with it.
        """
        now = self._clock()
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(_key(record.name)),
                UpdateExpression=(
                    "SET dagster_run_id = :run, processing_start_time = :now, updated_at = :now REMOVE #ttl"
                ),
                ConditionExpression=(
                    "#status = :processing AND attempt = :attempt AND dagster_run_id = :old "
                    "AND dagster_run_id <> :run"
                ),
                ExpressionAttributeNames={"#status": "status", "#ttl": "ttl"},
                ExpressionAttributeValues=to_item(
                    {
                        ":now": utc_timestamp(now),
                        ":processing": ManifestStatus.PROCESSING.value,
                        ":attempt": record.attempt,
                        ":old": record.dagster_run_id,
                        ":run": run_id,
                    }
                ),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return self._own_claim(item_of_failure(error), run_id)
        taken = replace(record, dagster_run_id=run_id, processing_start_time=utc_timestamp(now))
        return Claim(taken, run_id, begun_at=record.processing_start_time or record.created_at)

    def started(self, claim: Claim, glue_job_run_id: str) -> None:
        """Store the Glue run of an attempt.

        Raises:
            StaleHolderError: a later attempt holds the record.
        """
        self._update_held(claim, "glue_job_run_id = :glue", {":glue": glue_job_run_id})

    def note_left(self, claim: Claim, reason: str) -> None:
        """Store why a run lets go of an attempt whose Glue run goes on, or may; the record stays processing.

        Raises:
            StaleHolderError: a later attempt holds the record.
        """
        self._update_held(claim, "error_message = :error", {":error": reason[:_LONGEST_ERROR]})

    def complete(self, claim: Claim, numbers: ManifestNumbers | None) -> None:
        """Move a claimed record to completed, and its date's totals with it.

        Args:
            claim: the attempt that completed it.
            numbers: what its output holds, or None where no report tells.

        Raises:
            StaleHolderError: a later attempt holds the record, or it has ended already.
        """
        for refused in self.complete_all([Completion(claim, numbers)]):
            raise refused.error

    def complete_all(self, completions: Sequence[Completion]) -> list[Refused]:
        """Move many claimed records to completed, and return those that are held otherwise by now."""
        return self._completion_writer().complete(completions)

    def charge(self, charge: GlueCharge) -> bool:
        """Add a Glue run's time to its date's totals; False where it was counted before."""
        return self._completion_writer().charge(charge)

    def totals(self, date_prefix: str) -> DateTotals:
        """Return a date's totals, strongly read."""
        response = self._dynamodb.get_item(
            TableName=self._table, Key=to_item(totals_key(date_prefix)), ConsistentRead=True
        )
        try:
            return DateTotals.from_item(from_item(response.get("Item", {})))
        except (ValueError, TypeError, ArithmeticError) as error:
            logger.warning("The totals of %s have another shape, and count as none: %s", date_prefix, error)
            return DateTotals()

    def fail(
        self,
        claim: Claim,
        error_message: str,
        kind: FailureKind = FailureKind.FINAL,
        *,
        group_size: int | None = None,
        glue_job_run_id: str | None = None,
    ) -> NextTry:
        """Move a claimed record to failed, with the reason; its alert is due from here on.

        Args:
            claim: the attempt that failed.
            error_message: why.
            kind: what the failure means to another attempt.
            group_size: how many manifests the next Glue run of it takes at most, where this one died with
                several.
            glue_job_run_id: the attempt's Glue run, where it is known and may not be stored.

        Returns:
            When another attempt follows by itself.

        Raises:
            StaleHolderError: a later attempt holds the record, or it has ended already.
        """
        now, record = self._clock(), claim.record
        following = next_try(
            kind,
            crashes=record.crashes,
            refused_starts=record.refused_starts,
            is_alone=group_size is None,
            now=now,
            waits=self._retry_waits,
        )
        alert = DueAlert(
            run_id=claim.run_id,
            attempt=claim.attempt,
            glue_job_run_id=glue_job_run_id or record.glue_job_run_id,
            error_message=error_message[:_LONGEST_ERROR_OF_ALERT],
            failed_time=utc_timestamp(now),
            will_retry=following.retry_at is not None,
        )
        updates = {
            "#status": ManifestStatus.FAILED.value,
            "glue_job_run_id": alert.glue_job_run_id,
            "failed_time": alert.failed_time,
            "error_message": error_message[:_LONGEST_ERROR],
            FAILED_DATE_ATTRIBUTE: record.date_prefix,
            ALERT_PENDING_ATTRIBUTE: claim.run_id,
            RETRY_AT_ATTRIBUTE: None if following.retry_at is None else utc_timestamp(following.retry_at),
            "crashes": following.crashes,
            "refused_starts": following.refused_starts,
            "group_size": group_size,
        }
        written = {name: value for name, value in updates.items() if value is not None}
        places = {name: ":status" if name == "#status" else f":{name}" for name in written}
        alerts, alert_values = _with_alert(record, alert)
        self._update_held(
            claim,
            ", ".join([*(f"{name} = {place}" for name, place in places.items()), alerts]),
            {**{places[name]: value for name, value in written.items()}, **alert_values},
        )
        return following

    def retry_later(self, record: ManifestRecord) -> bool:
        """Let a failed record be tried again at once; False where its status or attempt has moved on.

        It has all of its attempts again, because a person has mended the cause.
        """
        now = self._clock()
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(_key(record.name)),
                UpdateExpression=(
                    f"SET {RETRY_AT_ATTRIBUTE} = :now, updated_at = :now REMOVE #ttl, crashes, refused_starts"
                ),
                ConditionExpression=(
                    "#status = :failed AND (attempt = :attempt OR attribute_not_exists(attempt))"
                ),
                ExpressionAttributeNames={"#status": "status", "#ttl": "ttl"},
                ExpressionAttributeValues=to_item(
                    {
                        ":now": utc_timestamp(now),
                        ":failed": ManifestStatus.FAILED.value,
                        ":attempt": record.attempt,
                    }
                ),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            logger.info("%s has moved on from its failure", record.manifest_path)
            return False
        return True

    def alerted(self, record: ManifestRecord, published: Sequence[DueAlert]) -> None:
        """Note which failures were alerted; whatever else is due stays due.

        A record that has failed, and of which nothing is due any more, expires from here on.

        Args:
            record: as it was read.
            published: those of its failures that are in the alert.
        """
        for _ in range(_TRIES):
            left = tuple(alert for alert in record.alerts_due if alert not in published)
            if left == record.alerts_due:
                logger.info("The alert of %s was noted already", record.manifest_path)
                return
            changed = self._replace_alerts(record, left)
            if changed is None:
                return
            record = changed
        logger.warning(
            "%s changed at each of %d tries to note its alert, which will come again",
            record.manifest_path,
            _TRIES,
        )

    def _replace_alerts(self, record: ManifestRecord, left: Sequence[DueAlert]) -> ManifestRecord | None:
        """Write the failures that stay due; returns the record as it is, where that is not as it was read."""
        now = self._clock()
        has_ended = record.status is ManifestStatus.FAILED and record.retry_at is None and not left
        values = {
            ":now": utc_timestamp(now),
            ":read": _to_values(record.alerts_due),
            ":status": record.status.value,
            ":attempt": record.attempt,
            ":retry": record.retry_at,
        }
        if left:
            update = f"SET alerts_due = :left, {ALERT_PENDING_ATTRIBUTE} = :newest, updated_at = :now"
            values |= {":left": _to_values(left), ":newest": left[-1].run_id}
        else:
            expiry = ", #ttl = :ttl" if has_ended else ""
            update = f"SET updated_at = :now{expiry} REMOVE alerts_due, {ALERT_PENDING_ATTRIBUTE}"
            values |= {":ttl": self._expiry(now)} if has_ended else {}
        retry = (
            f"attribute_not_exists({RETRY_AT_ATTRIBUTE})"
            if record.retry_at is None
            else f"{RETRY_AT_ATTRIBUTE} = :retry"
        )
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(_key(record.name)),
                UpdateExpression=update,
                ConditionExpression=(
                    f"alerts_due = :read AND #status = :status AND attempt = :attempt AND {retry}"
                ),
                ExpressionAttributeNames={"#status": "status", **({"#ttl": "ttl"} if has_ended else {})},
                ExpressionAttributeValues=to_item(values),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            existing = item_of_failure(error)
            return replace(record, alerts_due=()) if existing is None else self._parse(existing)
        return None

    def _update_held(
        self, claim: Claim, update: str, values: Mapping[str, Any], *, removed: Sequence[str] = ()
    ) -> None:
        """Change a record that is processing, by whoever holds its newest attempt.

        Args:
            claim: by which it is held.
            update: what to set, such as `glue_job_run_id = :glue`.
            values: of the update.
            removed: attributes to remove.
        """
        has_ended = ":ttl" in values
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(_key(claim.record.name)),
                UpdateExpression=(
                    f"SET {update}, updated_at = :now" + (f" REMOVE {', '.join(removed)}" if removed else "")
                ),
                ConditionExpression=(
                    "#status = :processing AND attempt = :attempt AND dagster_run_id = :run"
                ),
                ExpressionAttributeNames={"#status": "status", **({"#ttl": "ttl"} if has_ended else {})},
                ExpressionAttributeValues=to_item(
                    {
                        ":now": utc_timestamp(self._clock()),
                        **values,
                        ":processing": ManifestStatus.PROCESSING.value,
                        ":attempt": claim.attempt,
                        ":run": claim.run_id,
                    }
                ),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            existing = item_of_failure(error) or {}
            wanted = values.get(":status")
            if is_of_attempt(existing, claim) and wanted is not None and existing.get("status") == wanted:
                # An update that took effect and then timed out is refused by its own result at the retry.
                return
            raise stale_holder(claim, existing) from error

    def _own_claim(
        self, existing: Mapping[str, Any] | None, run_id: str, written_at: datetime | None = None
    ) -> Claim | None:
        """Return the claim that a refused write met, where it is this run's own.

        Args:
            existing: the item that the write met.
            run_id: the run that wrote.
            written_at: the write's own instant; a claim of that instant took effect before its retry was
                refused, so its attempt is new.
        """
        if existing is None:
            return None
        try:
            record = self._parse(existing)
        except RecordFormatError as error:
            logger.warning("A claim met a row of another shape: %s", error)
            return None
        if record.status is not ManifestStatus.PROCESSING or record.dagster_run_id != run_id:
            return None
        begun_at = record.processing_start_time or record.created_at
        is_new = written_at is not None and begun_at == utc_timestamp(written_at)
        return Claim(record, run_id, None if is_new else begun_at)

    def _completion_writer(self) -> CompletionWriter:
        return CompletionWriter(
            self._dynamodb,
            table=self._table,
            stamp=self._stamp,
            sleep=self._sleep,
            jitter=self._jitter,
        )

    def _stamp(self) -> dict[str, Any]:
        """Return the present instant, and when a record that ends now expires."""
        now = self._clock()
        return {":now": utc_timestamp(now), ":ttl": self._expiry(now)}

    def _expiry(self, now: datetime) -> int:
        """Return when a record that ends now expires, in epoch seconds."""
        return int((now + self._ttl).timestamp())

    def _collect(self, limit: int | None, **request: Any) -> list[ManifestRecord]:
        found, _ = self._read(self._dynamodb.query, limit, **request)
        return found

    def _read(
        self, read: Callable[..., Any], limit: int | None, **request: Any
    ) -> tuple[list[ManifestRecord], Item | None]:
        """Return the records of a query or a scan, page by page, and the key at which the limit cut it."""
        found: list[ManifestRecord] = []
        skipped = 0
        while True:
            if limit is not None:
                # At most a page is read of what a filter leaves out.
                request["Limit"] = max(limit - len(found), 1)
            response = read(TableName=self._table, **request)
            for raw in response["Items"]:
                try:
                    found.append(self._parse(from_item(raw)))
                except RecordFormatError as error:
                    skipped += 1
                    if skipped <= _MOST_SKIPPED_NAMED:
                        logger.warning("Skipped a row of another shape: %s", error)
            end = response.get("LastEvaluatedKey")
            if end is None or (limit is not None and len(found) >= limit):
                if skipped > _MOST_SKIPPED_NAMED:
                    logger.warning("Skipped %d rows of other shapes, and named the first", skipped)
                return found, end
            request["ExclusiveStartKey"] = end


def _key(name: ManifestName) -> dict[str, str]:
    return {"date_prefix": name.date_prefix, "file_key": manifest_record_key(name.filename)}


def _with_alert(record: ManifestRecord, alert: DueAlert) -> tuple[str, dict[str, Any]]:
    """Return the update that makes an alert due beside those that are, with its values.

    Args:
        record: as it was claimed; alerts may have been published since.
        alert: the new one.
    """
    if len(record.alerts_due) < _MOST_ALERTS_DUE:
        update = "alerts_due = list_append(if_not_exists(alerts_due, :none), :alert)"
        return update, {":none": [], ":alert": _to_values([alert])}
    logger.warning("%s: the oldest of its %d alerts is given up", record.manifest_path, _MOST_ALERTS_DUE)
    # What was published since comes again, and is lost in no case.
    return "alerts_due = :alerts", {":alerts": _to_values([*record.alerts_due[1:], alert])}


def _to_values(alerts: Sequence[DueAlert]) -> list[dict[str, Any]]:
    return [alert.to_values() for alert in alerts]
