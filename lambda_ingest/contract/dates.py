"""UTC instants and calendar dates as every record, key and report writes them."""

import re
from datetime import UTC, date, datetime

# Digits of other scripts are digits to Python's \d, int and strptime; to S3 and DynamoDB they are other text.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def utc_timestamp(instant: datetime) -> str:
    """Write an aware instant as `2026-01-30T12:34:56.789012Z`, which sorts as text in order of time."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_utc_timestamp(text: str) -> datetime:
    """Read what `utc_timestamp` wrote.

    Raises:
        ValueError: the text is no ISO 8601 instant with a zone, or one that UTC has no year for.
    """
    if not text.isascii():
        raise ValueError(f"expected an instant such as 2026-01-30T00:00:00Z, got {text!r}")
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"expected an instant with a zone, such as 2026-01-30T00:00:00Z, got {text!r}")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        # Such as the last second of the year 9999 in a zone behind UTC.
        raise ValueError(f"{text!r} lies beyond the years of the calendar in UTC") from error


def utc_date(instant: datetime) -> date:
    """Return the UTC calendar date of an aware instant."""
    return instant.astimezone(UTC).date()


def parse_date(text: str) -> date:
    """Read `YYYY-MM-DD`, and nothing looser.

    Raises:
        ValueError: the text has another shape, or names a day that does not exist.
    """
    if _DATE.fullmatch(text) is None:
        raise ValueError(f"expected a date as YYYY-MM-DD, got {text!r}")
    return date.fromisoformat(text)
