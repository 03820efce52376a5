"""How a deployment is now: what is open, what waits, what failed, what the last hour did."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.dates import utc_date, utc_timestamp
from lambda_ingest.contract.items import Item
from lambda_ingest.contract.records import (
    BYTES_PER_MB,
    MANIFEST_FILE_KEY_PREFIX,
    PENDING_DATE_ATTRIBUTE,
    FileStatus,
    ManifestStatus,
)
from lambda_ingest.contract.rows import date_of, instant_of, text_of
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.record import instant_of as instant_of_text
from ndjson_pipeline.claims.totals import DateTotals
from ndjson_pipeline.deployment.deadlines import Deadlines
from ndjson_pipeline.desk.aws_errors import sentence_of
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.manifest_rows import MANIFEST_KEYS, OPEN_STATUSES, row_of

Found = TypeVar("Found")
Tell = Callable[[str], None]

MOST_MANIFESTS = 1_000
MOST_FAILURES = 5
HOUR = timedelta(hours=1)
_METRICS = ("files_processed", "files_quarantined", "files_left_alone", "manifests_created")
_MOST_GLUE_RUNS = 100
_COUNTED = ("file_key", "status", "file_size_mb", "file_path")
# A past date's files become manifests with the next sweep.
_LATE = timedelta(hours=1)


@dataclass
class PendingDate:
    """A date's pending files.

    Attributes:
        date: the date.
        files: how many.
        size_mb: their size.
        oldest: when the oldest was tracked; None where no row says.
    """

    date: str
    files: int = 0
    size_mb: float = 0.0
    oldest: datetime | None = None

    def add(self, item: Item) -> None:
        """Count a row."""
        self.files += 1
        self.size_mb += _size_mb(item)
        created = instant_of(item, "created_at")
        if created is not None:
            self.oldest = created if self.oldest is None else min(self.oldest, created)


@dataclass(frozen=True)
class RunGoing:
    """A Dagster run that holds manifests.

    Attributes:
        run_id: Dagster's.
        date: of its manifests.
        manifests: how many it holds.
        glue_run_ids: Glue's, as far as they began.
        since: when it claimed the first of them.
    """

    run_id: str
    date: str
    manifests: int
    glue_run_ids: tuple[str, ...]
    since: datetime | None


@dataclass(frozen=True)
class QueueDepth:
    """What lies in a queue, about.

    Attributes:
        waiting: messages that can be received.
        in_flight: messages that somebody has.
    """

    waiting: int
    in_flight: int


@dataclass
class DateCounts:
    """A date's rows.

    Attributes:
        date: the date.
        files: by status.
        size_mb: of all files.
        manifests: by status.
        odd: rows of other shapes, each as its key.
        totals: what its output holds.
    """

    date: str
    files: Counter[str] = field(default_factory=Counter)
    size_mb: float = 0.0
    manifests: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)
    totals: DateTotals = field(default_factory=DateTotals)


@dataclass
class Overview:
    """A deployment at an instant.

    Attributes:
        at: the instant.
        pending: dates with pending files, in order.
        manifests: by each status that is open.
        is_cut: whether there are more of one than were counted.
        failures: the last ones, the newest first.
        runs: that hold manifests.
        queue: of events; None where it could not be seen.
        dead_letters: in the dead-letter queue; None where it could not be seen.
        last_hour: counts by name.
        day: the date that was asked for.
        unseen: what could not be seen, each as a sentence.
        wrong: what a person has to look at, each as a sentence.
    """

    at: datetime
    pending: list[PendingDate] = field(default_factory=list)
    manifests: dict[str, int] = field(default_factory=dict)
    is_cut: bool = False
    failures: list[ManifestRecord] = field(default_factory=list)
    runs: list[RunGoing] = field(default_factory=list)
    queue: QueueDepth | None = None
    dead_letters: QueueDepth | None = None
    last_hour: dict[str, int] = field(default_factory=dict)
    day: DateCounts | None = None
    unseen: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def files_pending(self) -> int:
        """How many files are in no manifest yet."""
        return sum(date.files for date in self.pending)

    @property
    def mb_pending(self) -> float:
        """Their size."""
        return sum(date.size_mb for date in self.pending)

    @property
    def oldest_pending(self) -> datetime | None:
        """Since when the oldest of them waits."""
        return min((date.oldest for date in self.pending if date.oldest is not None), default=None)


def look(desk: Desk, date: str | None, tell: Tell) -> Overview:
    """Look at a deployment; costs what is open, and with a date that date's rows.

    Args:
        desk: the deployment.
        date: whose files and manifests are counted by state; None counts what is open.
        tell: told how far it is.

    Raises:
        ClientError, BotoCoreError: the tracking table can't be read; what else can't be seen is noted.
    """
    overview = Overview(desk.clock())
    overview.pending = [one for one in pending_dates(desk, tell) if date in (None, one.date)]
    _manifests(desk, overview, date)
    overview.queue = _seen(desk, overview, lambda: _depth(desk, desk.names.queue))
    overview.dead_letters = _seen(desk, overview, lambda: _depth(desk, desk.names.dead_letter_queue))
    overview.last_hour |= _seen(desk, overview, lambda: _metrics(desk, overview.at)) or {}
    overview.last_hour |= _seen(desk, overview, lambda: _glue_runs(desk, overview.at)) or {}
    if date is not None:
        overview.day = count_date(desk, date, tell)
    overview.wrong = problems_of(overview)
    return overview


def count_date(desk: Desk, date: str, tell: Tell) -> DateCounts:
    """Count a date's rows by state.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    counts = DateCounts(date)
    for item in desk.rows.of_date(
        date, attributes=("file_key", "status", "file_size_mb", "file_path"), tell=tell
    ):
        key, status = str(item.get("file_key", "")), text_of(item, "status") or "unknown"
        if key.startswith(MANIFEST_FILE_KEY_PREFIX) or key == MANIFEST_KEYS:
            counts.manifests[status] += 1
            if row_of({"date_prefix": date, **item}).is_odd:
                counts.odd.append(key)
            continue
        counts.files[status] += 1
        counts.size_mb += _size_mb(item)
        if status not in set(FileStatus) or text_of(item, "file_path") is None:
            counts.odd.append(key)
    counts.totals = desk.records.totals(date)
    return counts


