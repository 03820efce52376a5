"""Pending files of a date: found by the sparse index, confirmed by a strong read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import Patience, RemainingSeconds
from lambda_ingest.aws.table import Table
from lambda_ingest.batches.planning import PendingFile
from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.items import from_item, to_item
from lambda_ingest.contract.keys import split_s3_uri
from lambda_ingest.contract.manifest import ManifestFile, key_below
from lambda_ingest.contract.records import (
    BYTES_PER_MB,
    PENDING_DATE_ATTRIBUTE,
    PENDING_FILES_INDEX,
    FileStatus,
)
from lambda_ingest.contract.rows import date_of, instant_of, text_of, whole_of
from lambda_ingest.files.identity import own_key

# Sorts after every instant that can be read, and is the age of nothing.
UNKNOWN_INSTANT = "9999-12-31T23:59:59.999999Z"
# S3 takes objects of up to 50 TB.
_LARGEST_OBJECT_MB = 50 * 1024**2


@dataclass(frozen=True)
class PendingPage:
    """One read of the index.

    Attributes:
        files: pending as far as the index knows, oldest first; it lags behind the table.
        next_start: where to go on, or None where nothing follows.
    """

    files: tuple[PendingFile, ...]
    next_start: Mapping[str, Any] | None


class PendingFiles:
    """Reads what is open; never what is history."""

    def __init__(self, table: Table, patience: Patience, *, input_prefix: str) -> None:
        self._table = table
        self._patience = patience
        self._input_prefix = input_prefix

    def first(self, date_prefix: str, limit: int) -> PendingPage:
        """Return up to `limit` of a date's pending files, oldest first."""
        files: list[PendingFile] = []
        start: Mapping[str, Any] | None = None
        while True:
            page = self._page(date_prefix, limit - len(files), start)
            files.extend(page.files)
            start = page.next_start
            if start is None or len(files) >= limit:
                return PendingPage(tuple(files), start)

    def more(self, date_prefix: str, limit: int, start: Mapping[str, Any]) -> PendingPage:
        """Return up to `limit` of the pending files that follow an earlier page."""
        return self._page(date_prefix, limit, start)

    def confirm(
        self, date_prefix: str, files: Sequence[PendingFile], remaining_seconds: RemainingSeconds
    ) -> list[tuple[PendingFile, ManifestFile]]:
        """Return those that a strong read finds pending, in order, with the content they stand for now.

        Raises:
            UnreadKeysError: the table is throttled, and the time is up.
        """
        found: dict[str, tuple[PendingFile, ManifestFile]] = {}
        waits = self._patience.waits(remaining_seconds)
        for item in self._table.read_many(date_prefix, [file.file_key for file in files], waits):
            if item.get("status") != FileStatus.PENDING:
                continue
            listed, problem = self._listed(item)
            if listed is None:
                logger.warning(
                    "Skipped a pending record of another shape",
                    date_prefix=date_prefix,
                    file_key=item["file_key"],
                    missing=problem,
                )
                continue
            found[item["file_key"]] = (
                PendingFile(item["file_key"], text_of(item, "created_at") or "", listed.size_bytes),
                listed,
            )
        return [found[file.file_key] for file in files if file.file_key in found]

    def _listed(self, item: Mapping[str, Any]) -> tuple[ManifestFile | None, str]:
        """Return what a manifest lists of a record, or what the record lacks for it."""
        uri, etag = text_of(item, "file_path"), text_of(item, "etag")
        size, version_id = whole_of(item, "file_size_bytes"), item.get("version_id")
        if uri is None or etag is None or not size:
            absent = {"file_path": uri, "etag": etag, "file_size_bytes": size}
            return None, ", ".join(name for name, value in absent.items() if not value)
        if version_id is not None and not isinstance(version_id, str):
            return None, "version_id"
        try:
            bucket, key = split_s3_uri(uri)
        except ManifestKeyError:
            return None, "file_path"
        file_key = item["file_key"]
        if file_key == key_below(uri, self._input_prefix):
            return ManifestFile(uri, size, etag, version_id), ""
        # Two records of one object would bring it into two manifests.
        if file_key != own_key(ObjectCreated(bucket, key, size, etag)):
            return None, "file_path"
        return ManifestFile(uri, size, etag, version_id, file_key), ""

    def open_dates(self) -> dict[str, str]:
        """Return each date that has pending files, with the time its oldest was tracked (UTC text).

        Rows of another shape are skipped with a warning; a time that can't be read is `UNKNOWN_INSTANT`.
        Reads the sparse index, so it costs what is open.
        """
        oldest: dict[str, str] = {}
        pages = self._table.dynamodb.get_paginator("scan").paginate(
            TableName=self._table.name,
            IndexName=PENDING_FILES_INDEX,
            ProjectionExpression=f"{PENDING_DATE_ATTRIBUTE}, created_at, date_prefix, file_key",
        )
        for page in pages:
            for raw in page["Items"]:
                item = from_item(raw)
                date_prefix = date_of(item, PENDING_DATE_ATTRIBUTE)
                if date_prefix is None or item.get("date_prefix") != date_prefix:
                    _warn_of(item)
                    continue
                created_at = instant_of(item, "created_at")
                if created_at is None:
                    # It waits, since nobody knows when.
                    _warn_of(item)
                    oldest.setdefault(date_prefix, UNKNOWN_INSTANT)
                    continue
                oldest[date_prefix] = min(oldest.get(date_prefix, UNKNOWN_INSTANT), utc_timestamp(created_at))
        return dict(sorted(oldest.items()))

    def _page(self, date_prefix: str, limit: int, start: Mapping[str, Any] | None) -> PendingPage:
        request: dict[str, Any] = {} if start is None else {"ExclusiveStartKey": start}
        response = self._table.dynamodb.query(
            TableName=self._table.name,
            IndexName=PENDING_FILES_INDEX,
            KeyConditionExpression=f"{PENDING_DATE_ATTRIBUTE} = :date",
            ExpressionAttributeValues=to_item({":date": date_prefix}),
            Limit=max(limit, 1),
            **request,
        )
        items = [from_item(item) for item in response["Items"]]
        for item in items:
            if item.get("date_prefix") != date_prefix:
                _warn_of(item)
        files = tuple(_pending_file(item) for item in items if item.get("date_prefix") == date_prefix)
        return PendingPage(files, response.get("LastEvaluatedKey"))


def _pending_file(item: Mapping[str, Any]) -> PendingFile:
    size_mb = item.get("file_size_mb")
    # What is no size is judged by the strong read.
    is_size = isinstance(size_mb, Decimal) and 0 <= size_mb <= _LARGEST_OBJECT_MB
    size_bytes = int(size_mb * BYTES_PER_MB) if is_size and isinstance(size_mb, Decimal) else 0
    return PendingFile(item["file_key"], text_of(item, "created_at") or "", size_bytes)


def _warn_of(item: Mapping[str, Any]) -> None:
    logger.warning(
        "Skipped a pending record of another shape",
        date_prefix=item.get("date_prefix"),
        file_key=item.get("file_key"),
        missing=f"{PENDING_DATE_ATTRIBUTE} or created_at",
    )
