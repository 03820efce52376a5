"""A contract changed by hand: another type for a place, a map in place of an object, a column dropped.

Each function takes a contract and returns its next version; nothing is written here
(`SchemaContractStore.extend` takes such a function). Where a column changes the version has a higher
generation: output files of an older one are to be made anew from their input.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from glue_jobs.errors import SchemaChangeError
from glue_jobs.schema.column_names import RESERVED, fold, is_storable_name
from glue_jobs.schema.document import CHANGED_BY_HAND
from glue_jobs.schema.hints import NO_COLUMN, parse_type, type_text
from glue_jobs.schema.paths import ITEMS, VALUES, path_of, steps_of
from glue_jobs.schema.types import FLOAT64, JSON, ColumnType, Kind, map_of, struct_of
from lambda_ingest.contract.dates import utc_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from glue_jobs.schema.contract import SchemaContract

Steps = tuple[str, ...]


@dataclass(frozen=True)
class Author:
    """Who changes a contract, when, and what for.

    Attributes:
        by: the person, or what acts for them.
        reason: in their words.
        now: the instant, aware.
    """

    by: str
    reason: str
    now: datetime


def set_type(contract: SchemaContract, path: str, text: str, author: Author) -> SchemaContract:
    """Give a place a type, now where it has a column, else when it gets one.

    Args:
        contract: to change.
        path: of the place, such as `user.tags[].price`.
        text: the type, such as `decimal(12,2)`.
        author: of the change.

    Raises:
        SchemaChangeError: path or type is none, or the place has that type or can't have one.
    """
    steps = _steps(path)
    try:
        wanted = parse_type(text)
    except ValueError as error:
        raise SchemaChangeError(str(error)) from None
    found = find_type(contract.types, steps)
    if found == wanted or (found is None and contract.hints.get(path_of(steps)) == type_text(wanted)):
        raise SchemaChangeError(f"{path} is {type_text(wanted)} already; nothing was changed")
    if found is None:
        change = f"{type_text(wanted)} when it gets a column"
        return _changed(contract, contract.types, steps, type_text(wanted), change, author)
    types = replaced(contract.types, steps, lambda _: wanted)
    change = f"{type_text(found)} to {type_text(wanted)}"
    return _changed(contract, types, steps, type_text(wanted), change, author)


def to_map(
    contract: SchemaContract, path: str, author: Author, value_text: str | None = None
) -> SchemaContract:
    """Turn an object with members into a map.

    Args:
        contract: to change.
        path: of the object.
        author: of the change.
        value_text: the type of the map's values; where none is given, the one that all members have (numbers
            of both sorts are doubles), else JSON text.

    Raises:
        SchemaChangeError: the place is no object with members, or the type is none.
    """
    steps = _steps(path)
    found = find_type(contract.types, steps)
    if found is None or found.kind is not Kind.STRUCT:
        has = "has no column" if found is None else f"is {type_text(found)[:200]}"
        raise SchemaChangeError(f"{path} {has}, expected an object with members to turn into a map")
    if value_text is None:
        value_text = type_text(_common([member for _, member in found.members]))
    try:
        wanted = map_of(parse_type(value_text))
    except ValueError as error:
        raise SchemaChangeError(str(error)) from None
    types = replaced(contract.types, steps, lambda _: wanted)
    change = f"an object with {len(found.members)} members to {type_text(wanted)}"
    return _changed(contract, types, steps, type_text(wanted), change, author)


def drop(contract: SchemaContract, path: str, author: Author) -> SchemaContract:
    """Drop a column or a member; its values go to `_rescued`, and it does not come back by itself.

    Raises:
        SchemaChangeError: there is no such column or member, or it is the last member of its object.
    """
    steps = _steps(path)
    found = find_type(contract.types, steps)
    if found is None:
        raise SchemaChangeError(f"{path} has no column, expected one to drop")
    if steps[-1] in {ITEMS, VALUES}:
        raise SchemaChangeError(
            f"{path} are the items of a list or the values of a map, which can't be without; drop "
            f"{path_of(steps[:-1])} as a whole"
        )
    parent = find_type(contract.types, steps[:-1]) if len(steps) > 1 else None
    if parent is not None and len(parent.members) == 1:
        raise SchemaChangeError(
            f"{path} is the only member of {path_of(steps[:-1])}, which can't be without; drop that as a "
            "whole"
        )
    types = replaced(contract.types, steps, lambda _: None)
    return _changed(contract, types, steps, NO_COLUMN, f"{type_text(found)} dropped", author)


def keep_out(contract: SchemaContract, path: str, author: Author) -> SchemaContract:
    """Declare that a place without a column gets none; its values go to `_rescued`.

    Raises:
        SchemaChangeError: it has a column, which `drop` takes, or is kept out already.
    """
    steps = _steps(path)
    if find_type(contract.types, steps) is not None:
        raise SchemaChangeError(f"{path} has a column, expected a place without one; drop it instead")
    if contract.hints.get(path_of(steps)) == NO_COLUMN:
        raise SchemaChangeError(f"{path} gets no column already; nothing was changed")
    return _changed(contract, contract.types, steps, NO_COLUMN, "gets no column", author)


def clear_hint(contract: SchemaContract, path: str, author: Author) -> SchemaContract:
    """Take a hint back, so that a place without a column gets one as its values are; columns stay.

    Raises:
        SchemaChangeError: there is no such hint.
    """
    steps = _steps(path)
    if path_of(steps) not in contract.hints:
        raise SchemaChangeError(f"{path} has no hint, expected one of {', '.join(contract.hints) or 'none'}")
    hint = contract.hints[path_of(steps)]
    return _changed(contract, contract.types, steps, None, f"hint {hint} taken back", author)


def _changed(
    contract: SchemaContract,
    types: Mapping[str, ColumnType],
    steps: Steps,
    hint: str | None,
    change: str,
    author: Author,
) -> SchemaContract:
    for name in ("by", "reason"):
        if not getattr(author, name).strip():
            raise SchemaChangeError(f"a change by hand needs {name!r}, which the contract keeps")
    path = path_of(steps)
    # Hints for places inside go: they were for what the place held.
    hints = {each: text for each, text in contract.hints.items() if steps_of(each)[: len(steps)] != steps} | (
        {} if hint is None else {path: hint}
    )
    entry = {
        "version": contract.version + 1,
        "kind": CHANGED_BY_HAND,
        "written_at": utc_timestamp(author.now),
        "path": path,
        "change": change,
        "by": author.by,
        "reason": author.reason,
    }
    return replace(
        contract,
        types=dict(types),
        version=contract.version + 1,
        history=(*contract.history, entry),
        hints=hints,
        generation=contract.generation + (types is not contract.types),
    )


def _steps(path: str) -> Steps:
    try:
        steps = steps_of(path)
    except ValueError as error:
        raise SchemaChangeError(str(error)) from None
    for name in (step[1:] for step in steps if step.startswith(".")):
        if not is_storable_name(name):
            raise SchemaChangeError(f"{path!r} has the name {name!r}, which no column can bear")
    if fold(steps[0][1:]) in RESERVED:
        raise SchemaChangeError(f"{path} is a column that the job itself adds")
    return steps


def find_type(types: Mapping[str, ColumnType], steps: Steps) -> ColumnType | None:
    """Return the type of a place; None where it has no column yet.

    Raises:
        SchemaChangeError: what is above the place can't have it.
    """
    found = types.get(steps[0][1:])
    for count, step in enumerate(steps[1:], start=1):
        if found is None:
            return None
        kind = {ITEMS: Kind.LIST, VALUES: Kind.MAP}.get(step, Kind.STRUCT)
        if found.kind is not kind:
            wanted = {Kind.LIST: "a list", Kind.MAP: "a map"}.get(kind, "an object with members")
            raise SchemaChangeError(
                f"{path_of(steps[:count])} is {type_text(found)[:200]}, and {path_of(steps)} needs it to be "
                f"{wanted}"
            )
        found = found.by_name.get(step[1:]) if kind is Kind.STRUCT else found.item
    return found


def replaced(
    types: Mapping[str, ColumnType], steps: Steps, change: Callable[[ColumnType], ColumnType | None]
) -> dict[str, ColumnType]:
    """Return members with another type for a place below them, in their order."""
    name = steps[0][1:]
    found = _inside(types[name], steps[1:], change)
    return {
        each: column
        for each, column in ((each, found if each == name else types[each]) for each in types)
        if column is not None
    }


def _inside(
    column: ColumnType, steps: Steps, change: Callable[[ColumnType], ColumnType | None]
) -> ColumnType | None:
    if not steps:
        return change(column)
    if column.kind is Kind.STRUCT:
        return struct_of(replaced(column.by_name, steps, change))
    assert column.item is not None, "the place was found"
    item = _inside(column.item, steps[1:], change)
    return None if item is None else ColumnType(column.kind, item=item)


def _common(types: list[ColumnType]) -> ColumnType:
    """Return the type that holds the values of all; JSON text where there is none."""
    found = types[0]
    for other in types[1:]:
        merged = _merged(found, other)
        if merged is None:
            return JSON
        found = merged
    return found


def _merged(one: ColumnType, other: ColumnType) -> ColumnType | None:
    if one == other:
        return one
    if {one.kind, other.kind} == {Kind.INT64, Kind.FLOAT64}:
        return FLOAT64
    if one.kind is not other.kind:
        return None
    if one.item is not None and other.item is not None:
        item = _merged(one.item, other.item)
        return None if item is None else ColumnType(one.kind, item=item)
    return _merged_structs(one, other) if one.kind is Kind.STRUCT else None


def _merged_structs(one: ColumnType, other: ColumnType) -> ColumnType | None:
    members = dict(one.members)
    for name, member in other.members:
        known = members.get(name)
        if known is None and fold(name) in map(fold, members):
            return None
        merged = member if known is None else _merged(known, member)
        if merged is None:
            return None
        members[name] = merged
    return struct_of(members)
