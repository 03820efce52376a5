"""UTC instants and calendar dates as every record, key and report writes them."""

from datetime import UTC, date, datetime

DATE_FORMAT = "%Y-%m-%d"


def utc_timestamp(instant: datetime) -> str:
    """Write an aware instant as `2026-01-30T12:34:56.789012Z`, which sorts as text in order of time."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_utc_timestamp(text: str) -> datetime:
    """Read what `utc_timestamp` wrote.

    Raises:
        ValueError: the text is no ISO 8601 instant with a zone.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"expected an instant with a zone, such as 2026-01-30T00:00:00Z, got {text!r}")
    return instant.astimezone(UTC)


def utc_date(instant: datetime) -> date:
    """Return the UTC calendar date of an aware instant."""
    return instant.astimezone(UTC).date()


def parse_date(text: str) -> date:
    """Read `YYYY-MM-DD`, and nothing looser.

    Raises:
        ValueError: the text has another shape, or names a day that does not exist.
    """
    if len(text) != 10 or not text.isascii():
        raise ValueError(f"expected a date as YYYY-MM-DD, got {text!r}")
    return datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC).date()
