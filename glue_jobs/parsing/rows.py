"""What columns keep of records, as Arrow rows."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from glue_jobs.parsing.records import dump
from glue_jobs.schema.fit import table_without_columns
from glue_jobs.schema.instants import day_of_text, instant_of_number, instant_of_text
from glue_jobs.schema.scalars import Fraction, Whole, digits_of
from glue_jobs.schema.types import Kind, TimestampSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from glue_jobs.schema.types import ColumnType


def rows_of(kept: Sequence[dict[str, Any]], types: Mapping[str, ColumnType]) -> pa.Table:
    """Make rows of what `split_record` kept.

    Args:
        kept: of each record, in order; whatever it holds fits.
        types: of the columns it was held against, in the order of the output.
    """
    if not types:
        return table_without_columns(len(kept))
    arrays = []
    for name, column in types.items():
        convert = _CONVERSIONS[column.kind]
        values = [None if (value := row.get(name)) is None else convert(value, column) for row in kept]
        arrays.append(pa.array(values, column.arrow))
    return pa.Table.from_arrays(arrays, names=list(types))


def _same(value: Any, _: ColumnType) -> Any:
    return value


def _whole(value: Whole | Fraction, _: ColumnType) -> int:
    return int(value) if isinstance(value, Whole) else digits_of(value).in_units(0)


def _double(value: Whole | Fraction, _: ColumnType) -> float:
    return float(value)


def _json(value: Any, _: ColumnType) -> str:
    return dump(value)


def _decimal(value: Whole | Fraction, column: ColumnType) -> Decimal:
    # From text nothing is rounded, whatever the precision of Python's own context.
    return Decimal(f"{digits_of(value).in_units(column.scale)}E-{column.scale}")


def _timestamp(value: Any, column: ColumnType) -> Any:
    if column.source is None or column.source is TimestampSource.ISO8601:
        return instant_of_text(value)
    return instant_of_number(value, column.source)


def _date(value: str, _: ColumnType) -> Any:
    return day_of_text(value)


def _inner(value: Any, column: ColumnType | None) -> Any:
    return None if value is None or column is None else _CONVERSIONS[column.kind](value, column)


def _list(value: list[Any], column: ColumnType) -> list[Any]:
    return [_inner(item, column.item) for item in value]


def _map(value: dict[str, Any], column: ColumnType) -> list[tuple[str, Any]]:
    return [(key, _inner(item, column.item)) for key, item in value.items()]


def _struct(value: dict[str, Any], column: ColumnType) -> dict[str, Any]:
    return {name: _inner(item, column.by_name[name]) for name, item in value.items()}


_CONVERSIONS: Final[Mapping[Kind, Callable[[Any, ColumnType], Any]]] = {
    Kind.BOOLEAN: _same,
    Kind.INT64: _whole,
    Kind.FLOAT64: _double,
    Kind.STRING: _same,
    Kind.JSON: _json,
    Kind.DECIMAL: _decimal,
    Kind.TIMESTAMP: _timestamp,
    Kind.DATE: _date,
    Kind.LIST: _list,
    Kind.MAP: _map,
    Kind.STRUCT: _struct,
}
