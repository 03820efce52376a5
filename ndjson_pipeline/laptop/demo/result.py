"""What the demonstration found, as numbers."""

from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Any

from lambda_ingest.contract.dates import parse_utc_timestamp
from ndjson_pipeline.laptop.demo.observation import GlueTimes, TrackedState


@dataclass(frozen=True)
class StageSeconds:
    """Seconds of each stage; they overlap, as the platform works on several batches at once.

    Attributes:
        start: until the local AWS answered and Dagster's sensor ticked.
        upload: putting the files into the input bucket.
        ingest: from the first upload to the last manifest's commit.
        launch_median: from a manifest's commit to the start of its Glue run, the median.
        launch_longest: the same, the longest.
        convert: from the first Glue run's start to the last one's end.
        report: from the last manifest's completion to the last materialization.
    """

    start: float
    upload: float
    ingest: float
    launch_median: float
    launch_longest: float
    convert: float
    report: float


@dataclass(frozen=True)
class DemoResult:
    """The demonstration's numbers.

    Attributes:
        files: files put in.
        manifests: manifests committed.
        records_in: lines put in.
        rows_out: rows in the Parquet.
        runs: Dagster runs that converted them.
        input_bytes: size of what was put in.
        output_bytes: size of the Parquet.
        parquet_files: how many Parquet files.
        seconds: from the start to the last check.
        stages: seconds of each stage.
    """

    files: int
    manifests: int
    records_in: int
    rows_out: int
    runs: int
    input_bytes: int
    output_bytes: int
    parquet_files: int
    seconds: float
    stages: StageSeconds

    def to_document(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return asdict(self)


def measure_stages(
    *,
    began: datetime,
    ready: datetime,
    uploaded: datetime,
    reported: datetime,
    tracked: TrackedState,
    glue: dict[str, GlueTimes],
) -> StageSeconds:
    """Derive the stages from what the platform itself recorded; pure."""
    committed = [parse_utc_timestamp(record.created_at) for record in tracked.manifests]
    launches = [
        _seconds(parse_utc_timestamp(record.created_at), glue[record.glue_job_run_id].started_on)
        for record in tracked.manifests
        if record.glue_job_run_id in glue
    ]
    started = min((times.started_on for times in glue.values()), default=reported)
    ended = max((times.completed_on for times in glue.values()), default=reported)
    completed = max(tracked.completed_at.values(), default=reported)
    return StageSeconds(
        start=_seconds(began, ready),
        upload=_seconds(ready, uploaded),
        ingest=_seconds(ready, max(committed, default=ready)),
        launch_median=round(median(launches), 2) if launches else 0.0,
        launch_longest=round(max(launches), 2) if launches else 0.0,
        convert=_seconds(started, ended),
        report=_seconds(completed, reported),
    )


def _seconds(start: datetime, end: datetime) -> float:
    return round(max((end - start).total_seconds(), 0.0), 2)
