"""Settings that ingest and its readers must agree on, and one reader of environment variables for both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self, TypeVar

from lambda_ingest.contract.dates import parse_date

Value = TypeVar("Value")

TTL_DAYS_VARIABLE = "TTL_DAYS"
PARTITION_START_DATE_VARIABLE = "PARTITION_START_DATE"
INPUT_PREFIX_VARIABLE = "INPUT_PREFIX"
# Whoever starts processes of both sides gives each the same values of these.
SHARED_VARIABLES = (TTL_DAYS_VARIABLE, PARTITION_START_DATE_VARIABLE, INPUT_PREFIX_VARIABLE)

# A hundred years; what is larger overflows a date.
_MOST_TTL_DAYS = 36_500


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
        value = self._parsed(name, int, "a whole number")
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
        value = self._parsed(name, float, "a number")
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
    """

    ttl_days: int = 30
    partition_start_date: date = date(2025, 1, 1)
    input_prefix: str = "pipeline/input/"

    @classmethod
    def read(cls, reader: SettingsReader) -> Self:
        """Read them; what is wrong is kept by the reader."""
        return cls(
            ttl_days=reader.whole(TTL_DAYS_VARIABLE, cls.ttl_days, lowest=1, highest=_MOST_TTL_DAYS),
            partition_start_date=reader.date(PARTITION_START_DATE_VARIABLE, cls.partition_start_date),
            input_prefix=reader.prefix(INPUT_PREFIX_VARIABLE, cls.input_prefix),
        )
