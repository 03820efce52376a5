"""What kinds of values were seen where: counts that add up in any order, in memory that nothing makes grow.

Names may be data (ids, dates): then every record brings new ones. So of each object only so many names are
kept apart, and so many in all. What holds of that:

- Up to `MOST_NAMES` names of an object, and `MOST_PLACES` places of all records, every count is exact, and
  the same in whatever order values and tasks come. Up to as many places, so is whether an object had more
  names (`is_overfull`).
- Beyond, the rarest names give up their places, and their values are counted together (`others`). A name that
  is in a good share of the objects keeps its place; which of the rare ones do may depend on the order.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glue_jobs.schema.limits import MAX_DEPTH
from glue_jobs.schema.scalars import (
    EXACT_DOUBLE,
    Fraction,
    NotANumber,
    Whole,
    double_problem,
    is_text,
    is_whole,
)
from glue_jobs.schema.table_values import says_nothing, telling, values_of
from glue_jobs.schema.types import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from glue_jobs.schema.types import ColumnType

# Above what a schema may have of members (`SchemaLimits`), so that all of a wide one are seen.
MOST_NAMES: Final = 16_384
_KEPT_NAMES: Final = 8_192
# About 350 bytes each.
MOST_PLACES: Final = 65_536
# Longer names make no columns: no catalog takes them, and they would fill the memory that counts places.
LONGEST_NAME: Final = 1_000


@dataclass(slots=True)
class Observed:
    """Counts of values by kind, in one place of the records.

    Attributes:
        booleans: how many values are booleans.
        numbers: how many are numbers.
        texts: how many are text.
        lists: how many are lists.
        objects: how many are objects; of the records themselves, how many there are.
        unfit: how many are none that a type is found for (text without UTF-8, numbers beyond a double).
        has_double: whether a number has a fraction or an exponent, or more than 64 bits.
        has_large: whether a whole number of 64 bits is too large to be exact in every double.
        items: of the lists' items.
        members: of the objects' members, by name; a name that was only null has no counts.
        others: of all values whose names are not kept apart.
        is_overfull: whether there were more names than can be kept apart.
    """

    booleans: int = 0
    numbers: int = 0
    texts: int = 0
    lists: int = 0
    objects: int = 0
    unfit: int = 0
    has_double: bool = False
    has_large: bool = False
    items: Observed | None = None
    members: dict[str, Observed] | None = None
    others: Observed | None = None
    is_overfull: bool = False

    @property
    def values(self) -> int:
        """How many values there are of any kind that a type is found for."""
        return self.booleans + self.numbers + self.texts + self.lists + self.objects

    @property
    def names(self) -> Mapping[str, Observed]:
        """The members by name; none where there are none."""
        return self.members or {}

    def merged_values(self) -> Observed:
        """Return the counts of all values of the objects, whatever their names."""
        merged = Observed()
        for member in self.names.values():
            merged.merge(member)
        if self.others is not None:
            merged.merge(self.others)
        return merged

    def merge(self, other: Observed) -> int:
        """Add counts of other records; return how many places were made for them."""
        self.booleans += other.booleans
        self.numbers += other.numbers
        self.texts += other.texts
        self.lists += other.lists
        self.objects += other.objects
        self.unfit += other.unfit
        self.has_double = self.has_double or other.has_double
        self.has_large = self.has_large or other.has_large
        self.is_overfull = self.is_overfull or other.is_overfull
        made = 0
        if other.items is not None:
            made += self.items is None
            self.items = self.items or Observed()
            made += self.items.merge(other.items)
        if other.others is not None:
            made += self.others is None
            self.others = self.others or Observed()
            made += self.others.merge(other.others)
        for name, member in other.names.items():
            made += name not in self.names
            made += self._member(name).merge(member)
        return made

    def add_record(self, record: dict[str, Any], known: Mapping[str, ColumnType], room: Room) -> None:
        """Add a record, as far as it is beyond known columns, whose types are settled."""
        self.objects += 1
        self._add_members(record, known, 1, room)

    def add_table(
        self, table: pa.Table, types: Mapping[str, ColumnType], known: Mapping[str, ColumnType], room: Room
    ) -> None:
        """Add the records of a table, as far as they are beyond known columns.

        Args:
            table: with columns of `types`, and perhaps further ones without values.
            types: of its columns.
            known: columns whose types are settled.
            room: for places.
        """
        self.objects += table.num_rows
        for name, column in types.items():
            settled = known.get(name)
            if settled is None or settled != column:
                for chunk in table.column(name).chunks:
                    self._member(name)._add_array(chunk, column, settled, room)

    def compact(self) -> int:
        """Let the names of the places with most rare ones give up theirs, where there are too many.

        Returns:
            How many places there are then.
        """
        count = sum(1 for _ in self._places())
        if count > MOST_PLACES:
            # Well below, so that it is not to be done again soon.
            while count > MOST_PLACES // 2:
                place = max(self._places(), key=lambda each: each._rarity)
                if not place.names:
                    break
                place._keep(len(place.names) // 2)
                count = sum(1 for _ in self._places())
        return count

    def overfull_places(self) -> Observed | None:
        """Return no counts, but which places are overfull; None where none is.

        Counts that begin with it keep no names apart there that nobody would look at.
        """
        found = Observed(is_overfull=self.is_overfull)
        members = {name: inner for name, each in self.names.items() if (inner := each.overfull_places())}
        found.members = members or None
        found.items = None if self.items is None else self.items.overfull_places()
        found.others = None if self.others is None else self.others.overfull_places()
        is_any = found.is_overfull or members or found.items is not None or found.others is not None
        return found if is_any else None

    @property
    def _rarity(self) -> float:
        """How many names there are, each of which counts the less the more values it has."""
        return sum(1 / max(1, member.values) for member in self.names.values())

    def _places(self) -> Iterator[Observed]:
        waiting = [self]
        while waiting:
            place = waiting.pop()
            yield place
            waiting += place.names.values()
            waiting += [inner for inner in (place.items, place.others) if inner is not None]

    def _member(self, name: str) -> Observed:
        if self.members is None:
            self.members = {}
        found = self.members.get(name)
        if found is None:
            if len(self.members) >= MOST_NAMES:
                self._keep(_KEPT_NAMES)
            found = self.members[name] = Observed()
        return found

    def _keep(self, count: int) -> None:
        """Keep the names of most values apart, and add up the others."""
        members = {name: member for name, member in self.names.items() if member.values or member.unfit}
        if len(members) > count:
            self.is_overfull = True
            kept = heapq.nsmallest(count, members.items(), key=lambda entry: (-entry[1].values, entry[0]))
            self.members = dict(kept)
            others = self.others or Observed()
            for name, member in members.items():
                if name not in self.members:
                    others.merge(member)
            self.others = others
        else:
            self.members = members

    def _taking(self, name: str, room: Room) -> Observed:
        """Return where a value of a name is counted: with those of its name, or with the others."""
        members = self.members
        found = None if members is None else members.get(name)
        if found is not None:
            return found
        if room.left > 0 and len(name) <= LONGEST_NAME:
            room.left -= 1
            return self._member(name)
        self.others = self.others or Observed()
        return self.others

    def _add_members(
        self, record: dict[str, Any], known: Mapping[str, ColumnType], depth: int, room: Room
    ) -> None:
        for name, value in record.items():
            column = known.get(name)
            if column is None:
                if value is None:
                    self._note_null(name, room)
                else:
                    self._taking(name, room)._add(value, depth + 1, room)
            elif column.kind in _NESTED and isinstance(value, dict | list):
                self._taking(name, room)._add_beyond(value, column, depth + 1, room)

    def _note_null(self, name: str, room: Room) -> None:
        if name not in self.names and room.left > 0 and len(name) <= LONGEST_NAME:
            room.left -= 1
            self._member(name)

    def _add_beyond(self, value: Any, column: ColumnType, depth: int, room: Room) -> None:
        """Add what a settled type does not have of a value: members of objects."""
        if depth > MAX_DEPTH or says_nothing(value):
            return
        if column.kind is Kind.STRUCT and isinstance(value, dict):
            self.objects += 1
            self._add_members(value, column.by_name, depth, room)
        elif column.item is not None and column.item.kind in _NESTED:
            if column.kind is Kind.LIST and isinstance(value, list):
                self.items = self.items or Observed()
                for item in value:
                    self.items._add_beyond(item, column.item, depth + 1, room)
            elif column.kind is Kind.MAP and isinstance(value, dict):
                self.others = self.others or Observed()
                for item in value.values():
                    self.others._add_beyond(item, column.item, depth + 1, room)

    def _add(self, value: Any, depth: int, room: Room) -> None:
        """Add a value whose numbers are texts of their own kinds; what is too deep is not looked at."""
        if isinstance(value, dict | list) and says_nothing(value):
            # It could be of any type.
            return
        if isinstance(value, str):
            self._add_scalar(value)
        elif isinstance(value, bool):
            self.booleans += 1
        elif isinstance(value, list):
            self.lists += 1
            if value and depth < MAX_DEPTH:
                self.items = self.items or Observed()
                for item in value:
                    if item is not None:
                        self.items._add(item, depth + 1, room)
        elif isinstance(value, dict):
            self.objects += 1
            if depth < MAX_DEPTH and not self.is_overfull:
                self._add_members(value, {}, depth, room)
            elif depth < MAX_DEPTH:
                # Such an object becomes a map, whatever further names there are.
                self.others = self.others or Observed()
                for member in value.values():
                    if member is not None:
                        self.others._add(member, depth + 1, room)

    def _add_scalar(self, value: str) -> None:
        if isinstance(value, NotANumber):
            return
        if isinstance(value, Whole):
            if is_whole(value):
                self.numbers += 1
                self.has_large = self.has_large or abs(int(value)) > EXACT_DOUBLE
            elif double_problem(value) is None:
                self.numbers += 1
                self.has_double = True
            else:
                self.unfit += 1
        elif isinstance(value, Fraction):
            if abs(float(value)) == _INFINITE:
                self.unfit += 1
            else:
                self.numbers += 1
                self.has_double = True
        elif is_text(value):
            self.texts += 1
        else:
            self.unfit += 1

    def _add_array(self, values: pa.Array, column: ColumnType, known: ColumnType | None, room: Room) -> None:
        """Add the values of an array, as far as they are beyond a settled type."""
        count = (
            len(values) - values.null_count
            if column.kind in _PLAIN
            else int(np.count_nonzero(telling(values, column)))
        )
        if not count:
            return
        if column.kind is Kind.LIST and column.item is not None:
            self.lists += count
            self.items = self.items or Observed()
            self.items._add_array(values.flatten(), column.item, None if known is None else known.item, room)
        elif column.kind is Kind.STRUCT:
            self.objects += count
            # Arrow's parser may have further members that were only null.
            arrays = dict(zip((field.name for field in values.type), values.flatten(), strict=True))
            for name, member in column.members:
                inner = None if known is None else known.by_name.get(name)
                if inner is None or inner != member:
                    self._member(name)._add_array(arrays[name], member, inner, room)
        elif column.kind in _PLAIN:
            if known is None:
                self._add_scalars(values, count)
        else:
            for value in values_of(values, column):
                if known is None:
                    self._add(value, 0, room)
                else:
                    self._add_beyond(value, known, 0, room)

    def _add_scalars(self, values: pa.Array, count: int) -> None:
        if pa.types.is_boolean(values.type):
            self.booleans += count
        elif pa.types.is_int64(values.type):
            self.numbers += count
            self.has_large = self.has_large or _is_beyond_doubles(values)
        elif pa.types.is_float64(values.type):
            self.numbers += count
            self.has_double = True
        else:
            self.texts += count


@dataclass(slots=True)
class Room:
    """How many more places may be made until `Observed.compact` has made room.

    Attributes:
        left: that many.
    """

    left: int = MOST_PLACES


_INFINITE: Final = float("inf")
_NESTED: Final = frozenset({Kind.LIST, Kind.MAP, Kind.STRUCT})
_PLAIN: Final = frozenset({Kind.BOOLEAN, Kind.INT64, Kind.FLOAT64, Kind.STRING})


def _is_beyond_doubles(values: pa.Array) -> bool:
    """Return whether whole numbers are too large to be exact in every double."""
    span = pc.min_max(values)
    low, high = span["min"].as_py(), span["max"].as_py()
    return low is not None and (low < -EXACT_DOUBLE or high > EXACT_DOUBLE)
