"""Reads all that is known of a date; only its rows must be readable, what else can't be seen is noted."""

from collections.abc import Callable
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.commitment import records_may_be_gone
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.day_report.figures import (
    MOST_EXAMPLES,
    Day,
    GlueRuns,
    RejectedRecords,
)
from ndjson_pipeline.day_report.objects import (
    read_expired,
    read_glue_reports,
    read_lambda_reports,
    read_parquet,
)
from ndjson_pipeline.day_report.rows import ManifestTimes, read_file_rows, read_manifest_rows
from ndjson_pipeline.desk.aws_errors import sentence_of
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.rejected import rejects_of_date
from ndjson_pipeline.glue.cost import LIST_PRICE_USD, dpu_hours
from ndjson_pipeline.glue.runs import GlueRun

Tell = Callable[[str], None]

METRICS = ("files_processed", "files_quarantined", "files_left_alone", "manifests_created")
_SAMPLES = 5
_GLUE_PAGE = 200
_MOST_GLUE_PAGES = 100
_ABOUT = timedelta(hours=1)


def collect(desk: Desk, date: str, tell: Tell) -> Day:
    """Return what is known of a date; costs its rows, and the reports of its runs.

    Args:
        desk: the deployment.
        date: the date.
        tell: told how far it is.

    Raises:
        ClientError, BotoCoreError: the tracking table can't be read; what else can't be seen is noted.
    """
    settings = desk.settings
    day = Day(date, desk.clock(), environment=settings.environment, feed=settings.feed)
    manifests = read_manifest_rows(desk, day, tell)
    day.may_be_gone = records_may_be_gone(date, timedelta(days=desk.shared.ttl_days), day.at)
    # An empty date has totals, too; so they are known.
    day.totals = desk.records.totals(date)
    starts: dict[str, datetime] = {}
    _see(desk, day, lambda: _read_glue_runs(desk, day, manifests, starts, tell))
    read_file_rows(desk, day, manifests, starts, tell)
    owners: list[set[tuple[int, str]]] = []
    _see(desk, day, lambda: owners.append(read_parquet(desk, day, tell)))
    if day.may_be_gone:
        _see(desk, day, lambda: _read_expired(desk, day, manifests, owners, tell))
    _judge_parquet(day, manifests, owners)
    if manifests or day.expired is not None:
        _see(desk, day, lambda: read_glue_reports(desk, day, manifests, tell))
    _see(desk, day, lambda: read_lambda_reports(desk, day, tell))
    _see(desk, day, lambda: _read_rejected(desk, day, tell))
    _see(desk, day, lambda: _read_metrics(desk, day))
    return day


def _see(desk: Desk, day: Day, read: Callable[[], None]) -> None:
    """Read something, or note why it can't be."""
    try:
        read()
    except (ClientError, BotoCoreError) as error:
        sentence = sentence_of(error, desk.calls)
        if sentence not in day.unseen:
            day.unseen.append(sentence)


def _read_glue_runs(
    desk: Desk,
    day: Day,
    manifests: dict[ManifestName, ManifestTimes],
    starts: dict[str, datetime],
    tell: Tell,
) -> None:
    """Look through Glue's list of runs, the newest first, as far back as the date's runs began."""
    wanted = {times.glue_run_id for times in manifests.values() if times.glue_run_id is not None}
    began = [times.started for times in manifests.values() if times.started is not None]
    since = min([day.begin, *began]) - _ABOUT
    runs, mark, price = GlueRuns(), f"manifest-{day.date}-", _price(day)
    pages = desk.glue.get_paginator("get_job_runs").paginate(
        JobName=desk.names.glue_job, PaginationConfig={"PageSize": _GLUE_PAGE}
    )
    seen = 0
    for number, page in enumerate(pages, 1):
        for described in page["JobRuns"]:
            seen += 1
            run = GlueRun.from_response(described)
            is_ours = run.run_id in wanted or any(mark in value for value in run.arguments.values())
            if run.started_on is None or not is_ours:
                continue
            starts[run.run_id] = run.started_on
            runs.count += 1
            runs.states[run.state] += 1
            runs.cost.add(run.started_on, (dpu_hours(run) or 0.0) * price)
        tell(f"{seen:,} Glue runs")
        oldest = page["JobRuns"][-1].get("StartedOn") if page["JobRuns"] else None
        if oldest is not None and oldest < since:
            break
        if number >= _MOST_GLUE_PAGES:
            runs.is_cut = True
            break
    day.glue_runs = runs


def _price(day: Day) -> float:
    """Return what a DPU-hour of the date's runs cost, as it was when they were counted."""
    totals = day.totals
    return totals.cost_usd / totals.dpu_hours if totals is not None and totals.dpu_hours else LIST_PRICE_USD


def _read_expired(
    desk: Desk,
    day: Day,
    manifests: dict[ManifestName, ManifestTimes],
    owners: list[set[tuple[int, str]]],
    tell: Tell,
) -> None:
    names = read_expired(desk, day, manifests, tell)
    if day.expired is not None and owners:
        day.expired.without_parquet = sum((one.sequence, one.digest) not in owners[0] for one in names)


def _judge_parquet(
    day: Day, manifests: dict[ManifestName, ManifestTimes], owners: list[set[tuple[int, str]]]
) -> None:
    """Find the manifests that were completed with rows, and have no Parquet."""
    if not owners:
        return
    empty = [
        name.filename
        for name, times in manifests.items()
        if times.status == ManifestStatus.COMPLETED
        and times.rows
        and (name.sequence, name.digest) not in owners[0]
    ]
    day.manifests.empty_count = len(empty)
    day.manifests.empty = sorted(empty)[:MOST_EXAMPLES]


def _read_rejected(desk: Desk, day: Day, tell: Tell) -> None:
    found = rejects_of_date(desk, day.date, _SAMPLES, tell)
    rejected = RejectedRecords(found.records, is_cut=found.is_cut)
    for reason, count in found.reasons.items():
        rejected.reasons.add(reason, count)
    rejected.samples = [
        (
            f"{sample.source_file.rpartition('/')[2]}:{sample.line_number or '-'}",
            sample.reason,
            sample.text if sample.text is not None else "(no text)",
        )
        for sample in found.samples
    ]
    day.rejected = rejected


def _read_metrics(desk: Desk, day: Day) -> None:
    begin, end = day.begin.timestamp(), day.end.timestamp()
    table = desk.names.metrics_table
    # The last instant is of the next day.
    day.metrics = {
        metric: round(desk.rows.sum_of_metric(table, metric, begin, end - 1e-6)) for metric in METRICS
    }
