"""Values of a table as the input had them, for those types whose arrays don't tell enough."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from glue_jobs.schema.scalars import Fraction, Whole
from glue_jobs.schema.types import Kind, TimestampSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from glue_jobs.schema.types import ColumnType

_DECODER: Final = json.JSONDecoder(parse_int=Whole, parse_float=Fraction)


def values_of(values: pa.Array, column: ColumnType) -> Iterator[Any]:
    """Yield the values that are not null, their numbers as `Whole` or `Fraction`.

    Instants and days come as some text or number of the kind that the input has: what they are is known.
    """
    for value in values.drop_null().to_pylist():
        yield _value(value, column)


def _value(value: Any, column: ColumnType) -> Any:  # noqa: PLR0911 - one return a type
    if value is None:
        return None
    kind = column.kind
    if kind is Kind.JSON:
        return _DECODER.decode(value)
    if kind is Kind.INT64:
        return Whole(value)
    if kind in {Kind.FLOAT64, Kind.DECIMAL}:
        return Fraction(value)
    if kind is Kind.TIMESTAMP:
        return str(value) if column.source is TimestampSource.ISO8601 else Whole("0")
    if kind is Kind.DATE:
        return str(value)
    if kind is Kind.STRUCT:
        return {
            name: _value(value[name], member) for name, member in column.members if value[name] is not None
        }
    if column.item is not None:
        if kind is Kind.LIST:
            return [_value(item, column.item) for item in value]
        return {key: _value(item, column.item) for key, item in value}
    return value
