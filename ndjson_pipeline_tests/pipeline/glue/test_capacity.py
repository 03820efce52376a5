"""How much a Glue run is given, and how many workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.glue.capacity import (
    CONVERSION_SECONDS,
    MAX_MANIFESTS_PER_RUN,
    MB_PER_SECOND_AND_WORKER,
    Capacity,
)
from ndjson_pipeline_tests.pipeline.harness import make_record

ONE_WORKERS_MB = MB_PER_SECOND_AND_WORKER * CONVERSION_SECONDS


@pytest.mark.parametrize(
    ("total_mb", "workers"),
    [
        (0.0, 2),
        (35.0, 2),
        (ONE_WORKERS_MB, 2),
        (ONE_WORKERS_MB + 1, 3),
        (4 * ONE_WORKERS_MB, 5),
        (9 * ONE_WORKERS_MB, 10),
        (90 * ONE_WORKERS_MB, 10),
    ],
)
def test_workers_follow_the_bytes_within_their_bounds(total_mb: float, workers: int) -> None:
    assert Capacity().workers_for(total_mb) == workers


def test_a_job_with_more_workers_keeps_them() -> None:
    assert Capacity(least_workers=5).workers_for(1.0) == 5


def sizes(shares: list[list[ManifestRecord]]) -> list[list[float]]:
    return [[record.total_size_mb for record in share] for share in shares]


def records_of(*sizes_mb: float) -> list[ManifestRecord]:
    return [make_record(n, total_size_mb=size) for n, size in enumerate(sizes_mb, start=1)]


def test_a_run_is_given_no_more_than_its_most_workers_convert_in_time() -> None:
    most = Capacity().most_mb
    assert sizes(Capacity().shares(records_of(most / 2, most / 2, 1.0, most))) == [
        [most / 2, most / 2],
        [1.0],
        [most],
    ]


def test_a_manifest_beyond_the_bound_makes_a_run_of_its_own() -> None:
    most = Capacity().most_mb
    assert sizes(Capacity().shares(records_of(1.0, most * 3, 1.0))) == [[1.0], [most * 3], [1.0]]


def test_a_run_is_given_so_many_manifests_and_no_more() -> None:
    shares = Capacity().shares(records_of(*([0.1] * (MAX_MANIFESTS_PER_RUN + 1))))
    assert [len(share) for share in shares] == [MAX_MANIFESTS_PER_RUN, 1]


@given(st.lists(st.floats(0, 3 * Capacity().most_mb)))
def test_every_manifest_is_in_one_share_in_order(sizes_mb: list[float]) -> None:
    records = records_of(*sizes_mb)
    shares = Capacity().shares(records)
    assert [record for share in shares for record in share] == records
    assert all(shares)
