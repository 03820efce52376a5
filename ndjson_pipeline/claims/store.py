"""Reads and conditional writes of manifest records."""

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import from_item, is_condition_failure, item_of_failure, to_item
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import (
    FAILED_DATE_ATTRIBUTE,
    FAILED_MANIFESTS_INDEX,
    MANIFEST_FILE_KEY_PREFIX,
    MANIFESTS_BY_STATUS_INDEX,
    ManifestStatus,
    manifest_record_key,
)
from ndjson_pipeline.claims.completion import (
    Completion,
    CompletionWriter,
    Refused,
    is_of_attempt,
    stale_holder,
)
from ndjson_pipeline.claims.moves import ALLOWED_FROM, Move
from ndjson_pipeline.claims.record import ManifestRecord, parse_record
from ndjson_pipeline.claims.totals import DateTotals, GlueCharge, ManifestNumbers, totals_key
from ndjson_pipeline.errors import RecordFormatError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

logger = logging.getLogger(__name__)

# A record lives this long after its last change, as the ingest's TTL_DAYS default has it.
_TTL = timedelta(days=30)
# DynamoDB items hold 400 KB; an operator reads a few lines.
_LONGEST_ERROR = 2000


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
    """The manifest records of one tracking table."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        *,
        table: str,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock
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

    def open_of(self, date_prefix: str, status: ManifestStatus) -> list[ManifestRecord]:
        """Return the records of a date and a status, by the index, which lags; costs what has that status."""
        return self._collect(
            None,
            IndexName=MANIFESTS_BY_STATUS_INDEX,
            KeyConditionExpression="#status = :status",
            FilterExpression="date_prefix = :date",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=to_item({":status": status.value, ":date": date_prefix}),
        )

    def retries_due(self, now: datetime, limit: int = 10_000) -> list[ManifestRecord]:
        """Return up to `limit` failed records that are to be tried again by now, by the index, which lags."""
        stamp = utc_timestamp(now)
        return [
            record
            for record in self.failed_and_unsettled(limit)
            if record.retry_due and (record.retry_at or stamp) <= stamp
        ]

    def failed_and_unsettled(self, limit: int) -> list[ManifestRecord]:
        """Return up to `limit` failed records whose alert or retry is due, by the index, which lags."""
        return self._collect(
            limit,
            IndexName=MANIFESTS_BY_STATUS_INDEX,
            KeyConditionExpression="#status = :status",
            FilterExpression="attribute_exists(alert_pending) OR retry_due = :yes",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=to_item({":status": ManifestStatus.FAILED.value, ":yes": True}),
        )

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
        indexed = self._iterate(
            None,
            {
                "IndexName": FAILED_MANIFESTS_INDEX,
                "KeyConditionExpression": f"{FAILED_DATE_ATTRIBUTE} = :date",
                "ExpressionAttributeValues": to_item({":date": date_prefix}),
            },
        )
        found: dict[ManifestName, ManifestRecord] = {}
        for name in chain(also, (record.name for record in indexed)):
            if len(found) == limit:
                break
            record = None if name in found else self.read(name)
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
        return parse_record(from_item(response["Item"])) if "Item" in response else None

    def claim(self, record: ManifestRecord, run_id: str, move: Move = Move.CLAIM) -> Claim | None:
        """Take a record for a run, or return None where its status or attempt has moved on.

        A claim that this very run holds already is returned again, so that a step may be repeated.

        Args:
            record: as it was read; its attempt must still be the newest.
            run_id: the Dagster run.
            move: `CLAIM`, `RETRY` after a crash, or `RECLAIM` for a person or a backfill.
        """
        now = self._clock()
        allowed = sorted(ALLOWED_FROM[move])
        places = {f":from{position}": status.value for position, status in enumerate(allowed)}
        # A record that another tool wrote may lack the attempt; it counts as none.
        attempt = "(attempt = :attempt OR attribute_not_exists(attempt))"
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(_key(record.name)),
                UpdateExpression=(
                    "SET #status = :processing, attempt = :next, dagster_run_id = :run, "
                    "processing_start_time = :now, updated_at = :now, #ttl = :ttl "
                    "REMOVE glue_job_run_id, completed_time, failed_time, error_message, records_processed, "
                    f"retry_due, {FAILED_DATE_ATTRIBUTE}"
                ),
                ConditionExpression=f"#status IN ({', '.join(places)}) AND {attempt}",
                ExpressionAttributeNames={"#status": "status", "#ttl": "ttl"},
                ExpressionAttributeValues=to_item(
                    {
                        **places,
                        **self._stamp(now),
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
            return _own_claim(item_of_failure(error), run_id, written_at=now)
        claimed = replace(
            record,
            status=ManifestStatus.PROCESSING,
            attempt=record.attempt + 1,
            dagster_run_id=run_id,
            glue_job_run_id=None,
            error_message=None,
            records_processed=None,
            processing_start_time=utc_timestamp(now),
            retry_due=False,
        )
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
                    "SET dagster_run_id = :run, processing_start_time = :now, updated_at = :now, #ttl = :ttl"
                ),
                ConditionExpression=(
                    "#status = :processing AND attempt = :attempt AND dagster_run_id = :old "
                    "AND dagster_run_id <> :run"
                ),
                ExpressionAttributeNames={"#status": "status", "#ttl": "ttl"},
                ExpressionAttributeValues=to_item(
                    {
                        **self._stamp(now),
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
            return _own_claim(item_of_failure(error), run_id)
        taken = replace(record, dagster_run_id=run_id, processing_start_time=utc_timestamp(now))
        return Claim(taken, run_id, begun_at=record.processing_start_time or record.created_at)

    def started(self, claim: Claim, glue_job_run_id: str) -> None:
        """Store the Glue run of an attempt.

        Raises:
            StaleHolderError: a later attempt holds the record.
        """
        self._update_held(claim, "SET glue_job_run_id = :glue", {":glue": glue_job_run_id})

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
        return DateTotals.from_item(from_item(response.get("Item", {})))

    def fail(self, claim: Claim, error_message: str, *, retry_due: bool = False) -> None:
        """Move a claimed record to failed, with the reason; its alert is pending from here on.

        Args:
            claim: the attempt that failed.
            error_message: why.
            retry_due: whether another attempt should follow by itself.

        Raises:
            StaleHolderError: a later attempt holds the record, or it has ended already.
        """
        self._update_held(
            claim,
            "SET #status = :status, failed_time = :now, error_message = :error, alert_pending = :alert, "
            f"retry_due = :retry, {FAILED_DATE_ATTRIBUTE} = :date",
            {
                ":status": ManifestStatus.FAILED.value,
                ":error": error_message[:_LONGEST_ERROR],
                ":alert": claim.run_id,
                ":retry": retry_due,
                ":date": claim.record.date_prefix,
            },
        )

    def retry_later(self, record: ManifestRecord) -> bool:
        """Mark a failed record for another attempt; False where its status or attempt has moved on."""
        now = self._clock()
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(_key(record.name)),
                UpdateExpression="SET retry_due = :yes, updated_at = :now, #ttl = :ttl",
                ConditionExpression=(
                    "#status = :failed AND (attempt = :attempt OR attribute_not_exists(attempt))"
                ),
                ExpressionAttributeNames={"#status": "status", "#ttl": "ttl"},
                ExpressionAttributeValues=to_item(
                    {
                        **self._stamp(now),
                        ":yes": True,
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

    def alerted(self, record: ManifestRecord, run_id: str) -> None:
        """Note that the failure of a run was alerted; a later failure's alert stays pending."""
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(_key(record.name)),
                UpdateExpression="REMOVE alert_pending",
                ConditionExpression="alert_pending = :run",
                ExpressionAttributeValues=to_item({":run": run_id}),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            logger.info("The alert of %s was noted already", record.manifest_path)

    def _update_held(self, claim: Claim, update: str, values: Mapping[str, Any]) -> None:
        """Change a record that is processing, by whoever holds its newest attempt."""
        now = self._clock()
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(_key(claim.record.name)),
                UpdateExpression=f"{update}, updated_at = :now, #ttl = :ttl",
                ConditionExpression=(
                    "#status = :processing AND attempt = :attempt AND dagster_run_id = :run"
                ),
                ExpressionAttributeNames={"#status": "status", "#ttl": "ttl"},
                ExpressionAttributeValues=to_item(
                    {
                        **values,
                        **self._stamp(now),
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

    def _completion_writer(self) -> CompletionWriter:
        return CompletionWriter(
            self._dynamodb,
            table=self._table,
            stamp=lambda: self._stamp(self._clock()),
            sleep=self._sleep,
            jitter=self._jitter,
        )

    def _stamp(self, now: datetime) -> dict[str, Any]:
        return {":now": utc_timestamp(now), ":ttl": int((now + _TTL).timestamp())}

    def _collect(self, limit: int | None, **request: Any) -> list[ManifestRecord]:
        return list(self._iterate(limit, request))

    def _iterate(self, limit: int | None, request: dict[str, Any]) -> Iterator[ManifestRecord]:
        left = limit
        while True:
            if left is not None:
                request["Limit"] = max(left, 1)
            response = self._dynamodb.query(TableName=self._table, **request)
            for raw in response["Items"]:
                try:
                    record = parse_record(from_item(raw))
                except RecordFormatError as error:
                    logger.warning("Skipped a row of another shape: %s", error)
                    continue
                yield record
            if left is not None:
                left -= len(response["Items"])
            if "LastEvaluatedKey" not in response or (left is not None and left <= 0):
                return
            request["ExclusiveStartKey"] = response["LastEvaluatedKey"]


def _key(name: ManifestName) -> dict[str, str]:
    return {"date_prefix": name.date_prefix, "file_key": manifest_record_key(name.filename)}


def _own_claim(
    existing: Mapping[str, Any] | None, run_id: str, written_at: datetime | None = None
) -> Claim | None:
    """Return the claim that a refused write met, where it is this run's own.

    Args:
        existing: the item that the write met.
        run_id: the run that wrote.
        written_at: the write's own instant; a claim of that instant took effect before its retry was refused,
            so its attempt is new.
    """
    if existing is None:
        return None
    try:
        record = parse_record(existing)
    except RecordFormatError as error:
        logger.warning("A claim met a row of another shape: %s", error)
        return None
    if record.status is not ManifestStatus.PROCESSING or record.dagster_run_id != run_id:
        return None
    begun_at = record.processing_start_time or record.created_at
    is_new = written_at is not None and begun_at == utc_timestamp(written_at)
    return Claim(record, run_id, None if is_new else begun_at)
