"""Instants and days as input writes them, to what Parquet keeps: microseconds and days since 1970."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from glue_jobs.schema.reasons import Reason
from glue_jobs.schema.scalars import digits_of
from glue_jobs.schema.types import TimestampSource

if TYPE_CHECKING:
    from glue_jobs.schema.scalars import Fraction, Whole

# The first and the last microsecond of the years 1 to 9999, in UTC.
_FIRST: Final = -62_135_596_800_000_000
_LAST: Final = 253_402_300_799_999_999
_LONGEST: Final = 20
_MICROSECOND_DIGITS: Final = 6
_UNIT_DIGITS: Final = {
    TimestampSource.SECONDS: 6,
    TimestampSource.MILLISECONDS: 3,
    TimestampSource.MICROSECONDS: 0,
}
_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_INSTANT: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]"
    r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
    r"(?:[Zz]|([+-])([0-9]{2})(?::([0-9]{2}))?)?"
)
_MONTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY: Final = 2
_HOURS: Final = 24
_MINUTES: Final = 60
_DAYS_BEFORE_1970: Final = 719_468


def instant_of_text(text: str) -> int | Reason:
    """Return the microseconds of an ISO 8601 instant, or why a column can't hold it.

    `2026-01-30T12:30:00.5+01:00`; a space may stand for the `T`, and seconds, their fraction and the zone may
    be absent: without a zone it is UTC.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        return Reason.OTHER_KIND
    day = _days(int(match[1]), int(match[2]), int(match[3]))
    hour, minute, second = int(match[4]), int(match[5]), int(match[6] or 0)
    ahead_hours, ahead_minutes = int(match[9] or 0), int(match[10] or 0)
    are_hours = max(hour, ahead_hours) < _HOURS
    if day is None or not are_hours or max(minute, second, ahead_minutes) >= _MINUTES:
        return Reason.OUT_OF_RANGE
    fraction = match[7] or ""
    if fraction[_MICROSECOND_DIGITS:].strip("0"):
        return Reason.NOT_EXACT
    ahead = (ahead_hours * 60 + ahead_minutes) * (-1 if match[8] == "-" else 1)
    seconds = day * 86_400 + (hour * 60 + minute - ahead) * 60 + second
    return _within(seconds * 1_000_000 + int(fraction[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")))


def instant_of_number(number: Whole | Fraction, source: TimestampSource) -> int | Reason:
    """Return the microseconds of a number of seconds, milliseconds or microseconds, or why it has none."""
    found, scale = digits_of(number), _UNIT_DIGITS[source]
    if not found.digits:
        return 0
    if found.exponent < -scale:
        return Reason.NOT_EXACT
    if len(found.digits) + found.exponent + scale > _LONGEST:
        return Reason.OUT_OF_RANGE
    return _within(found.in_units(scale))


def day_of_text(text: str) -> int | Reason:
    """Return the days since 1970 of `YYYY-MM-DD`, or why a column can't hold it."""
    match = _DAY.fullmatch(text)
    if match is None:
        return Reason.OTHER_KIND
    year = int(match[1])
    day = _days(year, int(match[2]), int(match[3])) if year else None
    return Reason.OUT_OF_RANGE if day is None else day


def _within(microseconds: int) -> int | Reason:
    return microseconds if _FIRST <= microseconds <= _LAST else Reason.OUT_OF_RANGE


def _days(year: int, month: int, day: int) -> int | None:
    """Return the days since 1970 of a day, the year 0 included; None where no calendar has it.

    Python's own dates begin with the year 1, and a zone may bring an instant of the year 0 into it.
    """
    if not 1 <= month <= len(_MONTHS):
        return None
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _MONTHS[month - 1] + (is_leap and month == _FEBRUARY):
        return None
    # Years that begin in March end with the leap day (Howard Hinnant, "chrono-compatible low-level date
    # algorithms").
    year -= month <= _FEBRUARY
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - _DAYS_BEFORE_1970
