"""Tables of earlier columns brought to later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from glue_jobs.schema.columns import holds
from glue_jobs.schema.scalars import EXACT_DOUBLE
from glue_jobs.schema.types import Kind

if TYPE_CHECKING:
    from glue_jobs.schema.columns import Columns
    from glue_jobs.schema.types import ColumnType

_EXACT: Final = float(EXACT_DOUBLE)


def can_become(found: ColumnType, wanted: ColumnType) -> bool:
    """Return whether what fits the one type is the same in the other.

    Whole numbers become doubles only where all of them are exact as such: numbers are settled as doubles
    only then.
    """
    if found.kind is Kind.INT64 and wanted.kind is Kind.FLOAT64:
        return True
    if found.kind is not wanted.kind:
        return False
    if found.kind is Kind.STRUCT:
        return all(
            (member := wanted.by_name.get(name)) is not None and can_become(inner, member)
            for name, inner in found.members
        )
    if found.item is not None and wanted.item is not None:
        return can_become(found.item, wanted.item)
    return holds(wanted, found)


def has_odd_doubles(table: pa.Table) -> bool:
    """Return whether a double at any depth is none that JSON has, or so large that it may stand for another.

    Whole numbers beyond 2^53 are rounded without a word where their column holds doubles.
    """
    return any(_is_odd(values) for column in table.columns for values in column.chunks)


def conform(table: pa.Table, columns: Columns) -> pa.Table:
    """Bring a table to the columns' types and order.

    Args:
        table: of types that can become the columns'; what the columns lack must be null in it.
        columns: to bring it to; those that it lacks are null.
    """
    if not columns.types:
        return table_without_columns(table.num_rows)
    names = set(table.column_names)
    arrays = [
        _conform_chunks(table.column(field.name), field.type)
        if field.name in names
        else pa.nulls(table.num_rows, field.type)
        for field in columns.schema
    ]
    return pa.Table.from_arrays(arrays, schema=columns.schema)


def table_without_columns(rows: int) -> pa.Table:
    """Return a table that has rows in spite of having no columns."""
    return pa.table({"": pa.nulls(rows)}).select([])


def _conform_chunks(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if values.type == wanted:
        return values
    return pa.chunked_array([_conform(chunk, wanted) for chunk in values.chunks], wanted)


def _conform(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    found = values.type
    if found == wanted:
        return values
    if pa.types.is_null(found):
        return pa.nulls(len(values), wanted)
    if pa.types.is_struct(wanted):
        arrays = [
            _conform(values.field(place), member.type)
            if (place := found.get_field_index(member.name)) >= 0
            else pa.nulls(len(values), member.type)
            for member in wanted
        ]
        return pa.StructArray.from_arrays(arrays, fields=list(wanted), mask=values.is_null())
    if pa.types.is_list(wanted):
        items = _conform(values.values, wanted.value_type)
        return pa.ListArray.from_arrays(values.offsets, items, type=wanted, mask=values.is_null())
    if pa.types.is_map(wanted):
        items = _conform(values.items, wanted.item_type)
        return pa.MapArray.from_arrays(values.offsets, values.keys, items, type=wanted, mask=values.is_null())
    return values.cast(wanted)


def _is_odd(values: pa.Array) -> bool:
    if pa.types.is_floating(values.type):
        if values.null_count == len(values):
            return False
        span = pc.min_max(values)
        low, high = span["min"].as_py(), span["max"].as_py()
        # Comparing this way round is true for what is not a number, too.
        return not (low > -_EXACT and high < _EXACT) or not pc.all(pc.is_finite(values)).as_py()
    if pa.types.is_list(values.type):
        return _is_odd(values.values)
    if pa.types.is_struct(values.type):
        return any(map(_is_odd, values.flatten()))
    return False
