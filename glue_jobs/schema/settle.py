"""Types of columns from what was seen of their values, within the schema's bounds."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from glue_jobs.schema.column_names import RESERVED, fold, is_storable_name
from glue_jobs.schema.columns import leaf_count
from glue_jobs.schema.limits import MAX_DEPTH, SchemaLimits
from glue_jobs.schema.name_shapes import is_spelled_like_a_value
from glue_jobs.schema.names import (
    Likeness,
    beyond_spelled,
    comes_again,
    is_admitted,
    look_like_data,
    look_like_data_at_the_top,
)
from glue_jobs.schema.paths import ITEMS, VALUES, path_of
from glue_jobs.schema.pruning import Steps, without_leaves
from glue_jobs.schema.types import (
    BOOLEAN,
    FLOAT64,
    INT64,
    JSON,
    STRING,
    ColumnType,
    Kind,
    list_of,
    map_of,
    struct_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glue_jobs.schema.hints import Hints
    from glue_jobs.schema.observed import Observed

# A map's values are of one kind where this share of them is; the others go to `_rescued`, key by key.
_ONE_KIND_SHARE: Final = 0.95
# Objects are alike where so many of their members, on average, are there.
_ALIKE_SHARE: Final = 0.5
# Once the schema is half full, of the records.
_NEEDED_SHARE: Final = 0.01
# Of what becomes no column, so many places are told.
_MOST_TOLD: Final = 200
NAMES_ARE_DATA: Final = "names that look like data"
OBJECT_IS_FULL: Final = "the object has as many members as --MAX_OBJECT_MEMBERS allows"
SCHEMA_IS_FULL: Final = "the schema has as many columns as --MAX_COLUMNS allows"
DROPPED: Final = "dropped by hand"
TOO_RARE: Final = "in less than 1 % of the records, and the schema is half full"


@dataclass(frozen=True)
class LeftWithout:
    """A place of the records that got no column.

    Attributes:
        path: its path; of names that are data, that of the object that has them.
        reason: why.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class Settled:
    """The columns that follow from what was seen.

    Attributes:
        types: known columns, then new ones.
        left_without: what got no column, the first some hundred.
        is_full: whether something got none because the schema's bounds are reached.
        data_places: paths of the objects whose further names look like data; the record's is empty.
        closed: paths of objects with names that get no column there, as long as bounds and hints stay.
        untyped: paths of objects to names of which no value says a type yet, or all are too deep.
        dropped: of the closed ones, those that a person dropped: no count brings them back.
    """

    types: dict[str, ColumnType]
    left_without: tuple[LeftWithout, ...] = ()
    is_full: bool = False
    data_places: frozenset[str] = frozenset()
    closed: frozenset[tuple[str, str]] = frozenset()
    untyped: Mapping[str, frozenset[str]] = field(default_factory=dict)
    dropped: frozenset[tuple[str, str]] = frozenset()


def settle_columns(
    known: Mapping[str, ColumnType],
    seen: Observed,
    limits: SchemaLimits | None = None,
    hints: Hints | None = None,
    growing: frozenset[str] = frozenset(),
) -> Settled:
    """Return known columns as they are, with new ones after them.

    The result does not depend on the order in which values were seen, as far as `Observed` does not. Known
    types never change; objects in them may gain members.

    Args:
        known: column to settled type.
        seen: of records.
        limits: of the whole schema; the defaults where none are given.
        hints: types that places get whatever their values are.
        growing: paths of objects that gain names run after run (`growth.growing_places`).
    """
    return _Settling(seen, limits or SchemaLimits(), hints, growing).run(known)


