"""A simulated day of one date: when it is launched, what Glue bills, how late files are; pure.

The rules are those of the manifest sensor and of its planner: one run of the date waits at most, it is
launched once its oldest manifest has waited as long as the dial says, and takes what waits when it starts,
within what one run is given. `python -m benchmarks.orchestration.steady` lets the sensor itself go through
such days; a test holds the two to the same figures. Here nothing but instants and counts is kept, so a day
takes milliseconds. Nothing fails and nothing is late by itself: real days are later and dearer than this.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ndjson_pipeline.costs.load import Load
from ndjson_pipeline.costs.pace import (
    CLAIM_SECONDS,
    GLUE_START_SECONDS,
    SECONDS_A_DAY,
    SWEEP_SECONDS,
    TICK_SECONDS,
    billed_dpu_seconds,
    working_seconds,
)
from ndjson_pipeline.glue.capacity import MAX_MANIFESTS_PER_RUN, Capacity

# Sums of floats are this far from what they stand for, at most.
_NEARLY = 1e-6
PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class GlueDay:
    """What Glue does in a day.

    Attributes:
        runs: how many.
        workers: of the largest, driver included.
        dpu_hours: billed.
        latencies: in seconds from a file's arrival to its Parquet, by the share of files within it.
        ends_after_midnight: seconds from the day's end to that of its last run.
    """

    runs: int
    workers: int
    dpu_hours: float
    latencies: tuple[float, ...] = (0.0, 0.0, 0.0)
    ends_after_midnight: float = 0.0


@dataclass(frozen=True)
class _Span:
    """Files whose latencies lie evenly between two, in seconds."""

    files: float
    shortest: float
    longest: float


class _Day:
    """One date's day.

    Args:
        load: what comes, and how the pipeline is set.
        capacity: the workers of a run.
    """

    def __init__(self, load: Load, capacity: Capacity) -> None:
        self._load, self._capacity = load, capacity
        self._rate = load.files_a_second
        self._size = load.files_per_manifest
        self._full = int(load.files_a_day // self._size)
        self._all = load.manifests_a_day
        self._dial = load.dial_minutes * 60.0
        self._taken = 0
        self._going: list[float] = []
        self._spans: list[_Span] = []
        self._runs = 0
        self._workers = capacity.least_workers
        self._dpu_seconds = 0.0
        self._last_end = 0.0

    def run(self) -> GlueDay:
        """Let the day pass, and what waits at its end be converted."""
        now = 0.0
        while self._taken < self._all:
            # The daemon looks when something can be due, and never twice within a tick.
            due = self._committed_at(self._taken + 1) + self._dial
            now = max(now, _next_tick(due))
            self._going = [ends_at for ends_at in self._going if ends_at > now]
            if len(self._going) >= self._load.places:
                now = max(now, _next_tick(min(self._going)))
                self._going = [ends_at for ends_at in self._going if ends_at > now]
            self._convert(now)
            now += TICK_SECONDS
        return GlueDay(
            runs=self._runs,
            workers=self._workers,
            dpu_hours=self._dpu_seconds / 3600.0,
            latencies=tuple(percentiles(self._spans, PERCENTILES)),
            ends_after_midnight=max(self._last_end - SECONDS_A_DAY, 0.0),
        )

    def _committed_at(self, number: int) -> float:
        """Return when a manifest is committed: once its last file has come, else after midnight."""
        if number <= self._full:
            return number * self._size / self._rate
        return SECONDS_A_DAY + SWEEP_SECONDS

    def _convert(self, now: float) -> None:
        """Run Glue for what waits, as much as one run is given."""
        waiting = self._committed_by(now) - self._taken
        manifest_mb = self._size * self._load.file_mb
        fit = math.floor(self._capacity.most_mb / manifest_mb + _NEARLY) if manifest_mb else waiting
        count = max(min(waiting, fit, MAX_MANIFESTS_PER_RUN), 1)
        first = self._taken * self._size
        self._taken += count
        last = min(self._taken * self._size, self._load.files_a_day)
        mb = (last - first) * self._load.file_mb
        workers = self._capacity.workers_for(mb)
        works = working_seconds(mb, workers)
        ends_at = now + CLAIM_SECONDS + GLUE_START_SECONDS + works
        self._going.append(ends_at)
        self._runs += 1
        self._workers = max(self._workers, workers)
        self._dpu_seconds += billed_dpu_seconds(works, workers, self._capacity)
        self._last_end = max(self._last_end, ends_at)
        # The first of them waited longest.
        self._spans.append(
            _Span(last - first, ends_at - last / self._rate, ends_at - (first + 1) / self._rate)
        )

    def _committed_by(self, now: float) -> int:
        if self._all > self._full and now >= self._committed_at(self._all) - _NEARLY:
            return self._all
        return min(self._full, math.floor(now * self._rate / self._size + _NEARLY))


def glue_day(load: Load, capacity: Capacity | None = None) -> GlueDay:
    """Return what Glue does in a day, and how late its files are.

    Args:
        load: what comes, and how the pipeline is set.
        capacity: the workers of a run; the product's own without it.
    """
    capacity = capacity or Capacity()
    return _Day(load, capacity).run()


def percentiles(spans: Iterable[_Span], shares: Sequence[float]) -> list[float]:
    """Return the latencies that these shares of all files do not exceed, in order of the shares; pure."""
    changes: list[tuple[float, float]] = []
    total = 0.0
    for span in spans:
        longest = max(span.longest, span.shortest + _NEARLY)
        density = span.files / (longest - span.shortest)
        changes += [(span.shortest, density), (longest, -density)]
        total += span.files
    if not changes:
        return [0.0 for _ in shares]
    changes.sort()
    found: list[float] = []
    reached, density, at = 0.0, 0.0, changes[0][0]
    for instant, change in changes:
        while len(found) < len(shares) and density > 0:
            reaches = at + (shares[len(found)] * total - reached) / density
            if reaches > instant:
                break
            found.append(reaches)
        reached += density * (instant - at)
        density, at = density + change, instant
    return found + [at] * (len(shares) - len(found))


def _next_tick(instant: float) -> float:
    return math.ceil(instant / TICK_SECONDS - _NEARLY) * TICK_SECONDS
