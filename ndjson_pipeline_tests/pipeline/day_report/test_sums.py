"""Sums of a day: in bounded memory, and near enough."""

import random
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from ndjson_pipeline.day_report.sums import Durations, Kinds, Minutes, points_between, waiting

BEGIN = datetime(2026, 1, 30, tzinfo=UTC)


def test_percentiles_are_within_a_hundredth() -> None:
    draw = random.Random(1)
    values = sorted(draw.expovariate(1 / 300) for _ in range(20_000))
    durations = Durations()
    for value in values:
        durations.add(value)
    for share in (0.5, 0.95, 0.99):
        true = values[round(share * len(values)) - 1]
        assert durations.percentile(share) == pytest.approx(true, rel=0.012, abs=0.05)


def test_no_durations_have_no_percentile_and_a_clock_behind_counts_as_none() -> None:
    durations = Durations()
    assert durations.percentile(0.5) is None
    durations.add(-5)
    assert durations.percentile(0.5) == 0


def test_hours_are_those_of_the_day_and_the_rest_is_known() -> None:
    minutes = Minutes()
    for hours in (-1, 0, 0.5, 23.99, 24, 100):
        minutes.add(BEGIN + timedelta(hours=hours))
    by_hour = minutes.by_hour(BEGIN, 24)
    assert (by_hour[0], by_hour[23], sum(by_hour)) == (2, 1, 3)
    assert minutes.total == 6
    assert minutes.first == BEGIN - timedelta(hours=1)


def test_what_waits_is_what_came_and_did_not_go() -> None:
    come, gone = Minutes(), Minutes()
    for minute in range(10):
        come.add(BEGIN + timedelta(minutes=minute))
        gone.add(BEGIN + timedelta(minutes=minute + 5))
    points = points_between(BEGIN, BEGIN + timedelta(minutes=20), 21)
    assert waiting(come, gone, points) == [0, 1, 2, 3, 4, *[5] * 6, 4, 3, 2, 1, *[0] * 6]


def test_kinds_are_bounded_and_lose_none() -> None:
    kinds = Kinds(most=10)
    for number in range(1_000):
        kinds.add(f"reason {number}")
    kinds.add("reason 3", 5)
    assert len(kinds.counts) == 11
    assert kinds.counts.total() == 1_005
    largest = kinds.largest(3)
    assert [name for name, _ in largest[:2]] == ["others", "reason 3"]
    assert sum(count for _, count in largest) == 1_005


def test_a_million_values_take_no_more_memory_than_a_few() -> None:
    draw = random.Random(2)
    tracemalloc.start()
    durations, minutes = Durations(), Minutes()
    for _ in range(50_000):
        durations.add(draw.uniform(0, 2_600_000))
        minutes.add(BEGIN + timedelta(seconds=draw.uniform(0, 40_000_000)))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(durations.counts) < 2_500
    assert len(minutes.counts) <= 50_000
    assert used < 20 * 1024**2
