"""Arrow's JSON parser, without its surprises."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.json as pj

from glue_jobs.schema.columns import contains

if TYPE_CHECKING:
    from collections.abc import Callable

    from glue_jobs.schema.columns import Columns

_IN_ROW: Final = re.compile(r"in row (\d+)$")
_IN_COLUMN: Final = re.compile(r"Column\(/(.*)\) (?:changed|was)", re.DOTALL)


@dataclass(frozen=True)
class Refusal:
    """Why the parser does not take a block.

    Attributes:
        row: the first bad one, from 0; None where the parser does not say.
        path: the column at which types clash, names joined by slashes; None where it is something else.
    """

    row: int | None
    path: str | None


def read_records(data: bytes, columns: Columns) -> pa.Table | Refusal:
    """Read a block, with the columns' types where they fit all of it."""
    result = read_block(data, columns.schema)
    if isinstance(result, Refusal) and result.row is None:
        # A number that is no whole one, in a column of those: which, is seen when all are doubles.
        result = read_block(data, columns.without_whole_numbers)
    return result


def read_block(data: bytes, expected: pa.Schema) -> pa.Table | Refusal:
    """Parse a block of records.

    Args:
        data: whole lines.
        expected: types of columns, none of them null; columns beyond are inferred, text as text.

    Returns:
        The table, of one chunk; a column without values is null.
    """
    try:
        table = _read(data, expected, "infer")
        return _read_again(data, table.schema) if _is_misread(table) else table
    except pa.ArrowInvalid as error:
        return _refusal(error)


def check_block(data: bytes, expected: pa.Schema) -> Refusal | None:
    """Find the first line of a block that is no JSON, or whose types clash with some columns.

    Several times as fast as reading, since nothing else is built.

    Args:
        data: whole lines.
        expected: the columns to look at.
    """
    try:
        _read(data, expected, "ignore")
    except pa.ArrowInvalid as error:
        return _refusal(error)
    return None


def _read(data: bytes, expected: pa.Schema, unexpected: str) -> pa.Table:
    return pj.read_json(
        pa.BufferReader(data),
        # One block, so that no line is ever cut; one thread, since Spark fills the cores.
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(explicit_schema=expected, unexpected_field_behavior=unexpected),
    )


def _refusal(error: pa.ArrowInvalid) -> Refusal:
    message = str(error)
    row, path = _IN_ROW.search(message), _IN_COLUMN.search(message)
    return Refusal(int(row[1]) if row else None, path[1] if path else None)


def _is_misread(table: pa.Table) -> bool:
    """Return whether inferring types spoiled values: text became timestamps, or lists lost nulls.

    A list that begins with null loses it where its type is inferred (apache/arrow 47417, 51305); its values
    are then fewer than its offsets say, which validating sees.
    """
    if any(contains(column.type, pa.types.is_timestamp) for column in table.schema):
        return True
    try:
        table.validate()
    except pa.ArrowInvalid:
        return True
    return False


def _read_again(data: bytes, inferred: pa.Schema) -> pa.Table:
    """Read with all types given, which spoils nothing; what has no values keeps the type that says so."""
    # JSON has no timestamps: where the parser shows one, it read it from text.
    wanted = _map_schema(inferred, lambda found: pa.string() if pa.types.is_timestamp(found) else found)
    asked = _map_schema(wanted, lambda found: pa.string() if pa.types.is_null(found) else found)
    table = _read(data, asked, "infer")
    columns = [
        pa.chunked_array([_nulls_again(chunk, column.type) for chunk in values.chunks], column.type)
        for column, values in zip(wanted, table.select(wanted.names).columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=wanted) if columns else table


def _nulls_again(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    if values.type == wanted:
        return values
    if pa.types.is_null(wanted):
        return pa.nulls(len(values))
    if pa.types.is_list(wanted):
        items = _nulls_again(values.values, wanted.value_type)
        return pa.ListArray.from_arrays(values.offsets, items, mask=values.is_null())
    members = [_nulls_again(values.field(member.name), member.type) for member in wanted]
    return pa.StructArray.from_arrays(members, fields=list(wanted), mask=values.is_null())


def _map_schema(schema: pa.Schema, change: Callable[[pa.DataType], pa.DataType]) -> pa.Schema:
    return pa.schema([(column.name, _map_type(column.type, change)) for column in schema])


def _map_type(data_type: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    if pa.types.is_list(data_type):
        data_type = pa.list_(_map_type(data_type.value_type, change))
    elif pa.types.is_struct(data_type):
        data_type = pa.struct([(member.name, _map_type(member.type, change)) for member in data_type])
    return change(data_type)
