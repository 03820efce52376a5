"""Which dates are launched, and which go first."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.contract.dates import utc_timestamp
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.sensors.launches import (
    PAST_PRIORITY,
    TODAYS_PRIORITY,
    DateRuns,
    Launch,
    LaunchDial,
    plan_launches,
)
from ndjson_pipeline_tests.pipeline.harness import make_record

NOW = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
TODAY, YESTERDAY, EARLIER = "2026-01-30", "2026-01-29", "2026-01-15"
WAITING, GOING = DateRuns(waiting=1), DateRuns(going=1)


def always(_date: str) -> bool:
    return True


def waits(
    sequence: int = 1, date_prefix: str = TODAY, *, seconds: float = 0, mb: float = 35.0, attempt: int = 0
) -> ManifestRecord:
    """Return a record that has waited for so long."""
    created = utc_timestamp(NOW - timedelta(seconds=seconds))
    return make_record(sequence, date_prefix, created_at=created, total_size_mb=mb, attempt=attempt)


def plan(
    *records: ManifestRecord,
    runs: dict[str, DateRuns] | None = None,
    dial: LaunchDial | None = None,
    places: int = 2,
) -> list[Launch]:
    return plan_launches(
        records, runs or {}, has_partition=always, dial=dial or LaunchDial(), places=places, now=NOW
    )


def dates(launches: list[Launch]) -> list[str]:
    return [launch.date_prefix for launch in launches]


def test_nothing_waits_so_nothing_is_launched() -> None:
    assert plan() == []


def test_a_date_gets_one_run_for_all_that_waits_in_order() -> None:
    (launch,) = plan(*(waits(sequence) for sequence in range(3000, 0, -1)))
    assert [record.name.sequence for record in launch.records] == list(range(1, 3001))


def test_a_date_whose_run_waits_gets_no_other() -> None:
    assert plan(waits(1), waits(2), runs={TODAY: WAITING}) == []


def test_a_date_whose_run_converts_gets_the_next_one() -> None:
    assert dates(plan(waits(), runs={TODAY: GOING})) == [TODAY]


def test_today_goes_before_past_dates_and_of_these_who_waits_longest() -> None:
    launches = plan(
        waits(1, EARLIER, seconds=10), waits(1, YESTERDAY, seconds=500), waits(1, TODAY), places=4
    )
    assert dates(launches) == [TODAY, YESTERDAY, EARLIER]
    assert [launch.priority for launch in launches] == [TODAYS_PRIORITY, PAST_PRIORITY, PAST_PRIORITY]


def test_a_backfill_comes_after_all_of_them() -> None:
    assert min(TODAYS_PRIORITY, PAST_PRIORITY) > 0


def test_no_date_takes_all_places_while_another_has_work() -> None:
    records = [waits(1, TODAY), waits(1, YESTERDAY)]
    assert dates(plan(*records, runs={TODAY: GOING})) == [YESTERDAY]
    assert dates(plan(*records, runs={TODAY: DateRuns(going=2)}, places=4)) == [TODAY, YESTERDAY]
    assert dates(plan(*records, runs={TODAY: DateRuns(going=3)}, places=4)) == [YESTERDAY]


def test_alone_a_date_takes_all_places() -> None:
    assert dates(plan(waits(), runs={TODAY: DateRuns(going=5)})) == [TODAY]


def test_hundreds_of_past_dates_leave_a_place_to_today() -> None:
    past = [waits(1, f"2025-{month:02d}-{day:02d}") for month in range(1, 13) for day in range(1, 29)]
    launches = plan(*past, waits(1, TODAY))
    assert dates(launches)[0] == TODAY
    assert len(launches) == 2
    # Of the two places one is a past date's: today's next run does not wait behind the others.
    runs = {launches[1].date_prefix: GOING}
    assert dates(plan(*past, waits(1, TODAY), runs=runs)) == [TODAY]
    assert len(plan(*past, runs=runs)) == len(past) - 1


def test_tomorrows_manifest_waits_for_its_day() -> None:
    later = waits(1, "2026-01-31")
    launches = plan_launches(
        [later, waits(1)],
        {},
        has_partition=lambda date: date != "2026-01-31",
        dial=LaunchDial(),
        places=2,
        now=NOW,
    )
    assert dates(launches) == [TODAY]


FIVE_MINUTES = LaunchDial(max_wait=timedelta(minutes=5))
BY_SIZE = LaunchDial(min_mb=1000.0, max_wait=timedelta(minutes=5))


@pytest.mark.parametrize(
    ("dial", "records", "is_launched"),
    [
        (FIVE_MINUTES, [waits(1, seconds=299)], False),
        (FIVE_MINUTES, [waits(1, seconds=300), waits(2)], True),
        (FIVE_MINUTES, [waits(1, mb=100_000.0)], False),
        (BY_SIZE, [waits(1, mb=999.0)], False),
        (BY_SIZE, [waits(1, mb=500.0), waits(2, mb=500.0)], True),
        (BY_SIZE, [waits(1, mb=0.1, seconds=300)], True),
    ],
)
def test_a_date_is_launched_by_size_or_by_age(
    dial: LaunchDial, records: list[ManifestRecord], is_launched: bool
) -> None:
    assert bool(plan(*records, dial=dial)) is is_launched


def test_what_is_tried_again_does_not_wait_for_the_dial() -> None:
    assert dates(plan(waits(1, attempt=1), dial=FIVE_MINUTES)) == [TODAY]


def test_a_record_that_does_not_say_since_when_it_waits_has_waited_long_enough() -> None:
    odd = make_record(1, TODAY, created_at="some day")
    assert dates(plan(odd, dial=FIVE_MINUTES)) == [TODAY]


def test_a_run_key_tells_launches_of_other_manifests_and_attempts_apart() -> None:
    first, more, again = (
        plan(*records)[0] for records in ([waits(1)], [waits(1), waits(2)], [waits(1, attempt=1)])
    )
    keys = {launch.run_key(launched) for launch in (first, more, again) for launched in (0, 1)}
    assert len(keys) == 6
    assert first.run_key(0) == plan(waits(1))[0].run_key(0)


records_of_dates = st.lists(
    st.builds(
        waits,
        st.integers(1, 50),
        st.sampled_from([TODAY, YESTERDAY, EARLIER, "2026-01-01"]),
        seconds=st.floats(0, 1000),
        mb=st.floats(0, 1e6),
        attempt=st.integers(0, 2),
    ),
    unique_by=lambda record: record.name,
)
runs_of_dates = st.dictionaries(
    st.sampled_from([TODAY, YESTERDAY, EARLIER]),
    st.builds(DateRuns, st.integers(0, 1), st.integers(0, 3)),
)


@given(records_of_dates, runs_of_dates, st.integers(1, 5))
def test_at_most_one_run_of_a_date_waits_and_someone_always_gets_on(
    records: list[ManifestRecord], runs: dict[str, DateRuns], places: int
) -> None:
    launches = plan(*records, runs=runs, places=places)
    launched = dates(launches)
    assert len(launched) == len(set(launched))
    assert not {date for date in launched if runs.get(date, DateRuns()).waiting}
    for launch in launches:
        assert set(launch.records) == {r for r in records if r.date_prefix == launch.date_prefix}
    if records and not any(held.waiting or held.going for held in runs.values()):
        # Where nothing goes or waits, what waits is launched.
        assert launched
