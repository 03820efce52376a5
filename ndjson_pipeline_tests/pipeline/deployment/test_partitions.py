"""Partitions by UTC day."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from lambda_ingest.settings import Settings
from ndjson_pipeline.deployment.partitions import daily_partitions, partition_problem
from ndjson_pipeline.deployment.settings import PipelineSettings

START_DATE = PipelineSettings.partition_start_date
PARTITIONS = daily_partitions(START_DATE)


def keys_at(now: datetime) -> list[str]:
    return list(PARTITIONS.get_partition_keys(current_time=now))


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 1, 30, 0, 0, tzinfo=UTC),
        datetime(2026, 1, 30, 23, 59, 59, tzinfo=UTC),
        # Noon of the 31st in Tokyo's zone is still the 30th in UTC.
        datetime(2026, 1, 31, 8, 59, tzinfo=timezone(timedelta(hours=9))),
    ],
)
def test_today_in_utc_is_the_last_partition(now: datetime) -> None:
    keys = keys_at(now)
    assert keys[-1] == "2026-01-30"
    assert len(keys) == len(set(keys)) == (date(2026, 1, 30) - START_DATE).days + 1


def test_tomorrow_becomes_a_partition_at_midnight() -> None:
    midnight = datetime(2026, 1, 31, tzinfo=UTC)
    assert "2026-01-31" not in keys_at(midnight - timedelta(microseconds=1))
    assert "2026-01-31" in keys_at(midnight)


def test_the_first_partition_is_the_first_date_that_ingest_accepts() -> None:
    assert Settings("bucket", "table").partition_start_date == START_DATE
    assert keys_at(datetime(2026, 1, 30, tzinfo=UTC))[0] == START_DATE.isoformat()


@pytest.mark.parametrize("text", ["2026-13-45", "2025-02-30", "garbage", "", "2024-12-31"])
def test_what_is_no_date_since_then_is_no_partition(text: str) -> None:
    assert not PARTITIONS.has_partition_key(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2025-01-01", None),
        ("2026-01-30", None),
        # Tomorrow waits for its day.
        ("2026-01-31", None),
        ("2026-02-01", "further ahead than tomorrow, 2026-01-31"),
        ("2024-12-31", "before the first partition, 2025-01-01"),
        ("2026-13-45", "no day"),
        ("garbage", "no day"),
    ],
)
def test_a_date_is_or_will_be_a_partition_or_there_is_a_reason(text: str, problem: str | None) -> None:
    found = partition_problem(text, START_DATE, datetime(2026, 1, 30, 23, 59, tzinfo=UTC))
    assert (found is None) is (problem is None)
    assert (problem or "") in (found or "")
