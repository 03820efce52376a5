"""What values say of their types: those of a table, and those that say nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glue_jobs.schema.scalars import Fraction, Whole
from glue_jobs.schema.types import Kind, TimestampSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from glue_jobs.schema.types import ColumnType

_DECODER: Final = json.JSONDecoder(parse_int=Whole, parse_float=Fraction)


def says_nothing(value: Any) -> bool:
    """Return whether a value could be of any type: null, an empty object or list, or such of only these."""
    if isinstance(value, dict):
        return all(map(says_nothing, value.values()))
    if isinstance(value, list):
        return all(map(says_nothing, value))
    return value is None


def telling(values: pa.Array, column: ColumnType) -> NDArray[np.bool_]:
    """Return which values of an array say something; the others are as `says_nothing` has it."""
    found: NDArray[np.bool_] = (
        np.asarray(values.is_valid()) if values.null_count else np.ones(len(values), np.bool_)
    )
    if not found.any():
        return found
    if column.kind is Kind.STRUCT:
        said: NDArray[np.bool_] | None = None
        arrays = dict(zip((field.name for field in values.type), values.flatten(), strict=True))
        for name, member in column.members:
            inner = telling(arrays[name], member)
            said = inner if said is None else said | inner
        return found if said is None else found & said
    if column.item is None:
        return found
    if column.kind is Kind.MAP:
        values = pa.ListArray.from_arrays(values.offsets, values.items, mask=values.is_null())
    parents = np.asarray(pc.list_parent_indices(values))
    found = np.zeros(len(values), np.bool_)
    found[parents[telling(values.flatten(), column.item)]] = True
    return found


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
