"""Files that are in no manifest yet, by date."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import from_item
from lambda_ingest.contract.records import PENDING_DATE_ATTRIBUTE, PENDING_FILES_INDEX
from lambda_ingest.contract.rows import date_of, instant_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# Some 150 bytes each: 10 read units, beside which the Lambda's own reads must go on. Where more wait, the
# figures say so.
PENDING_PER_LOOK = 500


@dataclass(frozen=True)
class PendingFiles:
    """Files of a date that are in no manifest yet.

    Attributes:
        files: how many.
        size_mb: their size, in MB.
        oldest: when the oldest was tracked, UTC text; None where no row says.
    """

    files: int = 0
    size_mb: float = 0.0
    oldest: str | None = None

    def plus(self, size_mb: float, created: datetime | None) -> "PendingFiles":
        """Return these and one more."""
        instants = [text for text in (self.oldest, utc_timestamp(created) if created else None) if text]
        return PendingFiles(self.files + 1, self.size_mb + size_mb, min(instants, default=None))


def pending_by_date(
    dynamodb: "DynamoDBClient", table: str, limit: int = PENDING_PER_LOOK
) -> tuple[dict[str, PendingFiles], bool]:
    """Return the files that wait, by date, and whether there are more than were looked at.

    By an index of these alone, which lags; costs what is open, up to the limit.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    found: dict[str, PendingFiles] = {}
    start: dict[str, Any] = {}
    left = limit
    while left > 0:
        answer = dynamodb.scan(TableName=table, IndexName=PENDING_FILES_INDEX, Limit=left, **start)
        for raw in answer.get("Items", []):
            item = from_item(raw)
            date_prefix = date_of(item, PENDING_DATE_ATTRIBUTE)
            if date_prefix is not None:
                before = found.get(date_prefix, PendingFiles())
                found[date_prefix] = before.plus(_size_mb(item), instant_of(item, "created_at"))
        left -= len(answer.get("Items", []))
        if "LastEvaluatedKey" not in answer:
            return found, False
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    return found, True


def _size_mb(item: Mapping[str, Any]) -> float:
    try:
        return float(item.get("file_size_mb", 0))
    except (TypeError, ValueError):
        return 0.0
