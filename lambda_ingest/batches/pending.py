"""Pending files of a date: found by the sparse index, confirmed by a strong read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import Patience, RemainingSeconds
from lambda_ingest.aws.table import Table
from lambda_ingest.batches.planning import PendingFile
from lambda_ingest.contract.items import from_item, to_item
from lambda_ingest.contract.manifest import ManifestFile
from lambda_ingest.contract.records import (
    BYTES_PER_MB,
    PENDING_DATE_ATTRIBUTE,
    PENDING_FILES_INDEX,
    FileStatus,
)


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

    def __init__(self, table: Table, patience: Patience) -> None:
        self._table = table
        self._patience = patience

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
            missing = [name for name in ("file_path", "etag", "file_size_bytes") if not item.get(name)]
            if missing:
                logger.warning(
                    "Skipped a pending record of another shape",
                    date_prefix=date_prefix,
                    file_key=item["file_key"],
                    missing=missing,
                )
                continue
            size = int(item["file_size_bytes"])
            found[item["file_key"]] = (
                PendingFile(item["file_key"], item["created_at"], size),
                ManifestFile(item["file_path"], size, item["etag"], item.get("version_id")),
            )
        return [found[file.file_key] for file in files if file.file_key in found]

    def open_dates(self) -> dict[str, str]:
        """Return each date that has pending files, with the time its oldest was tracked (UTC text).

        Reads the sparse index, so it costs what is open.
        """
        oldest: dict[str, str] = {}
        pages = self._table.dynamodb.get_paginator("scan").paginate(
            TableName=self._table.name,
            IndexName=PENDING_FILES_INDEX,
            ProjectionExpression=f"{PENDING_DATE_ATTRIBUTE}, created_at",
        )
        for page in pages:
            for raw in page["Items"]:
                item = from_item(raw)
                date_prefix, created_at = item[PENDING_DATE_ATTRIBUTE], item["created_at"]
                oldest[date_prefix] = min(oldest.get(date_prefix, created_at), created_at)
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
        files = tuple(_pending_file(from_item(item)) for item in response["Items"])
        return PendingPage(files, response.get("LastEvaluatedKey"))


def _pending_file(item: Mapping[str, Any]) -> PendingFile:
    return PendingFile(item["file_key"], item["created_at"], int(item.get("file_size_mb", 0) * BYTES_PER_MB))
