"""Simulated time: what happens at which instant, and processes of which one runs at a time.

A process is a thread that gives the floor back where it sleeps, so that hours pass in an instant, and what
happens next depends on nothing but the seed.
"""

import heapq
import itertools
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NoReturn

import dagster._time
import moto.s3.models
import pytest
from dagster._core.log_manager import DagsterLogManager

from lambda_ingest.contract import clock

Action = Callable[[], object]


class ProcessEndedError(BaseException):
    """Ends the thread of a process that was abandoned, once the simulation is over."""


class Simulation:
    """The present instant, and what is still to happen."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self.errors: list[BaseException] = []
        self._order = itertools.count()
        self._due: list[tuple[datetime, int, Action]] = []
        self._processes: dict[int, Process] = {}
        self._floor = threading.Semaphore(0)

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def at(self, instant: datetime, action: Action) -> None:
        heapq.heappush(self._due, (instant, next(self._order), action))

    def after(self, seconds: float, action: Action) -> None:
        self.at(self.now + timedelta(seconds=seconds), action)

    def every(self, seconds: float, action: Action, *, first: float = 0.0) -> None:
        """Do something again and again, however long it lasts."""

        def act() -> None:
            action()
            self.after(seconds, act)

        self.after(first, act)

    def run_until(self, end: datetime) -> None:
        """Let time pass; the first error of an action or a process ends the simulation."""
        while self._due and self._due[0][0] <= end:
            self.now, _, action = heapq.heappop(self._due)
            action()
            if self.errors:
                raise self.errors[0]
        self.now = end

    def spawn(self, name: str, work: Action) -> "Process":
        """Begin a process, which has the floor until it sleeps or ends."""
        process = Process(self, name, work)
        process.start()
        self._floor.acquire()
        return process

    def sleep(self, seconds: float) -> None:
        """Let the process that calls sleep."""
        process = self._processes.get(threading.get_ident())
        assert process is not None, "only a process sleeps; what else waits would stop the simulation's time"
        self.after(seconds, lambda: self.resume(process))
        process.give_up_floor()

    def die(self) -> NoReturn:
        """End the process that calls as SIGKILL does: nothing of it happens any more."""
        process = self.current()
        process.abandon()
        process.give_up_floor()
        raise AssertionError("an abandoned process went on")

    def know(self, process: "Process") -> None:
        self._processes[threading.get_ident()] = process

    def current(self) -> "Process":
        """Return the process that calls."""
        return self._processes[threading.get_ident()]

    def resume(self, process: "Process") -> None:
        if not process.is_abandoned and process.is_alive():
            process.turn.release()
            self._floor.acquire()

    def give_floor(self) -> None:
        self._floor.release()

    def end(self) -> None:
        """End the threads of processes that have not ended; what they still do is of no account."""
        for process in self._processes.values():
            if process.is_alive():
                process.is_over = True
                process.turn.release()
                self._floor.acquire()
                process.join()


class Process(threading.Thread):
    """A process of the simulation.

    Attributes:
        is_abandoned: whether it was killed; it stands still where it slept.
        is_over: whether the simulation is.
    """

    def __init__(self, simulation: Simulation, name: str, work: Action) -> None:
        super().__init__(name=name, daemon=True)
        self.turn = threading.Semaphore(0)
        self.is_abandoned = False
        self.is_over = False
        self._simulation = simulation
        self._work = work

    def run(self) -> None:
        self._simulation.know(self)
        try:
            self._work()
        except ProcessEndedError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by whoever lets time pass
            if not self.is_over:
                self._simulation.errors.append(error)
        finally:
            self._simulation.give_floor()

    def abandon(self) -> None:
        """Let it stand still for ever where it sleeps next, as SIGKILL would."""
        self.is_abandoned = True

    def give_up_floor(self) -> None:
        if not self.is_over:
            self._simulation.give_floor()
            self.turn.acquire()
        if self.is_over:
            raise ProcessEndedError


@contextmanager
def simulated_time(simulation: Simulation) -> Iterator[None]:
    """Let every module of the product, Dagster's storage and moto's S3 go by the simulation's clock.

    Dagster's own tests freeze its time by the same two functions (`dagster._core.test_utils.freeze_time`).
    """
    with pytest.MonkeyPatch.context() as patch:
        for module in list(sys.modules.values()):
            for name, value in list(getattr(module, "__dict__", {}).items()):
                if value is _REAL_NOW and module is not sys.modules[__name__]:
                    patch.setattr(module, name, simulation)
        patch.setattr(dagster._time, "_mockable_get_current_datetime", simulation)
        patch.setattr(dagster._time, "_mockable_get_current_timestamp", simulation.monotonic)
        patch.setattr(moto.s3.models, "utcnow", lambda: simulation.now.replace(tzinfo=None))
        make_record = DagsterLogManager.makeRecord

        def make_dated_record(*arguments: object, **named: object) -> logging.LogRecord:
            # The time of an event is that of its log record.
            record = make_record(*arguments, **named)  # type: ignore[arg-type]
            record.created = simulation.monotonic()
            return record

        patch.setattr(DagsterLogManager, "makeRecord", make_dated_record)
        yield


_REAL_NOW = clock.utc_now
