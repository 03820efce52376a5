"""Reads of manifest records: one, those of a date, those that an index knows."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import Item, from_item, to_item
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import (
    ALERTS_PENDING_INDEX,
    FAILED_DATE_ATTRIBUTE,
    FAILED_MANIFESTS_INDEX,
    MANIFEST_FILE_KEY_PREFIX,
    MANIFESTS_BY_STATUS_INDEX,
    RETRIES_DUE_INDEX,
    RETRY_AT_ATTRIBUTE,
    ManifestStatus,
    manifest_record_key,
)
from ndjson_pipeline.claims.record import ManifestRecord, parse_record
from ndjson_pipeline.errors import RecordFormatError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

logger = logging.getLogger(__name__)

# A tick names so many rows of other shapes; they are there at each.
_MOST_SKIPPED_NAMED = 20


class ManifestRecordReader:
    """What the tracking table knows of manifests.

    Args:
        dynamodb: the client.
        table: the tracking table.
        manifest_bucket: has the manifests; None where the records are believed on that.
    """

    def __init__(self, dynamodb: "DynamoDBClient", *, table: str, manifest_bucket: str | None = None) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._manifest_bucket = manifest_bucket

    def with_status(self, status: ManifestStatus, limit: int) -> list[ManifestRecord]:
        """Return up to `limit` records of a status, by the index, which lags; costs what has that status."""
        return self._collect(
            limit,
            IndexName=MANIFESTS_BY_STATUS_INDEX,
            KeyConditionExpression="#status = :status",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=to_item({":status": status.value}),
        )

    def alerts_pending(
        self, limit: int, after: Mapping[str, str] | None = None
    ) -> tuple[list[ManifestRecord], dict[str, str] | None]:
        """Return up to `limit` records with failures that nobody was told of, whatever their status.

        By an index of these alone, which lags.

        Args:
            limit: the most records.
            after: where an earlier call ended.

        Returns:
            The records, and where this call ended; None where it came to the end.
        """
        start = {} if after is None else {"ExclusiveStartKey": to_item(after)}
        found, end = self._read(self._dynamodb.scan, limit, IndexName=ALERTS_PENDING_INDEX, **start)
        return found, None if end is None else from_item(end)

    def retries_due(self, now: datetime, limit: int) -> list[ManifestRecord]:
        """Return up to `limit` failed records that may be tried again by now.

        By an index, which lags; costs what is to be tried again, now or later.
        """
        found, _ = self._read(
            self._dynamodb.scan,
            limit,
            IndexName=RETRIES_DUE_INDEX,
            FilterExpression=f"{RETRY_AT_ATTRIBUTE} <= :now",
            ExpressionAttributeValues=to_item({":now": utc_timestamp(now)}),
        )
        return found

    def failed_of(
        self, date_prefix: str, limit: int, also: Iterable[ManifestName] = ()
    ) -> list[ManifestRecord]:
        """Return up to `limit` failed records of a date; costs what is failed of that date alone.

        The index names them, and lags: each is strongly read, so that one that was mended does not count.

        Args:
            date_prefix: the date.
            limit: how many are enough.
            also: manifests of it that failed just now, and that the index may not show yet.
        """
        indexed = self._collect(
            None,
            IndexName=FAILED_MANIFESTS_INDEX,
            KeyConditionExpression=f"{FAILED_DATE_ATTRIBUTE} = :date",
            ExpressionAttributeValues=to_item({":date": date_prefix}),
        )
        found: dict[ManifestName, ManifestRecord] = {}
        for name in chain(also, (record.name for record in indexed)):
            if len(found) == limit:
                break
            record = None if name in found else self.find(name)
            if record is not None and record.status is ManifestStatus.FAILED:
                found[name] = record
        return sorted(found.values(), key=lambda record: record.name)

    def of_date_with_status(self, date_prefix: str, status: ManifestStatus) -> list[ManifestRecord]:
        """Return a date's records of a status, by the index, which lags; costs what has that status."""
        return self._collect(
            None,
            IndexName=MANIFESTS_BY_STATUS_INDEX,
            KeyConditionExpression="#status = :status",
            FilterExpression="date_prefix = :date",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=to_item({":status": status.value, ":date": date_prefix}),
        )

    def of_date(self, date_prefix: str) -> list[ManifestRecord]:
        """Return every record of a date in order of their counters, strongly read."""
        return self._collect(
            None,
            KeyConditionExpression="date_prefix = :date AND begins_with(file_key, :manifest)",
            ExpressionAttributeValues=to_item({":date": date_prefix, ":manifest": MANIFEST_FILE_KEY_PREFIX}),
            ConsistentRead=True,
        )

    def read(self, name: ManifestName) -> ManifestRecord | None:
        """Return a manifest's record as it is now, strongly read, or None where there is none.

        Raises:
            RecordFormatError: it has another shape by now.
        """
        response = self._dynamodb.get_item(
            TableName=self._table, Key=to_item(record_key(name)), ConsistentRead=True
        )
        return self._parse(from_item(response["Item"])) if "Item" in response else None

    def find(self, name: ManifestName) -> ManifestRecord | None:
        """Return a manifest's record as `read` does; one of another shape counts as none, with a warning."""
        try:
            return self.read(name)
        except RecordFormatError as error:
            logger.warning("Skipped a row of another shape: %s", error)
            return None

    def _parse(self, item: Mapping[str, Any]) -> ManifestRecord:
        return parse_record(item, self._manifest_bucket)

    def _collect(self, limit: int | None, **request: Any) -> list[ManifestRecord]:
        found, _ = self._read(self._dynamodb.query, limit, **request)
        return found

    def _read(
        self, read: Callable[..., Any], limit: int | None, **request: Any
    ) -> tuple[list[ManifestRecord], Item | None]:
        """Return the records of a query or a scan, page by page, and the key at which the limit cut it."""
        found: list[ManifestRecord] = []
        skipped = 0
        while True:
            if limit is not None:
                # At most a page is read of what a filter leaves out.
                request["Limit"] = max(limit - len(found), 1)
            response = read(TableName=self._table, **request)
            for raw in response["Items"]:
                try:
                    found.append(self._parse(from_item(raw)))
                except RecordFormatError as error:
                    skipped += 1
                    if skipped <= _MOST_SKIPPED_NAMED:
                        logger.warning("Skipped a row of another shape: %s", error)
            end = response.get("LastEvaluatedKey")
            if end is None or (limit is not None and len(found) >= limit):
                if skipped > _MOST_SKIPPED_NAMED:
                    logger.warning("Skipped %d rows of other shapes, and named the first", skipped)
                return found, end
            request["ExclusiveStartKey"] = end


def record_key(name: ManifestName) -> dict[str, str]:
    """Return the table's key of a manifest's record."""
    return {"date_prefix": name.date_prefix, "file_key": manifest_record_key(name.filename)}
