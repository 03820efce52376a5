"""A load by its parts: rate, pauses, stops, and going on after any end."""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote_plus

import pytest
from botocore.exceptions import ClientError

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.settings import InputSettings
from ndjson_pipeline.loading.delivery import ObjectDelivery
from ndjson_pipeline.loading.errors import LoadStoppedError, PipelineHurtError
from ndjson_pipeline.loading.known import KnownFiles
from ndjson_pipeline.loading.naming import Dating
from ndjson_pipeline.loading.progress_record import LoadRecord, LoadState, LoadStatus
from ndjson_pipeline.loading.queues import Queues
from ndjson_pipeline.loading.rules import LoadRules
from ndjson_pipeline.loading.run import Load, LoadOptions, Surroundings
from ndjson_pipeline.loading.sources import ObjectSources
from ndjson_pipeline_tests.pipeline.harness import StoppedClock
from ndjson_pipeline_tests.pipeline.loading.conftest import PREFIX

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
OPTIONS = LoadOptions(rate=100, max_backlog=1_000_000, patience_seconds=600)


def never(_call: int, _key: str) -> None:
    """Refuse nothing."""


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Fake:
    """An AWS of objects and messages alone, however many; nothing is known, and nobody handles a message."""

    objects: int
    depths: Iterator[tuple[int, int]] | None = None
    refuse: Callable[[int, str], dict[str, Any] | None] = never
    sent: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    notes: int = 0
    is_dead: bool = False
    odd: Sequence[str] = ()
    record: tuple[bytes, str] | None = None
    names: Any = field(
        default_factory=lambda: SimpleNamespace(
            queue="queue",
            dead_letter_queue="dead",
            input_bucket="input",
            manifest_bucket="manifests",
            tracking_table="table",
        )
    )

    @property
    def desk(self) -> Any:
        return SimpleNamespace(
            names=self.names, s3=self, sqs=self, dynamodb=self, clock=lambda: NOW, identity={"Arn": "arn:me"}
        )

    # S3 and DynamoDB

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=self._objects if operation == "list_objects_v2" else self._rows)

    def _rows(self, **_request: Any) -> Iterator[Any]:
        yield {"Items": []}

    def _objects(self, *, Bucket: str, Prefix: str, StartAfter: str = "") -> Iterator[Any]:  # noqa: N803
        assert Bucket == "input"
        page: list[Any] = []
        names = self.odd or (f"2026-01-30-{number:06d}.ndjson" for number in range(self.objects))
        for number, name in enumerate(names):
            key = Prefix + name
            if key > StartAfter:
                page.append({"Key": key, "Size": 9, "ETag": f'"{number:032x}"', "LastModified": NOW})
            if len(page) == 1000:
                yield {"Contents": page}
                page = []
        yield {"Contents": page}

    def put_object(self, *, Body: bytes, IfMatch: str = "", **_request: Any) -> Any:  # noqa: N803
        if self.is_dead:
            raise Killed
        assert self.record is None or self.record[1] == IfMatch
        self.notes += 1
        self.record = (Body, str(int(IfMatch or 0) + 1))
        return {"ETag": self.record[1]}

    def get_object(self, **_request: Any) -> Any:
        if self.record is None:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(self.record[0]), "ETag": self.record[1]}

    # SQS

    def get_queue_url(self, *, QueueName: str) -> Any:  # noqa: N803
        return {"QueueUrl": QueueName}

    def get_queue_attributes(self, *, QueueUrl: str, **_request: Any) -> Any:  # noqa: N803
        if QueueUrl == "queue":
            self._now = next(self.depths) if self.depths is not None else (0, 0)
        count = self._now[0 if QueueUrl == "queue" else 1]
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(count),
                "ApproximateNumberOfMessagesNotVisible": "0",
            }
        }

    def send_message_batch(self, *, Entries: Sequence[Any], **_request: Any) -> Any:  # noqa: N803
        assert 1 <= len(Entries) <= 10
        self.calls += 1
        failed = []
        for entry in Entries:
            described = json.loads(entry["MessageBody"])["Records"][0]["s3"]["object"]
            key = unquote_plus(described["key"])
            refusal = self.refuse(self.calls, key)
            if refusal is not None:
                failed.append({"Id": entry["Id"], **refusal})
                continue
            self.sent[key] += 1
        return {"Failed": failed} if failed else {}

    def state(self) -> LoadState:
        assert self.record is not None
        return LoadState.read(json.loads(self.record[0]))


RULES = LoadRules(InputSettings(expected_file_size_mb=0.0), 10, 0.0)
START = LoadState("s3://input/", LoadStatus.GOING, began_at=utc_timestamp(NOW))


def load_of(
    fake: Fake, clock: StoppedClock, *, options: LoadOptions = OPTIONS, is_stopped: Callable[[], bool] = bool
) -> Load:
    queues = Queues(fake.desk, clock.sleep)
    record = LoadRecord(fake.desk, "s3://input/")
    record.read()
    return Load(
        ObjectSources(fake.desk, "input", PREFIX, RULES, Dating()),
        KnownFiles(fake.desk, timedelta(days=30), PREFIX, lambda _said: None),
        ObjectDelivery(fake.desk, "input", queues),
        queues,
        record,
        options,
        Surroundings(clock.sleep, clock.monotonic, is_stopped, lambda _done, _said: None),
    )


