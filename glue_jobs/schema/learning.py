"""What one task knows of the columns: those settled before it, those it learns."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from glue_jobs.schema.column_names import is_storable_name
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.observed import MOST_PLACES, Observed, Room
from glue_jobs.schema.paths import ITEMS, VALUES, member_path
from glue_jobs.schema.settle import Settled, number_type, settle_columns
from glue_jobs.schema.types import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from glue_jobs.schema.types import ColumnType

# What changes nothing now is looked at again after so many more records.
_GROWTH: Final = 1.1
_MOST_NULLS: Final = 1_000
_PLAIN: Final = frozenset({Kind.BOOLEAN, Kind.INT64, Kind.FLOAT64, Kind.STRING, Kind.LIST, Kind.STRUCT})


class News(enum.IntEnum):
    """Whether counts may change the columns."""

    NONE = 0
    LATER = 1
    """They do not now, but more of the same may."""
    NOW = 2


@dataclass
class Learning:
    """Settled columns, with counts of the values beyond them.

    Attributes:
        settled: columns whose types are final.
        observed: counts of values beyond them, so far.
        columns: the settled columns with those that the counts add; to these nothing comes by itself.
        outcome: how they came to be.
        is_primed: whether the first lines were looked at.
    """

    settled: Columns
    observed: Observed = field(default_factory=Observed)
    columns: Columns = field(init=False)
    outcome: Settled = field(init=False)
    is_primed: bool = False
    _first: Observed = field(default_factory=Observed)
    _has_news: bool = False
    _is_behind: bool = False
    _next_look: float = 0.0
    _places: int = 0
    _overfull: Observed | None = None

    def __post_init__(self) -> None:
        self.outcome = Settled(dict(self.settled.types))
        self.columns = self.settled.final(self.settled.types)

    def observe(self, records: Iterable[dict[str, Any]]) -> Observed:
        """Count what records have beyond the settled columns; `take` takes the counts in."""
        more, room = Observed(), Room()
        if self._overfull is not None:
            more.merge(self._overfull)
        for record in records:
            more.add_record(record, self.settled.types, room)
        return more

    def take(self, more: Observed) -> None:
        """Take counts in, and let columns follow where they say something new."""
        self._places += self.observed.merge(more)
        if self._places > MOST_PLACES:
            self._places = self.observed.compact()
            self._overfull = self.observed.overfull_places()
        if not self.settled.accepts_new:
            return
        self._is_behind = True
        news = _news(more, self.observed, self.columns.types, "", self.outcome)
        self._has_news = self._has_news or news is not News.NONE
        if self._has_news and (news is News.NOW or self.observed.objects >= self._next_look):
            self._settle(self.observed)

    def take_table(self, table: pa.Table, columns: Columns) -> None:
        """Take in the records of a table that has these columns, and values in no others."""
        if self.settled.accepts_new:
            self.observed.add_table(table, columns.types, self.settled.types, Room())
            self.observed.compact()
            self._is_behind = True

    def prime(self, records: Iterable[dict[str, Any]]) -> None:
        """Let columns follow from the first records, which are counted only when they are parsed."""
        self.is_primed = True
        self._first = self.observe(records)
        self._first.merge(self.observed)
        if self.settled.accepts_new:
            self._settle(self._first)
            self._has_news = self._is_behind = True

    def finish(self) -> None:
        """Let columns follow from all counts: what counts say together no single line may have shown."""
        if self._is_behind:
            self._settle(self.observed)

    @property
    def plain_schema(self) -> pa.Schema | None:
        """The columns, and names that had only nulls, for Arrow's parser; None where types are beyond it."""
        if not all(map(_is_plain, self.columns.types.values())):
            return None
        return pa.schema(_fields(self.columns.types, self.observed if self.observed.names else self._first))

    def _settle(self, seen: Observed) -> None:
        settled = self.settled
        self.outcome = settle_columns(settled.types, seen, settled.limits, settled.hints, settled.growing)
        self._has_news = self._is_behind = False
        self._next_look = seen.objects * _GROWTH
        if self.outcome.types != self.columns.types:
            self.columns = settled.final(self.outcome.types)


def _news(
    more: Observed, total: Observed, types: Mapping[str, ColumnType], path: str, outcome: Settled
) -> News:
    """Return whether counts of an object may change its columns.

    Args:
        more: the counts.
        total: all counts of the object, these included.
        types: of its members.
        path: of the object.
        outcome: of the last settling.
    """
    found = News.NONE
    is_data = path in outcome.data_places
    for name, member in more.names.items():
        if not (member.values or member.unfit or _has_places(member)):
            continue
        column = types.get(name)
        if column is not None:
            all_of_name = total.names.get(name)
            if all_of_name is None:
                news = News.LATER
            else:
                news = _place_news(member, all_of_name, column, member_path(path, name), outcome)
        elif is_data or (path, name) in outcome.closed or name in outcome.untyped.get(path, ()):
            news = News.LATER
        else:
            news = News.NOW
        if news is News.NOW:
            return news
        found = max(found, news)
    return found


def _has_places(seen: Observed) -> bool:
    """Return whether something was seen inside: of a settled list or map its own values are not counted."""
    return bool(seen.names) or seen.items is not None or seen.others is not None


def _place_news(more: Observed, total: Observed, column: ColumnType, path: str, outcome: Settled) -> News:
    own = News.NONE if total.values == _of_kind(total, column.kind) else News.LATER
    if column.kind is Kind.STRUCT:
        return max(own, _news(more, total, column.by_name, path, outcome))
    if column.item is not None:
        if column.kind is Kind.LIST:
            inner, all_inner, path = more.items, total.items, path + ITEMS
        else:
            # Adding up all values of all names each time would take longer than judging the records.
            inner = all_inner = more.merged_values()
            path += VALUES
        if inner is None or all_inner is None:
            return own
        return max(own, _place_news(inner, all_inner, column.item, path, outcome))
    if column.kind in {Kind.INT64, Kind.FLOAT64} and total.numbers and number_type(total) is not column:
        return News.NOW
    return own


def _of_kind(total: Observed, kind: Kind) -> int:
    if kind is Kind.BOOLEAN:
        return total.booleans
    if kind is Kind.STRING:
        return total.texts
    if kind is Kind.LIST:
        return total.lists
    if kind in {Kind.STRUCT, Kind.MAP}:
        return total.objects
    return total.numbers if kind in {Kind.INT64, Kind.FLOAT64} else total.values


def _is_plain(column: ColumnType) -> bool:
    if column.kind not in _PLAIN:
        return False
    inner = [member for _, member in column.members] if column.item is None else [column.item]
    return all(map(_is_plain, inner))


def _fields(types: Mapping[str, ColumnType], seen: Observed | None) -> list[tuple[str, pa.DataType]]:
    names: Mapping[str, Observed] = {} if seen is None else seen.names
    fields = [(name, _parsed_type(column, names.get(name))) for name, column in types.items()]
    nulls = [
        name
        for name, member in names.items()
        if name not in types and not member.values and not member.unfit and is_storable_name(name)
    ]
    return [*fields, *((name, pa.null()) for name in nulls[:_MOST_NULLS])]


def _parsed_type(column: ColumnType, seen: Observed | None) -> pa.DataType:
    if seen is None:
        return column.arrow
    if column.kind is Kind.STRUCT:
        return pa.struct(_fields(column.by_name, seen))
    if column.item is not None:
        return pa.list_(_parsed_type(column.item, seen.items))
    return column.arrow
