"""The commands of `dlq`."""

from typing import Any

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.output import Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Change, Session
from ndjson_pipeline.cli.texts import instant
from ndjson_pipeline.desk.dead_letters import DeadLetter, count, find, peek, redrive

_MOST_LOOKED_AT = 200


def run_list(session: Session, limit: int) -> None:
    """List messages that nobody could handle."""
    with session.output.progress("receiving messages, which are given back"):
        total, found = count(session.desk), peek(session.desk, limit)
    listing = Listing(
        "dead letters",
        [
            Column("message", is_whole=True),
            Column("sent", is_whole=True),
            Column("tries", is_number=True),
            Column("what it tells of"),
        ],
        [[one.message_id, instant(one.sent_at), str(one.receives), _subject(one)] for one in found],
    )
    session.output.show(
        {"about": total, "messages": [_document(one) for one in found]},
        [Line(f"About {total:,} messages lie in {session.desk.names.dead_letter_queue}."), listing],
    )


def run_show(session: Session, message_id: str) -> None:
    """Show one message.

    Raises:
        UnknownMessageError: it is not there.
    """
    message = find(session.desk, message_id, _MOST_LOOKED_AT)
    facts = {
        "message": message.message_id,
        "sent": str(message.sent_at or "unknown"),
        "tries": str(message.receives),
        "what it is": message.kind,
        "objects": ", ".join(message.objects) or "none",
        "next": "the manifest builder's log has the error by this id; mend it, then `dlq redrive`",
    }
    session.output.show(
        {**_document(message), "body": message.body}, [Facts("dead letter", facts), Line(message.body)]
    )


def run_redrive(session: Session) -> ExitCode:
    """Move all messages back into the queue."""
    total = count(session.desk)
    if not total:
        session.output.show({"moved": 0}, [Line("There is nothing to do: no message lies there.")])
        return ExitCode.DONE
    queue = session.desk.names.queue
    change = Change(f"Move about {total:,} messages back into {queue}?", {"about": total, "to": queue})
    if not session.agree(change):
        return ExitCode.DONE
    with session.output.progress("moving messages"):
        done = redrive(session.desk)
    said = (
        "AWS moves them now; `ndjson-pipeline dlq list` shows what is left."
        if done.moved is None
        else f"{done.moved:,} messages were moved, {len(done.failed)} stay."
    )
    session.output.show({"moved": done.moved, "task": done.task, "failed": list(done.failed)}, [Line(said)])
    return ExitCode.FAILED if done.failed else ExitCode.DONE


def _subject(message: DeadLetter) -> str:
    if not message.objects:
        return message.kind
    more = len(message.objects) - 1
    return message.objects[0] + (f" and {more} more" if more else "")


def _document(message: DeadLetter) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "sent_at": message.sent_at,
        "receives": message.receives,
        "kind": message.kind,
        "objects": list(message.objects),
    }
