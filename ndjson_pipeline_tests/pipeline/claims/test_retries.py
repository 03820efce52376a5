"""When another attempt follows a failure by itself."""

from datetime import timedelta

import pytest

from ndjson_pipeline.claims.retries import MAX_CRASHES, RETRY_WAITS, FailureKind, next_try, retry_wait
from ndjson_pipeline_tests.pipeline.harness import NOW

FINAL, CRASHED, NOT_STARTED = FailureKind.FINAL, FailureKind.CRASHED, FailureKind.NOT_STARTED


@pytest.mark.parametrize(
    ("kind", "crashes", "refused", "is_alone", "minutes", "counts"),
    [
        (FINAL, 0, 0, True, None, (0, 0)),
        (FINAL, 2, 5, False, None, (2, 5)),
        (CRASHED, 0, 0, True, 1, (1, 0)),
        (CRASHED, 1, 0, True, 5, (2, 0)),
        (CRASHED, 2, 0, True, None, (3, 0)),
        (CRASHED, 2, 0, False, 25, (3, 0)),
        (CRASHED, 9, 0, False, 60, (10, 0)),
        (CRASHED, 9, 0, True, None, (10, 0)),
        (CRASHED, 0, 9, True, 60, (1, 9)),
        (NOT_STARTED, 0, 0, True, 1, (0, 1)),
        (NOT_STARTED, 2, 0, True, 25, (2, 1)),
        (NOT_STARTED, 0, 10_000, True, 60, (0, 10_001)),
    ],
)
def test_each_failure_has_its_next_try(
    kind: FailureKind,
    crashes: int,
    refused: int,
    is_alone: bool,
    minutes: int | None,
    counts: tuple[int, int],
) -> None:
    found = next_try(kind, crashes=crashes, refused_starts=refused, is_alone=is_alone, now=NOW)
    assert found.retry_at == (None if minutes is None else NOW + timedelta(minutes=minutes))
    assert (found.crashes, found.refused_starts) == counts


def test_waits_grow_to_an_hour() -> None:
    waits = [retry_wait(failures) for failures in range(1, 20)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(minutes=1), timedelta(hours=1))
    assert len(RETRY_WAITS) > MAX_CRASHES
