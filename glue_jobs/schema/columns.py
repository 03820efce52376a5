"""The columns that values may go to: their names, their types."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from glue_jobs.schema.scalars import is_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PROCESSING_TIMESTAMP: Final = "_processing_timestamp"
SOURCE_FILE: Final = "_source_file"
RESCUED: Final = "_rescued"
# Deeper values go to `_rescued`: engines walk a type recursively.
MAX_DEPTH: Final = 32


def fold(name: str) -> str:
    """Return what names that Athena and Spark take for the same have in common.

    Both compare names without case, character by character, as Java's `equalsIgnoreCase` does.
    """
    if name.isascii():
        return name.lower()
    return "".join((upper if len(upper := letter.upper()) == 1 else letter).lower()[0] for letter in name)


RESERVED: Final = frozenset(map(fold, (PROCESSING_TIMESTAMP, SOURCE_FILE, RESCUED)))


def is_storable_name(name: str) -> bool:
    """Return whether a column may bear the name.

    Lone surrogates have no UTF-8, DuckDB takes an object whose member has no name for a tuple, and a name
    that goes through C ends at its first NUL.
    """
    return bool(name) and "\0" not in name and is_text(name)


@dataclass(frozen=True)
class Shape:
    """A type, in the form that Python values are held against.

    Attributes:
        type: the Arrow type.
        item: of a list, the shape of its items.
        members: of an object, those by name.
        taken: names that no further member may have, folded.
    """

    type: pa.DataType
    item: Shape | None = None
    members: Mapping[str, Shape] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()

    def accepts(self, name: str) -> bool:
        """Return whether an object of this shape may gain a member of that name."""
        return fold(name) not in self.taken and is_storable_name(name)


def _shape_of(data_type: pa.DataType) -> Shape:
    """Return the shape of a column's type."""
    if pa.types.is_list(data_type):
        return Shape(data_type, item=_shape_of(data_type.value_type))
    if pa.types.is_struct(data_type):
        return _object_shape(data_type, frozenset())
    return Shape(data_type)


def _object_shape(data_type: pa.DataType, reserved: frozenset[str]) -> Shape:
    members = {member.name: _shape_of(member.type) for member in data_type}
    return Shape(data_type, members=members, taken=reserved | frozenset(map(fold, members)))


@dataclass(frozen=True)
class Columns:
    """Columns with types that hold their values; immutable.

    Attributes:
        types: column to type, in the order of the output. No type is null, nor holds null or an empty struct.
        accepts_new: whether further columns, or members of objects, may come.
    """

    types: Mapping[str, pa.DataType] = field(default_factory=dict)
    accepts_new: bool = True

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The columns as an Arrow schema."""
        return pa.schema(list(self.types.items()))

    @functools.cached_property
    def without_whole_numbers(self) -> pa.Schema:
        """The schema without whole numbers at any depth: the parser finds out itself what they are."""
        found = ((name, _without_whole_numbers(data_type)) for name, data_type in self.types.items())
        return pa.schema([(name, data_type) for name, data_type in found if data_type is not None])

    @functools.cached_property
    def shape(self) -> Shape:
        """The shape of a record."""
        return _object_shape(pa.struct(list(self.types.items())), RESERVED)

    def changed_names(self, other: Columns) -> set[str]:
        """Return the names, folded, of columns that only one of two has, or with another type."""
        names = self.types.keys() | other.types.keys()
        return {fold(name) for name in names if self.types.get(name) != other.types.get(name)}

    def narrowed(self, names: Iterable[str]) -> pa.Schema:
        """Return the schema of some columns, with types that any number fits."""
        return pa.schema([(name, _any_number(self.types[name])) for name in names])


def contains(data_type: pa.DataType, test: Callable[[pa.DataType], bool]) -> bool:
    """Return whether the type or one inside it passes the test."""
    return test(data_type) or any(
        contains(data_type.field(index).type, test) for index in range(data_type.num_fields)
    )


def _without_whole_numbers(data_type: pa.DataType) -> pa.DataType | None:
    if pa.types.is_int64(data_type):
        return None
    if pa.types.is_list(data_type):
        item = _without_whole_numbers(data_type.value_type)
        return None if item is None else pa.list_(item)
    if pa.types.is_struct(data_type):
        members = ((member.name, _without_whole_numbers(member.type)) for member in data_type)
        return pa.struct([(name, member) for name, member in members if member is not None])
    return data_type


def _any_number(data_type: pa.DataType) -> pa.DataType:
    if pa.types.is_int64(data_type):
        return pa.float64()
    if pa.types.is_list(data_type):
        return pa.list_(_any_number(data_type.value_type))
    if pa.types.is_struct(data_type):
        return pa.struct([(member.name, _any_number(member.type)) for member in data_type])
    return data_type
