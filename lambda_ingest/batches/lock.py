"""The lock of a date: at most one builder cuts its batches, and a dead one's lock runs out.

holder A ──put──▶ lock_id A ........ ttl passes ........ commit refused: the lock is B's
holder B ────────────── refused ──────▶ put: ttl < now, lock_id B ──▶ commit
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import Refusal, refusal_of
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.clock import NewId
from lambda_ingest.contract.items import is_condition_failure, item_of_failure, to_item
from lambda_ingest.contract.records import LOCK_FILE_KEY, lock_partition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# Another deployment of these functions may have set a longer life than ours; none sets days.
_LONGEST_LIFE = 86_400


@dataclass(frozen=True)
class DateLock:
    """A lock as its holder knows it.

    Attributes:
        date_prefix: the date it is for.
        lock_id: unique to the holder.
    """

    date_prefix: str
    lock_id: str


class DateLocks:
    """Takes and releases the locks of dates."""

    def __init__(
        self,
        table: Table,
        *,
        ttl_seconds: int,
        new_id: NewId,
    ) -> None:
        self._table = table
        self._ttl_seconds = ttl_seconds
        self._new_id = new_id

    def acquire(self, date_prefix: str) -> DateLock | None:
        """Take a date's lock, or return None where another holds it.

        The condition compares the time itself: DynamoDB deletes expired items days late. A lock of another
        shape, without a time or with one that no builder could have set, is nobody's.
        """
        lock = DateLock(date_prefix, self._new_id())
        now = int(self._table.clock().timestamp())
        try:
            self._table.dynamodb.put_item(
                TableName=self._table.name,
                Item=to_item({**_key(date_prefix), "lock_id": lock.lock_id, "ttl": now + self._ttl_seconds}),
                ConditionExpression=(
                    "attribute_not_exists(file_key) OR NOT attribute_type(#ttl, :number) "
                    "OR #ttl < :now OR #ttl > :latest"
                ),
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=to_item(
                    {":now": now, ":latest": now + self._ttl_seconds + _LONGEST_LIFE, ":number": "N"}
                ),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if refusal_of(error) is Refusal.CONTENDED:
                # A transaction is about the lock right now, so somebody holds it.
                return None
            if not is_condition_failure(error):
                raise
            # A put that took effect and then timed out is refused by its own lock at the retry.
            existing = item_of_failure(error) or {}
            return lock if existing.get("lock_id") == lock.lock_id else None
        return lock

    def release(self, lock: DateLock) -> None:
        """Give a lock back, where it is still ours."""
        try:
            self._table.dynamodb.delete_item(
                TableName=self._table.name,
                Key=to_item(_key(lock.date_prefix)),
                ConditionExpression="lock_id = :ours",
                ExpressionAttributeValues=to_item({":ours": lock.lock_id}),
            )
        except ClientError as error:
            if not is_condition_failure(error) and refusal_of(error) is not Refusal.CONTENDED:
                raise
            # A builder that outlived its lock may be about to learn so; ours runs out by itself.
            logger.info("The lock was not there to release, or is in use", date_prefix=lock.date_prefix)

    def check_ours(self, lock: DateLock) -> "TransactWriteItemTypeDef":
        """Return the transaction item that refuses the transaction unless the lock is still ours."""
        return {
            "ConditionCheck": {
                "TableName": self._table.name,
                "Key": to_item(_key(lock.date_prefix)),
                "ConditionExpression": "lock_id = :ours",
                "ExpressionAttributeValues": to_item({":ours": lock.lock_id}),
            }
        }


def _key(date_prefix: str) -> dict[str, str]:
    return {"date_prefix": lock_partition(date_prefix), "file_key": LOCK_FILE_KEY}
