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
