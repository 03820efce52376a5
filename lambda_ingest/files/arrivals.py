"""First arrivals: the date of a file whose key has none, decided once and kept.

The same object may be told of again on another day: a redelivery, a lost event that the audit sends with the
object's own time, a copy in place. Its date must stay what it was, or it would be loaded twice. So the first
sighting is kept in an item of its own, without a `ttl`, for what was loaded is never loaded again. It costs
one call a file, and for good some 150 bytes of the table.
"""

from collections.abc import Iterable
from datetime import date, datetime

from botocore.exceptions import ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import Waits
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.dates import parse_date, utc_timestamp
from lambda_ingest.contract.file_dates import arrival_date
from lambda_ingest.contract.file_keys import arrival_partition
from lambda_ingest.contract.items import Item, is_condition_failure, item_of_failure, to_item
from lambda_ingest.contract.records import (
    ARRIVAL_DATE_ATTRIBUTE,
    ARRIVAL_FILE_KEY,
)


class FirstArrivals:
    """Keeps on which date each object was first seen, by its bucket and key."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def date_of(self, created: ObjectCreated, now: datetime) -> date:
        """Return the date of an object's first event; this one's where there was none.

        Args:
            created: what S3 said.
            now: the present instant, aware.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        day = arrival_date(created.event_time, now)
        try:
            self._table.dynamodb.put_item(
                TableName=self._table.name,
                Item=to_item(
                    {
                        **_key(created.uri),
                        ARRIVAL_DATE_ATTRIBUTE: day.isoformat(),
                        "created_at": utc_timestamp(now),
                    }
                ),
                ConditionExpression="attribute_not_exists(file_key)",
                # The item as it is, strongly: no second call.
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            existing = item_of_failure(error)
            if not is_condition_failure(error) or existing is None:
                raise
            return _date_in(existing, created.uri) or day
        return day

    def dates_of(self, uris: Iterable[str], waits: Waits) -> dict[str, date]:
        """Return the dates of those objects that were seen, strongly read; a call a hundred.

        Raises:
            ClientError: DynamoDB refused or failed.
            UnreadKeysError: the table is throttled, and the time is up.
        """
        by_partition = {arrival_partition(uri): uri for uri in uris}
        keys = [(partition, ARRIVAL_FILE_KEY) for partition in by_partition]
        found: dict[str, date] = {}
        for item in self._table.read_keys(keys, waits):
            uri = by_partition[item["date_prefix"]]
            if (day := _date_in(item, uri)) is not None:
                found[uri] = day
        return found


def _date_in(item: Item, uri: str) -> date | None:
    try:
        return parse_date(str(item.get(ARRIVAL_DATE_ATTRIBUTE, "")))
    except ValueError:
        logger.warning("Passed over a first arrival without a date", uri=uri)
        return None


def _key(uri: str) -> dict[str, str]:
    return {"date_prefix": arrival_partition(uri), "file_key": ARRIVAL_FILE_KEY}
