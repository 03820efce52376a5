"""Which dates a sweep audits."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from lambda_ingest.contract.dates import parse_date, utc_date
from lambda_ingest.errors import SweepEventError
from lambda_ingest.settings import Settings

# An audit costs the listing of each of its dates; a sweep has one Lambda's time.
MOST_DATES = 31


def audited_dates(event: Mapping[str, Any], settings: Settings, now: datetime) -> tuple[str, ...]:
    """Return the dates that an event names, else recent ones, or none where it wants no audit; pure.

    Args:
        event: `{"audit": false}`, `{"dates": ["2026-01-30"]}` or whatever a timer sends.
        settings: how many dates are recent, and which is the first.
        now: the present instant, aware.

    Raises:
        SweepEventError: `dates` is no list of dates between the first date and tomorrow.
    """
    if not event.get("audit", True):
        if "dates" in event:
            raise SweepEventError('"dates" are audited, but "audit" is false; leave one of them out')
        return ()
    if "dates" not in event:
        return tuple(recent_dates(now, settings.audit_days))
    given = event["dates"]
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_DATES:
        raise SweepEventError(f'"dates" must be a list of 1 to {MOST_DATES} dates, got {given!r}')
    tomorrow = utc_date(now) + timedelta(days=1)
    problems = []
    for text in given:
        try:
            found = parse_date(text)
        except (TypeError, ValueError):
            problems.append(f"{text!r} is no date as YYYY-MM-DD")
            continue
        if not settings.partition_start_date <= found <= tomorrow:
            problems.append(f"{text} lies not between {settings.partition_start_date} and {tomorrow}")
    if problems:
        raise SweepEventError(f'"dates" need mending: {"; ".join(problems)}')
    return tuple(dict.fromkeys(given))


def recent_dates(now: datetime, audit_days: int) -> list[str]:
    """Return the dates that an audit lists: tomorrow, today, and `audit_days` before; newest first."""
    tomorrow = utc_date(now) + timedelta(days=1)
    return [(tomorrow - timedelta(days=days)).isoformat() for days in range(audit_days + 2)]
