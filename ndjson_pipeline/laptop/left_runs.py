"""Runs of Dagster that went on when a laptop's platform ended: their processes are gone."""

from pathlib import Path

REASON = "The platform on this machine ended while this run was going"


def end_left_runs(home: Path) -> int:
    """Record as failed what has no process any more, so that Dagster launches it again; return how many.

    Only for a home of which nobody works with: else it would end what goes on.

    Args:
        home: the DAGSTER_HOME.
    """
    import dagster as dg  # noqa: PLC0415 - loads for a second, while the local AWS starts

    with dg.DagsterInstance.from_config(str(home)) as instance:
        going = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
        canceled = dg.RunsFilter(statuses=[dg.DagsterRunStatus.CANCELING])
        left = instance.get_runs(going)
        for run in left:
            instance.report_run_failed(run, REASON)
        for run in instance.get_runs(canceled):
            instance.report_run_canceled(run, REASON)
    return len(left)
