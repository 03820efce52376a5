"""Producers, S3 and SQS: files arrive steadily, some late, refused or overwritten; events as they come."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from ndjson_pipeline_tests.end_to_end.simulated.clock import Simulation
from ndjson_pipeline_tests.lambda_ingest.harness import Ingest, message

# The event source mapping.
BATCH_SIZE = 10
BATCH_WINDOW_SECONDS = 2.0
VISIBILITY_SECONDS = 360.0
MOST_RECEIVES = 3


@dataclass(frozen=True)
class Rates:
    """How often what happens.

    Attributes:
        seconds_between_files: on average.
        late: share of the files that are for a past date.
        refused: share of the files that no manifest may list.
        overwritten: share of the files whose producer writes other content under the same key later.
        dropped: share of the events that never come.
        duplicated: share of the events that come twice.
        slow: share of the events that come minutes later.
        throttled: share of the Lambda's invocations that DynamoDB refuses a write.
    """

    seconds_between_files: float
    late: float = 0.05
    refused: float = 0.02
    overwritten: float = 0.01
    dropped: float = 0.01
    duplicated: float = 0.05
    slow: float = 0.05
    throttled: float = 0.01


@dataclass
class Arrivals:
    """The producers, the queue and the Lambda behind it.

    Attributes:
        contents: rows of each content that was put under a key, by its ETag; of keys that are accepted.
        newest: the newest content of each of these keys.
        refused: the keys that must be refused.
        dead_letters: messages that failed for good.
        counts: what was done, for the figures.
    """

    simulation: Simulation
    ingest: Ingest
    draw: random.Random
    rates: Rates
    contents: dict[str, dict[str, int]] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    dead_letters: list[Mapping[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    is_open: bool = True
    _inbox: list[tuple[dict[str, Any], int]] = field(default_factory=list)
    _is_polling: bool = False

    def arrive(self) -> None:
        """Let one file come, and the next one later."""
        if not self.is_open:
            return
        chance, rates = self.draw.random(), self.rates
        if chance < rates.refused:
            self.put_refused()
        else:
            is_late = chance < rates.refused + rates.late
            name = self.put_file(-self.draw.choice((1, 1, 1, 2)) if is_late else 0)
            if self.draw.random() < rates.overwritten:
                self.simulation.after(self.draw.uniform(1, 1800), lambda: self.put(name))
        self.simulation.after(self.draw.expovariate(1 / rates.seconds_between_files), self.arrive)

    def put_file(self, days: int = 0, label: str = "f", lines: bytes = b"") -> str:
        """Put a file of today, or of so many days from today."""
        date_prefix = (self.simulation.now.date() + timedelta(days=days)).isoformat()
        self.counts["files"] += 1
        self.counts["late files"] += days < 0
        name = f"{date_prefix}-{label}{self.counts['files']:06d}.ndjson"
        self.put(name, lines)
        return name

    def put(self, name: str, lines: bytes = b"") -> None:
        """Put a file's content; other content each time."""
        self.counts["overwritten files"] += name in self.newest
        self.counts["contents"] += 1
        rows = 0 if lines else self.draw.randint(1, 4)
        number = self.counts["contents"]
        body = lines or b"".join(b'{"content": %d, "row": %d}\n' % (number, row) for row in range(rows))
        event = self.ingest.put(name, body)
        etag = event["s3"]["object"]["eTag"]
        self.contents.setdefault(name, {})[etag] = rows
        self.newest[name] = etag
        self._send(event)

    def put_refused(self) -> None:
        """Put a file that no manifest may list."""
        self.counts["refused files"] += 1
        number, now = self.counts["refused files"], self.simulation.now
        name = self.draw.choice(
            (
                f"{now:%Y-%m-%d}-r{number}.csv",
                f"undated-r{number}.ndjson",
                f"2026-02-30-r{number}.ndjson",
                f"2019-01-01-r{number}.ndjson",
                f"{now + timedelta(days=9):%Y-%m-%d}-r{number}.ndjson",
            )
        )
        self.refused.add(name)
        # Without its event no audit finds it: most of these names lead to no date that is listed.
        self._send(self.ingest.put(name), may_be_lost=False)

    def sweep(self, *, audit: bool) -> None:
        """Sweep as the timer does, and take what the sweeper sent again off the queue."""
        answer = self.ingest.sweep(audit=audit)
        # SNS may have refused an alert, which the next sweep owes again.
        assert set(answer["failed"]) <= {"refusals"}, answer
        for received in self.ingest.receive():
            self.counts["events sent again"] += 1
            self._deliver(received)

    def is_empty(self) -> bool:
        """Tell whether no message waits."""
        return not self._inbox

    def _send(self, event: Mapping[str, Any], *, may_be_lost: bool = True) -> None:
        """Deliver an event as S3 and SQS do: once, twice or never, soon or late."""
        rates = self.rates
        if may_be_lost and self.draw.random() < rates.dropped:
            self.counts["events lost"] += 1
            return
        times = [self.draw.uniform(60, 900) if self.draw.random() < rates.slow else self.draw.uniform(0.2, 5)]
        if self.draw.random() < rates.duplicated:
            self.counts["events twice"] += 1
            times.append(times[0] + self.draw.uniform(0, 7200))
        for seconds in times:
            self.counts["messages"] += 1
            body = message({"Records": [event]}, f"m-{self.counts['messages']}")
            self.simulation.after(seconds, self._delivery(body))

    def _delivery(self, body: dict[str, Any], receives: int = 0) -> Callable[[], None]:
        return lambda: self._deliver(body, receives)

    def _deliver(self, body: dict[str, Any], receives: int = 0) -> None:
        self._inbox.append((body, receives + 1))
        if not self._is_polling:
            self._is_polling = True
            self.simulation.after(BATCH_WINDOW_SECONDS, self._poll)

    def _poll(self) -> None:
        """Hand a batch to the Lambda; what fails comes again, a few times."""
        batch, self._inbox = self._inbox[:BATCH_SIZE], self._inbox[BATCH_SIZE:]
        self._is_polling = bool(self._inbox)
        if self._inbox:
            self.simulation.after(BATCH_WINDOW_SECONDS, self._poll)
        is_throttled = self.draw.random() < self.rates.throttled
        with self._throttling() if is_throttled else nullcontext():
            failed = set(self.ingest.deliver_messages([body for body, _ in batch]))
        self.counts["invocations"] += 1
        for body, receives in batch:
            if body["messageId"] not in failed:
                continue
            self.counts["messages returned"] += 1
            if receives == MOST_RECEIVES:
                self.dead_letters.append(body)
            else:
                self.simulation.after(VISIBILITY_SECONDS, self._delivery(body, receives))

    def _throttling(self) -> "_Throttling":
        self.counts["invocations throttled"] += 1
        return _Throttling(self.ingest.clients.dynamodb, after=self.draw.randrange(4))


class _Throttling:
    """Lets DynamoDB refuse every write of a client, after some."""

    def __init__(self, client: Any, after: int) -> None:
        self._events = client.meta.events
        self._left = after

    def __enter__(self) -> None:
        self._events.register("before-parameter-build.dynamodb", self._refuse)

    def __exit__(self, *_: object) -> None:
        self._events.unregister("before-parameter-build.dynamodb", self._refuse)

    def _refuse(self, model: Any, **_: Any) -> None:
        if model.name in {"PutItem", "UpdateItem", "TransactWriteItems"}:
            self._left -= 1
            if self._left < 0:
                raise ClientError(
                    {"Error": {"Code": "ThrottlingException", "Message": "throttled"}}, model.name
                )
