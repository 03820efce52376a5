"""However builders of one date meet, each file ends in one manifest, and none changes once committed."""

import itertools
import random

import pytest

from ndjson_pipeline_tests.lambda_ingest.harness import YESTERDAY, names
from ndjson_pipeline_tests.lambda_ingest.proofs.figures import tried
from ndjson_pipeline_tests.lambda_ingest.proofs.schedules import (
    TRACK_ONLY,
    Interleavings,
    Schedule,
    Turn,
    three_builders,
    two_builders,
)
from ndjson_pipeline_tests.lambda_ingest.proofs.world import World

NEVER = (False, False)
FIRST = (True, False)
SECOND = (False, True)
BOTH = (True, True)
SAMPLE = 50


def interleavings_of(world: World, files: int, batch: int, late_flush_seconds: int = 0) -> Interleavings:
    """Pending files of a past date, so that every batch is due, a rest after another's cut included."""
    accepted = list(names(files, YESTERDAY))
    world.deliver(*(world.put(each) for each in accepted), **TRACK_ONLY)
    interleavings = Interleavings(world, world.snapshot(), YESTERDAY, accepted)
    interleavings.changes = {
        "max_files_per_manifest": batch,
        "late_flush_seconds": late_flush_seconds,
        "metrics_table": None,
    }
    return interleavings


def test_two_builders_one_paused_beyond_the_locks_life(world: World) -> None:
    """One batch, a lock that runs out while the first builder is paused, and a file for the second alone."""
    interleavings = interleavings_of(world, files=2, batch=3)
    for _ in two_builders(interleavings, [FIRST], is_index_stale=False, has_arrival=True):
        pass
    tried("two builders, one batch, the lock runs out", interleavings.schedules, "schedules")


@pytest.mark.parametrize("late_flush_seconds", [0, 60])
def test_two_builders_with_a_stale_index_sampled(world: World, late_flush_seconds: int) -> None:
    interleavings = interleavings_of(world, files=3, batch=2, late_flush_seconds=late_flush_seconds)
    alone = interleavings.run(Schedule((Turn(0, None),))).taken[0]
    points = itertools.product(
        range(alone + 1), range(1, alone + 1), [NEVER, FIRST, SECOND, BOTH], [False, True], [False, True]
    )
    for first, second, expires, is_stale, has_arrival in random.Random(20260130).sample(list(points), SAMPLE):
        turns = (Turn(0, first, expires[0]), Turn(1, second, expires[1]), Turn(0, None))
        interleavings.run(Schedule(turns, is_stale, has_arrival))
    tried(
        f"two builders, two batches, stale index too, a rest waits {late_flush_seconds} s, sampled",
        interleavings.schedules,
        "schedules",
    )


def test_three_builders_sampled(world: World) -> None:
    interleavings = interleavings_of(world, files=3, batch=2)
    every = [
        *three_builders(interleavings, [NEVER, FIRST, SECOND, BOTH], is_index_stale=False),
        *three_builders(interleavings, [NEVER, FIRST, SECOND, BOTH], is_index_stale=True),
    ]
    for schedule in random.Random(20260130).sample(every, SAMPLE):
        interleavings.run(schedule)
    tried(f"three builders, {SAMPLE} of {len(every)}", interleavings.schedules, "schedules")


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("is_index_stale", [False, True])
@pytest.mark.parametrize("has_arrival", [False, True])
def test_every_schedule_of_two_builders(world: World, is_index_stale: bool, has_arrival: bool) -> None:
    interleavings = interleavings_of(world, files=3, batch=2)
    expiries = [NEVER, FIRST, SECOND, BOTH]
    for _ in two_builders(interleavings, expiries, is_index_stale=is_index_stale, has_arrival=has_arrival):
        pass
    tried(
        f"two builders, index stale: {is_index_stale}, a file arrives: {has_arrival}",
        interleavings.schedules,
        "schedules",
    )


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("is_index_stale", [False, True])
def test_every_schedule_of_three_builders(world: World, is_index_stale: bool) -> None:
    interleavings = interleavings_of(world, files=3, batch=2)
    expiries = [NEVER, FIRST, SECOND, BOTH]
    for schedule in three_builders(interleavings, expiries, is_index_stale=is_index_stale):
        interleavings.run(schedule)
    tried(
        f"three builders, index stale: {is_index_stale}",
        interleavings.schedules,
        "schedules",
    )
