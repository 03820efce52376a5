"""The lock of a date: who holds it, for how long, and its end before its time.

A holder that lost its lock can't commit: its commit checks the lock in the same transaction. So an end before
its time harms nobody, and makes the next builder go on at once.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from botocore.exceptions import ClientError

from lambda_ingest.contract.items import Item, is_condition_failure, to_item
from lambda_ingest.contract.records import LOCK_FILE_KEY, lock_partition
from lambda_ingest.contract.rows import text_of, unchanged
from ndjson_pipeline.desk.clients import Desk


@dataclass(frozen=True)
class LockSeen:
    """A lock's row.

    Attributes:
        date: whose it is.
        lock_id: its holder's; None in a row of another shape.
        until: when it runs out; None where the row says no instant.
        is_live: whether a builder would wait for it.
        row: as it was read.
    """

    date: str
    lock_id: str | None
    until: datetime | None
    is_live: bool
    row: Item


def find_lock(desk: Desk, date: str) -> LockSeen | None:
    """Return a date's lock, strongly read; None where nobody has left one.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    row = desk.rows.get(lock_partition(date), LOCK_FILE_KEY)
    if row is None:
        return None
    until = _instant(row.get("ttl"))
    return LockSeen(
        date=date,
        lock_id=text_of(row, "lock_id"),
        until=until,
        is_live=until is not None and until > desk.clock(),
        row=row,
    )


def break_lock(desk: Desk, lock: LockSeen) -> bool:
    """Remove a lock, if it is as it was shown; False where it has changed meanwhile.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    condition, names, values = unchanged(lock.row, "lock_id", "ttl")
    request = {"ExpressionAttributeValues": to_item(values)} if values else {}
    try:
        desk.dynamodb.delete_item(
            TableName=desk.names.tracking_table,
            Key=to_item({"date_prefix": lock_partition(lock.date), "file_key": LOCK_FILE_KEY}),
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            **request,  # type: ignore[arg-type]
        )
    except ClientError as error:
        if not is_condition_failure(error):
            raise
        return False
    return True


def _instant(value: object) -> datetime | None:
    if not isinstance(value, Decimal):
        return None
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (ValueError, OverflowError, OSError):
        return None
