"""Values as cells of a table; pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

from lambda_ingest.contract.dates import parse_utc_timestamp

_GLUE_ID_SHOWN = 11


def counted(counts: Mapping[str, int]) -> str:
    """Return `3 failed, 5 pending`, or `none`."""
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()) if count) or "none"


def instant(value: datetime | str | None) -> str:
    """Return an instant to the second, such as `01-30 12:34:56`; what can't be read as it is."""
    if value is None:
        return "-"
    if isinstance(value, str):
        try:
            return instant(parse_utc_timestamp(value))
        except (ValueError, OverflowError):
            return value
    return value.astimezone(UTC).strftime("%m-%d %H:%M:%S")


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago an instant is, such as `3 h 5 min`."""
    if since is None:
        return "-"
    seconds = max(int((now - since).total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours = seconds // 60, seconds // 3600
    if hours < 1:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} days"


def size_mb(value: float | None) -> str:
    """Return a size in MB."""
    return "-" if value is None else f"{value:,.1f}" if value >= 0.1 or value == 0 else f"{value:.4f}"


def short_glue_id(run_id: str | None) -> str:
    """Return the beginning of a Glue run's id, which tells it from its neighbours."""
    if run_id is None:
        return "-"
    return run_id if len(run_id) <= _GLUE_ID_SHOWN + 1 else f"{run_id[:_GLUE_ID_SHOWN]}…"


def or_dash(value: object) -> str:
    """Return a value as text; `-` for none."""
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
