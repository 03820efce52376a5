"""One round of the sensor daemon in a process of its own, which may die at one of the daemon's crash points.

Started with the sensor's name and, perhaps, a crash point; DAGSTER_HOME is in its environment.
"""

import logging
import signal
import sys

import dagster as dg
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.sensor import execute_sensor_iteration

from ndjson_pipeline.laptop.dagster_process import DEFINITIONS

# In their order within a tick that requests runs.
CRASH_POINTS = ("TICK_CREATED", "TICK_HELD", "RUN_IDS_RESERVED", "RUN_CREATED", "RUN_LAUNCHED")


def main(sensor: str, crash_point: str | None) -> None:
    """Evaluate every sensor once."""
    flags = {sensor: {crash_point: signal.SIGKILL}} if crash_point else None
    target = ModuleTarget(
        module_name=DEFINITIONS, attribute="defs", working_directory=None, location_name=None
    )
    with (
        dg.DagsterInstance.get() as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):
        list(
            execute_sensor_iteration(
                workspace,
                logging.getLogger("sensors"),
                threadpool_executor=None,
                submit_threadpool_executor=None,
                debug_crash_flags=flags,
            )
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
