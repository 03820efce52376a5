"""Which files are accepted, and why others are not."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.dates import utc_date
from lambda_ingest.contract.file_dates import FileDate, arrival_date, find_date
from lambda_ingest.contract.file_keys import is_allowed_key, sort_key_of_refused
from lambda_ingest.contract.records import BYTES_PER_MB, MAX_SORT_KEY_BYTES
from lambda_ingest.contract.settings import DateSource, InputRules

# What is packed says by its size nothing of what is in it.
_PACKED_ENDINGS = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz", ".lz4", ".sz", ".snappy")
_WHERE_DATES_STAND = {
    DateSource.NAME: "the name as YYYY-MM-DD-name",
    DateSource.PATH: "folders as dt=YYYY-MM-DD, date=YYYY-MM-DD, year=YYYY/month=MM/day=DD or YYYY/MM/DD",
}


@dataclass(frozen=True)
class AcceptedFile:
    """An input file that belongs into a manifest.

    Attributes:
        date_prefix: its UTC date, as the sources of dates have it.
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
        date_prefix: its date, or that of its arrival where the sources have no possible one, so that whoever
            looks at the day's records sees it.
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


def needs_first_arrival(created: ObjectCreated, settings: InputRules) -> bool:
    """Tell whether a file's date is that of its first arrival, for its key gives none; pure."""
    return _date_in_key(created, settings).source is DateSource.ARRIVAL


def validate(
    created: ObjectCreated, settings: InputRules, now: datetime, first_arrival: date | None = None
) -> AcceptedFile | RefusedFile:
    """Decide by name and size alone; pure.

    Args:
        created: what S3 said; it has passed the gate.
        settings: prefix, extensions, dates and sizes that are expected.
        now: the present instant, aware; it bounds the dates.
        first_arrival: when the object was first seen, where that is its date; by default the event's time is.
    """
    below_prefix = created.key.removeprefix(settings.input_prefix)
    arrived = arrival_date(created.event_time, now)
    found = _date_in_key(created, settings)
    day = (first_arrival or arrived) if found.source is DateSource.ARRIVAL else found.day
    problem = (
        _key_problem(below_prefix, settings)
        or _date_problem(found, day, settings, utc_date(now))
        or _size_problem(created, settings)
    )
    if problem is None and day is not None:
        return AcceptedFile(day.isoformat(), below_prefix, created)
    return RefusedFile(
        date_prefix=(day or utc_date(now)).isoformat(),
        file_key=sort_key_of_refused(below_prefix),
        object=created,
        reason=problem or "no reason",
    )


def _date_in_key(created: ObjectCreated, settings: InputRules) -> FileDate:
    return find_date(created.key.removeprefix(settings.input_prefix), settings.date_sources)


def _key_problem(below_prefix: str, settings: InputRules) -> str | None:
    # Case counts, as it does in S3's keys.
    if not below_prefix.endswith(settings.input_extensions):
        return f"other extension: expected {' or '.join(settings.input_extensions)}"
    if len(below_prefix.encode("utf-8", "surrogatepass")) > MAX_SORT_KEY_BYTES:
        return f"key outside the allowed pattern: longer than {MAX_SORT_KEY_BYTES} bytes"
    if not is_allowed_key(below_prefix):
        return (
            "key outside the allowed pattern: each part must begin with a letter or digit and hold only "
            "letters, digits, spaces and . _ - = + @ , ( )"
        )
    return None


def _date_problem(found: FileDate, day: date | None, settings: InputRules, today: date) -> str | None:
    """Say what is wrong with a date, where something is."""
    if found.source is None:
        expected = [_WHERE_DATES_STAND[source] for source in settings.date_sources]
        return f"no date: expected {', or '.join(expected)}"
    if day is None:
        return f"impossible date: no such day as {found.text}"
    if found.source is DateSource.NAME and found.rest in settings.input_extensions:
        return f"no name after the date: expected {_WHERE_DATES_STAND[DateSource.NAME]}"
    last = today + timedelta(days=1)
    if not settings.partition_start_date <= day <= last:
        return f"date out of range: {day} lies not between {settings.partition_start_date} and {last}"
    return None


def _size_problem(created: ObjectCreated, settings: InputRules) -> str | None:
    if created.size_bytes <= 0:
        return "empty file"
    if settings.expected_file_size_mb == 0 or created.key.lower().endswith(_PACKED_ENDINGS):
        return None
    size_mb = created.size_bytes / BYTES_PER_MB
    tolerance = settings.expected_file_size_mb * settings.size_tolerance_percent / 100
    if abs(size_mb - settings.expected_file_size_mb) <= tolerance:
        return None
    return (
        f"size out of tolerance: {size_mb:.3f} MB, expected {settings.expected_file_size_mb:g} MB "
        f"within {settings.size_tolerance_percent:g} %"
    )
