"""Crashes at every call: a scenario runs once to count its calls, then once for each way each can fail."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from ndjson_pipeline_tests.lambda_ingest.harness import message
from ndjson_pipeline_tests.lambda_ingest.proofs.processes import AwsCall, Send
from ndjson_pipeline_tests.lambda_ingest.proofs.world import InvariantError, Snapshot, World


class Fault(Enum):
    """What happens to one call."""

    FAILS_BEFORE = "fails before it is sent"
    TIMES_OUT_AFTER = "takes effect, then the client sees a timeout"
    SENT_TWICE = "takes effect, its answer is lost, and the client's own retry is answered"
    DIES_BEFORE = "the process dies before it"
    DIES_AFTER = "takes effect, then the process dies"


# Dying before a call and dying after the one before it leave the same state, so only the first call needs it.
FAULTS = (Fault.FAILS_BEFORE, Fault.TIMES_OUT_AFTER, Fault.SENT_TWICE, Fault.DIES_AFTER)
# A read has no effect, so failing before and timing out after it are one, sent twice it is what it was, and
# dying after it leaves what dying after the call before leaves.
FAULTS_OF_READS = (Fault.TIMES_OUT_AFTER,)

_READS = ("Get", "Head", "List", "Query", "Scan", "BatchGet")


class ProcessDiedError(BaseException):
    """The end of an execution environment; no `except Exception` of the code sees it."""


@dataclass(frozen=True)
class Crash:
    """One point of the exploration."""

    call: int
    fault: Fault

    def __str__(self) -> str:
        return f"call {self.call} {self.fault.value}"


class CrashingCalls:
    """Counts an environment's calls, and lets the planned one fail.

    A dead environment makes no call any more: what its `finally` clauses try is not sent.
    """

    def __init__(self, crash: Crash | None = None) -> None:
        self._crash = crash
        self._dead = False
        self.calls: list[AwsCall] = []

    @property
    def has_died(self) -> bool:
        return self._dead

    def __call__(self, call: AwsCall, send: Send) -> Any:
        if self._dead:
            raise ProcessDiedError
        position = len(self.calls)
        self.calls.append(call)
        if self._crash is None or position != self._crash.call:
            return send()
        match self._crash.fault:
            case Fault.FAILS_BEFORE:
                error = {"Code": "InternalServerError", "Message": "injected"}
                raise ClientError({"Error": error}, call.operation)
            case Fault.TIMES_OUT_AFTER:
                _ignore_refusal(send)
                raise ReadTimeoutError(endpoint_url="https://injected")
            case Fault.SENT_TWICE:
                if call.operation == "TransactWriteItems":
                    # The client's retry repeats the token that it made for the first attempt.
                    call.request["ClientRequestToken"] = uuid.uuid4().hex
                _ignore_refusal(send)
                return send()
            case Fault.DIES_BEFORE:
                self._dead = True
                raise ProcessDiedError
            case Fault.DIES_AFTER:
                _ignore_refusal(send)
                self._dead = True
                raise ProcessDiedError


def crashes_of(calls: Sequence[AwsCall]) -> list[Crash]:
    """Return every crash of these calls that makes a difference."""
    return [
        Crash(0, Fault.DIES_BEFORE),
        *(
            Crash(position, fault)
            for position, call in enumerate(calls)
            for fault in (FAULTS_OF_READS if call.operation.startswith(_READS) else FAULTS)
        ),
    ]


def _ignore_refusal(send: Send) -> None:
    """Send a call whose answer nobody gets, whatever it says."""
    try:
        send()
    except ClientError:
        return


@dataclass
class Scenario:
    """What is done before, what is explored, and what must come of it.

    Attributes:
        name: for the print.
        before: the state that the exploration begins with.
        events: the events whose messages are delivered, in batches of 10.
        accepted: the sort keys of the files that must end in a manifest.
        sweeps: whether a sweep is what is explored, instead of the delivery.
        refused: keys of the files that must end in quarantine.
        evidence: what must lie in quarantine at the end, bodies with their count.
        refusals_told: of so many refused files an alert must tell.
        changes: settings that differ.
        meanwhile: makes what others do between the explored environment's calls.
    """

    name: str
    before: Snapshot
    events: Sequence[Mapping[str, Any]]
    accepted: Sequence[str]
    sweeps: bool = False
    refused: Sequence[str] = ()
    evidence: Mapping[bytes, int] = field(default_factory=dict)
    refusals_told: int = 0
    changes: dict[str, Any] = field(default_factory=dict)
    meanwhile: Callable[[], Callable[[AwsCall], None]] | None = None
    messages: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.messages = [
            message({"Records": [event]}, f"m-{number}") for number, event in enumerate(self.events)
        ]


class CrashExploration:
    """Runs a scenario with crashes, heals it, and judges it.

    What follows a crash depends on nothing but the state that it leaves: time stands still, ids count, and
    the environment is gone. So crashes that leave the same state are healed and judged once.
    """

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world = world
        self._scenario = scenario
        self._settled: set[tuple[bytes, Crash | None]] = set()
        self.points = 0

    def __str__(self) -> str:
        return f"crashes, which left {len(self._settled)} different states"

    def record(self) -> list[AwsCall]:
        """Run the scenario without a crash, and return its calls."""
        self._world.reset(self._scenario.before)
        calls = CrashingCalls()
        left = self._explored(calls)
        assert left == []
        self._heal(left)
        return calls.calls

    def all_single(self) -> None:
        """Try every call with every fault that makes a difference to it."""
        self.try_each(crashes_of(self.record()))

    def try_each(self, crashes: Iterable[Crash]) -> None:
        for crash in crashes:
            self._try(crash)

    def pairs(self) -> Iterator[tuple[Crash, Crash]]:
        """Yield every crash of the scenario with every crash of the recovery from it.

        The recovery is explored for real: its calls are counted anew for each first crash.
        """
        for first in crashes_of(self.record()):
            for second in crashes_of(self.recovery_of(first)):
                yield first, second

    def recovery_of(self, first: Crash) -> list[AwsCall]:
        """Return the calls of the recovery from a crash."""
        recovery = CrashingCalls()
        self._world.reset(self._scenario.before)
        self._recover(self._explored(CrashingCalls(first)), recovery)
        return recovery.calls

    def try_pair(self, first: Crash, second: Crash) -> None:
        """Crash, crash again in the recovery, and recover once more."""
        self._try(first, second)

    def _try(self, first: Crash, second: Crash | None = None) -> None:
        world = self._world
        self.points += 1
        try:
            world.reset(self._scenario.before)
            left = self._explored(CrashingCalls(first))
            world.check_safety()
            self._settle(left, second)
        except (InvariantError, AssertionError) as error:
            raise InvariantError(
                f"{self._scenario.name}: {first}{f', then {second}' if second else ''}: {error}"
            ) from error

    def _settle(self, left: list[dict[str, Any]], second: Crash | None) -> None:
        """Let a second crash strike the recovery, if there is one, then heal and judge what is left."""
        settled = (self._world.digest(entry["messageId"] for entry in left), second)
        if settled in self._settled:
            return
        if second is None:
            self._heal(left)
        else:
            left = self._recover(left, CrashingCalls(second))
            self._world.check_safety()
            self._settle(left, None)
        self._settled.add(settled)

    def _explored(self, calls: CrashingCalls) -> list[dict[str, Any]]:
        """Run what is explored in an environment of its own, and return the messages still in the queue."""
        others = self._scenario.meanwhile() if self._scenario.meanwhile else None

        def intercept(call: AwsCall, send: Send) -> Any:
            if others is not None and not calls.has_died:
                others(call)
            return calls(call, send)

        self._world.processes[0].intercept = intercept
        if self._scenario.sweeps:
            self._sweep(0)
            return []
        return self._deliver(self._scenario.messages, 0)

    def _deliver(self, messages: list[dict[str, Any]], process: int) -> list[dict[str, Any]]:
        """Deliver messages in batches of 10 as SQS would; a dead environment returns all of its batch."""
        left: list[dict[str, Any]] = []
        for first in range(0, len(messages), 10):
            batch = messages[first : first + 10]
            runtime = self._world.runtime(self._world.processes[process].clients, **self._scenario.changes)
            try:
                failed = self._world.deliver_messages(batch, runtime=runtime)
            except ProcessDiedError:
                left += messages[first:]
                break
            left += [entry for entry in batch if entry["messageId"] in failed]
        return left

    def _sweep(self, process: int, *, audit: bool = True, **changes: Any) -> None:
        changes = {"audit_days": 1, **self._scenario.changes, **changes}
        runtime = self._world.runtime(self._world.processes[process].clients, **changes)
        try:
            self._world.sweep(runtime, audit=audit)
        except ProcessDiedError:
            return

    def _recover(self, left: list[dict[str, Any]], calls: CrashingCalls) -> list[dict[str, Any]]:
        """Let time pass, deliver what is left, sweep, and handle what the sweep sent."""
        world = self._world
        world.processes[1].intercept = calls
        world.clock.advance(hours=13)
        left = self._deliver(left, 1)
        if not calls.has_died:
            self._sweep(1)
        if not calls.has_died:
            left += self._deliver(world.receive(), 1)
        return left

    def _heal(self, left: list[dict[str, Any]]) -> None:
        """Recover without a crash, and judge; what nobody references must be gone once it is a day old."""
        world, scenario = self._world, self._scenario
        assert self._recover(left, CrashingCalls()) == []
        # A past date that was cut just now lets its rest wait; one sweep after that leaves none.
        world.clock.advance(seconds=world.settings.late_flush_seconds)
        self._sweep(1, audit=False)
        world.check_healed(scenario.accepted)
        for key in scenario.refused:
            world.check_quarantined(key)
        if scenario.evidence:
            world.check_evidence(scenario.evidence)
        if scenario.refusals_told:
            world.check_refusals_told(scenario.refusals_told)
        if not world.unreferenced_objects():
            return
        world.clock.advance(days=1, minutes=1)
        # An audit that reaches back to every date of the scenario, a day after the last of its crashes.
        self._sweep(1, audit_days=5)
        assert world.receive() == []
        world.check_healed(scenario.accepted)
        if orphans := world.unreferenced_objects():
            raise InvariantError(f"objects of manifests that nobody references stay: {sorted(orphans)}")
