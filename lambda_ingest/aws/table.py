"""A table of ingest, with what every record in it bears."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.aws.patience import Refusal, Waits, refusal_of
from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import Item, from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# BatchGetItem takes at most this many keys.
_KEYS_PER_BATCH = 100


class UnreadKeysError(IngestError):
    """DynamoDB left keys of a batch unread as long as there was time: the table is throttled."""


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

    def read_many(self, date_prefix: str, file_keys: Sequence[str], waits: Waits) -> Iterator[Item]:
        """Yield the records of a date that exist among these, strongly read, in no order; a call a hundred.

        Raises:
            ClientError: DynamoDB refused or failed.
            UnreadKeysError: the table is throttled, and the time is up.
        """
        return self.read_keys([(date_prefix, file_key) for file_key in file_keys], waits)

    def read_keys(self, keys: Sequence[tuple[str, str]], waits: Waits) -> Iterator[Item]:
        """Yield the records that exist among these, strongly read, in no order; a call a hundred.

        Args:
            keys: each a partition key and a sort key.
            waits: for what DynamoDB leaves unread.

        Raises:
            ClientError: DynamoDB refused or failed.
            UnreadKeysError: the table is throttled, and the time is up.
        """
        for first in range(0, len(keys), _KEYS_PER_BATCH):
            yield from self._read_batch(keys[first : first + _KEYS_PER_BATCH], waits)

    def _read_batch(self, pairs: Sequence[tuple[str, str]], waits: Waits) -> Iterator[Item]:
        keys = [to_item({"date_prefix": partition, "file_key": file_key}) for partition, file_key in pairs]
        request: Mapping[str, Any] = {self.name: {"Keys": keys, "ConsistentRead": True}}
        while request:
            try:
                response = self.dynamodb.batch_get_item(RequestItems=request)
            except ClientError as error:
                # Not one key was read; where some were, the others come back as unprocessed.
                if refusal_of(error) is not Refusal.THROTTLED:
                    raise
            else:
                for item in response["Responses"].get(self.name, []):
                    yield from_item(item)
                request = response.get("UnprocessedKeys") or {}
            if request and not waits.again(Refusal.THROTTLED):
                raise UnreadKeysError(
                    f"{self.name} left keys of {pairs[0][0]} unread {waits}; it is throttled: raise its read "
                    "capacity"
                )

    def expiry(self, now: datetime) -> int:
        """Return the `ttl` of a record that ends now, in epoch seconds."""
        return int((now + self.ttl).timestamp())
