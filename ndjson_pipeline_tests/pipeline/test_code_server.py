"""How a code server ends the runs that it hands over."""

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from ndjson_pipeline.code_server import RUN_SECONDS, HandOver, mark_handed_over


class Runs:
    """Processes of runs; each ends some looks after a signal that ends it."""

    def __init__(self, **looks: int | None) -> None:
        self._looks = dict(looks)
        self._pids = {run_id: 100 + number for number, run_id in enumerate(looks)}
        self.now = 0.0
        self.told: list[tuple[str, str]] = []

    def executions(self) -> dict[str, tuple[Any, Any]]:
        for run_id, looks in list(self._looks.items()):
            if looks is not None and any(run_id == one for one, what in self.told if what != "marked"):
                self._looks[run_id] = looks - 1
                if looks <= 0:
                    del self._looks[run_id]
        return {run_id: (SimpleNamespace(pid=self._pids[run_id]), "instance") for run_id in self._looks}

    def mark(self, run_id: str, instance_ref: Any) -> None:
        assert instance_ref == "instance"
        self.told.append((run_id, "marked"))

    def kill(self, pid: int, number: int) -> None:
        (run_id,) = [one for one, own in self._pids.items() if own == pid]
        self.told.append((run_id, signal.Signals(number).name))
        if number == signal.SIGKILL:
            self._looks.pop(run_id, None)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def hand_over(self) -> None:
        HandOver(
            self.executions, self.mark, kill=self.kill, sleep=self.sleep, monotonic=lambda: self.now
        ).end_runs()


def test_each_run_is_marked_and_then_interrupted_once() -> None:
    runs = Runs(a=2, b=4)
    runs.hand_over()
    assert runs.told == [("a", "marked"), ("a", "SIGTERM"), ("b", "marked"), ("b", "SIGTERM")]


def test_a_run_that_does_not_end_is_killed_long_before_the_container_is() -> None:
    runs = Runs(stuck=None)
    runs.hand_over()
    assert runs.told == [("stuck", "marked"), ("stuck", "SIGTERM"), ("stuck", "SIGKILL")]
    assert RUN_SECONDS < runs.now < 2 * RUN_SECONDS < 120


def test_without_a_run_it_ends_at_once() -> None:
    runs = Runs()
    runs.hand_over()
    assert (runs.now, runs.told) == (0.0, [])


def test_a_run_that_has_ended_by_itself_is_no_error() -> None:
    runs = Runs(a=1)

    def gone(pid: int, number: int) -> None:
        runs.told.append(("a", "gone"))
        raise ProcessLookupError

    HandOver(runs.executions, runs.mark, kill=gone, sleep=runs.sleep, monotonic=lambda: runs.now).end_runs()
    assert runs.told == [("a", "marked"), ("a", "gone")]


def test_a_storage_that_is_away_keeps_no_run_from_its_end(caplog: pytest.LogCaptureFixture) -> None:
    mark_handed_over("a-run", object())
    assert "a-run could not be marked" in caplog.text
