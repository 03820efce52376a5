"""Types of columns: what was seen, what is asked of the parser, what Parquet stores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from glue_jobs.errors import ReservedColumnError, SchemaConflictError

PROCESSING_TIMESTAMP: Final = "_processing_timestamp"
SOURCE_FILE: Final = "_source_file"
RESERVED_COLUMNS: Final = frozenset({PROCESSING_TIMESTAMP, SOURCE_FILE})
ADDED_FIELDS: Final = (
    pa.field(PROCESSING_TIMESTAMP, pa.timestamp("us", tz="UTC")),
    pa.field(SOURCE_FILE, pa.string()),
)


class TypesConflictError(Exception):
    """Two types have no common one.

    Attributes:
        column: the path of the column, such as `user.tags[]`.
        known: the type seen before.
        found: the type seen now.
    """

    def __init__(self, column: str, known: pa.DataType, found: pa.DataType) -> None:
        super().__init__(f"column {column!r} is {known} and {found}")
        self.column = column
        self.known = known
        self.found = found


def unify_types(column: str, known: pa.DataType, found: pa.DataType) -> pa.DataType:
    """Return the type that holds values of both.

    Args:
        column: the path for the error.
        known: the type seen before.
        found: the type seen now.

    Raises:
        TypesConflictError: there is none.
    """
    if known == found or pa.types.is_null(found):
        return known
    if pa.types.is_null(known):
        return found
    if {known, found} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if pa.types.is_list(known) and pa.types.is_list(found):
        return pa.list_(unify_types(f"{column}[]", known.value_type, found.value_type))
    if pa.types.is_struct(known) and pa.types.is_struct(found):
        fields = {member.name: member.type for member in known}
        for member in found:
            fields[member.name] = unify_types(
                f"{column}.{member.name}", fields.get(member.name, pa.null()), member.type
            )
        return pa.struct(list(fields.items()))
    raise TypesConflictError(column, known, found)


@dataclass
class LearnedSchema:
    """The columns seen so far, and which file gave each its type.

    Types are those of the values alone: a column without any value is `null`, an object without any field is
    an empty `struct`.

    Attributes:
        types: column to type, in order of first sight.
        origins: column to the URI of the file that gave its type.
    """

    types: dict[str, pa.DataType] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> pa.Schema:
        """The columns as an Arrow schema."""
        return pa.schema(list(self.types.items()))

    def learn(self, found: pa.Schema, origins: str | Mapping[str, str]) -> bool:
        """Take in the columns of one table.

        Args:
            found: its schema, text as text.
            origins: the URI of its file, or of each column's file.

        Returns:
            Whether anything is new.

        Raises:
            SchemaConflictError: a column's types have no common one; the message names both files.
            ReservedColumnError: a column bears a name that the conversion adds.
        """
        widened = False
        for column in found:
            origin = origins if isinstance(origins, str) else origins[column.name]
            if column.name in RESERVED_COLUMNS:
                raise ReservedColumnError(
                    f"column {column.name!r} of {origin} bears the name of a column that the "
                    "conversion adds; rename it in the input"
                )
            known = self.types.get(column.name)
            try:
                unified = column.type if known is None else unify_types(column.name, known, column.type)
            except TypesConflictError as conflict:
                raise SchemaConflictError(
                    f"column {conflict.column!r} is {conflict.known} in {self.origins[column.name]} but "
                    f"{conflict.found} in {origin}; make the producer write one type"
                ) from conflict
            if unified != known:
                self.types[column.name] = unified
                self.origins[column.name] = origin
                widened = True
        return widened


def text_stays_text(schema: pa.Schema) -> pa.Schema:
    """Return the schema with every timestamp, nested ones too, as string.

    JSON has no timestamps: where the parser shows one, it read it from text.
    """
    return _map_schema(schema, _timestamp_as_text)


def nulls_as_text(schema: pa.Schema) -> pa.Schema:
    """Return the schema with string in place of null, however deep: it may be asked of the parser."""
    return _map_schema(schema, lambda data_type: pa.string() if pa.types.is_null(data_type) else data_type)


def retyped(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Take back `nulls_as_text` in values that were read with it.

    Args:
        values: where `wanted` says null, without any value.
        wanted: the type without that change.
    """
    if values.type == wanted:
        return values
    if pa.types.is_null(wanted):
        return pa.nulls(len(values))
    if pa.types.is_list(wanted):
        items = retyped(values.values, wanted.value_type)
        return pa.ListArray.from_arrays(values.offsets, items, mask=values.is_null())
    members = [retyped(values.field(member.name), member.type) for member in wanted]
    return pa.StructArray.from_arrays(members, fields=list(wanted), mask=values.is_null())


