"""Which move a run makes with a record: the table of what it is for, and of how the record stands."""

from datetime import timedelta

import pytest

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import Ancestry, Purpose, RunView
from ndjson_pipeline.claims.decision import LeftAlone, decide
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline_tests.pipeline.harness import NOW, make_record

SENSORS = Ancestry(Purpose.LAUNCH)
PERSONS = Ancestry(Purpose.DATES)
ANCESTORS = {"parent": RunView.ENDED, "going": RunView.IN_FLIGHT, "deleted": RunView.UNKNOWN}
AGAIN = Ancestry(Purpose.EXPLICIT_RETRY, ancestors=ANCESTORS)
AUTOMATIC = Ancestry(Purpose.LAUNCH, True, ANCESTORS, frozenset({"parent"}))
AUTOMATIC_OF_DATES = Ancestry(Purpose.DATES, True, ANCESTORS, frozenset({"parent"}))
AUTOMATIC_OF_AGAIN = Ancestry(Purpose.EXPLICIT_RETRY, True, ANCESTORS, frozenset({"parent"}))
LEFT = None

PENDING = {"status": ManifestStatus.PENDING}
CRASHED = {"status": ManifestStatus.FAILED, "retry_at": utc_timestamp(NOW), "dagster_run_id": "parent"}
CRASHED_JUST_NOW = {**CRASHED, "retry_at": utc_timestamp(NOW + timedelta(seconds=1))}
FAILED_OF_PARENT = {"status": ManifestStatus.FAILED, "dagster_run_id": "parent"}
FAILED_OF_OTHER = {"status": ManifestStatus.FAILED, "dagster_run_id": "other"}
COMPLETED_BY_PARENT = {"status": ManifestStatus.COMPLETED, "dagster_run_id": "parent"}
COMPLETED_BY_OTHER = {"status": ManifestStatus.COMPLETED, "dagster_run_id": "other"}
HELD_BY_SELF = {"status": ManifestStatus.PROCESSING, "dagster_run_id": "self"}
HELD_BY_PARENT = {"status": ManifestStatus.PROCESSING, "dagster_run_id": "parent"}
HELD_BY_GOING = {"status": ManifestStatus.PROCESSING, "dagster_run_id": "going"}
HELD_BY_DELETED = {"status": ManifestStatus.PROCESSING, "dagster_run_id": "deleted"}
HELD_BY_OTHER = {"status": ManifestStatus.PROCESSING, "dagster_run_id": "other"}
HELD_BY_NOBODY = {"status": ManifestStatus.PROCESSING}

RUNS = (SENSORS, PERSONS, AGAIN, AUTOMATIC, AUTOMATIC_OF_DATES, AUTOMATIC_OF_AGAIN)
NAMES = ("sensors", "persons", "again", "automatic", "automatic_of_dates", "automatic_of_again")
# What each of RUNS does, in their order.
EXPECTED = {
    "pending": (PENDING, [Move.CLAIM] * 6),
    "crashed": (CRASHED, [Move.RETRY] * 6),
    "crashed just now": (CRASHED_JUST_NOW, [LEFT, Move.RETRY, Move.RETRY, LEFT, LEFT, LEFT]),
    "failed of parent": (FAILED_OF_PARENT, [LEFT, Move.RECLAIM, Move.RECLAIM, LEFT, LEFT, LEFT]),
    "failed of other": (
        FAILED_OF_OTHER,
        [LEFT, Move.RECLAIM, Move.RECLAIM, LEFT, Move.RECLAIM, Move.RECLAIM],
    ),
    "completed by parent": (COMPLETED_BY_PARENT, [LEFT, Move.RECLAIM, Move.RECLAIM, LEFT, LEFT, LEFT]),
    "completed by other": (
        COMPLETED_BY_OTHER,
        [LEFT, Move.RECLAIM, Move.RECLAIM, LEFT, Move.RECLAIM, Move.RECLAIM],
    ),
    "held by self": (HELD_BY_SELF, [Move.CLAIM] * 6),
    "held by parent": (HELD_BY_PARENT, [LEFT, LEFT, *[Move.TAKE_OVER] * 4]),
    "held by an ancestor that is going": (HELD_BY_GOING, [LEFT] * 6),
    "held by an ancestor that Dagster forgot": (HELD_BY_DELETED, [LEFT] * 6),
    "held by other": (HELD_BY_OTHER, [LEFT] * 6),
    "held by nobody": (HELD_BY_NOBODY, [LEFT] * 6),
}
CASES = [
    pytest.param(attributes, run, move, id=f"{name}-{run_name}")
    for name, (attributes, moves) in EXPECTED.items()
    for run, run_name, move in zip(RUNS, NAMES, moves, strict=True)
]


@pytest.mark.parametrize(("attributes", "run", "move"), CASES)
def test_a_run_makes_the_move_that_its_purpose_and_the_record_allow(
    attributes: dict[str, object], run: Ancestry, move: Move | None
) -> None:
    decision = decide(make_record(attempt=1, **attributes), "self", run, NOW)
    if move is LEFT:
        assert isinstance(decision, LeftAlone)
        assert decision.reason
    else:
        assert decision is move


def test_what_an_ancestor_still_converts_is_left_alone_with_the_reason() -> None:
    decision = decide(make_record(attempt=1, **HELD_BY_GOING), "self", AGAIN, NOW)
    assert isinstance(decision, LeftAlone)
    assert "going" in decision.reason
    assert "still going" in decision.reason
