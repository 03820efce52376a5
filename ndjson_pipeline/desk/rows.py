"""Rows of the tracking table as they are, of whatever shape."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lambda_ingest.contract.items import Item, from_item, to_item
from lambda_ingest.contract.records import PENDING_FILES_INDEX

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# An index of what is open is read up to so many rows; what waits beyond is said to be more.
MOST_OPEN_ROWS = 100_000

_Tell = Callable[[str], None]


def _silent(_: str) -> None:
    """Tell nobody."""


class Rows:
    """Reads of one table, each bounded by a date, a key, or what is open; never a scan of the table.

    Args:
        dynamodb: the client.
        table: the table's name.
    """

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def get(self, date_prefix: str, file_key: str) -> Item | None:
        """Return one row, strongly read.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        answer = self._dynamodb.get_item(
            TableName=self._table,
            Key=to_item({"date_prefix": date_prefix, "file_key": file_key}),
            ConsistentRead=True,
        )
        return from_item(answer["Item"]) if answer.get("Item") else None

    def get_some(self, keys: Sequence[tuple[str, str]]) -> list[Item]:
        """Return those rows of a few that exist, strongly read one by one."""
        found = (self.get(date_prefix, file_key) for date_prefix, file_key in dict.fromkeys(keys))
        return [row for row in found if row is not None]

    def of_date(
        self,
        date_prefix: str,
        *,
        begins_with: str = "",
        after: str = "",
        attributes: Sequence[str] = (),
        tell: _Tell = _silent,
    ) -> Iterator[Item]:
        """Yield a date's rows in order of their keys, page by page.

        Args:
            date_prefix: the date.
            begins_with: only sort keys that begin so.
            after: only sort keys behind this one.
            attributes: only these; all without any.
            tell: told how many rows were read, after each page.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "date_prefix = :date"
            + (" AND begins_with(file_key, :begin)" if begins_with else ""),
            "ExpressionAttributeValues": to_item(
                {":date": date_prefix, **({":begin": begins_with} if begins_with else {})}
            ),
            **_projection(attributes),
        }
        if after:
            request["ExclusiveStartKey"] = to_item({"date_prefix": date_prefix, "file_key": after})
        yield from self._pages(self._dynamodb.query, request, tell, None)

    def pending_files(self, tell: _Tell = _silent) -> Iterator[Item]:
        """Yield what the index of pending files has, up to `MOST_OPEN_ROWS`; it lags.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        request = {"TableName": self._table, "IndexName": PENDING_FILES_INDEX}
        yield from self._pages(self._dynamodb.scan, request, tell, MOST_OPEN_ROWS)

    def sum_of_metric(self, table: str, metric: str, since: float, until: float) -> float:
        """Return the sum of a metric's values between two instants, in epoch seconds.

        Args:
            table: the metrics table.
            metric: its type.
            since: the first instant.
            until: the last one.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        request = {
            "TableName": table,
            "KeyConditionExpression": "metric_type = :metric AND #timestamp BETWEEN :since AND :until",
            "ProjectionExpression": "#value",
            "ExpressionAttributeNames": {"#timestamp": "timestamp", "#value": "value"},
            "ExpressionAttributeValues": {
                ":metric": {"S": metric},
                ":since": {"N": f"{since:.6f}"},
                ":until": {"N": f"{until:.6f}"},
            },
        }
        rows = self._pages(self._dynamodb.query, request, _silent, MOST_OPEN_ROWS)
        return float(sum(row.get("value", 0) for row in rows))

    def _pages(
        self, read: Callable[..., Any], request: Mapping[str, Any], tell: _Tell, most: int | None
    ) -> Iterator[Item]:
        count, start = 0, dict(request)
        while True:
            page = read(**start)
            for raw in page["Items"]:
                yield from_item(raw)
            count += len(page["Items"])
            tell(f"{count:,} rows")
            end = page.get("LastEvaluatedKey")
            if end is None or (most is not None and count >= most):
                return
            start = {**request, "ExclusiveStartKey": end}


def _projection(attributes: Sequence[str]) -> dict[str, Any]:
    if not attributes:
        return {}
    names = {f"#a{number}": name for number, name in enumerate(attributes)}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
