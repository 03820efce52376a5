"""Types without some of their leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glue_jobs.schema.paths import ITEMS, VALUES
from glue_jobs.schema.types import ColumnType, Kind, struct_of

if TYPE_CHECKING:
    from collections.abc import Mapping

Steps = tuple[str, ...]


def without_leaves(
    types: Mapping[str, ColumnType], steps: Steps, refused: set[Steps]
) -> dict[str, ColumnType]:
    """Return members without the leaves that are refused, and without what has none left.

    Args:
        types: of the members, by name.
        steps: of the path of what has them.
        refused: paths of the leaves, as steps.
    """
    found = {name: _without(column, (*steps, f".{name}"), refused) for name, column in types.items()}
    return {name: column for name, column in found.items() if column is not None}


def _without(column: ColumnType, steps: Steps, refused: set[Steps]) -> ColumnType | None:
    if steps in refused:
        return None
    if column.kind is Kind.STRUCT:
        members = without_leaves(column.by_name, steps, refused)
        if not members:
            return None
        return (
            column
            if len(members) == len(column.members)
            and all(members[name] is member for name, member in column.members)
            else struct_of(members)
        )
    if column.item is None:
        return column
    item = _without(column.item, (*steps, ITEMS if column.kind is Kind.LIST else VALUES), refused)
    if item is None:
        return None
    return column if item is column.item else ColumnType(column.kind, item=item)
