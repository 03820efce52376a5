"""The sensor daemon in a process of its own: until it dies at a crash point, or until there are runs.

Started with the sensor's name, and a crash point or how many runs there are to be; DAGSTER_HOME is in its
environment.
"""

import logging
import signal
import sys
import time

import dagster as dg
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.sensor import execute_sensor_iteration

from ndjson_pipeline.laptop.dagster_process import DEFINITIONS

# In their order within a tick that requests runs.
CRASH_POINTS = ("TICK_CREATED", "TICK_HELD", "RUN_IDS_RESERVED", "RUN_CREATED", "RUN_LAUNCHED")


# Beyond the manifest sensor's interval: within it a round would pass over that sensor.
_SECONDS_BETWEEN_ROUNDS = 5.0


def main(sensor: str, aim: str) -> None:
    """Evaluate every sensor: once where the process is to die, else until there are runs, and once more."""
    crash_point = None if aim.isdigit() else aim
    target = ModuleTarget(
        module_name=DEFINITIONS, attribute="defs", working_directory=None, location_name=None
    )
    with (
        dg.DagsterInstance.get() as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):

        def evaluate() -> None:
            list(
                execute_sensor_iteration(
                    workspace,
                    logging.getLogger("sensors"),
                    threadpool_executor=None,
                    submit_threadpool_executor=None,
                    debug_crash_flags={sensor: {crash_point: signal.SIGKILL}} if crash_point else None,
                )
            )

        evaluate()
        if crash_point:
            return
        while instance.get_runs_count() < int(aim):
            time.sleep(_SECONDS_BETWEEN_ROUNDS)
            evaluate()
        time.sleep(_SECONDS_BETWEEN_ROUNDS)
        evaluate()


if __name__ == "__main__":
    main(*sys.argv[1:])
