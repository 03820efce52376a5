"""Dagster's code server, which hands its runs over when it is told to end.

Without a run launcher a run is a process of its code server, and a deployment replaces that. Dagster's own
server waits for its runs, for an hour maybe, and refuses new ones meanwhile, which fails them; its container
is killed long before, and nobody tells Dagster of the runs. This one, told to end by SIGTERM,

1. takes no more requests: the daemon finds nobody, and puts what it would launch back into the queue;
2. marks each run as handed over, and interrupts it. A run that no person has terminated leaves its Glue run
   going, and fails in Dagster within a second or two;
3. ends. `handover_sensor` launches each run again, on the next server; it takes the manifests over, and the
   Glue run.

The command is `python -m ndjson_pipeline.code_server` with the options of `dagster api grpc`.
"""

import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

import dagster as dg

from ndjson_pipeline.claims.dagster_runs import handed_over_tags

# ECS allows two minutes between SIGTERM and SIGKILL (`stopTimeout`), 30 seconds where nobody says otherwise.
# A request that goes on, such as a sensor's tick, is given so long; a run, to leave its work, so long.
REQUEST_SECONDS = 5.0
RUN_SECONDS = 30.0
_LOOK_SECONDS = 0.5

_logger = logging.getLogger("dagster.code_server")

Kill = Callable[[int, int], None]


class HandOver:
    """Ends the runs of a server that takes no more requests.

    Args:
        executions: gives each run's process and instance, by the run's id.
        mark: says in Dagster that a run is handed over.
        kill: sends a signal to a process.
        sleep: lets seconds pass.
        monotonic: tells seconds that have passed.
    """

    def __init__(
        self,
        executions: Callable[[], Mapping[str, tuple[BaseProcess, Any]]],
        mark: Callable[[str, Any], None],
        *,
        kill: Kill = os.kill,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executions = executions
        self._mark = mark
        self._kill = kill
        self._sleep = sleep
        self._monotonic = monotonic

    def end_runs(self) -> None:
        """Interrupt each run once, those too that begin meanwhile, and kill what does not end."""
        interrupted: dict[str, float] = {}
        while executions := self._executions():
            for run_id, (process, instance_ref) in executions.items():
                if run_id not in interrupted:
                    self._mark(run_id, instance_ref)
                    self._send(run_id, process, signal.SIGTERM)
                    interrupted[run_id] = self._monotonic()
                elif self._monotonic() - interrupted[run_id] > RUN_SECONDS:
                    self._send(run_id, process, signal.SIGKILL)
            self._sleep(_LOOK_SECONDS)

    def _send(self, run_id: str, process: BaseProcess, number: signal.Signals) -> None:
        if process.pid is None:
            return
        _logger.info("Sending %s to run %s, process %s", number.name, run_id, process.pid)
        try:
            self._kill(process.pid, number)
        except ProcessLookupError:
            _logger.info("Run %s has ended by itself", run_id)


def mark_handed_over(run_id: str, instance_ref: Any) -> None:
    """Tag a run, so that its end is no failure to be alerted, and another one follows."""
    try:
        with dg.DagsterInstance.from_ref(instance_ref) as instance:
            instance.add_run_tags(run_id, handed_over_tags(run_id))
    except Exception:
        # It is ended all the same, and alerted as one that crashed.
        _logger.exception("Run %s could not be marked as handed over", run_id)


def handing_over(server_class: type[Any]) -> type[Any]:
    """Return Dagster's gRPC server with another answer to SIGTERM.

    Args:
        server_class: `dagster._grpc.server.DagsterGrpcServer`.
    """

    class HandingOverServer(server_class):  # type: ignore[misc]
        """Dagster's gRPC server, which hands its runs over."""

        def serve(self) -> None:
            """Serve until told to end."""
            self._is_ending = False
            signal.signal(signal.SIGTERM, self._begin_end)
            super().serve()

        def _begin_end(self, _number: int, _frame: FrameType | None) -> None:
            if self._is_ending:
                return
            self._is_ending = True
            # A signal's handler stands in the way of the very wait that the server's end would end.
            threading.Thread(target=self._end, name="hand-over").start()

        def _end(self) -> None:
            _logger.info("Told to end: taking no more requests, and handing the runs over")
            # The server's own end, which waits for the runs, follows once this has stopped.
            stopped = self.server.stop(grace=REQUEST_SECONDS)
            stopped.wait(REQUEST_SECONDS)
            HandOver(self._executions_now, mark_handed_over).end_runs()

        def _executions_now(self) -> dict[str, tuple[BaseProcess, Any]]:
            servicer = self._api_servicer
            with servicer._execution_lock:
                return dict(servicer._executions)

    return HandingOverServer


def main() -> None:
    """Run `dagster api grpc`'s own command, with the server that hands over."""
    # The command takes its server by this name from this module, and has no setting for another.
    server: Any = importlib.import_module("dagster._grpc.server")
    server.DagsterGrpcServer = handing_over(server.DagsterGrpcServer)
    api: Any = importlib.import_module("dagster._cli.api")
    api.grpc_command(sys.argv[1:], prog_name="python -m ndjson_pipeline.code_server")


if __name__ == "__main__":
    main()
