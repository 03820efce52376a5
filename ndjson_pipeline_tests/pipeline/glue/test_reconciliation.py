"""What a record that is processing needs."""

from datetime import datetime, timedelta

import pytest

from ndjson_pipeline.claims.dagster_runs import RunView
from ndjson_pipeline.glue.reconciliation import ReconcileRules, Verdict, judge
from ndjson_pipeline.glue.runs import GlueRun
from ndjson_pipeline_tests.pipeline.harness import NOW

IN_FLIGHT, ENDED, UNKNOWN = RunView.IN_FLIGHT, RunView.ENDED, RunView.UNKNOWN
LEAVE, SETTLE, STOP, LOST = Verdict.LEAVE, Verdict.SETTLE, Verdict.STOP, Verdict.LOST


def minutes_ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def glue(state: str, started: float, ended: float | None = None) -> GlueRun:
    return GlueRun(
        "job",
        "jr_1",
        state,
        None,
        60,
        minutes_ago(started),
        {},
        None if ended is None else minutes_ago(ended),
    )


@pytest.mark.parametrize(
    ("claimed", "run", "found", "verdict"),
    [
        (1, IN_FLIGHT, None, LEAVE),
        (14, IN_FLIGHT, None, LEAVE),
        (16, IN_FLIGHT, None, LOST),
        (0.1, ENDED, None, LEAVE),
        (1, ENDED, None, LOST),
        (0.1, UNKNOWN, None, LEAVE),
        (1, UNKNOWN, None, LOST),
        (30, IN_FLIGHT, glue("RUNNING", 30), LEAVE),
        (30, ENDED, glue("RUNNING", 30), LEAVE),
        (30, UNKNOWN, glue("STARTING", 30), LEAVE),
        (200, IN_FLIGHT, glue("RUNNING", 200), STOP),
        (200, UNKNOWN, glue("RUNNING", 200), STOP),
        (30, IN_FLIGHT, glue("SUCCEEDED", 30, 1), LEAVE),
        (30, IN_FLIGHT, glue("SUCCEEDED", 30, 3), SETTLE),
        (30, IN_FLIGHT, glue("FAILED", 30, 3), SETTLE),
        # Taken over a minute ago, long after its Glue run ended.
        (1, IN_FLIGHT, glue("SUCCEEDED", 60, 30), LEAVE),
        (30, ENDED, glue("SUCCEEDED", 30, 0.1), SETTLE),
        (30, ENDED, glue("EXPIRED", 30, 0.1), SETTLE),
        (30, UNKNOWN, glue("SUCCEEDED", 30, 1), LEAVE),
        (30, UNKNOWN, glue("SUCCEEDED", 30, 3), SETTLE),
        (30, UNKNOWN, glue("STOPPED", 30), SETTLE),
    ],
)
def test_each_case_has_its_verdict(
    claimed: float, run: RunView, found: GlueRun | None, verdict: Verdict
) -> None:
    rules = ReconcileRules()
    assert judge(claimed_at=minutes_ago(claimed), run=run, glue=found, now=NOW, rules=rules) is verdict
