"""The whole platform over simulated time: whatever goes wrong, nothing is lost, doubled, unsaid or grows."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ndjson_pipeline_tests.end_to_end.simulated.arrivals import Rates
from ndjson_pipeline_tests.end_to_end.simulated.judgement import Judgement, Windows
from ndjson_pipeline_tests.end_to_end.simulated.platform import Plan, simulated_platform
from ndjson_pipeline_tests.lambda_ingest.proofs.figures import FIGURE

# Another run of the same kind: SOAK_SEED=7.
SEED = int(os.environ.get("SOAK_SEED", "1"))


def hours(*numbers: float) -> list[timedelta]:
    return [timedelta(hours=number) for number in numbers]


SOME_HOURS = Plan(
    start=datetime(2026, 1, 29, 23, 0, tzinfo=UTC),
    arrivals=timedelta(hours=1),
    drain=timedelta(hours=1.5),
    patience=8,
    rates=Rates(
        seconds_between_files=35, late=0.12, refused=0.03, overwritten=0.05, dropped=0.04, throttled=0.03
    ),
    starts_between_fates=2,
    poisoned=hours(0.2, 0.8),
    mended=timedelta(hours=1.6),
    garbage=hours(0.5),
    backfill=hours(0.65),
    lost_storage=hours(0.55),
    refusal_storm=hours(0.1),
)
DAYS = range(3)
THREE_DAYS = Plan(
    start=datetime(2026, 1, 27, 0, 0, tzinfo=UTC),
    arrivals=timedelta(days=3),
    drain=timedelta(hours=2.5),
    patience=6,
    rates=Rates(seconds_between_files=90),
    starts_between_fates=9,
    poisoned=hours(*(24 * day + hour for day in DAYS for hour in (3, 17))),
    mended=timedelta(hours=50),
    garbage=hours(9, 33, 71),
    backfill=hours(30, 54),
    lost_storage=hours(40),
    refusal_storm=hours(7, 60),
)


def run(plan: Plan, windows: Windows, tell: Callable[[str, object], None]) -> None:
    """Let the planned time pass, tell what it came to, and judge it."""
    began = time.process_time()
    try:
        with simulated_platform(plan, SEED) as platform:
            platform.run()
            judgement = Judgement(platform)
            tell(FIGURE, f"{judgement.figures()}, CPU seconds {time.process_time() - began:.0f}")
            for sensor, cost in judgement.tick_costs(windows).items():
                tell(FIGURE, f"{sensor}, at first and at last: {cost}")
            judgement.check(windows)
    except BaseException as error:
        error.add_note(f"SOAK_SEED={SEED}")
        raise


def test_some_hours(record_property: Callable[[str, object], None]) -> None:
    # Of two hours and a half the last half hour is quiet; what is done by then must not show in it.
    run(SOME_HOURS, Windows(hours=0.5, last=2.0), record_property)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_three_days(record_property: Callable[[str, object], None]) -> None:
    run(THREE_DAYS, Windows(hours=6, last=66), record_property)
