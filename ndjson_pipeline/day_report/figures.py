"""What is known of a day, as a value; what is not known is None, and never zero."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lambda_ingest.contract.dates import parse_date, utc_date
from lambda_ingest.contract.records import FileStatus, ManifestStatus
from ndjson_pipeline.claims.totals import DateTotals, saved_percent
from ndjson_pipeline.day_report.sums import Durations, Kinds, Minutes

MOST_FAILURES = 20
MOST_EXAMPLES = 5
# In this order, from a file's arrival to its Parquet.
TO_MANIFEST = "arrival to manifest"
TO_GLUE = "manifest to Glue's start"
TO_PARQUET = "Glue's start to Parquet"
IN_ALL = "arrival to Parquet"
STAGES = (TO_MANIFEST, TO_GLUE, TO_PARQUET, IN_ALL)


@dataclass(frozen=True)
class Failure:
    """A manifest whose last attempt failed.

    Attributes:
        manifest: its filename.
        attempt: which one.
        error: why, as its record says.
        failed_at: UTC text.
        retry_at: when it is tried again by itself; None where it is not.
        dagster_run_id: of the attempt.
        dagster_run_url: its page; None where nobody said where the UI answers.
        glue_run_id: of the attempt.
        glue_run_url: its page; None where there is no console.
    """

    manifest: str
    attempt: int
    error: str
    failed_at: str | None
    retry_at: str | None
    dagster_run_id: str | None
    dagster_run_url: str | None
    glue_run_id: str | None
    glue_run_url: str | None


@dataclass
class Files:
    """A date's rows of files.

    Attributes:
        by_status: how many.
        size_mb: of all.
        refused: why, without what differs from file to file.
        refused_examples: some of them, each with the whole reason.
        overwritten: how many got other content once they were in a manifest.
        oldest_pending: when the oldest that is in no manifest was seen.
        arrivals: when they were seen.
        accepted: when those that were not refused were seen.
        converted: when their Parquet was there.
    """

    by_status: Counter[str] = field(default_factory=Counter)
    size_mb: float = 0.0
    refused: Kinds = field(default_factory=Kinds)
    refused_examples: list[tuple[str, str]] = field(default_factory=list)
    overwritten: int = 0
    oldest_pending: datetime | None = None
    arrivals: Minutes = field(default_factory=Minutes)
    accepted: Minutes = field(default_factory=Minutes)
    converted: Minutes = field(default_factory=Minutes)

    @property
    def seen(self) -> int:
        """How many rows there are."""
        return self.by_status.total()

    @property
    def refused_count(self) -> int:
        """How many were refused."""
        return self.by_status[FileStatus.QUARANTINED]

    @property
    def pending(self) -> int:
        """How many are accepted and in no manifest yet."""
        return self.by_status[FileStatus.PENDING]


@dataclass
class Manifests:
    """A date's rows of manifests.

    Attributes:
        by_status: how many.
        files: that they list, by status.
        again: how many needed more than one attempt, or were converted once more.
        failures: the last ones, the newest first; bounded.
        failed_for_good: how many failed and are not tried again by themselves.
        oldest_waiting: since when the oldest of those that wait for a run waits.
        oldest_going: since when the oldest of those in a run is in it.
        empty: completed with rows, of which no Parquet lies there; their filenames, bounded; None unknown.
        empty_count: how many these are; None unknown.
    """

    by_status: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    again: int = 0
    failures: list[Failure] = field(default_factory=list)
    failed_for_good: int = 0
    oldest_waiting: datetime | None = None
    oldest_going: datetime | None = None
    empty: list[str] | None = None
    empty_count: int | None = None

    def count(self, status: ManifestStatus) -> int:
        """Return how many have a status."""
        return self.by_status[status.value]


@dataclass
class Expired:
    """Manifests whose rows are gone, as they lie in S3.

    Attributes:
        manifests: how many.
        read: how many of them were read.
        files: distinct ones that these list.
        size_mb: their size.
        created: when they were committed.
        without_parquet: how many have no Parquet there; None unknown.
    """

    manifests: int = 0
    read: int = 0
    files: int = 0
    size_mb: float = 0.0
    created: Minutes = field(default_factory=Minutes)
    without_parquet: int | None = None


@dataclass
class Parquet:
    """What lies in the output bucket.

    Attributes:
        folder: its URI.
        files: how many objects.
        size_mb: their size.
    """

    folder: str
    files: int = 0
    size_mb: float = 0.0


@dataclass
class GlueReports:
    """What the reports of the date's Glue runs say.

    Attributes:
        read: how many were read and are of the date.
        is_cut: whether there are more than were looked through.
        rescued: by column and reason, records.
        lost_files: files that were missing or could not be read on, some of them.
        lost_count: how many.
        unreadable: reports of another shape.
    """

    read: int = 0
    is_cut: bool = False
    rescued: Kinds = field(default_factory=Kinds)
    lost_files: list[str] = field(default_factory=list)
    lost_count: int = 0
    unreadable: int = 0


@dataclass
class LambdaReports:
    """What the reports of the manifest builder say of the UTC day.

    Attributes:
        found: how many there are.
        read: how many of them were read.
        processed: files of the date that these accepted.
        refused: files of the date that these refused.
        errors: by kind.
        examples: some errors, each as a sentence.
    """

    found: int = 0
    read: int = 0
    processed: int = 0
    refused: int = 0
    errors: Kinds = field(default_factory=Kinds)
    examples: list[str] = field(default_factory=list)


@dataclass
class RejectedRecords:
    """Rejected records, as they lie in the quarantine bucket.

    Attributes:
        records: how many were counted.
        reasons: why.
        is_cut: whether there are more than were read.
        samples: some, as file and line, reason, and how the record begins.
    """

    records: int = 0
    reasons: Kinds = field(default_factory=Kinds)
    is_cut: bool = False
    samples: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass
class GlueRuns:
    """The date's runs that Glue still lists.

    Attributes:
        count: how many.
        states: how many of each.
        cost: USD by when they were started.
        is_cut: whether its list was left before its end.
    """

    count: int = 0
    states: Counter[str] = field(default_factory=Counter)
    cost: Minutes = field(default_factory=Minutes)
    is_cut: bool = False


@dataclass
class Day:
    """All that is known of a date.

    Attributes:
        date: the date.
        at: when it was looked at.
        environment: `dev` or `prod`.
        feed: the stream's name; empty for the one without.
        files: of its rows.
        manifests: of its rows.
        odd_rows: how many rows are of other shapes.
        odd_examples: the keys of some.
        may_be_gone: whether the date is so old that rows may have expired.
        totals: what its output holds and what Glue worked for it; None unknown.
        latencies: of files, by stage; a stage without values is not known.
        expired: manifests whose rows are gone; None where none is, or nobody could look.
        parquet: what lies in the output bucket; None unknown.
        glue_runs: None unknown.
        glue_reports: None unknown.
        lambda_reports: None unknown.
        rejected: None unknown.
        metrics: sums of the UTC day, over all dates; None unknown.
        unseen: what could not be seen, each as a sentence.
    """

    date: str
    at: datetime
    environment: str = "dev"
    feed: str = ""
    files: Files = field(default_factory=Files)
    manifests: Manifests = field(default_factory=Manifests)
    odd_rows: int = 0
    odd_examples: list[str] = field(default_factory=list)
    may_be_gone: bool = False
    totals: DateTotals | None = None
    latencies: dict[str, Durations] = field(default_factory=dict)
    expired: Expired | None = None
    parquet: Parquet | None = None
    glue_runs: GlueRuns | None = None
    glue_reports: GlueReports | None = None
    lambda_reports: LambdaReports | None = None
    rejected: RejectedRecords | None = None
    metrics: dict[str, int] | None = None
    unseen: list[str] = field(default_factory=list)

    @property
    def begin(self) -> datetime:
        """The first instant of the date."""
        return datetime.combine(parse_date(self.date), datetime.min.time(), UTC)

    @property
    def end(self) -> datetime:
        """The first instant after the date."""
        return self.begin + timedelta(days=1)

    @property
    def is_over(self) -> bool:
        """Whether the date is past."""
        return utc_date(self.at) > parse_date(self.date)

    @property
    def compression(self) -> float | None:
        """The percentage saved; None where nothing is known of it, or the files are too small to tell."""
        if self.totals is None:
            return None
        numbers = self.totals.numbers
        return saved_percent(numbers.input_bytes, numbers.output_bytes, numbers.parquet_files)
