"""A table of ingest, with what every record in it bears."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.items import Item, from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


@dataclass(frozen=True)
class Table:
    """A table, as each part that reads or writes it is given it.

    Attributes:
        dynamodb: the client.
        name: the table's.
        clock: stamps records.
        ttl: how long a record lives after it has ended.
    """

    dynamodb: "DynamoDBClient"
    name: str
    clock: Clock
    ttl: timedelta

    def read(self, date_prefix: str, file_key: str) -> Item | None:
        """Return one record of the tracking table as Python values, strongly read, or None.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        response = self.dynamodb.get_item(
            TableName=self.name,
            Key=to_item({"date_prefix": date_prefix, "file_key": file_key}),
            ConsistentRead=True,
        )
        item = response.get("Item")
        return from_item(item) if item else None

    def expiry(self, now: datetime) -> int:
        """Return the `ttl` of a record that ends now, in epoch seconds."""
        return int((now + self.ttl).timestamp())
