"""Which pending manifests go into which run."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.sensors.launches import MAX_MANIFESTS_PER_RUN, MAX_MB_PER_RUN, Launch, plan_launches
from ndjson_pipeline_tests.pipeline.harness import make_name, make_record

FIRST, SECOND, LATER = "2026-01-29", "2026-01-30", "2026-01-31"


def always(_date: str) -> bool:
    return True


def names_of(launch: Launch) -> list[int]:
    return [record.name.sequence for record in launch.records]


def test_nothing_pending_is_no_run() -> None:
    assert plan_launches([], set(), always) == []


def test_manifests_are_grouped_by_date_in_order_of_their_counters() -> None:
    pending = [make_record(2, SECOND), make_record(3, FIRST), make_record(1, SECOND), make_record(1, FIRST)]
    launches = plan_launches(pending, set(), always)
    assert [(launch.date_prefix, names_of(launch)) for launch in launches] == [
        (FIRST, [1, 3]),
        (SECOND, [1, 2]),
    ]


def test_a_run_takes_the_first_manifests_up_to_the_count() -> None:
    pending = [make_record(n, total_size_mb=0.1) for n in range(MAX_MANIFESTS_PER_RUN + 5, 0, -1)]
    (launch,) = plan_launches(pending, set(), always)
    assert names_of(launch) == list(range(1, MAX_MANIFESTS_PER_RUN + 1))


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        ([MAX_MB_PER_RUN / 2, MAX_MB_PER_RUN / 2, 0.1], 2),
        ([MAX_MB_PER_RUN - 1, 2.0, 0.5], 1),
        # One that is too large by itself still goes, alone.
        ([MAX_MB_PER_RUN * 3, 1.0], 1),
        ([1.0, MAX_MB_PER_RUN * 3], 1),
    ],
)
def test_a_run_takes_the_first_manifests_up_to_the_megabytes_but_at_least_one(
    sizes: list[float], taken: int
) -> None:
    pending = [make_record(n, total_size_mb=size) for n, size in enumerate(sizes, start=1)]
    (launch,) = plan_launches(pending, set(), always)
    assert names_of(launch) == list(range(1, taken + 1))


def test_manifests_of_going_runs_are_left_out() -> None:
    pending = [make_record(1), make_record(2)]
    (launch,) = plan_launches(pending, {make_name(1)}, always)
    assert names_of(launch) == [2]
    assert plan_launches(pending, {make_name(1), make_name(2)}, always) == []


def test_a_date_that_is_no_partition_yet_waits_and_holds_up_no_other() -> None:
    pending = [make_record(1, LATER), make_record(1, SECOND)]
    launches = plan_launches(pending, set(), lambda date: date != LATER)
    assert [launch.date_prefix for launch in launches] == [SECOND]


records = st.builds(
    make_record,
    st.integers(1, 200),
    st.sampled_from([FIRST, SECOND, LATER]),
    total_size_mb=st.floats(0, 2 * MAX_MB_PER_RUN),
)


@given(
    st.lists(records, max_size=120, unique_by=lambda record: record.name),
    st.sets(st.builds(make_name, st.integers(1, 200), st.just(FIRST))),
)
def test_there_is_never_more_than_one_run_a_date_nor_a_manifest_in_two(
    pending: list[ManifestRecord], in_flight: set
) -> None:
    launches = plan_launches(pending, in_flight, always)
    dates = Counter(launch.date_prefix for launch in launches)
    assert set(dates.values()) <= {1}
    assert set(dates) == {r.date_prefix for r in pending if r.name not in in_flight}
    for launch in launches:
        assert 1 <= len(launch.records) <= MAX_MANIFESTS_PER_RUN
        assert {record.date_prefix for record in launch.records} == {launch.date_prefix}
        assert not {record.name for record in launch.records} & in_flight


def test_the_attempt_is_one_higher_than_the_highest() -> None:
    assert Launch(SECOND, (make_record(1, attempt=0),)).attempt == 1
    assert Launch(SECOND, (make_record(1, attempt=0), make_record(2, attempt=4))).attempt == 5


def test_a_run_key_differs_by_date_manifests_attempt_and_launch() -> None:
    keys = [
        Launch(date, tuple(make_record(n, date, attempt=attempt) for n in sequences)).run_key(earlier)
        for date in (FIRST, SECOND)
        for sequences in ((1,), (2,), (1, 2))
        for attempt in (0, 1)
        for earlier in (0, 1, 2)
    ]
    assert len(set(keys)) == len(keys)


def test_a_run_key_is_the_same_for_the_same_launch() -> None:
    one = Launch(SECOND, (make_record(1), make_record(2)))
    other = Launch(SECOND, (make_record(1), make_record(2)))
    assert one.run_key(0) == other.run_key(0)
