"""Settings that ingest and its readers must agree on, and one reader of environment variables for both."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Protocol, Self, TypeVar

from lambda_ingest.contract.dates import parse_date

Value = TypeVar("Value")

TTL_DAYS_VARIABLE = "TTL_DAYS"
PARTITION_START_DATE_VARIABLE = "PARTITION_START_DATE"
INPUT_PREFIX_VARIABLE = "INPUT_PREFIX"
INPUT_EXTENSIONS_VARIABLE = "INPUT_EXTENSIONS"
DATE_SOURCES_VARIABLE = "DATE_SOURCES"
# Whoever starts processes of both sides gives each the same values of these.
SHARED_VARIABLES = (
    TTL_DAYS_VARIABLE,
    PARTITION_START_DATE_VARIABLE,
    INPUT_PREFIX_VARIABLE,
    INPUT_EXTENSIONS_VARIABLE,
    DATE_SOURCES_VARIABLE,
)

# Producers, and the tools that copy for them, end a name so while they write it; whatever the case.
UNFINISHED_ENDINGS = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", "._copying_")

# A hundred years; what is larger overflows a date.
_MOST_TTL_DAYS = 36_500
_WHOLE = re.compile(r"[+-]?[0-9]+")
_EXTENSION = re.compile(r"(?:\.[A-Za-z0-9_-]+)+")


class DateSource(StrEnum):
    """Where the date of an input file may stand."""

    NAME = "name"
    PATH = "path"
    ARRIVAL = "arrival"


class SettingsReader:
    """Reads variables one by one and keeps what is wrong with them, so that all is said at once.

    An empty variable counts as absent.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        """Return a variable's text, or None where it is absent."""
        return self._environment.get(name, "").strip() or None

    def required(self, name: str) -> str:
        """Return a variable's text; its absence is a problem."""
        value = self.text(name)
        if value is None:
            self.problems.append(f"{name} is required and missing")
            return ""
        return value

    def prefix(self, name: str, default: str) -> str:
        """Return a key's beginning, which ends in `/`."""
        value = self.text(name) or default
        return value if value.endswith("/") else f"{value}/"

    def whole(self, name: str, default: int, *, lowest: int, highest: int | None = None) -> int:
        """Return a whole number within bounds."""
        value = self._parsed(name, _whole, "a whole number")
        if value is None:
            return default
        if value < lowest or (highest is not None and value > highest):
            bounds = f"{lowest} to {highest}" if highest is not None else f"at least {lowest}"
            self.problems.append(f"{name} must be {bounds}, got {value}")
            return default
        return value

    def whole_or_off(self, name: str) -> int | None:
        """Return a whole number; 0 and absence mean None."""
        return self.whole(name, 0, lowest=0) or None

    def number(self, name: str, default: float) -> float:
        """Return a number that is not negative."""
        value = self._parsed(name, _number, "a number")
        if value is None:
            return default
        if not 0 <= value < float("inf"):
            self.problems.append(f"{name} must be 0 or more, got {value}")
            return default
        return value

    def number_or_off(self, name: str) -> float | None:
        """Return a number; 0 and absence mean None."""
        return self.number(name, 0.0) or None

    def date(self, name: str, default: date) -> date:
        """Return a date."""
        value = self._parsed(name, parse_date, "a date as YYYY-MM-DD")
        return default if value is None else value

    def list_of(
        self, name: str, default: tuple[Value, ...], parse: Callable[[str], Value], expected: str
    ) -> tuple[Value, ...]:
        """Return the members of a list with commas between them, each once, in order.

        Args:
            name: the variable.
            default: what its absence means.
            parse: reads a member; its ValueError says what is wrong with it.
            expected: what the list is of, for the error.
        """
        text = self.text(name)
        if text is None:
            return default
        found: dict[Value, None] = {}
        for member in text.split(","):
            try:
                found[parse(member.strip())] = None
            except ValueError as error:
                self.problems.append(f"{name} must be {expected}, got {text!r}: {error}")
                return default
        return tuple(found)

    def _parsed(self, name: str, parse: Callable[[str], Value], expected: str) -> Value | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError:
            self.problems.append(f"{name} must be {expected}, got {text!r}")
            return None


