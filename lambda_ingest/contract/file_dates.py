"""The date of an input file: in its name, in its folders, or by its arrival; pure.

name       {date}-{rest}, the date as 2026-01-30
path       dt=2026-01-30/ or date=2026-01-30/, year=2026/month=01/day=30/, 2026/01/30/; of several the one
           nearest to the file
arrival    the UTC date of the event's time
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lambda_ingest.contract.dates import parse_date, utc_date
from lambda_ingest.contract.settings import DateSource

# ASCII digits alone, as everywhere that a date is read.
_DATED_NAME = re.compile(r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})-(?P<rest>.+)", re.DOTALL)
_WHOLE_DATE = re.compile(r"(?:dt|date)=(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})")
# Tools that write partitions by number leave the zero out: month=1.
_PARTS_BY_NAME = (
    re.compile(r"year=([0-9]{4})"),
    re.compile(r"month=([0-9]{1,2})"),
    re.compile(r"day=([0-9]{1,2})"),
)
_PARTS = (re.compile(r"([0-9]{4})"), re.compile(r"([0-9]{2})"), re.compile(r"([0-9]{2})"))


@dataclass(frozen=True)
class FileDate:
    """What the sources say of a file's date.

    Attributes:
        source: the one that decides; None where none of them gives a date.
        day: the date; None where there is none, where no such day exists, and of an arrival.
        text: what stands there for a date.
        rest: of a name, what follows the date.
    """

    source: DateSource | None
    day: date | None = None
    text: str = ""
    rest: str = ""


def find_date(below_prefix: str, sources: Sequence[DateSource]) -> FileDate:
    """Return what the first source that has a date says.

    A date that no calendar has (2026-02-30) is a mistake to show, so it decides, too. Three folders of bare
    numbers are a date only where such a day exists, for they may be anything else.

    Args:
        below_prefix: the file's key below the input prefix.
        sources: in the order in which they are asked.
    """
    *folders, name = below_prefix.split("/")
    for source in sources:
        match source:
            case DateSource.NAME:
                found = _in_name(name)
            case DateSource.PATH:
                found = _in_folders(folders)
            case DateSource.ARRIVAL:
                found = FileDate(DateSource.ARRIVAL)
        if found is not None:
            return found
    return FileDate(None)


def folder_date(folder: str) -> date | None:
    """Return the date of the files in a folder by `path`, or None where its name and those above give none.

    Args:
        folder: below the input prefix, ending in `/`; the top is the empty one.
    """
    found = _in_folders(folder.split("/")[:-1])
    return found.day if found else None


def partial_date(folder: str) -> str | None:
    """Return the year, or year and month, of a folder whose sub-folders have a date; else None.

    Args:
        folder: below the input prefix, ending in `/`.

    Returns:
        Such as `2026-` or `2026-01-`, with which the dates below it begin.
    """
    folders = folder.split("/")[:-1]
    for parts in (_PARTS_BY_NAME, _PARTS):
        for count in (2, 1):
            if numbers := _numbers(folders[-count:], parts[:count]):
                return "".join(f"{number:0{width}d}-" for number, width in zip(numbers, (4, 2), strict=False))
    return None


def arrival_date(event_time: datetime | None, now: datetime) -> date:
    """Return the UTC date of an arrival.

    Args:
        event_time: when S3 wrote the event, aware; where it is absent, or later than now, now counts.
        now: the present instant, aware.
    """
    return utc_date(now if event_time is None else min(event_time, now))


def _in_name(name: str) -> FileDate | None:
    match = _DATED_NAME.fullmatch(name)
    if match is None:
        return None
    return FileDate(DateSource.NAME, _day(match["date"]), match["date"], match["rest"])


def _in_folders(folders: Sequence[str]) -> FileDate | None:
    """Return the date nearest to the file."""
    for end in range(len(folders), 0, -1):
        if match := _WHOLE_DATE.fullmatch(folders[end - 1]):
            return FileDate(DateSource.PATH, _day(match["date"]), match[0])
        last = folders[max(end - 3, 0) : end]
        if numbers := _numbers(last, _PARTS_BY_NAME):
            return FileDate(DateSource.PATH, _day_of(*numbers), "/".join(last))
        if (numbers := _numbers(last, _PARTS)) and (day := _day_of(*numbers)) is not None:
            return FileDate(DateSource.PATH, day, "/".join(last))
    return None


def _numbers(folders: Sequence[str], parts: Sequence[re.Pattern[str]]) -> list[int] | None:
    """Return the numbers in folders that have these shapes, one after the other; None where they have not."""
    matches = [part.fullmatch(folder) for part, folder in zip(parts, folders, strict=False)]
    found = [int(match[1]) for match in matches if match is not None]
    return found if len(folders) == len(found) == len(parts) else None


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _day_of(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