def problems_of(overview: Overview) -> list[str]:
    """Say what a person has to look at; pure."""
    wrong = []
    if failed := [record for record in overview.failures if record.retry_at is None]:
        more = " or more" if len(overview.failures) >= MOST_MANIFESTS else ""
        wrong.append(
            f"{len(failed)}{more} manifests have failed and are not tried again by themselves: mend the "
            "cause, then `ndjson-pipeline reprocess --failed`"
        )
    if overview.dead_letters is not None and overview.dead_letters.waiting:
        wrong.append(
            f"{overview.dead_letters.waiting} messages lie in the dead-letter queue: "
            "`ndjson-pipeline dlq list` shows them"
        )
    today = utc_date(overview.at).isoformat()
    for date in overview.pending:
        if date.date < today and date.oldest is not None and overview.at - date.oldest > _LATE:
            wrong.append(
                f"{date.files} files of {date.date}, a past date, are in no manifest since "
                f"{utc_timestamp(date.oldest)}: `ndjson-pipeline flush`; does the sweeper run?"
            )
    longest = Deadlines().run
    wrong += [
        f"run {run.run_id} holds {run.manifests} manifests of {run.date} longer than any run may: does "
        "reconcile_sensor run?"
        for run in overview.runs
        if run.since is not None and overview.at - run.since > longest
    ]
    return wrong


def pending_dates(desk: Desk, tell: Tell) -> list[PendingDate]:
    """Return the dates that have pending files, in order, by the index, which lags.

    Raises:
        ClientError: DynamoDB refused or failed.
    """
    dates: dict[str, PendingDate] = {}
    for item in desk.rows.pending_files(tell):
        found = date_of(item, PENDING_DATE_ATTRIBUTE)
        if found is not None:
            dates.setdefault(found, PendingDate(found)).add(item)
    return [dates[found] for found in sorted(dates)]


def _manifests(desk: Desk, overview: Overview, date: str | None) -> None:
    by_status: dict[ManifestStatus, list[ManifestRecord]] = {}
    for status in OPEN_STATUSES:
        found = desk.records.with_status(status, MOST_MANIFESTS)
        overview.is_cut = overview.is_cut or len(found) >= MOST_MANIFESTS
        by_status[status] = [record for record in found if date in (None, record.date_prefix)]
    overview.manifests = {status.value: len(found) for status, found in by_status.items()}
    overview.failures = sorted(
        by_status[ManifestStatus.FAILED],
        key=lambda record: (
            record.alerts_due[-1].failed_time if record.alerts_due else record.processing_start_time or ""
        ),
        reverse=True,
    )
    overview.runs = _runs(by_status[ManifestStatus.PROCESSING])


def _runs(records: Sequence[ManifestRecord]) -> list[RunGoing]:
    groups: dict[tuple[str, str], list[ManifestRecord]] = {}
    for record in records:
        groups.setdefault((record.dagster_run_id or "unknown", record.date_prefix), []).append(record)
    return [
        RunGoing(
            run_id=run_id,
            date=date,
            manifests=len(group),
            glue_run_ids=tuple(sorted({one.glue_job_run_id for one in group if one.glue_job_run_id})),
            since=min(
                (instant_of_text(one.processing_start_time) for one in group if one.processing_start_time),
                default=None,
            ),
        )
        for (run_id, date), group in sorted(groups.items())
    ]


def _depth(desk: Desk, queue: str) -> QueueDepth:
    url = desk.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    attributes = desk.sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return QueueDepth(
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )


def _metrics(desk: Desk, now: datetime) -> dict[str, int]:
    since, until = (now - HOUR).timestamp(), now.timestamp()
    return {
        metric: round(desk.rows.sum_of_metric(desk.names.metrics_table, metric, since, until))
        for metric in _METRICS
    }


def _glue_runs(desk: Desk, now: datetime) -> dict[str, int]:
    """Count the Glue runs of the last hour by their states; Glue lists the newest first."""
    runs: list[Any] = list(
        desk.glue.get_job_runs(JobName=desk.names.glue_job, MaxResults=_MOST_GLUE_RUNS)["JobRuns"]
    )
    recent = [run for run in runs if run.get("StartedOn") is not None and now - run["StartedOn"] <= HOUR]
    counts = Counter(f"glue_runs_{str(run['JobRunState']).lower()}" for run in recent)
    return dict(sorted(counts.items()))


def _seen(desk: Desk, overview: Overview, read: Callable[[], Found]) -> Found | None:
    """Return what is read, or note why it could not be."""
    try:
        return read()
    except (ClientError, BotoCoreError) as error:
        overview.unseen.append(sentence_of(error, desk.calls))
        return None


def _size_mb(item: Item) -> float:
    """Return a file's size in MB; 0 where the row says none."""
    size = item.get("file_size_mb")
    try:
        return float(size) if size is not None and not isinstance(size, str) else 0.0
    except (TypeError, ValueError):
        return 0.0


def megabytes(size_bytes: int) -> float:
    """Return a size in MB of 1,048,576 bytes."""
    return size_bytes / BYTES_PER_MB
