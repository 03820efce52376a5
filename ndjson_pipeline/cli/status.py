"""The command `status`."""

import sys
from time import sleep
from typing import Any

from lambda_ingest.contract.dates import utc_timestamp
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.cli.texts import age, counted, instant, short_glue_id, size_mb
from ndjson_pipeline.desk.overview import MOST_FAILURES, MOST_MANIFESTS, DateCounts, Overview, look

_CLEAR = "\x1b[2J\x1b[H"
_MOST_DATES = 20
_MOST_ODD = 10
_LONGEST_ERROR = 300


def run(session: Session, date: str | None, every: float | None) -> ExitCode:
    """Show a deployment's state.

    Args:
        session: of the command.
        date: whose files and manifests are counted; None counts what is open.
        every: how often, in seconds, until Ctrl-C; None once.
    """
    try:
        return _look(session, date, every)
    except KeyboardInterrupt:
        if every is None:
            raise
        return ExitCode.DONE


def _look(session: Session, date: str | None, every: float | None) -> ExitCode:
    while True:
        with session.output.progress("reading what is open") as tell:
            overview = look(session.desk, date, tell)
        if every is not None and sys.stdout.isatty() and not session.output.is_json:
            sys.stdout.write(_CLEAR)
        session.output.show(document_of(overview), blocks_of(overview))
        if every is None:
            return ExitCode.PIPELINE_IS_WRONG if overview.wrong else ExitCode.DONE
        sys.stdout.flush()
        sleep(every)


def document_of(overview: Overview) -> dict[str, Any]:
    """Return the state for a program; pure."""
    day = overview.day
    return {
        "at": utc_timestamp(overview.at),
        "is_well": not overview.wrong,
        "wrong": overview.wrong,
        "files": {
            "pending": overview.files_pending,
            "pending_mb": round(overview.mb_pending, 6),
            "oldest_pending": overview.oldest_pending,
            "pending_by_date": [
                {"date": one.date, "files": one.files, "mb": round(one.size_mb, 6), "oldest": one.oldest}
                for one in overview.pending
            ],
        },
        "manifests": overview.manifests,
        "is_cut": overview.is_cut,
        "runs": [
            {
                "dagster_run_id": run.run_id,
                "date": run.date,
                "manifests": run.manifests,
                "glue_run_ids": list(run.glue_run_ids),
                "since": run.since,
            }
            for run in overview.runs
        ],
        "failures": [
            {
                "manifest": record.name.filename,
                "attempt": record.attempt,
                "retry_at": record.retry_at,
                "error": record.error_message,
            }
            for record in overview.failures[:MOST_FAILURES]
        ],
        "queue": None if overview.queue is None else vars(overview.queue),
        "dead_letters": None if overview.dead_letters is None else vars(overview.dead_letters),
        "last_hour": overview.last_hour,
        "date": None if day is None else _day_document(day),
        "unseen": overview.unseen,
    }


def blocks_of(overview: Overview) -> list[Block]:
    """Return the state for a person; pure."""
    now, more = overview.at, "+" if overview.is_cut else ""
    queue, dead = overview.queue, overview.dead_letters
    oldest = overview.oldest_pending
    facts = {
        "files pending": f"{overview.files_pending:,}, {size_mb(overview.mb_pending)} MB"
        + (f", the oldest for {age(oldest, now)}" if oldest else ""),
        "manifests": counted(overview.manifests) + more,
        "queue": "not seen" if queue is None else f"{queue.waiting:,} waiting, {queue.in_flight:,} in flight",
        "dead letters": "not seen" if dead is None else f"{dead.waiting + dead.in_flight:,}",
        "last hour": counted({name.replace("_", " "): count for name, count in overview.last_hour.items()}),
    }
    blocks: list[Block] = [Facts(f"state at {utc_timestamp(now)[:19]}Z", facts)]
    if overview.day is not None:
        blocks += _day_blocks(overview.day)
    if overview.pending:
        shown = overview.pending[:_MOST_DATES]
        blocks.append(
            Listing(
                "files that are in no manifest yet",
                [
                    Column("date", is_whole=True),
                    Column("files", is_number=True),
                    Column("MB", is_number=True),
                    Column("oldest for", is_whole=True),
                ],
                [[one.date, f"{one.files:,}", size_mb(one.size_mb), age(one.oldest, now)] for one in shown],
            )
        )
        if len(overview.pending) > len(shown):
            blocks.append(Line(f"... and {len(overview.pending) - len(shown)} more dates"))
    blocks += _run_blocks(overview)
    if overview.is_cut:
        blocks.append(Line(f"Of each status {MOST_MANIFESTS:,} manifests were counted; there are more."))
    blocks += [Line(f"not seen: {one}") for one in overview.unseen]
    blocks += [Line(f"wrong: {one}") for one in overview.wrong] or [
        Line("All is well, as far as it was seen.")
    ]
    return blocks


def _run_blocks(overview: Overview) -> list[Block]:
    blocks: list[Block] = []
    if overview.runs:
        blocks.append(
            Listing(
                "runs that go on",
                [
                    Column("date", is_whole=True),
                    Column("manifests", is_number=True),
                    Column("for", is_whole=True),
                    Column("Glue", is_whole=True),
                    Column("Dagster run"),
                ],
                [
                    [
                        run.date,
                        f"{run.manifests:,}",
                        age(run.since, overview.at),
                        ", ".join(map(short_glue_id, run.glue_run_ids)) or "-",
                        run.run_id,
                    ]
                    for run in overview.runs
                ],
            )
        )
    if overview.failures:
        blocks.append(
            Listing(
                "last failures",
                [
                    Column("manifest", is_whole=True),
                    Column("attempt", is_number=True),
                    Column("again at", is_whole=True),
                    Column("why"),
                ],
                [
                    [
                        f"{one.date_prefix}/{one.name.sequence:06d}-{one.name.digest}",
                        str(one.attempt),
                        instant(one.retry_at),
                        (one.error_message or "no reason is kept")[:_LONGEST_ERROR],
                    ]
                    for one in overview.failures[:MOST_FAILURES]
                ],
            )
        )
    return blocks


def _day_document(day: DateCounts) -> dict[str, Any]:
    numbers = day.totals.numbers
    return {
        "date": day.date,
        "files": dict(day.files),
        "mb": round(day.size_mb, 6),
        "manifests": dict(day.manifests),
        "rows_of_other_shapes": day.odd,
        "records_read": numbers.records_read,
        "records_processed": numbers.records_processed,
        "records_rejected": numbers.records_rejected,
        "records_rescued": numbers.records_rescued,
        "parquet_files": numbers.parquet_files,
        "cost_usd": day.totals.cost_usd,
    }


def _day_blocks(day: DateCounts) -> list[Block]:
    numbers = day.totals.numbers
    facts = {
        "files": f"{counted(day.files)}; {size_mb(day.size_mb)} MB",
        "manifests": counted(day.manifests),
        "records": f"{numbers.records_read:,} in, {numbers.records_processed:,} rows out, "
        f"{numbers.records_rejected:,} rejected, {numbers.records_rescued:,} rescued in part",
        "Parquet": f"{numbers.parquet_files:,} files",
        "Glue": f"{day.totals.glue_runs:,} runs, {day.totals.cost_usd:.2f} USD",
    }
    blocks: list[Block] = [Facts(day.date, facts)]
    if day.odd:
        shown = ", ".join(day.odd[:_MOST_ODD])
        blocks.append(Line(f"{len(day.odd)} rows have another shape, and count for nothing else: {shown}"))
    return blocks