def parse_hint(schema: pa.Schema) -> pa.Schema:
    """Return what may be asked of the parser in advance.

    A column or field without any value so far is left out: the parser would refuse its first value.
    """
    return pa.schema([column for column in _map_schema(schema, _without_nulls) if _has_values(column.type)])


def storable(schema: pa.Schema) -> pa.Schema:
    """Return the schema as Parquet holds it.

    A column without any value becomes string, since not every reader knows Parquet's null. An object without
    any field becomes string too, `{}`, since Parquet has no empty group.
    """
    return _map_schema(schema, _storable_type)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Bring a table to the columns and types of a storable schema that holds them.

    Args:
        table: text as text.
        schema: the result of `storable` over a schema that took in the table's.

    Raises:
        TypesConflictError: a whole number is too large to be exact among fractions.
    """
    names = set(table.column_names)
    columns = [
        _conform_column(column, table.column(column.name))
        if column.name in names
        else pa.nulls(table.num_rows, column.type)
        for column in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def contains(data_type: pa.DataType, test: Callable[[pa.DataType], bool]) -> bool:
    """Return whether the type or one inside it passes the test."""
    return test(data_type) or any(
        contains(data_type.field(index).type, test) for index in range(data_type.num_fields)
    )


def same_columns(left: pa.Schema, right: pa.Schema) -> bool:
    """Return whether both have the same columns of the same types, in whatever order."""
    return {column.name: column.type for column in left} == {column.name: column.type for column in right}


def _conform_column(column: pa.Field, values: pa.ChunkedArray) -> pa.ChunkedArray:
    if values.type == column.type:
        return values
    if contains(values.type, _is_empty_struct):
        values = pa.chunked_array([_empty_objects_as_text(chunk, column.type) for chunk in values.chunks])
    try:
        return values.cast(column.type)
    except pa.ArrowInvalid:
        # Arrow's own message shows the value. Of the casts that follow from unify_types, this one can fail.
        raise TypesConflictError(column.name, pa.int64(), pa.float64()) from None


def _empty_objects_as_text(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    if _is_empty_struct(values.type) and pa.types.is_string(wanted):
        return pc.if_else(values.is_valid(), pa.scalar("{}"), pa.scalar(None, pa.string()))
    if pa.types.is_list(values.type):
        items = _empty_objects_as_text(values.values, wanted.value_type)
        return pa.ListArray.from_arrays(values.offsets, items, mask=values.is_null())
    if pa.types.is_struct(values.type) and values.type.num_fields:
        names = [member.name for member in values.type]
        members = [
            _empty_objects_as_text(values.field(name), wanted.field(wanted.get_field_index(name)).type)
            for name in names
        ]
        return pa.StructArray.from_arrays(members, names=names, mask=values.is_null())
    return values


def _map_schema(schema: pa.Schema, change: Callable[[pa.DataType], pa.DataType]) -> pa.Schema:
    return pa.schema([(column.name, _map_type(column.type, change)) for column in schema])


def _map_type(data_type: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    if pa.types.is_list(data_type):
        data_type = pa.list_(_map_type(data_type.value_type, change))
    elif pa.types.is_struct(data_type):
        data_type = pa.struct([(member.name, _map_type(member.type, change)) for member in data_type])
    return change(data_type)


def _timestamp_as_text(data_type: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_timestamp(data_type) else data_type


def _storable_type(data_type: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_null(data_type) or _is_empty_struct(data_type) else data_type


def _without_nulls(data_type: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(data_type):
        return pa.struct([member for member in data_type if _has_values(member.type)])
    return data_type


def _has_values(data_type: pa.DataType) -> bool:
    if pa.types.is_list(data_type):
        return _has_values(data_type.value_type)
    return not pa.types.is_null(data_type)


def _is_empty_struct(data_type: Any) -> bool:
    return bool(pa.types.is_struct(data_type) and data_type.num_fields == 0)
