"""The commands `flush` and `reconcile`: a sweep now, and what it did."""

from collections.abc import Mapping
from typing import Any

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Change, Session
from ndjson_pipeline.cli.texts import age, size_mb
from ndjson_pipeline.desk.overview import pending_dates
from ndjson_pipeline.sweeper import call_sweeper

_MOST_NAMED = 10


def run_flush(session: Session) -> ExitCode:
    """Have the sweeper cut what is due."""
    with session.output.progress("reading pending files") as tell:
        dates = pending_dates(session.desk, tell)
    now = session.desk.clock()
    listing = Listing(
        "files that are in no manifest yet",
        [
            Column("date", is_whole=True),
            Column("files", is_number=True),
            Column("MB", is_number=True),
            Column("oldest for", is_whole=True),
        ],
        [[one.date, f"{one.files:,}", size_mb(one.size_mb), age(one.oldest, now)] for one in dates],
    )
    question = "Sweep now? Past dates are cut; of today only full batches are."
    document = {"dates": {one.date: one.files for one in dates}}
    if not session.agree(Change(question, document, [listing])):
        return ExitCode.DONE
    return _sweep(session, {"audit": False})


def run_reconcile(session: Session, date: str) -> ExitCode:
    """Have the sweeper compare a date's listing with its records."""
    question = (
        f"Compare the input of {date} with its records, send an event for each file that none knows, and "
        "sweep?"
    )
    if not session.agree(Change(question, {"dates": [date]})):
        return ExitCode.DONE
    return _sweep(session, {"dates": [date]})


def _sweep(session: Session, event: Mapping[str, Any]) -> ExitCode:
    """Call the sweeper, wait for it and show its answer.

    Raises:
        SweeperError: it failed as a whole.
        ClientError: Lambda did not call it.
    """
    desk = session.desk
    with session.output.progress(f"waiting for {desk.names.sweeper_function}"):
        answer = call_sweeper(desk.patient_functions, desk.names.sweeper_function, event)
    failed = [str(part) for part in answer["failed"]]
    session.output.show({"answer": dict(answer), "is_well": not failed}, _blocks(answer, failed))
    return ExitCode.PIPELINE_IS_WRONG if failed else ExitCode.DONE


def _blocks(answer: Mapping[str, Any], failed: list[str]) -> list[Block]:
    facts = {
        "cut into manifests": _by_date(answer.get("flushed"), "files"),
        "events sent again": _by_date(answer.get("events_resent"), "files"),
        "marks finished": _named(answer.get("finished")),
        "past dates with a rest": _named(answer.get("left")),
        "refused files moved": _named(answer.get("quarantine_moved")),
        "manifests removed": _named(answer.get("manifests_removed")),
    }
    blocks: list[Block] = [Facts("what the sweep did", facts)]
    if incomplete := answer.get("events_incomplete"):
        blocks.append(
            Line(f"The time did not reach for {_named(incomplete)}: call it once more, and it goes on there.")
        )
    if failed:
        blocks.append(Line(f"wrong: parts failed: {', '.join(failed)}; the sweeper's log has the reasons"))
    return blocks


def _by_date(value: object, what: str) -> str:
    if not isinstance(value, Mapping) or not value:
        return "none"
    return ", ".join(f"{count} {what} of {date}" for date, count in sorted(value.items()))


def _named(value: object) -> str:
    if not isinstance(value, list) or not value:
        return "none"
    more = f" and {len(value) - _MOST_NAMED} more" if len(value) > _MOST_NAMED else ""
    return ", ".join(map(str, value[:_MOST_NAMED])) + more
