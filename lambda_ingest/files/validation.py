"""Which files are accepted, and why others are not."""

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import quote

from lambda_ingest.contract.dates import parse_date, utc_date
from lambda_ingest.contract.records import BYTES_PER_MB, MAX_SORT_KEY_BYTES
from lambda_ingest.files.events import ObjectCreated
from lambda_ingest.settings import Settings

EXTENSION = ".ndjson"

# Letters and digits of any script, and marks that mean nothing to a shell, a URI or the tracking table.
# A first `.` or `_` hides a file from Spark and Hive, so producers use it for what is not finished.
_SEGMENT = re.compile(r"[^\W_][\w .=+@,()-]*")
_DATED_NAME = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2})-(?P<name>.+)", re.ASCII | re.DOTALL)
# What stays readable in the sort key of a file whose key is not allowed.
_READABLE = "/._=+@,()- "


@dataclass(frozen=True)
class AcceptedFile:
    """An input file that belongs into a manifest.

    Attributes:
        date_prefix: the UTC date in its name.
        file_key: its key below the input prefix; the sort key of its record.
        object: what S3 said of it.
    """

    date_prefix: str
    file_key: str
    object: ObjectCreated


@dataclass(frozen=True)
class RefusedFile:
    """An object that is no input file.

    Attributes:
        date_prefix: the date in its name, or the date of its arrival where the name has no possible one, so
            that whoever looks at the day's records sees it.
        file_key: the sort key of its record; what may not stand in a sort key is percent-encoded.
        object: what S3 said of it.
        reason: what was expected, in a sentence.
    """

    date_prefix: str
    file_key: str
    object: ObjectCreated
    reason: str

    @property
    def kind(self) -> str:
        """The reason without its particulars, such as `size out of tolerance`; one of a few."""
        return self.reason.partition(":")[0]


def validate(created: ObjectCreated, settings: Settings, now: datetime) -> AcceptedFile | RefusedFile:
    """Decide by name and size alone; pure.

    Args:
        created: what S3 said.
        settings: prefix, dates and sizes that are expected.
        now: the present instant, aware; it bounds the dates.
    """
    below_prefix = created.key.removeprefix(settings.input_prefix)
    file_date, date_problem = _date_of(below_prefix, settings, utc_date(now))
    problem = (
        _key_problem(created.key, below_prefix, settings)
        or date_problem
        or _size_problem(created.size_bytes, settings)
    )
    if problem is None and file_date is not None:
        return AcceptedFile(file_date.isoformat(), below_prefix, created)
    return RefusedFile(
        date_prefix=(file_date or utc_date(now)).isoformat(),
        file_key=sort_key_of_refused(below_prefix),
        object=created,
        reason=problem or "no reason",
    )


def sort_key_of_refused(below_prefix: str) -> str:
    """Return a sort key for any key that S3 can hold, equal to it where it is an allowed one.

    `MANIFEST#x` becomes `MANIFEST%23x`, so that no file can pose as another item of the table. What would
    exceed DynamoDB's limit is cut, with a digest that keeps it apart from its neighbours.
    """
    encoded = quote(below_prefix, safe=_READABLE) or "%"
    if len(encoded) <= MAX_SORT_KEY_BYTES:
        return encoded
    digest = hashlib.sha256(below_prefix.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{encoded[: MAX_SORT_KEY_BYTES - 17]}~{digest}"


def _key_problem(key: str, below_prefix: str, settings: Settings) -> str | None:
    if not key.startswith(settings.input_prefix):
        return f"key outside the allowed pattern: expected it below {settings.input_prefix}"
    if not key.endswith(EXTENSION):
        return f"other extension: expected {EXTENSION}"
    if len(below_prefix.encode("utf-8", "surrogatepass")) > MAX_SORT_KEY_BYTES:
        return f"key outside the allowed pattern: longer than {MAX_SORT_KEY_BYTES} bytes"
    if not all(_SEGMENT.fullmatch(segment) for segment in below_prefix.split("/")):
        return (
            "key outside the allowed pattern: each part must begin with a letter or digit and hold only "
            "letters, digits, spaces and . _ - = + @ , ( )"
        )
    return None


def _date_of(below_prefix: str, settings: Settings, today: date) -> tuple[date | None, str | None]:
    """Return the date in the name, where it has a possible one, and what is wrong with it."""
    match = _DATED_NAME.fullmatch(below_prefix.rpartition("/")[2])
    if match is None:
        return None, "no date: expected the name as YYYY-MM-DD-name.ndjson"
    try:
        found = parse_date(match["date"])
    except ValueError:
        return None, f"impossible date: no such day as {match['date']}"
    if match["name"] == EXTENSION:
        return found, "no name after the date: expected the name as YYYY-MM-DD-name.ndjson"
    last = today + timedelta(days=1)
    if not settings.partition_start_date <= found <= last:
        return found, (
            f"date out of range: {found} lies not between {settings.partition_start_date} and {last}"
        )
    return found, None


def _size_problem(size_bytes: int, settings: Settings) -> str | None:
    if size_bytes <= 0:
        return "empty file"
    if settings.expected_file_size_mb == 0:
        return None
    size_mb = size_bytes / BYTES_PER_MB
    tolerance = settings.expected_file_size_mb * settings.size_tolerance_percent / 100
    if abs(size_mb - settings.expected_file_size_mb) <= tolerance:
        return None
    return (
        f"size out of tolerance: {size_mb:.3f} MB, expected {settings.expected_file_size_mb:g} MB "
        f"within {settings.size_tolerance_percent:g} %"
    )
