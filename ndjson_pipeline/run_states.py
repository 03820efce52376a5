"""States of Dagster runs, as the sensors group them."""

from enum import Enum

import dagster as dg

IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
PARTITION_TAG = "dagster/partition"


class RunView(Enum):
    """What Dagster says of the run that holds a record."""

    IN_FLIGHT = "in flight"
    ENDED = "ended"
    UNKNOWN = "unknown"


def view_of(run: dg.DagsterRun | None) -> RunView:
    """Return the view of a run as Dagster's storage has it, None where it has none."""
    if run is None:
        return RunView.UNKNOWN
    return RunView.IN_FLIGHT if run.status in IN_FLIGHT else RunView.ENDED


def is_termination_asked_for(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Tell whether somebody asked for a run's end; a process may also be interrupted by its host."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status in {
        dg.DagsterRunStatus.CANCELING,
        dg.DagsterRunStatus.CANCELED,
    }
