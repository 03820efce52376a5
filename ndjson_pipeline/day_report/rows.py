"""A date's rows, gone through once each: what is kept of them is sums, and a little of each manifest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.items import Item
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import (
    MANIFEST_FILE_KEY_PREFIX,
    FileStatus,
    ManifestStatus,
)
from lambda_ingest.contract.rows import instant_of
from ndjson_pipeline.conversion.console import Console
from ndjson_pipeline.day_report.figures import (
    IN_ALL,
    MOST_EXAMPLES,
    MOST_FAILURES,
    TO_GLUE,
    TO_MANIFEST,
    TO_PARQUET,
    Day,
    Failure,
)
from ndjson_pipeline.day_report.sums import Durations
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.file_rows import file_row_of
from ndjson_pipeline.desk.manifest_rows import MANIFEST_KEYS, ManifestRow, row_of

Tell = Callable[[str], None]

_FILE_ATTRIBUTES = (
    "file_key",
    "status",
    "file_path",
    "file_size_mb",
    "manifest_path",
    "reason",
    "created_at",
    "overwritten_at",
)
_MANIFEST_ATTRIBUTES = (
    "date_prefix",
    "file_key",
    "status",
    "file_count",
    "total_size_mb",
    "attempt",
    "dagster_run_id",
    "glue_job_run_id",
    "created_at",
    "processing_start_time",
    "completed_time",
    "failed_time",
    "retry_at",
    "records_processed",
    "error_message",
)
_LONGEST_KIND = 80
_NO_REASON = "no reason is kept"


@dataclass(frozen=True)
class ManifestTimes:
    """What is kept of a manifest's row; 50,000 of them take some MB.

    Attributes:
        status: as it stands there.
        files: how many it lists.
        rows: rows out; None unknown.
        created: when it was committed.
        started: when it was claimed last.
        completed: when it was completed.
        glue_run_id: of the last attempt.
    """

    status: str
    files: int
    rows: int | None
    created: datetime | None
    started: datetime | None
    completed: datetime | None
    glue_run_id: str | None


def read_manifest_rows(desk: Desk, day: Day, tell: Tell) -> dict[ManifestName, ManifestTimes]:
    """Count a date's manifests into its day, and return what is kept of each, by name.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    kept: dict[ManifestName, ManifestTimes] = {}
    failures: list[Failure] = []
    found = desk.rows.of_date(
        day.date,
        begins_with=MANIFEST_KEYS,
        attributes=_MANIFEST_ATTRIBUTES,
        tell=lambda far: tell(f"manifests, {far}"),
    )
    for item in found:
        if not _is_manifests(item):
            continue
        row = row_of(item)
        if row.is_odd:
            _note_odd(day, row.name)
            continue
        times = _times_of(item, row)
        kept[ManifestName.parse(row.name)] = times
        _count_manifest(day, row, times)
        if row.status == ManifestStatus.FAILED:
            failures.append(_failure(desk, row))
            day.manifests.failed_for_good += row.retry_at is None
            if len(failures) > 4 * MOST_FAILURES:
                failures = _newest(failures)
    day.manifests.failures = _newest(failures)
    return kept


def read_file_rows(
    desk: Desk,
    day: Day,
    manifests: dict[ManifestName, ManifestTimes],
    glue_starts: dict[str, datetime],
    tell: Tell,
) -> None:
    """Count a date's files into its day, page by page.

    Args:
        desk: the deployment.
        day: gets the sums.
        manifests: of the date, as `read_manifest_rows` keeps them.
        glue_starts: when each Glue run was started, as far as Glue lists them.
        tell: told how far it is.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    for item in desk.rows.of_date(day.date, attributes=_FILE_ATTRIBUTES, tell=tell):
        if _is_manifests(item):
            continue
        row, files = file_row_of(item), day.files
        if row.is_odd:
            _note_odd(day, row.key)
            continue
        seen = instant_of(item, "created_at")
        files.by_status[row.status] += 1
        files.size_mb += row.size_mb or 0.0
        files.overwritten += row.overwritten_at is not None
        if seen is not None:
            files.arrivals.add(seen)
        if row.status == FileStatus.QUARANTINED:
            reason = row.reason or _NO_REASON
            files.refused.add(reason.partition(":")[0][:_LONGEST_KIND])
            if len(files.refused_examples) < MOST_EXAMPLES:
                files.refused_examples.append((row.key, reason))
            continue
        if seen is None:
            continue
        files.accepted.add(seen)
        if row.status == FileStatus.PENDING:
            files.oldest_pending = min(seen, files.oldest_pending or seen)
        elif (times := manifests.get(_name_of(row.manifest))) is not None:  # type: ignore[arg-type]
            _note_latency(day, seen, times, glue_starts)


def _is_manifests(item: Item) -> bool:
    """Tell a manifest's row, the legacy one too, from that of a file whose name begins so."""
    key = str(item.get("file_key", ""))
    return key == MANIFEST_KEYS or key.startswith(MANIFEST_FILE_KEY_PREFIX)


