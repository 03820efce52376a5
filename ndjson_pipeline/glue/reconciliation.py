"""What a record that is processing needs, when the run that holds it may be gone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from ndjson_pipeline.claims.dagster_runs import RunView
from ndjson_pipeline.deployment.deadlines import Deadlines
from ndjson_pipeline.glue.runs import GlueRun


class Verdict(Enum):
    """What to do with a record that is processing."""

    LEAVE = "leave"
    SETTLE = "settle"
    STOP = "stop"
    LOST = "lost"


@dataclass(frozen=True)
class ReconcileRules:
    """How long things may take before a run counts as gone.

    Attributes:
        settle_grace: a live run records how its Glue run ended within this.
        start_grace: a live run has started Glue within this, the waits for a free place included.
        abandoned_grace: a record whose run has ended, or that Dagster does not know, is left alone this long:
            Glue's list of runs lags, and another Dagster may hold it.
        claim_grace: a run has claimed its manifests within this from its start; what still waits then was
            left behind by a process that is gone.
        idle_run: a live run holds a claimed manifest from its first seconds to its last; one that holds none
            for this long has no process any more.
        deadline: a Glue run older than this is stopped.
    """

    settle_grace: timedelta = timedelta(minutes=2)
    start_grace: timedelta = Deadlines().start_grace
    abandoned_grace: timedelta = timedelta(seconds=30)
    claim_grace: timedelta = timedelta(minutes=2)
    idle_run: timedelta = timedelta(minutes=10)
    deadline: timedelta = Deadlines().reconcile


def judge(
    *, claimed_at: datetime, run: RunView, glue: GlueRun | None, now: datetime, rules: ReconcileRules
) -> Verdict:
    """Decide; pure.

    Args:
        claimed_at: when the record was claimed, or taken over.
        run: what Dagster says of the run that claimed it.
        glue: the Glue run of that attempt, or None where Glue knows none.
        now: the present instant, aware.
        rules: how long things may take.
    """
    if glue is None:
        grace = rules.start_grace if run is RunView.IN_FLIGHT else rules.abandoned_grace
        return Verdict.LOST if now - claimed_at > grace else Verdict.LEAVE
    if not glue.is_terminal:
        started = glue.started_on or claimed_at
        return Verdict.STOP if now - started > rules.deadline else Verdict.LEAVE
    if run is RunView.ENDED:
        return Verdict.SETTLE
    # A run that took the record over long after its Glue run ended needs its time, too.
    ended = max(glue.completed_on or claimed_at, claimed_at)
    return Verdict.SETTLE if now - ended > rules.settle_grace else Verdict.LEAVE
