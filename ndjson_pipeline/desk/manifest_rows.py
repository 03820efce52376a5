"""Rows of manifests as an operator sees them, those of other shapes too."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lambda_ingest.contract.dates import parse_date
from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.items import Item
from lambda_ingest.contract.keys import MANIFEST_PREFIX, ManifestName
from lambda_ingest.contract.records import (
    MANIFEST_FILE_KEY_PREFIX,
    RETRY_AT_ATTRIBUTE,
    ManifestStatus,
)
from lambda_ingest.contract.rows import text_of, whole_of
from lambda_ingest.contract.text import printable
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.errors import PipelineError

# Keys of manifests' records begin so, and the key that older tools wrote is just this.
MANIFEST_KEYS = "MANIFEST"
OPEN_STATUSES = (ManifestStatus.PENDING, ManifestStatus.PROCESSING, ManifestStatus.FAILED)


class UnknownManifestError(PipelineError):
    """There is no such manifest, or its name can't be read."""


@dataclass(frozen=True)
class ManifestRow:
    """One row.

    Attributes:
        date: its partition key.
        name: its filename, or its sort key where that is of another shape.
        status: as it stands there; `unknown` where it is no text.
        files: how many it lists; None where the row does not say.
        size_mb: their size; None where the row does not say.
        attempt: how often it was claimed.
        dagster_run_id: who claimed it last.
        glue_run_id: of that attempt.
        created_at: UTC text, as the following.
        started_at: when it was claimed last.
        ended_at: when it completed or failed.
        retry_at: when it is tried again by itself.
        records: rows out.
        error: why it failed.
        is_odd: whether the row has another shape than a manifest's.
    """

    date: str
    name: str
    status: str
    files: int | None = None
    size_mb: float | None = None
    attempt: int = 0
    dagster_run_id: str | None = None
    glue_run_id: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    retry_at: str | None = None
    records: int | None = None
    error: str | None = None
    is_odd: bool = False

    @property
    def short_name(self) -> str:
        """Counter and digest, such as `000001-1f0c2a9b`; the name, where it is of another shape."""
        try:
            name = ManifestName.parse(self.name)
        except ManifestKeyError:
            return self.name
        return f"{name.sequence:06d}-{name.digest}"

    def to_document(self) -> dict[str, Any]:
        """Return it for a program."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class ManifestRows:
    """Some manifests.

    Attributes:
        rows: in order.
        counts: of all, by status.
        is_cut: whether there are more than were read.
    """

    rows: tuple[ManifestRow, ...]
    counts: Mapping[str, int]
    is_cut: bool = False


def row_of(item: Item) -> ManifestRow:
    """Return what a row says, whatever its shape; pure."""
    key = str(item.get("file_key", ""))
    name = key.removeprefix(MANIFEST_FILE_KEY_PREFIX)
    status = text_of(item, "status") or "unknown"
    try:
        is_odd = ManifestName.parse(name).date_prefix != item.get("date_prefix")
    except ManifestKeyError:
        is_odd = True
    size = item.get("total_size_mb")
    return ManifestRow(
        date=str(item.get("date_prefix", "")),
        name=name,
        status=status,
        files=whole_of(item, "file_count"),
        size_mb=None if size is None or isinstance(size, str | bool | list | dict) else float(size),
        attempt=whole_of(item, "attempt") or 0,
        dagster_run_id=text_of(item, "dagster_run_id"),
        glue_run_id=text_of(item, "glue_job_run_id"),
        created_at=text_of(item, "created_at"),
        started_at=text_of(item, "processing_start_time"),
        ended_at=text_of(item, "completed_time") or text_of(item, "failed_time"),
        retry_at=text_of(item, RETRY_AT_ATTRIBUTE),
        records=whole_of(item, "records_processed"),
        error=text_of(item, "error_message"),
        is_odd=is_odd or status not in set(ManifestStatus),
    )


def row_of_record(record: ManifestRecord) -> ManifestRow:
    """Return what a record says; pure."""
    return ManifestRow(
        date=record.date_prefix,
        name=record.name.filename,
        status=record.status.value,
        files=record.file_count,
        size_mb=record.total_size_mb,
        attempt=record.attempt,
        dagster_run_id=record.dagster_run_id,
        glue_run_id=record.glue_job_run_id,
        created_at=record.created_at or None,
        started_at=record.processing_start_time,
        retry_at=record.retry_at,
        records=record.records_processed,
        error=record.error_message,
    )


def manifests_of_date(desk: Desk, date: str, status: str | None, limit: int) -> ManifestRows:
    """Return a date's manifests, rows of the legacy key too; costs the date's manifests.

    Args:
        desk: the deployment.
        date: the date.
        status: only of this status; the counts are of all.
        limit: so many rows at most.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    counts: Counter[str] = Counter()
    rows: list[ManifestRow] = []
    wanted = 0
    for item in desk.rows.of_date(date, begins_with=MANIFEST_KEYS):
        if not _is_manifests(str(item.get("file_key", ""))):
            continue
        row = row_of(item)
        counts[row.status] += 1
        if status is None or row.status == status:
            wanted += 1
            if len(rows) < limit:
                rows.append(row)
    return ManifestRows(tuple(rows), dict(sorted(counts.items())), is_cut=wanted > len(rows))


def open_manifests(desk: Desk, statuses: Iterable[ManifestStatus], limit: int) -> ManifestRows:
    """Return manifests of all dates that have a status, by the index; costs what has it, up to the limit.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    rows: list[ManifestRow] = []
    counts: dict[str, int] = {}
    is_cut = False
    for status in statuses:
        found = desk.records.with_status(status, limit)
        counts[status.value] = len(found)
        is_cut = is_cut or len(found) >= limit
        rows += map(row_of_record, sorted(found, key=lambda record: record.name))
    return ManifestRows(tuple(rows), counts, is_cut)


def parse_manifest(text: str) -> ManifestName:
    """Read a manifest as a person names it; pure.

    Args:
        text: its filename, its key or URI, or `2026-01-30/000001-1f0c2a9b`.

    Raises:
        UnknownManifestError: it is none of these.
    """
    short = text.removeprefix(MANIFEST_PREFIX).split("/")
    if len(short) == 2 and _is_date(short[0]) and not short[1].endswith(".json"):
        text = f"manifest-{short[0]}-batch-{short[1]}.json"
    try:
        return ManifestName.parse(text.rpartition("/")[2])
    except ManifestKeyError as error:
        raise UnknownManifestError(
            f"{printable(text)} is no manifest's name; expected its filename, its URI, or such as "
            "2026-01-30/000001-1f0c2a9b, as `ndjson-pipeline manifests` shows it"
        ) from error


def _is_manifests(key: str) -> bool:
    """Tell a manifest's key from that of a file whose name begins so."""
    return key == MANIFEST_KEYS or key.startswith(MANIFEST_FILE_KEY_PREFIX)


def _is_date(text: str) -> bool:
    try:
        parse_date(text)
    except ValueError:
        return False
    return True
