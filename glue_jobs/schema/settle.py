"""Types of columns from what was seen of their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from glue_jobs.schema.columns import MAX_DEPTH, RESERVED, fold, is_storable_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from glue_jobs.schema.observed import Observed

# Of each object. More come from names that are data, such as ids, and no reader copes with them as columns.
MAX_MEMBERS: Final = 2000


def settle_columns(known: Mapping[str, pa.DataType], seen: Observed) -> dict[str, pa.DataType]:
    """Return known columns as they are, with new ones after them.

    The result does not depend on the order in which values were seen. Known types never change; objects in
    them may gain members.

    Args:
        known: column to settled type.
        seen: of records.
    """
    return _settle_members(known, seen, RESERVED, 1)


def _settle_members(
    known: Mapping[str, pa.DataType], seen: Observed, reserved: frozenset[str], depth: int
) -> dict[str, pa.DataType]:
    settled = {
        name: _extended(data_type, seen.members[name], depth + 1) if name in seen.members else data_type
        for name, data_type in known.items()
    }
    taken = reserved | frozenset(map(fold, known))
    spellings: dict[str, str] = {}
    types: dict[str, pa.DataType] = {}
    for name, member in seen.members.items():
        if name in known or not is_storable_name(name) or fold(name) in taken:
            continue
        data_type = _settled(member, depth + 1)
        if data_type is None:
            continue
        types[name] = data_type
        # Of spellings that readers take for one name, that of most values is the column.
        rival = spellings.setdefault(fold(name), name)
        spellings[fold(name)] = min(
            (rival, name), key=lambda spelling: (-seen.members[spelling].values, spelling)
        )
    chosen = set(spellings.values())
    room = max(0, MAX_MEMBERS - len(known))
    if len(chosen) > room:
        chosen = set(sorted(chosen, key=lambda name: (-seen.members[name].values, name))[:room])
    # By name, so that parts that saw the same columns have them in the same order.
    settled.update((name, types[name]) for name in sorted(chosen))
    return settled


def _extended(known: pa.DataType, seen: Observed, depth: int) -> pa.DataType:
    """Return a known type, with the members that its objects gained."""
    if pa.types.is_list(known) and seen.items is not None:
        return pa.list_(_extended(known.value_type, seen.items, depth + 1))
    if pa.types.is_struct(known):
        members = {member.name: member.type for member in known}
        return pa.struct(list(_settle_members(members, seen, frozenset(), depth).items()))
    return known


def _settled(seen: Observed, depth: int) -> pa.DataType | None:
    """Return the type of most values; None where no value says one, or all are nested too deep.

    Of kinds with as many values, the first of text, object, list, number, boolean.
    """
    if depth > MAX_DEPTH:
        return None
    # Numbers widen only while every value stays exact; otherwise whole numbers are the ones that must.
    number = pa.float64() if seen.has_double and not seen.has_large else pa.int64()
    kinds: tuple[tuple[int, Callable[[], pa.DataType | None]], ...] = (
        (seen.texts, pa.string),
        (seen.objects, lambda: _settled_object(seen, depth)),
        (seen.lists, lambda: _settled_list(seen, depth)),
        (seen.numbers, lambda: number),
        (seen.booleans, pa.bool_),
    )
    for count, data_type in sorted(kinds, key=lambda kind: -kind[0]):
        found = data_type() if count else None
        if found is not None:
            return found
    return None


def _settled_object(seen: Observed, depth: int) -> pa.DataType | None:
    members = _settle_members({}, seen, frozenset(), depth)
    return pa.struct(list(members.items())) if members else None


def _settled_list(seen: Observed, depth: int) -> pa.DataType | None:
    item = None if seen.items is None else _settled(seen.items, depth + 1)
    return None if item is None else pa.list_(item)
