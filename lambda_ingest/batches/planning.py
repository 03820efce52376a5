"""Which pending files of a date make the next batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lambda_ingest.contract.dates import parse_date, parse_utc_timestamp, utc_date
from lambda_ingest.contract.records import BYTES_PER_MB
from lambda_ingest.settings import Settings


@dataclass(frozen=True)
class PendingFile:
    """A tracked file that waits for its manifest.

    Attributes:
        file_key: the sort key of its record.
        created_at: when it was tracked, UTC text.
        size_bytes: its size.
    """

    file_key: str
    created_at: str
    size_bytes: int


@dataclass(frozen=True)
class BatchRule:
    """When a date's pending files make a batch.

    Attributes:
        max_files: a batch is cut at this many.
        max_bytes: a batch is cut before it exceeds this; None never is.
        max_age_seconds: a batch is cut once its oldest file waited this long; None never is.
        min_files: fewer than `max_files` are due only on a past date, and there at this many.
        late_flush_seconds: a past date of which something was cut less than this ago waits with fewer than
            `max_files`, so that late files batch too.
        is_past: whether the date lies before today's UTC date.
    """

    max_files: int
    max_bytes: float | None
    max_age_seconds: int | None
    min_files: int
    late_flush_seconds: int
    is_past: bool

    @classmethod
    def of(cls, date_prefix: str, settings: Settings, now: datetime) -> "BatchRule":
        """Return the rule of a date at an instant."""
        return cls(
            max_files=settings.max_files_per_manifest,
            max_bytes=None if settings.max_batch_mb is None else settings.max_batch_mb * BYTES_PER_MB,
            max_age_seconds=settings.max_batch_age_seconds,
            min_files=settings.min_files_for_partial_batch,
            late_flush_seconds=settings.late_flush_seconds,
            is_past=is_past(date_prefix, utc_date(now)),
        )


def is_past(date_prefix: str, today: date) -> bool:
    """Tell whether a date lies before today."""
    return parse_date(date_prefix) < today


def next_batch(
    pending: Sequence[PendingFile], rule: BatchRule, now: datetime, last_cut: datetime | None
) -> Sequence[PendingFile]:
    """Return the files of the next batch, or none where none is due; pure.

    25 files of a past date with batches of 10: two batches at once, and the rest of 5 once nothing was cut of
    the date for `late_flush_seconds`.

    Args:
        pending: the date's pending files, oldest first.
        rule: when a batch is cut.
        now: the present instant, aware.
        last_cut: when something was last cut of the date, aware; None where nothing is known to have been.
    """
    filled, is_cut = _fill(pending, rule)
    if not filled or is_cut:
        return filled
    if rule.is_past and len(filled) >= rule.min_files and _is_quiet(rule, now, last_cut):
        return filled
    if rule.max_age_seconds is not None and _age_seconds(filled, now) >= rule.max_age_seconds:
        return filled
    return ()


def _age_seconds(pending: Sequence[PendingFile], now: datetime) -> float:
    """Return how long the oldest file waits whose record says so; 0 where none does."""
    for file in pending:
        try:
            return (now - parse_utc_timestamp(file.created_at)).total_seconds()
        except (ValueError, OverflowError):
            continue
    return 0.0


def depends_on_last_cut(pending: Sequence[PendingFile], rule: BatchRule, now: datetime) -> bool:
    """Tell whether a batch is due only if nothing was cut of the date lately, which costs a read; pure."""
    return bool(next_batch(pending, rule, now, None)) and not next_batch(pending, rule, now, now)


def _is_quiet(rule: BatchRule, now: datetime, last_cut: datetime | None) -> bool:
    # A record from the future says nothing; waiting for it would end never.
    return last_cut is None or last_cut > now or (now - last_cut).total_seconds() >= rule.late_flush_seconds


def _fill(pending: Sequence[PendingFile], rule: BatchRule) -> tuple[Sequence[PendingFile], bool]:
    """Take the oldest files up to the rule's bounds, and tell whether a bound was reached."""
    total = 0
    for count, file in enumerate(pending):
        total += file.size_bytes
        if rule.max_bytes is not None and total > rule.max_bytes:
            # A file larger than the bound makes a batch of its own.
            return pending[: max(count, 1)], True
        if count + 1 == rule.max_files:
            return pending[: count + 1], True
    return pending, False