def _name_of(path: str | None) -> ManifestName | None:
    try:
        return None if path is None else ManifestName.parse(path.rpartition("/")[2])
    except ManifestKeyError:
        return None


def _times_of(item: Item, row: ManifestRow) -> ManifestTimes:
    return ManifestTimes(
        status=row.status,
        files=row.files or 0,
        rows=row.records,
        created=instant_of(item, "created_at"),
        started=instant_of(item, "processing_start_time"),
        completed=instant_of(item, "completed_time") if row.status == ManifestStatus.COMPLETED else None,
        glue_run_id=row.glue_run_id,
    )


def _count_manifest(day: Day, row: ManifestRow, times: ManifestTimes) -> None:
    manifests = day.manifests
    manifests.by_status[row.status] += 1
    manifests.files[row.status] += times.files
    manifests.again += row.attempt > 1
    if row.status == ManifestStatus.PENDING and times.created is not None:
        # Tomorrow's wait for their day.
        waits_since = max(times.created, day.begin)
        manifests.oldest_waiting = min(waits_since, manifests.oldest_waiting or waits_since)
    if row.status == ManifestStatus.PROCESSING and times.started is not None:
        manifests.oldest_going = min(times.started, manifests.oldest_going or times.started)


def _note_latency(day: Day, seen: datetime, times: ManifestTimes, glue_starts: dict[str, datetime]) -> None:
    def note(stage: str, begin: datetime | None, end: datetime | None) -> None:
        if begin is not None and end is not None:
            day.latencies.setdefault(stage, Durations()).add((end - begin).total_seconds())

    note(TO_MANIFEST, seen, times.created)
    if times.completed is None:
        return
    day.files.converted.add(times.completed)
    started = glue_starts.get(times.glue_run_id or "")
    note(TO_GLUE, times.created, started)
    note(TO_PARQUET, started, times.completed)
    note(IN_ALL, seen, times.completed)


def _failure(desk: Desk, row: ManifestRow) -> Failure:
    url = desk.settings.dagster_url
    console = Console.of_endpoint(desk.region, desk.s3.meta.endpoint_url)
    return Failure(
        manifest=row.name,
        attempt=row.attempt,
        error=row.error or _NO_REASON,
        failed_at=row.ended_at,
        retry_at=row.retry_at,
        dagster_run_id=row.dagster_run_id,
        dagster_run_url=f"{url}/runs/{row.dagster_run_id}" if url and row.dagster_run_id else None,
        glue_run_id=row.glue_run_id,
        glue_run_url=console.glue_run(desk.names.glue_job, row.glue_run_id)
        if console and row.glue_run_id
        else None,
    )


def _newest(failures: list[Failure]) -> list[Failure]:
    return sorted(failures, key=lambda one: one.failed_at or "", reverse=True)[:MOST_FAILURES]


def _note_odd(day: Day, key: str) -> None:
    day.odd_rows += 1
    if len(day.odd_examples) < MOST_EXAMPLES:
        day.odd_examples.append(key)


def instants(manifests: dict[ManifestName, ManifestTimes]) -> Iterator[datetime]:
    """Yield when something of them went on in Glue."""
    for times in manifests.values():
        if times.started is not None:
            yield times.started.astimezone(UTC)
        if times.completed is not None:
            yield times.completed.astimezone(UTC)
