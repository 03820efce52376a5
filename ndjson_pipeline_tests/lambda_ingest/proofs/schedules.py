"""Builders in threads of which one runs at a time, switched exactly at AWS calls.

builder 0  call call ─┐              ┌─ call call ... end
builder 1             └─ call ──┐    │
builder 2                       └─ call ... end
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_ingest.batches.cutter import DateCuts
from lambda_ingest.contract.records import PENDING_FILES_INDEX
from ndjson_pipeline_tests.lambda_ingest.proofs.processes import AwsCall, Send
from ndjson_pipeline_tests.lambda_ingest.proofs.world import InvariantError, Snapshot, World

_SECONDS_FOR_A_STEP = 30.0
# Settings with which an invocation records its files and has no batch due.
TRACK_ONLY = {"max_files_per_manifest": 10_000, "min_files_for_partial_batch": 10_000, "metrics_table": None}


@dataclass(frozen=True)
class Turn:
    """A part of a schedule.

    Attributes:
        builder: who runs.
        calls: how many AWS calls it makes before it is paused; None lets it end.
        outlives_lock: whether a lock's life passes once it is paused.
    """

    builder: int
    calls: int | None
    outlives_lock: bool = False

    def __str__(self) -> str:
        end = "to its end" if self.calls is None else f"for {self.calls} calls"
        return f"builder {self.builder} {end}{', then the lock runs out' if self.outlives_lock else ''}"


@dataclass(frozen=True)
class Schedule:
    """One interleaving.

    Attributes:
        turns: who runs how far, in order.
        is_index_stale: whether the index answers as of the start, whatever was marked since.
        has_arrival: whether a file is tracked at the first switch. Builders that choose the same files give
            their manifests the same name, of which only one can be committed; with one file more for the
            second, nothing but the lock tells them apart.
    """

    turns: tuple[Turn, ...]
    is_index_stale: bool = False
    has_arrival: bool = False

    def __str__(self) -> str:
        turns = "; ".join(str(turn) for turn in self.turns)
        stale, arrival = " (stale index)" * self.is_index_stale, " (a file arrives)" * self.has_arrival
        return f"{turns}{stale}{arrival}"


class PausedThread:
    """Work in a thread that stops before every AWS call until it is told to go on."""

    def __init__(self) -> None:
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self.is_over = False
        self.error: BaseException | None = None

    def start(self, work: Callable[[], object]) -> None:
        """Begin, and stop before the first call."""
        threading.Thread(target=self._run, args=(work,), daemon=True).start()
        self._wait()

    def before_call(self) -> None:
        """Stop until the next step; called in the thread itself."""
        self._stopped.release()
        if not self._go.acquire(timeout=_SECONDS_FOR_A_STEP):
            raise TimeoutError("a builder was never told to go on")

    def run(self, calls: int | None) -> int:
        """Let the thread make up to so many calls, and return how many it made."""
        taken = 0
        while not self.is_over and (calls is None or taken < calls):
            self._go.release()
            self._wait()
            taken += 1
        return taken

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the test's thread raises it again
            self.error = error
        finally:
            self.is_over = True
            self._stopped.release()

    def _wait(self) -> None:
        if not self._stopped.acquire(timeout=_SECONDS_FOR_A_STEP):
            raise TimeoutError("a builder neither made a call nor ended")


@dataclass
class Run:
    """What a schedule came to.

    Attributes:
        taken: how many calls each of its turns really made.
        ended_within: for each turn, whether its builder ended within it.
    """

    taken: list[int]
    ended_within: list[bool]


class Interleavings:
    """Runs schedules of builders of one date from the same state, and judges each."""

    def __init__(self, world: World, before: Snapshot, date_prefix: str, accepted: Sequence[str]) -> None:
        self._world = world
        self._before = before
        self._date_prefix = date_prefix
        self._accepted = accepted
        self._arrival = f"{date_prefix}-arrives-late.ndjson"
        self.changes: dict[str, Any] = {}
        self.schedules = 0

    def run(self, schedule: Schedule) -> Run:
        """Run one schedule, let every builder end, sweep, and judge.

        Raises:
            InvariantError: names the schedule.
        """
        self.schedules += 1
        try:
            return self._run(schedule)
        except (InvariantError, AssertionError) as error:
            raise InvariantError(f"{schedule}: {error}") from error

    def _run(self, schedule: Schedule) -> Run:
        world = self._world
        world.reset(self._before)
        count = max(turn.builder for turn in schedule.turns) + 1
        threads = [self._thread(number, schedule.is_index_stale) for number in range(count)]
        run = Run([], [])
        for turn in schedule.turns:
            thread = threads[turn.builder]
            run.taken.append(thread.run(turn.calls))
            run.ended_within.append(thread.is_over)
            world.check_safety()
            if schedule.has_arrival and len(run.taken) == 1:
                world.deliver(world.put(self._arrival), **TRACK_ONLY)
            if turn.outlives_lock:
                world.clock.advance(seconds=world.settings.lock_ttl_seconds + 1)
        for thread in threads:
            thread.run(None)
            world.check_safety()
            if thread.error is not None:
                raise InvariantError(f"a builder failed: {thread.error!r}") from thread.error
        world.clock.advance(seconds=world.settings.lock_ttl_seconds + 1)
        world.sweep(world.runtime(world.clients, **self.changes), audit=False)
        arrived = [self._arrival] if schedule.has_arrival else []
        world.check_healed([*self._accepted, *arrived])
        return run

    def _thread(self, number: int, is_index_stale: bool) -> PausedThread:
        process = self._world.processes[number]
        thread = PausedThread()

        def intercept(call: AwsCall, send: Send) -> Any:
            thread.before_call()
            if is_index_stale and call.request.get("IndexName") == PENDING_FILES_INDEX:
                with self._world.tables_as_of(self._before):
                    return send()
            return send()

        process.intercept = intercept
        runtime = self._world.runtime(process.clients, **self.changes)
        thread.start(lambda: runtime.cutter.cut(DateCuts(self._date_prefix), lambda: 60.0))
        return thread


def two_builders(
    interleavings: Interleavings,
    expiries: Sequence[tuple[bool, bool]],
    *,
    is_index_stale: bool,
    has_arrival: bool,
) -> Iterator[None]:
    """Run all schedules of two builders with up to two switches; both are alike, so builder 0 begins.

    Args:
        interleavings: what runs them.
        expiries: whether a lock's life passes at the first and at the second switch.
        is_index_stale: as in `Schedule`.
        has_arrival: as in `Schedule`.
    """
    for first_expires, second_expires in expiries:
        first_calls = 0
        has_ended = False
        while not has_ended:
            second_calls: int | None = 1
            while second_calls is not None:
                turns = (
                    Turn(0, first_calls, first_expires),
                    Turn(1, second_calls, second_expires),
                    Turn(0, None),
                )
                run = interleavings.run(Schedule(turns, is_index_stale, has_arrival))
                has_ended = run.ended_within[0]
                second_calls = None if run.ended_within[1] else second_calls + 1
                yield
            first_calls += 1


def three_builders(
    interleavings: Interleavings, expiries: Sequence[tuple[bool, bool]], *, is_index_stale: bool
) -> Iterator[Schedule]:
    """Yield all schedules of three builders with two switches, each to a builder that has not run yet.

    What remains of the first two then runs in either order. Lengths come from running a builder alone; a
    builder that ends earlier only repeats a schedule.
    """
    alone = interleavings.run(Schedule((Turn(0, None),), is_index_stale)).taken[0]
    for first_expires, second_expires in expiries:
        for first_calls in range(1, alone + 1):
            for second_calls in range(1, alone + 1):
                for order in ((0, 1), (1, 0)):
                    turns = (
                        Turn(0, first_calls, first_expires),
                        Turn(1, second_calls, second_expires),
                        Turn(2, None),
                        Turn(order[0], None),
                        Turn(order[1], None),
                    )
                    yield Schedule(turns, is_index_stale, has_arrival=True)
