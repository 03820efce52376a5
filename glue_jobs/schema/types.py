"""Types of columns: what a place of the records holds, and as what Parquet keeps it."""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa


class Kind(enum.Enum):
    """What a place holds; the value is its name in the schema contract."""

    BOOLEAN = "boolean"
    INT64 = "int64"
    FLOAT64 = "float64"
    STRING = "string"
    JSON = "json"
    DECIMAL = "decimal"
    TIMESTAMP = "timestamp"
    DATE = "date"
    LIST = "list"
    MAP = "map"
    STRUCT = "struct"


class TimestampSource(enum.Enum):
    """How the input writes an instant: as text, or as a number since 1970 in a unit."""

    ISO8601 = "iso8601"
    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"


MAX_PRECISION: Final = 38
# Arrow's names of the types of scalars.
_ALIASES: Final = {
    Kind.BOOLEAN: "bool",
    Kind.INT64: "int64",
    Kind.FLOAT64: "float64",
    Kind.STRING: "string",
    # JSON text, written as `records.dump` writes it.
    Kind.JSON: "string",
    Kind.DATE: "date32",
}


@dataclass(frozen=True)
class ColumnType:
    """The type of a column, or of a place inside one; immutable.

    Attributes:
        kind: what it holds.
        item: of a list the type of its items, of a map that of its values.
        members: of a struct, name and type of each, in order; never empty there.
        precision: of a decimal, its digits, 1 to 38.
        scale: of a decimal, those after the point, 0 to its precision.
        source: of a timestamp, how the input writes it.
    """

    kind: Kind
    item: ColumnType | None = None
    members: tuple[tuple[str, ColumnType], ...] = ()
    precision: int = 0
    scale: int = 0
    source: TimestampSource | None = None

    @functools.cached_property
    def arrow(self) -> pa.DataType:
        """What Parquet keeps it as."""
        # Whoever reads or changes a contract needs no Arrow; the code location has none.
        import pyarrow as pa  # noqa: PLC0415

        if self.kind is Kind.DECIMAL:
            return pa.decimal128(self.precision, self.scale)
        if self.kind is Kind.STRUCT:
            return pa.struct([(name, member.arrow) for name, member in self.members])
        if self.item is not None:
            return (
                pa.list_(self.item.arrow) if self.kind is Kind.LIST else pa.map_(pa.string(), self.item.arrow)
            )
        if self.kind is Kind.TIMESTAMP:
            # Whatever unit the input has. Parquet's microseconds in UTC are what all readers agree on.
            return pa.timestamp("us", tz="UTC")
        return pa.type_for_alias(_ALIASES[self.kind])

    @functools.cached_property
    def by_name(self) -> dict[str, ColumnType]:
        """Of a struct, its members."""
        return dict(self.members)


BOOLEAN: Final = ColumnType(Kind.BOOLEAN)
INT64: Final = ColumnType(Kind.INT64)
FLOAT64: Final = ColumnType(Kind.FLOAT64)
STRING: Final = ColumnType(Kind.STRING)
JSON: Final = ColumnType(Kind.JSON)
DATE: Final = ColumnType(Kind.DATE)


def list_of(item: ColumnType) -> ColumnType:
    """Return the type of lists."""
    return ColumnType(Kind.LIST, item=item)


def map_of(value: ColumnType) -> ColumnType:
    """Return the type of maps from text to values."""
    return ColumnType(Kind.MAP, item=value)


def struct_of(members: dict[str, ColumnType]) -> ColumnType:
    """Return the type of objects with these members."""
    return ColumnType(Kind.STRUCT, members=tuple(members.items()))


def decimal(precision: int, scale: int) -> ColumnType:
    """Return the type of decimal numbers."""
    return ColumnType(Kind.DECIMAL, precision=precision, scale=scale)


def timestamp(source: TimestampSource) -> ColumnType:
    """Return the type of instants that the input writes so."""
    return ColumnType(Kind.TIMESTAMP, source=source)
