"""The columns that values may go to: their names, their types."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glue_jobs.schema.column_names import RESERVED, fold
from glue_jobs.schema.limits import SchemaLimits
from glue_jobs.schema.paths import member_path
from glue_jobs.schema.types import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from glue_jobs.schema.hints import Hints
    from glue_jobs.schema.types import ColumnType


@dataclass(frozen=True)
class Columns:
    """Columns with types that hold their values; immutable.

    Attributes:
        types: column to type, in the order of the output.
        accepts_new: whether further columns, or members of objects, may come.
        limits: of what may come.
        hints: types that places get when they get a column.
        growing: paths of objects that gained names run after run (`growth.growing_places`).
    """

    types: Mapping[str, ColumnType] = field(default_factory=dict)
    accepts_new: bool = True
    limits: SchemaLimits = field(default_factory=SchemaLimits)
    hints: Hints | None = None
    growing: frozenset[str] = frozenset()

    def final(self, types: Mapping[str, ColumnType]) -> Columns:
        """Return these columns with other types, to which nothing comes any more."""
        return Columns(types, accepts_new=False, limits=self.limits, hints=self.hints)

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The columns as an Arrow schema."""
        # Whoever reads or changes a contract needs no Arrow; the code location has none.
        import pyarrow as pa  # noqa: PLC0415

        return pa.schema([(name, column.arrow) for name, column in self.types.items()])

    @functools.cached_property
    def leaves(self) -> int:
        """How many columns Parquet makes of them."""
        return sum(map(leaf_count, self.types.values()))

    def changed_names(self, other: Columns) -> set[str]:
        """Return the names, folded, of columns that only one of two has, or with another type."""
        names = self.types.keys() | other.types.keys()
        return {fold(name) for name in names if self.types.get(name) != other.types.get(name)}


def names_without_hope(
    record: Mapping[str, Any], types: Mapping[str, ColumnType], path: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield path of the object and name of each member that no count makes a column.

    Readers would take it for a member that is there, or for one of the job's own columns.

    Args:
        record: an object of the input.
        types: of its members, none of which ever goes.
        path: of the object; empty for the record.
    """
    taken: frozenset[str] | None = None
    for name, value in record.items():
        column = types.get(name)
        if column is None:
            if taken is None:
                taken = frozenset(map(fold, types)) | (frozenset() if path else RESERVED)
            if fold(name) in taken:
                yield path, name
        elif column.kind is Kind.STRUCT and isinstance(value, dict):
            yield from names_without_hope(value, column.by_name, member_path(path, name))


def leaf_count(column: ColumnType) -> int:
    """Return how many columns Parquet makes of a type; keys of a map are one."""
    if column.kind is Kind.STRUCT:
        return sum(leaf_count(member) for _, member in column.members)
    if column.item is None:
        return 1
    return leaf_count(column.item) + (column.kind is Kind.MAP)


def holds(wide: ColumnType, narrow: ColumnType) -> bool:
    """Return whether a type has all of another: the same, but for members that the other lacks."""
    if wide is narrow or wide == narrow:
        return True
    if wide.kind is not narrow.kind:
        return False
    if wide.kind is Kind.STRUCT:
        return all(
            (member := wide.by_name.get(name)) is not None and holds(member, found)
            for name, found in narrow.members
        )
    return wide.item is not None and narrow.item is not None and holds(wide.item, narrow.item)
