"""What differs between two versions of a schema contract; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.hints import type_text
from glue_jobs.schema.paths import ITEMS, VALUES, member_path
from glue_jobs.schema.types import ColumnType, Kind


class Difference(StrEnum):
    """What became of a place."""

    ADDED = "added"
    CHANGED = "changed"
    DROPPED = "dropped"
    HINT = "hint"


@dataclass(frozen=True)
class Differing:
    """A place that is not the same in both.

    Attributes:
        what: became of it.
        path: of the place.
        before: its type, or its hint; None where it had none.
        after: likewise.
    """

    what: Difference
    path: str
    before: str | None
    after: str | None


def differences(one: SchemaContract, other: SchemaContract) -> list[Differing]:
    """Return what differs, columns first, in the order of the later version."""
    found = list(_of_members(one.types, other.types, ""))
    if one.has_rescued != other.has_rescued:
        what = Difference.ADDED if other.has_rescued else Difference.DROPPED
        texts = ("string", None) if one.has_rescued else (None, "string")
        found.append(Differing(what, "_rescued", *texts))
    for path in {**one.hints, **other.hints}:
        before, after = one.hints.get(path), other.hints.get(path)
        if before != after:
            found.append(Differing(Difference.HINT, path, before, after))
    return found


def _of_members(
    one: Mapping[str, ColumnType], other: Mapping[str, ColumnType], parent: str
) -> Iterator[Differing]:
    for name in {**other, **one}:
        path = member_path(parent, name)
        before, after = one.get(name), other.get(name)
        if before is None:
            assert after is not None, "the name is of one of them"
            yield Differing(Difference.ADDED, path, None, type_text(after))
        elif after is None:
            yield Differing(Difference.DROPPED, path, type_text(before), None)
        else:
            yield from _of_types(before, after, path)


def _of_types(before: ColumnType, after: ColumnType, path: str) -> Iterator[Differing]:
    if before == after:
        return
    if before.kind is after.kind is Kind.STRUCT:
        yield from _of_members(before.by_name, after.by_name, path)
    elif before.kind is after.kind and before.item is not None and after.item is not None:
        yield from _of_types(before.item, after.item, path + (ITEMS if after.kind is Kind.LIST else VALUES))
    else:
        yield Differing(Difference.CHANGED, path, type_text(before), type_text(after))