@dataclass
class _Settling:
    """One settling of columns.

    Attributes:
        seen: of records.
        limits: of the whole schema.
        hints: types that places get whatever their values are.
        growing: paths of objects that gain names run after run.
    """

    seen: Observed
    limits: SchemaLimits
    hints: Hints | None
    growing: frozenset[str]
    _new_leaves: dict[Steps, tuple[int, int]] = field(default_factory=dict)
    _left_without: dict[Steps, str] = field(default_factory=dict)
    _data_places: set[str] = field(default_factory=set)
    _is_full: bool = False
    _untyped: dict[str, set[str]] = field(default_factory=dict)

    def run(self, known: Mapping[str, ColumnType]) -> Settled:
        types = self._members(known, self.seen, (), 1, RESERVED)
        refused = self._beyond_bounds(sum(map(leaf_count, known.values())))
        if refused:
            types = without_leaves(types, (), refused)
        closed = {
            (path_of(steps[:-1]), steps[-1][1:])
            for steps, reason in self._left_without.items()
            if reason != NAMES_ARE_DATA and steps[-1].startswith(".")
        }
        told = [
            LeftWithout(path_of(steps), self._left_without[steps]) for steps in sorted(self._left_without)
        ]
        return Settled(
            types,
            tuple(told[:_MOST_TOLD]),
            self._is_full,
            frozenset(self._data_places),
            frozenset(closed),
            {path: frozenset(names) for path, names in self._untyped.items()},
            frozenset(
                (path_of(steps[:-1]), steps[-1][1:])
                for steps, reason in self._left_without.items()
                if reason == DROPPED and steps[-1].startswith(".")
            ),
        )

    def _beyond_bounds(self, known_leaves: int) -> set[Steps]:
        """Return new leaves for which the schema has no room: those of the fewest values."""
        used = known_leaves
        half = self.limits.max_columns / 2
        needed = self.seen.objects * _NEEDED_SHARE
        refused: set[Steps] = set()
        for steps in sorted(self._new_leaves, key=lambda steps: (-self._new_leaves[steps][0], steps)):
            values, leaves = self._new_leaves[steps]
            if used + leaves > self.limits.max_columns:
                reason = SCHEMA_IS_FULL
                self._is_full = True
            elif used + leaves > half and values < needed:
                reason = TOO_RARE
            else:
                used += leaves
                continue
            refused.add(steps)
            self._left_without[steps] = reason
        return refused

    def _members(
        self,
        known: Mapping[str, ColumnType],
        seen: Observed,
        steps: Steps,
        depth: int,
        reserved: frozenset[str] = frozenset(),
        is_struct: bool = False,
    ) -> dict[str, ColumnType]:
        """Return an object's members: known ones, maybe with new members of their own, and new ones.

        Args:
            known: its members so far.
            seen: of it.
            steps: of its path.
            depth: its level.
            reserved: names that no member may have.
            is_struct: whether it is new, and is to be a struct.
        """
        names = seen.names
        settled = {
            name: self._extended(column, names[name], (*steps, f".{name}"), depth + 1)
            if name in names
            else column
            for name, column in known.items()
        }
        if depth + 1 > MAX_DEPTH:
            return settled
        taken = reserved | frozenset(map(fold, known))
        candidates = [
            name
            for name, member in names.items()
            if name not in known
            and (member.values or member.unfit)
            and is_storable_name(name)
            and fold(name) not in taken
        ]
        # That the names of a new object are none of data is decided by then.
        chosen = candidates if is_struct else self._without_data(candidates, seen, steps, known)
        chosen = self._spellings(chosen, names)
        self._add_new(settled, chosen, seen, steps, depth)
        return settled

    def _without_data(
        self, candidates: list[str], seen: Observed, steps: Steps, known: Mapping[str, ColumnType]
    ) -> list[str]:
        """Return the names that are none of data, of an object that can't become a map."""
        counts = self._counts(candidates, seen, steps)
        objects = max(seen.objects, self.seen.objects)
        spelled = {name: count for name, count in counts.items() if is_spelled_like_a_value(name)}
        known_spelled = sum(map(is_spelled_like_a_value, known)) if spelled else 0
        data = beyond_spelled(known_spelled, spelled, objects, is_record=not steps)
        is_data = look_like_data_at_the_top(counts.values(), objects, seen.is_overfull)
        if is_data:
            data |= {name for name, count in counts.items() if not is_admitted(count, objects)}
        elif path_of(steps) in self.growing:
            data |= {name for name, count in counts.items() if not comes_again(count)}
        if not data and not is_data:
            return candidates
        self._data_places.add(path_of(steps))
        self._left_without[steps] = NAMES_ARE_DATA
        return [name for name in candidates if name not in data]

    def _counts(self, candidates: list[str], seen: Observed, steps: Steps) -> dict[str, int]:
        """Return how many values there are under each name that may be data."""
        return {
            name: seen.names[name].values
            for name in candidates
            if seen.names[name].values and not self._is_hinted((*steps, f".{name}"))
        }

    def _spellings(self, candidates: list[str], names: Mapping[str, Observed]) -> list[str]:
        """Return of names that readers take for one the spelling of most values."""
        spellings: dict[str, str] = {}
        for name in candidates:
            rival = spellings.setdefault(fold(name), name)
            spellings[fold(name)] = min(
                (rival, name), key=lambda spelling: (-names[spelling].values, spelling)
            )
        return list(spellings.values())

    def _add_new(
        self, settled: dict[str, ColumnType], chosen: list[str], seen: Observed, steps: Steps, depth: int
    ) -> None:
        room = max(0, self.limits.max_object_members - len(settled))
        found: dict[str, ColumnType] = {}
        # The names of most values first, so that those beyond the bound are never looked into.
        by_values = heapq.nsmallest(len(chosen), chosen, key=lambda name: (-seen.names[name].values, name))
        for name in by_values:
            member_steps = (*steps, f".{name}")
            if len(found) >= room:
                self._left_without[member_steps] = OBJECT_IS_FULL
                self._is_full = True
                continue
            column = self._place(seen.names[name], member_steps, depth + 1)
            if column is None:
                self._untyped.setdefault(path_of(steps), set()).add(name)
            else:
                found[name] = column
        # By name, so that parts that saw the same columns have them in the same order.
        settled.update((name, found[name]) for name in sorted(found))

    def _extended(self, known: ColumnType, seen: Observed, steps: Steps, depth: int) -> ColumnType:
        """Return a known type, with the members that its objects gained."""
        if known.kind is Kind.STRUCT:
            members = self._members(known.by_name, seen, steps, depth)
            return known if members == known.by_name else struct_of(members)
        if known.item is None:
            return known
        if known.kind is Kind.LIST:
            inner, step = seen.items, ITEMS
        else:
            inner, step = seen.merged_values() if seen.names or seen.others else None, VALUES
        if inner is None:
            return known
        item = self._extended(known.item, inner, (*steps, step), depth + 1)
        return known if item is known.item else ColumnType(known.kind, item=item)

    def _place(self, seen: Observed, steps: Steps, depth: int) -> ColumnType | None:
        """Return the type of most values; None where no value says one, or all are nested too deep.

        Of kinds with as many values, the first of text, object, list, number, boolean.
        """
        if depth > MAX_DEPTH:
            return None
        if self.hints is not None and steps in self.hints.types:
            hinted = self.hints.types[steps]
            if hinted is None:
                self._left_without[steps] = DROPPED
                return None
            return self._leaf(hinted, steps, seen.values + seen.unfit)
        number = number_type(seen)
        kinds = (
            (seen.texts, STRING),
            (seen.objects, Kind.STRUCT),
            (seen.lists, Kind.LIST),
            (seen.numbers, number),
            (seen.booleans, BOOLEAN),
        )
        for count, kind in sorted(kinds, key=lambda pair: -pair[0]):
            if not count:
                continue
            if kind is Kind.STRUCT:
                found = self._object(seen, steps, depth)
            elif kind is Kind.LIST:
                item = None if seen.items is None else self._place(seen.items, (*steps, ITEMS), depth + 1)
                found = None if item is None else list_of(item)
            else:
                assert isinstance(kind, ColumnType), "the others are types"
                found = self._leaf(kind, steps, count)
            if found is not None:
                return found
        return None

    def _object(self, seen: Observed, steps: Steps, depth: int) -> ColumnType | None:
        counts = self._counts(list(seen.names), seen, steps)
        has_hints = self.hints is not None and self.hints.has_below(steps)
        if not has_hints and look_like_data(counts, seen.objects, seen.is_overfull, lambda: _likeness(seen)):
            values = seen.merged_values()
            if not _is_of_one_kind(values):
                return self._leaf(JSON, steps, seen.objects)
            value = self._place(values, (*steps, VALUES), depth + 1)
            return None if value is None else map_of(value)
        members = self._members({}, seen, steps, depth, is_struct=not has_hints)
        return struct_of(members) if members else None

    def _leaf(self, column: ColumnType, steps: Steps, values: int) -> ColumnType:
        self._new_leaves[steps] = (values, leaf_count(column))
        return column

    def _is_hinted(self, steps: Steps) -> bool:
        return self.hints is not None and (steps in self.hints.types or self.hints.has_below(steps))


def number_type(seen: Observed) -> ColumnType:
    """Return the type of a place's numbers.

    They widen only while every value stays exact; otherwise whole numbers are the ones that must.
    """
    return FLOAT64 if seen.has_double and not seen.has_large else INT64


def _likeness(seen: Observed) -> Likeness:
    """Return what the values of an object have in common, whatever their names."""
    values = seen.merged_values()
    if not _is_of_one_kind(values):
        return Likeness.NONE
    if not values.objects:
        return Likeness.KIND
    counts = {name: member.values for name, member in values.names.items() if member.values}
    if look_like_data(counts, values.objects, values.is_overfull, lambda: _likeness(values)):
        return Likeness.DATA
    are_alike = len(counts) > 1 and sum(counts.values()) >= _ALIKE_SHARE * len(counts) * values.objects
    return Likeness.MEMBERS if are_alike else Likeness.KIND


def _is_of_one_kind(values: Observed) -> bool:
    counts = (values.booleans, values.numbers, values.texts, values.lists, values.objects)
    return max(counts) >= _ONE_KIND_SHARE * sum(counts)
