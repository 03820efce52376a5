"""How long the manifests that nobody converts yet have waited."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.dates import utc_date
from lambda_ingest.contract.items import from_item, to_item
from lambda_ingest.contract.records import MANIFESTS_BY_STATUS_INDEX, ManifestStatus
from lambda_ingest.contract.rows import date_of, instant_of

# A page has up to a megabyte, which is some two thousand records.
_MOST_PAGES = 3


class WaitingManifests:
    """Reads which manifests are pending, by an index that holds no file and lags."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def oldest_age(self, now: datetime) -> timedelta:
        """Return how long the oldest pending manifest has waited; nothing where none does.

        Costs what is pending, up to some thousands of records: where more wait, it is the oldest of those
        that were read, and never more than the truth. A manifest of tomorrow waits for its day, and does not
        count. Rows of another shape are skipped with a warning.

        Args:
            now: the time.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        today = utc_date(now).isoformat()
        oldest = now
        for item in self._pending():
            date_prefix, created_at = date_of(item, "date_prefix"), instant_of(item, "created_at")
            if date_prefix is None or created_at is None:
                logger.warning(
                    "Skipped a pending manifest's record of another shape",
                    date_prefix=item.get("date_prefix"),
                    file_key=item.get("file_key"),
                    missing="date_prefix or created_at",
                )
            elif date_prefix <= today:
                oldest = min(oldest, created_at)
        return now - oldest

    def _pending(self) -> Iterator[Mapping[str, Any]]:
        pages = self._table.dynamodb.get_paginator("query").paginate(
            TableName=self._table.name,
            IndexName=MANIFESTS_BY_STATUS_INDEX,
            KeyConditionExpression="#status = :pending",
            ProjectionExpression="date_prefix, file_key, created_at",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=to_item({":pending": ManifestStatus.PENDING.value}),
        )
        for page in islice(pages, _MOST_PAGES):
            for raw in page["Items"]:
                yield from_item(raw)
