"""Conditional writes of manifest records: claims, what a run found out, the end."""

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import from_item, is_condition_failure, item_of_failure, to_item
from lambda_ingest.contract.records import (
    ALERT_PENDING_ATTRIBUTE,
    FAILED_DATE_ATTRIBUTE,
    RETRY_AT_ATTRIBUTE,
    ManifestStatus,
)
from lambda_ingest.contract.settings import SharedSettings
from ndjson_pipeline.claims.alert_marks import AlertMarks, with_alert
from ndjson_pipeline.claims.claim import Claim
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
from ndjson_pipeline.claims.reader import ManifestRecordReader, record_key
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.retries import RETRY_WAITS, FailureKind, NextTry, next_try
from ndjson_pipeline.claims.totals import DateTotals, GlueCharge, ManifestNumbers, totals_key
from ndjson_pipeline.errors import RecordFormatError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

logger = logging.getLogger(__name__)

# DynamoDB items hold 400 KB; an operator reads a few lines. Both in characters, of four bytes at most.
_LONGEST_ERROR = 2000
_LONGEST_ERROR_OF_ALERT = 1000
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


class ManifestRecordStore(ManifestRecordReader):
    """The manifest records of one tracking table, read and written.

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
        super().__init__(dynamodb, table=table, manifest_bucket=manifest_bucket)
        self._clock = clock
        self._ttl = ttl
        self._retry_waits = retry_waits
        self._sleep = sleep
        self._jitter = jitter

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
                Key=to_item(record_key(record.name)),
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
                Key=to_item(record_key(record.name)),
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
        alerts, alert_values = with_alert(record, alert)
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
                Key=to_item(record_key(record.name)),
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
        """Note which failures of a record were alerted; whatever else is due stays due."""
        AlertMarks(
            self._dynamodb,
            table=self._table,
            manifest_bucket=self._manifest_bucket,
            clock=self._clock,
            ttl=self._ttl,
        ).take(record, published)

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
                Key=to_item(record_key(claim.record.name)),
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
