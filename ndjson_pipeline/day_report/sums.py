"""Sums of a stream of values in bounded memory; pure."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# Neighbouring bounds differ by a hundredth, and so does a percentile from the true one.
_STEP = 1.01
_LOG_STEP = math.log(_STEP)
_MINUTE = 60
# A month of minutes; what is more counts in one that is there.
_MOST_MINUTES = 50_000


@dataclass
class Durations:
    """Seconds, as a histogram whose bounds grow; some 2,000 of them hold a month.

    Attributes:
        counts: by bound.
    """

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float, count: int = 1) -> None:
        """Count a duration; one below zero, of two clocks that differ, counts as none."""
        self.counts[round(math.log1p(max(seconds, 0.0)) / _LOG_STEP)] += count

    @property
    def total(self) -> int:
        """How many were counted."""
        return self.counts.total()

    def percentile(self, share: float) -> float | None:
        """Return what so many do not exceed, in seconds, within a hundredth; None of none."""
        wanted, reached = share * self.total, 0
        for bound in sorted(self.counts):
            reached += self.counts[bound]
            if reached >= wanted:
                return math.expm1(bound * _LOG_STEP)
        return None


@dataclass
class Minutes:
    """Counts by minute.

    Attributes:
        counts: by minutes since the epoch.
    """

    counts: dict[int, float] = field(default_factory=dict)

    def add(self, instant: datetime, count: float = 1) -> None:
        """Count at an instant."""
        minute = int(instant.timestamp() // _MINUTE)
        if minute not in self.counts and len(self.counts) >= _MOST_MINUTES:
            minute = next(iter(self.counts))
        self.counts[minute] = self.counts.get(minute, 0) + count

    def by_hour(self, begin: datetime, hours: int) -> list[float]:
        """Return the sums of so many hours from an instant; what lies outside is not in them."""
        sums = [0.0] * hours
        first = int(begin.timestamp() // _MINUTE)
        for minute, count in self.counts.items():
            hour = (minute - first) // 60
            if 0 <= hour < hours:
                sums[hour] += count
        return sums

    @property
    def total(self) -> float:
        """The sum."""
        return sum(self.counts.values())

    @property
    def last(self) -> datetime | None:
        """The end of the last minute; None of none."""
        return datetime.fromtimestamp((max(self.counts) + 1) * _MINUTE, UTC) if self.counts else None

    @property
    def first(self) -> datetime | None:
        """The begin of the first minute; None of none."""
        return datetime.fromtimestamp(min(self.counts) * _MINUTE, UTC) if self.counts else None


def waiting(come: Minutes, gone: Minutes, points: Iterable[datetime]) -> list[float]:
    """Return how many had come and not gone by each point, in order of time."""
    changes = sorted([*come.counts.items(), *((minute, -count) for minute, count in gone.counts.items())])
    found, level, position = [], 0.0, 0
    for point in points:
        until = point.timestamp() / _MINUTE
        while position < len(changes) and changes[position][0] < until:
            level += changes[position][1]
            position += 1
        found.append(max(level, 0.0))
    return found


def points_between(begin: datetime, end: datetime, count: int) -> list[datetime]:
    """Return so many instants, evenly from one to another."""
    step = max((end - begin) / max(count - 1, 1), timedelta(minutes=1))
    return [begin + step * number for number in range(count) if begin + step * number <= end + step]


@dataclass
class Kinds:
    """Counts of texts from outside, bounded: what comes once there are too many counts as others.

    Attributes:
        most: so many kinds at most.
        counts: by text.
    """

    most: int = 100
    counts: Counter[str] = field(default_factory=Counter)

    OTHERS = "others"

    def add(self, text: str, count: int = 1) -> None:
        """Count a text."""
        is_known = text in self.counts or len(self.counts) < self.most
        self.counts[text if is_known else self.OTHERS] += count

    def largest(self, most: int) -> list[tuple[str, int]]:
        """Return the most frequent, in order, and the rest as others."""
        ranked = self.counts.most_common()
        rest = sum(count for _, count in ranked[most:])
        return ranked[:most] + ([(f"{len(ranked) - most} more", rest)] if rest else [])
