"""The commands of `lock`."""

from typing import Any

from lambda_ingest.contract.dates import utc_timestamp
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.output import Facts, Line
from ndjson_pipeline.cli.session import Change, Session
from ndjson_pipeline.desk.locks import LockSeen, break_lock, find_lock
from ndjson_pipeline.errors import PipelineError


class LockChangedError(PipelineError):
    """A lock is another by now."""


def run_show(session: Session, date: str) -> None:
    """Show who holds a date."""
    lock = find_lock(session.desk, date)
    if lock is None:
        said = f"Nobody holds {date}: the next builder or sweep takes it."
        session.output.show({"date": date, "lock": None}, [Line(said)])
        return
    session.output.show({"date": date, "lock": _document(lock)}, [_facts(lock)])


def run_break(session: Session, date: str) -> ExitCode:
    """End a lock before its time.

    Raises:
        LockChangedError: it is another by now.
    """
    lock = find_lock(session.desk, date)
    if lock is None:
        session.output.show(
            {"date": date, "broken": False}, [Line(f"There is nothing to do: {date} is free.")]
        )
        return ExitCode.DONE
    question = f"End the lock of {date}? A builder that still holds it gives its batch up, and loses no file."
    if not session.agree(Change(question, _document(lock), [_facts(lock)])):
        return ExitCode.DONE
    if not break_lock(session.desk, lock):
        raise LockChangedError(
            f"the lock of {date} has changed meanwhile: somebody works, so it is left alone"
        )
    said = f"The lock of {date} is gone: `ndjson-pipeline flush` cuts the date now, else the next event does."
    session.output.show({"date": date, "broken": True}, [Line(said)])
    return ExitCode.DONE


def _document(lock: LockSeen) -> dict[str, Any]:
    return {"lock_id": lock.lock_id, "until": lock.until, "is_live": lock.is_live}


def _facts(lock: LockSeen) -> Facts:
    until = "no instant; it counts as free" if lock.until is None else utc_timestamp(lock.until)[:19] + "Z"
    state = "held" if lock.is_live else "run out: the next builder or sweep takes it"
    return Facts(
        f"lock of {lock.date}", {"state": state, "until": until, "holder": lock.lock_id or "another shape"}
    )
