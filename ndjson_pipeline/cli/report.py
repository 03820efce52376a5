"""The command `report`."""

from pathlib import Path
from typing import Any

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.day_report.collect import collect
from ndjson_pipeline.day_report.drawn import PERCENTILES, backlog_of
from ndjson_pipeline.day_report.figures import STAGES, Day, Failure
from ndjson_pipeline.day_report.judgement import Verdict, judge
from ndjson_pipeline.day_report.page import check_place, render, write_page
from ndjson_pipeline.day_report.plots import seconds_text
from ndjson_pipeline.day_report.told import tables_of

_LONGEST_ERROR = 300
_MOST_FAILURES = 5


def run(session: Session, date: str, html: Path | None, *, force: bool) -> ExitCode:
    """Tell a day.

    Args:
        session: of the command.
        date: the date.
        html: where the page goes; None for none.
        force: whether it may take the place of a file that is no such page.

    Raises:
        PageError: the page can't be written there.
        ClientError, BotoCoreError: the tracking table can't be read.
    """
    if html is not None:
        # Before minutes of reading.
        check_place(html, force=force)
    desk = session.desk
    with session.output.progress(f"reading {date}") as tell:
        day = collect(desk, date, tell)
    verdict = judge(day, desk.settings.launch_max_wait)
    if html is not None:
        write_page(html, render(day, verdict), force=force)
    session.output.show(document_of(day, verdict, html), blocks_of(day, verdict, html))
    return ExitCode.PIPELINE_IS_WRONG if verdict.problems else ExitCode.DONE


def document_of(day: Day, verdict: Verdict, html: Path | None) -> dict[str, Any]:
    """Return a day for a program; what is not known is null. Pure."""
    files, manifests, totals = day.files, day.manifests, day.totals
    reports, expired = day.glue_reports, day.expired
    return {
        "date": day.date,
        "at": day.at,
        "is_over": day.is_over,
        "is_well": not verdict.problems,
        "state": verdict.tone.value,
        "headline": verdict.headline,
        "wrong": [
            {"what": one.what, "advice": one.advice, "next_step": one.command} for one in verdict.problems
        ],
        "notes": verdict.notes,
        "unseen": day.unseen,
        "rows_may_have_expired": day.may_be_gone,
        "files": {
            "seen": files.seen,
            "by_status": dict(files.by_status),
            "mb": round(files.size_mb, 6),
            "refused_by_reason": dict(files.refused.counts),
            "refused_examples": [{"file": name, "reason": reason} for name, reason in files.refused_examples],
            "overwritten": files.overwritten,
            "oldest_pending": files.oldest_pending,
            "arrivals_by_hour": [round(one) for one in files.arrivals.by_hour(day.begin, 24)],
        },
        "rows_of_other_shapes": day.odd_rows,
        "manifests": {
            "by_status": dict(manifests.by_status),
            "files_by_status": dict(manifests.files),
            "with_more_attempts": manifests.again,
            "without_parquet": manifests.empty_count,
        },
        "expired_manifests": None
        if expired is None
        else {
            "manifests": expired.manifests,
            "read": expired.read,
            "files": expired.files,
            "mb": round(expired.size_mb, 6),
            "without_parquet": expired.without_parquet,
        },
        "conversion": None
        if totals is None
        else {
            **totals.numbers.to_item(),
            "compression_percent": None if day.compression is None else round(day.compression, 2),
            "glue_runs": totals.glue_runs,
            "glue_runs_unpriced": totals.glue_runs_unpriced,
            "glue_seconds": totals.glue_seconds,
            "dpu_hours": totals.dpu_hours,
            "cost_usd": totals.cost_usd,
        },
        "parquet": None if day.parquet is None else vars(day.parquet),
        "glue_run_states": None if day.glue_runs is None else dict(day.glue_runs.states),
        "rejected_by_reason": None if day.rejected is None else dict(day.rejected.reasons.counts),
        "rescued_by_column": None if reports is None else dict(reports.rescued.counts),
        "lost_files": None if reports is None else reports.lost_count,
        "lambda_errors": None if day.lambda_reports is None else dict(day.lambda_reports.errors.counts),
        "metrics_of_the_utc_day": day.metrics,
        "latency_seconds": {
            stage: {f"p{share * 100:.0f}": round(found.percentile(share) or 0.0, 1) for share in PERCENTILES}
            for stage, found in day.latencies.items()
        },
        "backlog": _backlog(day),
        "failures": [vars(failure) for failure in manifests.failures],
        "html": None if html is None else str(html.resolve()),
    }


def blocks_of(day: Day, verdict: Verdict, html: Path | None) -> list[Block]:
    """Return a day for a person; pure."""
    blocks: list[Block] = [Line(verdict.headline)]
    blocks += [
        block
        for one in verdict.problems
        for block in (Line(f"wrong: {one.what}"), Line(f"  {one.advice} {one.command}"))
    ]
    for table in tables_of(day):
        if table.plot == "latency":
            blocks.append(_latencies(day))
        elif table.is_counted:
            columns = [Column(table.title), Column("", is_number=True)]
            blocks.append(Listing("", columns, table.rows))
        else:
            blocks.append(Listing(table.title, [Column("what")], [[name] for name, _ in table.rows]))
        if table.note:
            blocks.append(Line(table.note))
    blocks += [_failure(one) for one in day.manifests.failures[:_MOST_FAILURES]]
    if (more := len(day.manifests.failures) - _MOST_FAILURES) > 0:
        blocks.append(Line(f"... and {more} more failures: ndjson-pipeline manifests --date {day.date}"))
    blocks += [Line(f"note: {one}") for one in verdict.notes]
    blocks += [Line(f"not seen: {one}") for one in day.unseen]
    if html is not None:
        blocks.append(Facts("page", {"written to": str(html.resolve())}))
    return blocks


def _backlog(day: Day) -> list[dict[str, Any]]:
    """Return how many accepted files were not in Parquet yet, by when; none where nothing is known of it."""
    if not day.files.accepted.counts:
        return []
    return [{"at": point, "files": round(value)} for point, value in zip(*backlog_of(day), strict=True)]


def _latencies(day: Day) -> Listing:
    known = [(stage, day.latencies[stage]) for stage in STAGES if stage in day.latencies]
    return Listing(
        "",
        [
            Column("Latency of files", is_whole=True),
            *(Column(f"p{share * 100:.0f}", is_number=True) for share in PERCENTILES),
        ],
        [
            [stage, *(seconds_text(found.percentile(share) or 0.0) for share in PERCENTILES)]
            for stage, found in known
        ],
    )


def _failure(failure: Failure) -> Facts:
    facts = {
        "attempt": str(failure.attempt),
        "why": failure.error[:_LONGEST_ERROR],
        "failed": failure.failed_at or "unknown",
        "again at": failure.retry_at or "not by itself",
        "Dagster run": failure.dagster_run_url or failure.dagster_run_id or "unknown",
        "Glue run": failure.glue_run_id or "none",
    }
    if failure.glue_run_url:
        facts["Glue's page"] = failure.glue_run_url
    return Facts(f"failed: {failure.manifest}", facts)
