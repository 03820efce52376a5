"""Which failures of a manifest are still to be alerted, as its record says it."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import is_condition_failure, item_of_failure, to_item
from lambda_ingest.contract.records import ALERT_PENDING_ATTRIBUTE, RETRY_AT_ATTRIBUTE, ManifestStatus
from ndjson_pipeline.claims.due_alerts import DueAlert
from ndjson_pipeline.claims.reader import record_key
from ndjson_pipeline.claims.record import ManifestRecord, parse_record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

logger = logging.getLogger(__name__)

# Where alerts can't be published for days, the oldest failure of a manifest gives way to the newest.
MOST_ALERTS_DUE = 30
# How often a write that depends on what was read is made again where that has changed since.
_TRIES = 5


class AlertMarks:
    """Takes from a record the failures that were alerted.

    Args:
        dynamodb: the client.
        table: the tracking table.
        manifest_bucket: has the manifests; None where the records are believed on that.
        clock: tells the time.
        ttl: how long a record lives after it has ended.
    """

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        *,
        table: str,
        manifest_bucket: str | None,
        clock: Clock,
        ttl: timedelta,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._manifest_bucket = manifest_bucket
        self._clock = clock
        self._ttl = ttl

    def take(self, record: ManifestRecord, published: Sequence[DueAlert]) -> None:
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
            values |= {":ttl": int((now + self._ttl).timestamp())} if has_ended else {}
        retry = (
            f"attribute_not_exists({RETRY_AT_ATTRIBUTE})"
            if record.retry_at is None
            else f"{RETRY_AT_ATTRIBUTE} = :retry"
        )
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(record_key(record.name)),
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
            return (
                replace(record, alerts_due=())
                if existing is None
                else parse_record(existing, self._manifest_bucket)
            )
        return None


def with_alert(record: ManifestRecord, alert: DueAlert) -> tuple[str, dict[str, Any]]:
    """Return the update that makes an alert due beside those that are, with its values.

    Args:
        record: as it was claimed; alerts may have been published since.
        alert: the new one.
    """
    if len(record.alerts_due) < MOST_ALERTS_DUE:
        update = "alerts_due = list_append(if_not_exists(alerts_due, :none), :alert)"
        return update, {":none": [], ":alert": _to_values([alert])}
    logger.warning("%s: the oldest of its %d alerts is given up", record.manifest_path, MOST_ALERTS_DUE)
    # What was published since comes again, and is lost in no case.
    return "alerts_due = :alerts", {":alerts": _to_values([*record.alerts_due[1:], alert])}


def _to_values(alerts: Sequence[DueAlert]) -> list[dict[str, Any]]:
    return [alert.to_values() for alert in alerts]
