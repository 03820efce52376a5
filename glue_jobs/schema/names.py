"""Names that are data, such as ids, dates or urls as the keys of an object.

A rule on counts and spelling, so that it says the same for any order of files and records. Of the names of an
object those are looked at that are rare: in less than one of twenty objects, or in only one. They look like
data where one of these holds:

- there were more of them than are kept apart (`Observed.is_overfull`);
- there are at least 200, and on average one is in less than 0.75 % of the objects: ids that come again;
- there are at least 64, and three of four values have a name that occurs once: ids that never come again.
  Where the values are objects with the same members, or with names that are data themselves, 16 are enough;
- at least 16, and three of four names, are spelled like values (`name_shapes`): dates, ids, numbers, urls or
  addresses. Where their values are of one kind these may be in every object: next month has other days.

Names of real members come again, and are few or frequent: 30 optional members of which each is in 3 % of
the records are 30 names; of 5,000 sensors of which a record has 50 each is in 1 % of them.

An object that was seen once shows only how many names it has, and what is below: 200 with values of one kind
are taken for data, 64 with objects of the same members, 16 with objects whose names are data.

The record itself can't become a map. There names that look like data get no column, but those do that are in
a good share of the records. Of fewer than ten records a thousand such names are needed: two kinds of events
in one small file have as little in common. Of names that are spelled like values 64 are enough, columns that
have such names included, in any number of records. Then those of them that are rare get no column, and where
there are 64 such columns already, none does. In an object that has its members already 16 are enough.

An object that went on to gain names (`growth`) gets no column for one that comes in less than three records.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from glue_jobs.schema.name_shapes import is_spelled_like_a_value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_FREQUENT_SHARE: Final = 0.05
_MANY: Final = 200
_RARE_SHARE: Final = 0.0075
_ONCE_SHARE: Final = 0.75
_FEW_RECORDS: Final = 10
_NAMES_OF_FEW_RECORDS: Final = 1_000
# At the record's top a name among data gets a column where it is in so many records, and this share.
_ADMITTED: Final = 3
_ADMITTED_SHARE: Final = 0.01
_SPELLED: Final = 16
_SPELLED_AT_THE_TOP: Final = 64
_SPELLED_SHARE: Final = 0.75


class Likeness(enum.Enum):
    """What the values under different names have in common; the value is how many names are enough.

    Attributes:
        seen_once: so many where the object was seen once; None where no number is.
        seen_often: so many where it was seen more often.
    """

    NONE = (None, 64)
    """They are of different kinds."""
    KIND = (200, 64)
    """They are of one kind."""
    MEMBERS = (64, 16)
    """They are objects with the same members."""
    DATA = (16, 16)
    """They are objects whose names look like data."""

    def __init__(self, seen_once: int | None, seen_often: int) -> None:
        self.seen_once = seen_once
        self.seen_often = seen_often


FEWEST: Final = min(each.seen_often for each in Likeness)


def look_like_data(
    counts: Mapping[str, int], objects: int, is_overfull: bool, likeness: Callable[[], Likeness]
) -> bool:
    """Return whether the names of an object are data.

    Args:
        counts: of each name, how many objects have a value under it, at least 1.
        objects: how many there are.
        is_overfull: whether there were more names than have a count.
        likeness: of the values; asked only where it matters.
    """
    if is_overfull:
        return True
    if len(counts) < FEWEST:
        return False
    if _are_spelled_like_values(counts) and (
        sum(counts.values()) < _FREQUENT_SHARE * len(counts) * objects
        or objects <= 1
        or likeness() is not Likeness.NONE
    ):
        return True
    if objects <= 1:
        needed = likeness().seen_once
        return needed is not None and len(counts) >= needed
    return _are_rare(rare := _rare(counts.values(), objects), objects) or (
        _come_once(rare, FEWEST) and len(rare) >= likeness().seen_often
    )


def look_like_data_at_the_top(counts: Collection[int], records: int, is_overfull: bool) -> bool:
    """Return whether names of the records themselves are data, as far as counts tell.

    Args:
        counts: of the names, how many records have a value under each, at least 1.
        records: how many there are.
        is_overfull: whether there were more names than have a count.
    """
    if is_overfull:
        return True
    if records <= 1:
        return False
    rare = _rare(counts, records)
    needed = _NAMES_OF_FEW_RECORDS if records < _FEW_RECORDS else Likeness.NONE.seen_often
    return _are_rare(rare, records) or _come_once(rare, needed)


def is_admitted(count: int, objects: int) -> bool:
    """Return whether a name is in a good share of the objects, so that it is none of the data."""
    return count >= max(_ADMITTED, objects * _ADMITTED_SHARE)


def beyond_spelled(known: int, new: Mapping[str, int], objects: int, is_record: bool) -> frozenset[str]:
    """Return new names that get no column, since there are too many that are spelled like values.

    Args:
        known: how many members have such a name already.
        new: of each new name that has one, how many objects have a value under it.
        objects: how many there are.
        is_record: whether they are the records themselves.
    """
    needed = _SPELLED_AT_THE_TOP if is_record else _SPELLED
    if known >= needed:
        return frozenset(new)
    if known + len(new) < needed:
        return frozenset()
    frequent = _frequent(objects)
    return frozenset(name for name, count in new.items() if count < frequent)


def comes_again(count: int) -> bool:
    """Return whether a name is in enough records to be one of an object that gains names run after run."""
    return count >= _ADMITTED


def _are_spelled_like_values(names: Collection[str]) -> bool:
    found = sum(map(is_spelled_like_a_value, names))
    return found >= _SPELLED and found >= _SPELLED_SHARE * len(names)


def _frequent(objects: int) -> float:
    """Return in how many objects a name is that is not rare."""
    return max(2.0, objects * _FREQUENT_SHARE)


def _rare(counts: Collection[int], objects: int) -> list[int]:
    frequent = _frequent(objects)
    return [count for count in counts if count < frequent]


def _are_rare(rare: list[int], objects: int) -> bool:
    return len(rare) >= _MANY and sum(rare) < _RARE_SHARE * len(rare) * objects


def _come_once(rare: list[int], needed: int) -> bool:
    return len(rare) >= needed and rare.count(1) >= _ONCE_SHARE * sum(rare)
