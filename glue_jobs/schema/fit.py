"""Parsed tables held against columns: which rows do not fit, and the rest brought to their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from glue_jobs.schema.scalars import EXACT_DOUBLE

if TYPE_CHECKING:
    from glue_jobs.schema.columns import Columns

_EXACT: Final = float(EXACT_DOUBLE)


def misfits(table: pa.Table, columns: Columns) -> list[int]:
    """Return the rows with a value that its column may not hold, or that has no column.

    More rows than that may be named, never fewer.

    Args:
        table: as the parser gives it.
        columns: to hold it against.
    """
    masks = []
    for name in table.column_names:
        mask = _misfits(table.column(name).combine_chunks(), columns.types.get(name))
        if mask is not None:
            masks.append(mask)
    rows: set[int] = set()
    for mask in masks:
        rows.update(pc.indices_nonzero(mask.fill_null(False)).to_pylist())
    return sorted(rows)


def has_odd_doubles(table: pa.Table) -> bool:
    """Return whether a double at any depth is none that JSON has, or so large that it may stand for another.

    Whole numbers beyond 2^53 are rounded without a word where their column holds doubles.
    """
    return any(_is_odd(values) for column in table.columns for values in column.chunks)


def conform(table: pa.Table, columns: Columns) -> pa.Table:
    """Bring a table without misfits to the columns' types and order; columns that it lacks are null."""
    names = set(table.column_names)
    arrays = [
        _conform(table.column(name), data_type) if name in names else pa.nulls(table.num_rows, data_type)
        for name, data_type in columns.types.items()
    ]
    if not arrays:
        # A table without columns would lose its rows.
        return pa.table({"": pa.nulls(table.num_rows)}).select([])
    return pa.Table.from_arrays(arrays, schema=columns.schema)


def _conform(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    return values if values.type == wanted else values.cast(wanted)


def _misfits(values: pa.Array, wanted: pa.DataType | None) -> pa.BooleanArray | None:
    """Return a mask of the rows that do not fit; None where all do."""
    found = values.type
    if found == wanted or values.null_count == len(values):
        return None
    if wanted is not None:
        if pa.types.is_float64(wanted) and pa.types.is_int64(found):
            return _some(pc.or_(pc.less(values, -EXACT_DOUBLE), pc.greater(values, EXACT_DOUBLE)))
        if pa.types.is_int64(wanted) and pa.types.is_float64(found):
            small = pc.and_(pc.greater(values, -_EXACT), pc.less(values, _EXACT))
            return _some(pc.invert(pc.and_(small, pc.equal(pc.floor(values), values))))
        if pa.types.is_list(wanted) and pa.types.is_list(found):
            # Which of the lists it is matters little: their lines are looked at one by one.
            return None if _misfits(values.flatten(), wanted.value_type) is None else values.is_valid()
        if pa.types.is_struct(wanted) and pa.types.is_struct(found):
            return _misfits_of_members(values, {member.name: member.type for member in wanted})
    return values.is_valid()


def _misfits_of_members(values: pa.StructArray, wanted: dict[str, pa.DataType]) -> pa.BooleanArray | None:
    masks = [
        _misfits(member, wanted.get(kind.name))
        for kind, member in zip(values.type, values.flatten(), strict=True)
    ]
    found = [mask.fill_null(False) for mask in masks if mask is not None]
    if not found:
        return None
    mask = found[0]
    for other in found[1:]:
        mask = pc.or_(mask, other)
    return mask


def _some(mask: pa.BooleanArray) -> pa.BooleanArray | None:
    return mask if pc.any(mask).as_py() else None


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
