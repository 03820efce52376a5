"""Who asks, where, and at what time."""

from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime

from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.doctor.finding import Finding, State, ok

# AWS refuses signatures that are five minutes off; dates go wrong before.
_MOST_OFF = timedelta(seconds=60)


def credentials(desk: Desk) -> Iterator[Finding]:
    """Tell whose credentials these are."""
    answer = desk.identity
    yield ok("credentials", f"account {answer['Account']}, {answer['Arn']}")
    yield ok("deployment", f"{desk.names.prefix}-...-{desk.names.environment}, region {desk.region}")


def clock(desk: Desk) -> Iterator[Finding]:
    """Compare this machine's clock with AWS's."""
    headers = desk.identity["ResponseMetadata"].get("HTTPHeaders", {})
    try:
        there = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError, TypeError):
        yield Finding("clock", State.UNSEEN, "AWS's answer bears no time")
        return
    off = abs(desk.clock() - there)
    if off > _MOST_OFF:
        yield Finding(
            "clock",
            State.WRONG,
            f"this machine's clock is {off.total_seconds():.0f} s off",
            "set it by NTP: AWS refuses signatures of another time",
        )
    else:
        yield ok("clock", f"within {max(off.total_seconds(), 1):.0f} s of AWS's")