@dataclass(frozen=True)
class SharedSettings:
    """What the Lambdas and the code location must be told alike.

    Attributes:
        ttl_days: how long a record lives after it has ended.
        partition_start_date: the first date that is accepted, and the first partition.
        input_prefix: what every input key begins with; ends in `/`.
        input_extensions: what the name of an input file ends in, one of these; case counts.
        date_sources: where its date is looked for, in this order.
    """

    ttl_days: int = 30
    partition_start_date: date = date(2025, 1, 1)
    input_prefix: str = "pipeline/input/"
    input_extensions: tuple[str, ...] = (".ndjson", ".ndjson.gz")
    date_sources: tuple[DateSource, ...] = (DateSource.NAME,)

    @classmethod
    def read(cls, reader: SettingsReader) -> Self:
        """Read them; what is wrong is kept by the reader."""
        return cls(
            ttl_days=reader.whole(TTL_DAYS_VARIABLE, cls.ttl_days, lowest=1, highest=_MOST_TTL_DAYS),
            partition_start_date=reader.date(PARTITION_START_DATE_VARIABLE, cls.partition_start_date),
            input_prefix=reader.prefix(INPUT_PREFIX_VARIABLE, cls.input_prefix),
            input_extensions=reader.list_of(
                INPUT_EXTENSIONS_VARIABLE,
                cls.input_extensions,
                _extension,
                "extensions such as .ndjson,.ndjson.gz",
            ),
            date_sources=reader.list_of(
                DATE_SOURCES_VARIABLE,
                cls.date_sources,
                _date_source,
                f"a list of {', '.join(DateSource)}",
            ),
        )


class InputRules(Protocol):
    """What says which objects are input: settings that the gate and the validation ask for.

    Their meanings are told where they are set, in `InputSettings`.
    """

    @property
    def input_bucket(self) -> str | None: ...  # noqa: D102 - told above

    @property
    def quarantine_bucket(self) -> str | None: ...  # noqa: D102 - told above

    @property
    def input_prefix(self) -> str: ...  # noqa: D102 - told above

    @property
    def input_extensions(self) -> tuple[str, ...]: ...  # noqa: D102 - told above

    @property
    def date_sources(self) -> tuple[DateSource, ...]: ...  # noqa: D102 - told above

    @property
    def partition_start_date(self) -> date: ...  # noqa: D102 - told above

    @property
    def expected_file_size_mb(self) -> float: ...  # noqa: D102 - told above

    @property
    def size_tolerance_percent(self) -> float: ...  # noqa: D102 - told above


@dataclass(frozen=True)
class InputSettings(SharedSettings):
    """The input rules of a manifest builder, as its variables have them.

    Attributes:
        input_bucket: whose objects are input; None takes those of every bucket.
        quarantine_bucket: where refused files go; None leaves them where they are, with a record only.
        expected_file_size_mb: 0 switches the size check off.
        size_tolerance_percent: how far a size may lie from the expected, either way.
    """

    input_bucket: str | None = None
    quarantine_bucket: str | None = None
    expected_file_size_mb: float = 3.5
    size_tolerance_percent: float = 10.0

    @classmethod
    def read(cls, reader: SettingsReader) -> Self:
        """Read them; what is wrong is kept by the reader."""
        return replace(
            super().read(reader),
            input_bucket=reader.text("INPUT_BUCKET"),
            quarantine_bucket=reader.text("QUARANTINE_BUCKET"),
            expected_file_size_mb=reader.number("EXPECTED_FILE_SIZE_MB", cls.expected_file_size_mb),
            size_tolerance_percent=reader.number("SIZE_TOLERANCE_PERCENT", cls.size_tolerance_percent),
        )


def _whole(text: str) -> int:
    # Python's int takes digits of every script.
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    return float(text)


def _extension(text: str) -> str:
    if _EXTENSION.fullmatch(text) is None:
        raise ValueError(
            f"{text!r} is no extension; it begins with a dot, and holds letters, digits, _ and -"
        )
    if text.lower().endswith(UNFINISHED_ENDINGS):
        raise ValueError(f"{text!r} ends as names do that are not finished, and such files are left alone")
    return text


def _date_source(text: str) -> DateSource:
    try:
        return DateSource(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is none of them") from error
