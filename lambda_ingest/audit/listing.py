"""Listings of a date: its records, its input objects, its manifest objects."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_ingest.aws.table import Table
from lambda_ingest.contract.items import from_item, to_item
from lambda_ingest.contract.keys import MANIFEST_PREFIX
from lambda_ingest.contract.records import MANIFEST_FILE_KEY_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

Left = TypeVar("Left")
Right = TypeVar("Right")

# Sorts after every character that a key may hold.
_AFTER_ALL = "\U0010ffff"


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

    def objects(self, bucket: str, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects below a prefix in order of their keys."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                yield ListedObject(
                    entry["Key"], entry["ETag"].strip('"'), entry["Size"], entry["LastModified"]
                )

    def manifest_objects(self, bucket: str, date_prefix: str) -> Iterator[ListedObject]:
        """Yield the manifest objects of a date, committed or not, in order of their names."""
        return self.objects(bucket, f"{MANIFEST_PREFIX}{date_prefix}/")

    def records(self, date_prefix: str, file_key_prefix: str) -> Iterator[Mapping[str, Any]]:
        """Yield the records of a date whose sort key begins so, in order, strongly read."""
        pages = self._table.dynamodb.get_paginator("query").paginate(
            TableName=self._table.name,
            KeyConditionExpression="date_prefix = :date AND begins_with(file_key, :prefix)",
            ExpressionAttributeValues=to_item({":date": date_prefix, ":prefix": file_key_prefix}),
            ProjectionExpression="file_key, etag, overwritten_etag, overwrite_alert_due, #status",
            ExpressionAttributeNames={"#status": "status"},
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield from_item(item)

    def folders(self, date_prefix: str) -> Iterator[str]:
        """Yield the folders that the date's records name, each ending in `/`; the top is the empty one.

        Leaps from folder to folder, so it costs a read a folder, however many files they hold.
        """
        yield ""
        after = ""
        while True:
            file_key = self._first_after(date_prefix, after)
            if file_key is None:
                return
            if file_key.startswith(MANIFEST_FILE_KEY_PREFIX):
                after = MANIFEST_FILE_KEY_PREFIX + _AFTER_ALL
                continue
            folder, slash, name = file_key.rpartition("/")
            dated = name.startswith(f"{date_prefix}-")
            if slash and dated:
                yield f"{folder}/"
            # What lies between is of the same folder and date; a name without its date is leapt alone.
            after = f"{folder}{slash}{date_prefix}-{_AFTER_ALL}" if dated else file_key

    def _first_after(self, date_prefix: str, after: str) -> str | None:
        request: dict[str, Any] = {
            "KeyConditionExpression": "date_prefix = :date",
            "ExpressionAttributeValues": to_item({":date": date_prefix}),
        }
        if after:
            request["KeyConditionExpression"] += " AND file_key > :after"
            request["ExpressionAttributeValues"] |= to_item({":after": after})
        response = self._table.dynamodb.query(
            TableName=self._table.name, Limit=1, ProjectionExpression="file_key", **request
        )
        items = response["Items"]
        return from_item(items[0])["file_key"] if items else None


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
    other = next(others, None)
    for item in left:
        key = left_key(item).encode()
        while other is not None and right_key(other).encode() < key:
            other = next(others, None)
        is_match = other is not None and right_key(other).encode() == key
        yield item, other if is_match else None
