"""Which pending files make the next batch."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.batches.planning import BatchRule, PendingFile, depends_on_last_cut, next_batch
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.settings import Settings
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY, YESTERDAY

RULE = BatchRule(
    max_files=10, max_bytes=None, max_age_seconds=None, min_files=1, late_flush_seconds=60, is_past=False
)


def pending(count: int, size: int = 100, age_seconds: float = 0) -> list[PendingFile]:
    tracked = utc_timestamp(NOON - timedelta(seconds=age_seconds))
    return [PendingFile(f"f{number:04d}", tracked, size) for number in range(count)]


@pytest.mark.parametrize(("count", "taken"), [(0, 0), (1, 0), (9, 0), (10, 10), (11, 10), (25, 10)])
def test_today_is_cut_at_the_full_count_only(count: int, taken: int) -> None:
    assert len(next_batch(pending(count), RULE, NOON, None)) == taken


@pytest.mark.parametrize(
    ("count", "minimum", "taken"), [(0, 1, 0), (1, 1, 1), (4, 5, 0), (5, 5, 5), (12, 5, 10)]
)
def test_a_past_date_flushes_at_its_minimum(count: int, minimum: int, taken: int) -> None:
    rule = replace(RULE, is_past=True, min_files=minimum)
    assert len(next_batch(pending(count), rule, NOON, None)) == taken


def test_a_batch_is_cut_before_it_exceeds_its_bytes() -> None:
    rule = replace(RULE, max_bytes=250)
    assert len(next_batch(pending(3), rule, NOON, None)) == 2
    assert len(next_batch(pending(2), rule, NOON, None)) == 0


def test_a_file_larger_than_the_bound_is_a_batch_of_its_own() -> None:
    assert len(next_batch(pending(2, size=1000), replace(RULE, max_bytes=250), NOON, None)) == 1


@pytest.mark.parametrize(("age", "taken"), [(59, 0), (60, 3), (3600, 3)])
def test_a_batch_is_cut_once_its_oldest_file_waited_long_enough(age: float, taken: int) -> None:
    rule = replace(RULE, max_age_seconds=60)
    files = [*pending(1, age_seconds=age), *pending(2)]
    assert len(next_batch(files, rule, NOON, None)) == taken


@pytest.mark.parametrize(("seconds_ago", "taken"), [(0, 0), (59, 0), (60, 5), (3600, 5)])
def test_a_rest_of_a_past_date_waits_until_nothing_was_cut_of_it_for_a_while(
    seconds_ago: float, taken: int
) -> None:
    rule, last_cut = replace(RULE, is_past=True), NOON - timedelta(seconds=seconds_ago)
    assert len(next_batch(pending(5), rule, NOON, last_cut)) == taken
    assert len(next_batch(pending(10), rule, NOON, last_cut)) == 10


def test_the_age_of_the_oldest_file_ends_the_wait_of_a_past_date_too() -> None:
    rule = replace(RULE, is_past=True, max_age_seconds=20)
    assert len(next_batch(pending(3, age_seconds=19), rule, NOON, NOON)) == 0
    assert len(next_batch(pending(3, age_seconds=20), rule, NOON, NOON)) == 3


def test_a_minimum_holds_for_a_past_date_however_long_ago_it_was_cut() -> None:
    rule = replace(RULE, is_past=True, min_files=3)
    assert not next_batch(pending(2), rule, NOON, NOON - timedelta(days=1))


def test_the_last_cut_is_asked_for_only_where_it_decides() -> None:
    past = replace(RULE, is_past=True, min_files=2)
    assert depends_on_last_cut(pending(2), past, NOON)
    assert not depends_on_last_cut(pending(1), past, NOON)
    assert not depends_on_last_cut(pending(10), past, NOON)
    assert not depends_on_last_cut(pending(2), replace(past, late_flush_seconds=0), NOON)
    assert not depends_on_last_cut(pending(2), RULE, NOON)


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 2000), st.booleans())
def test_repeated_cuts_take_each_file_once_and_leave_less_than_a_batch(
    count: int, max_files: int, max_bytes: int, is_past: bool
) -> None:
    rule = BatchRule(max_files, float(max_bytes), None, 1, 60, is_past)
    left, taken = pending(count), []
    while batch := next_batch(left, rule, NOON, None):
        assert len(batch) <= max_files
        assert len(batch) == 1 or sum(file.size_bytes for file in batch) <= max_bytes
        taken += batch
        left = left[len(batch) :]
    assert taken + left == pending(count)
    assert len(left) < max_files
    assert not (is_past and left)


def test_the_rule_of_a_date_follows_the_settings_and_the_clock() -> None:
    settings = Settings(
        "m", "t", max_files_per_manifest=7, max_batch_mb=2, max_batch_age_seconds=5, late_flush_seconds=9
    )
    assert BatchRule.of(TODAY, settings, NOON) == BatchRule(7, 2 * 1_048_576, 5, 1, 9, is_past=False)
    assert BatchRule.of(YESTERDAY, settings, NOON).is_past
    just_after_midnight = NOON.replace(hour=0, minute=0) + timedelta(days=1)
    assert BatchRule.of(TODAY, settings, just_after_midnight).is_past
