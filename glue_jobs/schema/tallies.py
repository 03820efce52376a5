"""Rescued values counted by place and reason, in memory that no number of places makes grow."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Stands for all places that have no count of their own; a name of that sign stands in quotes in a path.
OTHER_PLACES: Final = "*"
_MOST: Final = 4_000
_KEPT: Final = 1_000


@dataclass
class Tallies:
    """How many records have something rescued, by path and reason.

    Where there are too many places, those of the fewest records lose their counts to `OTHER_PLACES`. It then
    counts a record once for each of its places.

    Attributes:
        counts: (path, reason) to records.
    """

    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, rescued: Iterable[tuple[str, str]]) -> None:
        """Count a record."""
        for place in rescued:
            self.counts[place] = self.counts.get(place, 0) + 1
        if len(self.counts) > _MOST:
            self.counts = most_frequent(self.counts, _KEPT)

    def merge(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add other records' counts."""
        for place, count in counts.items():
            self.counts[place] = self.counts.get(place, 0) + count
        if len(self.counts) > _MOST:
            self.counts = most_frequent(self.counts, _KEPT)


def most_frequent(counts: Mapping[tuple[str, str], int], count: int) -> dict[tuple[str, str], int]:
    """Return the most frequent places, most records first, and what is left of each reason under `*`."""
    places = {place: records for place, records in counts.items() if place[0] != OTHER_PLACES}
    kept = dict(heapq.nsmallest(count, places.items(), key=lambda entry: (-entry[1], entry[0])))
    for (path, reason), records in counts.items():
        if (path, reason) not in kept:
            kept[OTHER_PLACES, reason] = kept.get((OTHER_PLACES, reason), 0) + records
    return kept
