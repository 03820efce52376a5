"""Files of a date, one page at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lambda_ingest.contract.items import Item
from lambda_ingest.contract.records import MANIFEST_FILE_KEY_PREFIX, FileStatus
from lambda_ingest.contract.rows import text_of
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.manifest_rows import MANIFEST_KEYS

Tell = Callable[[str], None]

_ATTRIBUTES = (
    "file_key",
    "status",
    "file_path",
    "file_size_mb",
    "manifest_path",
    "reason",
    "created_at",
    "overwritten_at",
)


@dataclass(frozen=True)
class FileRow:
    """One row.

    Attributes:
        key: its sort key, the name below the input prefix for most.
        status: as it stands there; `unknown` where it is no text.
        path: the object's URI; None in a row of another shape.
        size_mb: its size.
        manifest: that it is in.
        reason: why it was refused.
        created_at: when it was seen first, UTC text.
        overwritten_at: when other content came over it.
    """

    key: str
    status: str
    path: str | None
    size_mb: float | None
    manifest: str | None
    reason: str | None
    created_at: str | None
    overwritten_at: str | None

    @property
    def is_odd(self) -> bool:
        """Whether the row has another shape than a file's."""
        return self.path is None or self.status not in set(FileStatus)

    def to_document(self) -> dict[str, Any]:
        """Return it for a program."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class FilePage:
    """Some files of a date.

    Attributes:
        rows: in order of their keys.
        next_after: the key behind which the next page begins; None where this is the last.
    """

    rows: tuple[FileRow, ...]
    next_after: str | None


def files_of_date(
    desk: Desk, date: str, status: str | None, *, limit: int, after: str, tell: Tell
) -> FilePage:
    """Return up to `limit` of a date's files; reads no further than it must.

    Args:
        desk: the deployment.
        date: the date.
        status: only these; every one without it.
        limit: so many at most.
        after: only those behind this key.
        tell: told how many rows were read.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    rows: list[FileRow] = []
    for item in _files(desk.rows.of_date(date, after=after, attributes=_ATTRIBUTES, tell=tell)):
        row = file_row_of(item)
        if status is not None and row.status != status:
            continue
        if len(rows) == limit:
            return FilePage(tuple(rows), rows[-1].key)
        rows.append(row)
    return FilePage(tuple(rows), None)


def file_row_of(item: Mapping[str, Any]) -> FileRow:
    """Return what a row says, whatever its shape; pure."""
    size = item.get("file_size_mb")
    try:
        size_mb = None if size is None else float(size)
    except (TypeError, ValueError):
        size_mb = None
    return FileRow(
        key=str(item.get("file_key", "")),
        status=text_of(item, "status") or "unknown",
        path=text_of(item, "file_path"),
        size_mb=size_mb,
        manifest=text_of(item, "manifest_path"),
        reason=text_of(item, "reason"),
        created_at=text_of(item, "created_at"),
        overwritten_at=text_of(item, "overwritten_at"),
    )


def _files(items: Iterator[Item]) -> Iterator[Item]:
    for item in items:
        key = str(item.get("file_key", ""))
        if not key.startswith(MANIFEST_FILE_KEY_PREFIX) and key != MANIFEST_KEYS:
            yield item
