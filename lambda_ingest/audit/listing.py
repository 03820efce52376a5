"""Listings of a date: its records, its input objects, its manifest objects."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_ingest.audit.progress import Progress
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.items import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

Left = TypeVar("Left")
Right = TypeVar("Right")

# Sorts after every character that a key may hold.
AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True)
class ListedObject:
    """An object as a listing shows it.

    Attributes:
        key: its key.
        etag: its entity tag without quotes.
        size_bytes: its size.
        modified_at: when it was written.
    """

    key: str
    etag: str
    size_bytes: int
    modified_at: datetime


class DateListings:
    """Reads what a date holds; for a few recent dates only, as it costs what they hold."""

    def __init__(self, table: Table, s3: "S3Client") -> None:
        self._table = table
        self._s3 = s3

    def objects(
        self, bucket: str, prefix: str, progress: Progress, *, after: str = ""
    ) -> Iterator[ListedObject]:
        """Yield the objects below a prefix in order of their keys, from beyond a key on.

        Raises:
            ClientError: S3 refused or failed.
            TimeIsUpError: the time is up at the begin of a page.
        """
        request: dict[str, Any] = {"StartAfter": after} if after else {}
        progress.demand_time()
        for page in self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, **request
        ):
            for entry in page.get("Contents", []):
                yield ListedObject(
                    entry["Key"], entry["ETag"].strip('"'), entry["Size"], entry["LastModified"]
                )
            progress.demand_time()

    def records(
        self, date_prefix: str, file_key_prefix: str, progress: Progress, *, after: str = ""
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the records of a date whose sort key begins so, in order, strongly read, from a key on.

        Raises:
            ClientError: DynamoDB refused or failed.
            TimeIsUpError: the time is up at the begin of a page.
        """
        progress.demand_time()
        pages = self._table.dynamodb.get_paginator("query").paginate(
            TableName=self._table.name,
            KeyConditionExpression="date_prefix = :date AND file_key BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item(
                {
                    ":date": date_prefix,
                    ":first": max(file_key_prefix, after),
                    ":last": f"{file_key_prefix}{AFTER_ALL}",
                }
            ),
            ProjectionExpression=(
                "file_key, file_path, etag, alias_etag, overwritten_etag, overwrite_alert_due, #status"
            ),
            ExpressionAttributeNames={"#status": "status"},
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield from_item(item)
            progress.demand_time()


def without_match(
    left: Iterable[Left],
    right: Iterable[Right],
    *,
    left_key: Callable[[Left], str],
    right_key: Callable[[Right], str],
) -> Iterator[tuple[Left, Right | None]]:
    """Yield each item of `left` with the item of `right` that has its key, or None.

    Both must be in order of their keys' UTF-8 bytes, which is how S3 lists and DynamoDB sorts.
    """
    others = iter(right)
    other: Right | None = None
    is_begun = False
    for item in left:
        if not is_begun:
            # Where there is nothing on the left, the right costs nothing.
            other, is_begun = next(others, None), True
        key = left_key(item).encode()
        while other is not None and right_key(other).encode() < key:
            other = next(others, None)
        is_match = other is not None and right_key(other).encode() == key
        yield item, other if is_match else None
