"""How long manifests have waited: seen from here, so that a Dagster that stands still is noticed."""

from datetime import date, datetime

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.dates import utc_date
from lambda_ingest.contract.items import from_item, to_item
from lambda_ingest.contract.records import MANIFESTS_BY_STATUS_INDEX, ManifestStatus
from lambda_ingest.contract.rows import date_of, instant_of

# One page: where more wait than that, those of the first page have waited long, too.
_MOST_MANIFESTS = 1_000


def oldest_waiting(table: Table, now: datetime) -> datetime | None:
    """Return when the manifest was committed that waits longest, or None where none waits.

    A manifest of a day that has not come waits for it, and does not count. Rows of another shape are skipped
    with a warning.

    Args:
        table: the tracking table.
        now: the present instant, aware.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    response = table.dynamodb.query(
        TableName=table.name,
        IndexName=MANIFESTS_BY_STATUS_INDEX,
        KeyConditionExpression="#status = :pending",
        ProjectionExpression="created_at, date_prefix, file_key",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues=to_item({":pending": ManifestStatus.PENDING}),
        Limit=_MOST_MANIFESTS,
    )
    oldest: datetime | None = None
    for raw in response["Items"]:
        item = from_item(raw)
        date_prefix, committed = date_of(item, "date_prefix"), instant_of(item, "created_at")
        if date_prefix is None or committed is None:
            logger.warning(
                "Skipped a manifest record of another shape",
                date_prefix=item.get("date_prefix"),
                file_key=item.get("file_key"),
                missing="created_at or a date",
            )
            continue
        if date.fromisoformat(date_prefix) <= utc_date(now) and (oldest is None or committed < oldest):
            oldest = committed
    return oldest
