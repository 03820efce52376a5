"""Which pending files make the next batch."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.batches.planning import BatchRule, PendingFile, next_batch
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.settings import Settings
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY, YESTERDAY

RULE = BatchRule(max_files=10, max_bytes=None, max_age_seconds=None, min_files=1, is_past=False)


def pending(count: int, size: int = 100, age_seconds: float = 0) -> list[PendingFile]:
    tracked = utc_timestamp(NOON - timedelta(seconds=age_seconds))
    return [PendingFile(f"f{number:04d}", tracked, size) for number in range(count)]


@pytest.mark.parametrize(("count", "taken"), [(0, 0), (1, 0), (9, 0), (10, 10), (11, 10), (25, 10)])
def test_today_is_cut_at_the_full_count_only(count: int, taken: int) -> None:
    assert len(next_batch(pending(count), RULE, NOON)) == taken


@pytest.mark.parametrize(
    ("count", "minimum", "taken"), [(0, 1, 0), (1, 1, 1), (4, 5, 0), (5, 5, 5), (12, 5, 10)]
)
def test_a_past_date_flushes_at_its_minimum(count: int, minimum: int, taken: int) -> None:
    rule = replace(RULE, is_past=True, min_files=minimum)
    assert len(next_batch(pending(count), rule, NOON)) == taken


def test_a_batch_is_cut_before_it_exceeds_its_bytes() -> None:
    rule = replace(RULE, max_bytes=250)
    assert len(next_batch(pending(3), rule, NOON)) == 2
    assert len(next_batch(pending(2), rule, NOON)) == 0


def test_a_file_larger_than_the_bound_is_a_batch_of_its_own() -> None:
    assert len(next_batch(pending(2, size=1000), replace(RULE, max_bytes=250), NOON)) == 1


@pytest.mark.parametrize(("age", "taken"), [(59, 0), (60, 3), (3600, 3)])
def test_a_batch_is_cut_once_its_oldest_file_waited_long_enough(age: float, taken: int) -> None:
    rule = replace(RULE, max_age_seconds=60)
    files = [*pending(1, age_seconds=age), *pending(2)]
    assert len(next_batch(files, rule, NOON)) == taken


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 2000), st.booleans())
def test_repeated_cuts_take_each_file_once_and_leave_less_than_a_batch(
    count: int, max_files: int, max_bytes: int, is_past: bool
) -> None:
    rule = BatchRule(max_files, float(max_bytes), None, 1, is_past)
    left, taken = pending(count), []
    while batch := next_batch(left, rule, NOON):
        assert len(batch) <= max_files
        assert len(batch) == 1 or sum(file.size_bytes for file in batch) <= max_bytes
        taken += batch
        left = left[len(batch) :]
    assert taken + left == pending(count)
    assert len(left) < max_files
    assert not (is_past and left)


def test_the_rule_of_a_date_follows_the_settings_and_the_clock() -> None:
    settings = Settings("m", "t", max_files_per_manifest=7, max_batch_mb=2, max_batch_age_seconds=5)
    assert BatchRule.of(TODAY, settings, NOON) == BatchRule(7, 2 * 1_048_576, 5, 1, is_past=False)
    assert BatchRule.of(YESTERDAY, settings, NOON).is_past
    just_after_midnight = NOON.replace(hour=0, minute=0) + timedelta(days=1)
    assert BatchRule.of(TODAY, settings, just_after_midnight).is_past