def test_ten_thousand_objects_and_one_more_are_each_sent_once_at_the_rate() -> None:
    fake, clock = Fake(10_001), StoppedClock()
    ended = load_of(fake, clock).run(START)
    assert len(fake.sent) == 10_001
    assert set(fake.sent.values()) == {1}
    assert (ended.status, ended.sent) == (LoadStatus.DONE, 10_001)
    assert fake.calls == 1_001
    assert clock.now - 1000.0 == pytest.approx(100, abs=1)


@pytest.mark.parametrize("dies_at", [1, 2, 7, 150, 300])
def test_after_a_death_at_any_call_it_goes_on_and_misses_nothing(dies_at: int) -> None:
    fake, clock = Fake(3_001), StoppedClock()

    def die(call: int, _key: str) -> None:
        if call == dies_at:
            fake.is_dead = True
            raise Killed

    fake.refuse = die
    with pytest.raises(Killed):
        load_of(fake, clock).run(START)
    fake.is_dead, fake.refuse = False, never
    load_of(fake, clock).run(fake.state())
    assert len(fake.sent) == 3_001
    # Sent twice is what was sent and not noted: that of the seconds between two notes, and counts once.
    assert sum(count - 1 for count in fake.sent.values()) <= 15 * OPTIONS.rate + 10


def test_where_a_person_stops_it_nothing_is_sent_twice() -> None:
    fake, clock = Fake(500), StoppedClock()
    with pytest.raises(LoadStoppedError):
        load_of(fake, clock, is_stopped=lambda: fake.calls == 20).run(START)
    assert fake.state().status is LoadStatus.STOPPED
    ended = load_of(fake, clock).run(fake.state())
    assert ended.sent == 500
    assert set(fake.sent.values()) == {1}


def test_what_sqs_is_too_busy_for_is_sent_again_after_a_pause() -> None:
    def busy(call: int, key: str) -> dict[str, Any] | None:
        is_busy = call % 3 and key.endswith(("3.ndjson", "7.ndjson"))
        return {"SenderFault": False, "Code": "ThrottlingException"} if is_busy else None

    fake, clock = Fake(100, refuse=busy), StoppedClock()
    load_of(fake, clock).run(START)
    assert len(fake.sent) == 100
    assert set(fake.sent.values()) == {1}


@pytest.mark.parametrize("is_of_sender", [True, False])
def test_what_sqs_never_takes_stops_it_there(is_of_sender: bool) -> None:
    refused = f"{PREFIX}2026-01-30-000055.ndjson"

    def refuse(_call: int, key: str) -> dict[str, Any] | None:
        return {"SenderFault": is_of_sender, "Code": "InvalidMessageContents"} if key == refused else None

    fake, clock = Fake(100, refuse=refuse), StoppedClock()
    with pytest.raises(LoadStoppedError, match="InvalidMessageContents"):
        load_of(fake, clock).run(START)
    assert fake.state().after < refused
    assert fake.state().status is LoadStatus.STOPPED


def test_it_pauses_while_much_waits_in_the_queue_and_then_goes_on() -> None:
    depths = iter([(0, 0), (5_000, 0), (4_000, 0), (900, 0), *[(0, 0)] * 100])
    fake, clock = Fake(100, depths=depths), StoppedClock()
    load_of(fake, clock, options=replace(OPTIONS, max_backlog=1_000)).run(START)
    assert clock.sleeps[:2] == [5.0, 5.0]
    assert len(fake.sent) == 100


def test_a_queue_that_nobody_empties_stops_it() -> None:
    fake, clock = Fake(100, depths=iter([(5_000, 0)] * 1_000)), StoppedClock()
    with pytest.raises(LoadStoppedError, match="5,000 messages wait"):
        load_of(fake, clock, options=replace(OPTIONS, max_backlog=1_000)).run(START)
    assert not fake.sent
    assert clock.now - 1000.0 == pytest.approx(600, abs=15)
    # It was seen to be alive all the time.
    assert fake.notes >= 600 / 15


def test_new_dead_letters_stop_it_and_old_ones_do_not() -> None:
    depths = iter([(0, 7), (0, 7), (10, 7), (10, 9)])
    fake, clock = Fake(10_000, depths=depths), StoppedClock()
    with pytest.raises(PipelineHurtError, match="2 messages became dead letters"):
        load_of(fake, clock).run(START)
    assert 0 < len(fake.sent) < 10_000


def test_keys_of_every_kind_arrive_as_they_are() -> None:
    odd = ["a+b", "a b", "üé", "a%2Bb", "q?x=1&y", "(1)"]
    fake, clock = Fake(0, odd=[f"2026-01-30-{one}.ndjson" for one in odd]), StoppedClock()
    load_of(fake, clock).run(START)
    assert sorted(fake.sent) == sorted(f"{PREFIX}2026-01-30-{one}.ndjson" for one in odd[:3] + odd[5:])
