"""Names that are data, such as ids, dates or urls as the keys of an object.

A rule on counts alone, so that it says the same for any order of files and records. Of the names of an
object those are looked at that are rare: in less than one of twenty objects, or in only one. They look like
data where one of these holds:

- there were more of them than are kept apart (`Observed.is_overfull`);
- there are at least 200, and on average one is in less than 0.75 % of the objects: ids that come again;
- there are at least 64, and three of four values have a name that occurs once: ids that never come again.

Names of real members come again, and are few or frequent: 30 optional members of which each is in 3 % of
the records are 30 names; of 5,000 sensors of which a record has 50 each is in 1 % of them. An object that was
seen once shows only how many names it has: 200 with values of one kind are taken for data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_FREQUENT_SHARE: Final = 0.05
_MANY: Final = 200
_RARE_SHARE: Final = 0.0075
_SEVERAL: Final = 64
_ONCE_SHARE: Final = 0.75
_OF_ONE_OBJECT: Final = 200
# At the record's top a name among data gets a column where it is in so many records, and this share.
_ADMITTED: Final = 3
_ADMITTED_SHARE: Final = 0.01


def look_like_data(
    counts: Collection[int], objects: int, is_overfull: bool, are_of_one_kind: Callable[[], bool]
) -> bool:
    """Return whether the names of an object are data.

    Args:
        counts: of each name, how many objects have a value under it, at least 1.
        objects: how many there are.
        is_overfull: whether there were more names than have a count.
        are_of_one_kind: whether the values are; asked where the counts say nothing.
    """
    if is_overfull:
        return True
    if objects <= 1:
        return len(counts) >= _OF_ONE_OBJECT and are_of_one_kind()
    frequent = max(2.0, objects * _FREQUENT_SHARE)
    rare = [count for count in counts if count < frequent]
    total = sum(rare)
    if len(rare) >= _MANY and total < _RARE_SHARE * len(rare) * objects:
        return True
    return len(rare) >= _SEVERAL and rare.count(1) >= _ONCE_SHARE * total


def is_admitted(count: int, objects: int) -> bool:
    """Return whether a name is in a good share of the objects, so that it is none of the data."""
    return count >= max(_ADMITTED, objects * _ADMITTED_SHARE)
