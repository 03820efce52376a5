"""Ingest against a small model: whatever order things happen in, each file ends in exactly one manifest.

Rules upload, overwrite, deliver in any order and twice, drop, crash, sweep and move the clock. Safety holds
after each of them; at the end the system is left alone to heal, and must have finished everything.
"""

import functools
import json
import os
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.config import Config
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lambda_ingest.contract.manifest import Manifest
from lambda_ingest.runtime import Clients
from lambda_ingest.settings import Settings
from ndjson_pipeline.local_aws import create_resources, lambda_environment
from ndjson_pipeline_tests.lambda_ingest.harness import FakeClock, Ingest, message
from ndjson_pipeline_tests.moto_in_process import mended_moto
from ndjson_pipeline_tests.moto_state import MadeOnce

FILES = 14
BATCH = 4
# The audit lists three days back, so the clock may not run further from the files' dates.
MOST_ADVANCE = timedelta(days=2)


@functools.cache
def _clients() -> Clients:
    """Return clients for all machines: they cost more to make than a machine takes."""
    return Clients.from_boto3()


def _make_deployment() -> Settings:
    create_resources()
    return Settings.from_environment(lambda_environment())


_made_once = MadeOnce(_make_deployment)


class ProcessDied(BaseException):
    """What no handler catches: the execution environment is gone."""


class IngestMachine(RuleBasedStateMachine):
    """Producers, SQS, two Lambdas that may die, and a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.exits = ExitStack()
        self.exits.enter_context(mended_moto())
        self.clients = _clients()
        self.ingest = Ingest(_made_once(), self.clients, FakeClock(datetime.now(UTC)))
        self.began = self.ingest.clock.now
        self.contents: dict[str, list[str]] = {}
        self.outstanding: list[dict[str, Any]] = []
        self.alerted: set[str] = set()
        self.seen_manifests: dict[str, bytes] = {}
        self.calls_until_death: int | None = None
        for client in (self.clients.dynamodb, self.clients.s3, self.clients.sqs, self.clients.sns):
            for event, action in (("before-call", self._before_call), ("after-call", self._after_call)):
                client.meta.events.register(event, action)
                self.exits.callback(client.meta.events.unregister, event, action)
        self.dies_after_effect = False

    def _count_down(self) -> bool:
        if self.calls_until_death is None:
            return False
        self.calls_until_death -= 1
        return self.calls_until_death < 0

    def _before_call(self, **_: Any) -> None:
        if not self.dies_after_effect and self._count_down():
            raise ProcessDied

    def _after_call(self, model: Any, **_: Any) -> None:
        if self.dies_after_effect and self._count_down():
            raise ProcessDied

    def names(self) -> list[str]:
        days = [self.began.date(), self.began.date() - timedelta(days=1)]
        return [f"{days[number % 2].isoformat()}-f{number}.ndjson" for number in range(FILES)]

    def put(self, name: str, body: bytes) -> None:
        event = self.ingest.put(name, body)
        self.contents.setdefault(name, []).append(event["s3"]["object"]["eTag"])
        self.outstanding.append(event)

    def deliver(self, events: list[dict[str, Any]]) -> None:
        messages = [message({"Records": [event]}, f"m-{number}") for number, event in enumerate(events)]
        failed = self.ingest.deliver_messages(messages, max_files_per_manifest=BATCH)
        assert failed == []

    @initialize()
    def empty_queue(self) -> None:
        self.ingest.receive()

    @rule(number=st.integers(0, FILES - 1))
    def upload(self, number: int) -> None:
        name = self.names()[number]
        if name not in self.contents:
            self.put(name, f"{number}\n".encode())

    @rule(data=st.data())
    @precondition(lambda self: self.contents)
    def overwrite(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.contents)))
        self.put(name, f"{name} {len(self.contents[name])}\n".encode())

    @rule(data=st.data())
    @precondition(lambda self: self.outstanding)
    def deliver_some(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(range(len(self.outstanding))), min_size=1, max_size=8))
        self.deliver([self.outstanding[index] for index in chosen])
        keep_for_later = data.draw(st.booleans())
        if not keep_for_later:
            self.outstanding = [event for index, event in enumerate(self.outstanding) if index not in chosen]

    @rule(data=st.data())
    @precondition(lambda self: self.outstanding)
    def drop_one(self, data: st.DataObject) -> None:
        self.outstanding.pop(data.draw(st.integers(0, len(self.outstanding) - 1)))

    @rule(calls=st.integers(0, 25), after=st.booleans(), sweeps=st.booleans())
    @precondition(lambda self: self.outstanding)
    def crash(self, calls: int, after: bool, sweeps: bool) -> None:
        self.calls_until_death, self.dies_after_effect = calls, after
        try:
            if sweeps:
                self.ingest.sweep(max_files_per_manifest=BATCH)
            else:
                self.deliver(self.outstanding[:6])
        except ProcessDied:
            pass
        finally:
            self.calls_until_death = None

    @rule(minutes=st.sampled_from([1, 6, 20, 24 * 60]))
    def let_time_pass(self, minutes: int) -> None:
        if self.ingest.clock.now - self.began + timedelta(minutes=minutes) <= MOST_ADVANCE:
            self.ingest.clock.advance(minutes=minutes)

    @rule()
    def sweep(self) -> None:
        answer = self.ingest.sweep(max_files_per_manifest=BATCH)
        assert answer["failed"] == []
        self.collect_resent()

    def collect_resent(self) -> None:
        known = {json.dumps(event, sort_keys=True) for event in self.outstanding}
        for received in self.ingest.receive():
            body = json.loads(received["body"])
            for event in body.get("Records", []):
                if event.get("eventTime") and json.dumps(event, sort_keys=True) not in known:
                    self.outstanding.append(event)

    @invariant()
    def is_safe(self) -> None:
        """Judge one look at all there is: what it takes to look is most of what a step takes."""
        bodies = {record["manifest_path"]: self.body(record) for record in self.ingest.manifest_records()}
        manifests = {path: Manifest.from_json(body) for path, body in bodies.items()}
        self.each_file_is_in_one_manifest_at_most(manifests)
        self.committed_manifests_exist_and_never_change(bodies)
        self.a_manifested_record_names_a_manifest_that_lists_it(manifests)

    def body(self, record: dict[str, Any]) -> bytes:
        bucket, _, key = record["manifest_path"].removeprefix("s3://").partition("/")
        body: bytes = self.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def each_file_is_in_one_manifest_at_most(self, manifests: dict[str, Manifest]) -> None:
        listed: dict[str, str] = {}
        for path, manifest in manifests.items():
            assert path.endswith(manifest.name.key)
            for file in manifest.files:
                assert file.uri not in listed, f"{file.uri} is in {listed[file.uri]} and {path}"
                listed[file.uri] = path
                assert file.etag in self.contents[file.uri.rpartition("/")[2]]

    def committed_manifests_exist_and_never_change(self, bodies: dict[str, bytes]) -> None:
        assert bodies.keys() >= self.seen_manifests.keys()
        for path, body in bodies.items():
            assert self.seen_manifests.setdefault(path, body) == body

    def a_manifested_record_names_a_manifest_that_lists_it(self, manifests: dict[str, Manifest]) -> None:
        for record in self.ingest.file_records().values():
            if record["status"] == "manifested":
                listed = {file.uri: file.etag for file in manifests[record["manifest_path"]].files}
                assert listed[record["file_path"]] == record["etag"]
                assert "pending_date" not in record
            else:
                assert record["pending_date"] == record["date_prefix"]

    def teardown(self) -> None:
        try:
            if self.contents:
                self.heal_and_check()
        finally:
            self.exits.close()

    def heal_and_check(self) -> None:
        """Leave the system alone: time passes, the sweeper runs, what SQS holds is delivered."""
        self.ingest.clock.now = self.began + MOST_ADVANCE + timedelta(hours=1)
        for _ in range(3):
            self.sweep()
            self.deliver(self.outstanding)
            self.outstanding = []
        # What was cut of a past date just now lets its rest wait for a minute.
        self.ingest.clock.advance(seconds=self.ingest.settings.late_flush_seconds)
        self.ingest.sweep(audit=False, max_files_per_manifest=BATCH)
        self.is_safe()
        records = self.ingest.file_records()
        for name, contents in self.contents.items():
            record = records[name]
            assert record["status"] == "manifested", name
            if record["etag"] != contents[-1]:
                assert record["overwritten_etag"] == contents[-1], name
                assert "overwrite_alert_due" not in record, name
        assert self.ingest.sweep()["events_resent"] == {}


@pytest.fixture(autouse=True)
def _aws(aws_variables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables for every machine that hypothesis makes; each call fails once, not after retries."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert os.environ["AWS_ACCESS_KEY_ID"] == "testing"
    assert Config().retries is None


@pytest.mark.timeout(300)
def test_each_file_ends_in_exactly_one_manifest() -> None:
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415 - used once

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        IngestMachine,
        settings=settings(
            max_examples=int(os.environ.get("MODEL_EXAMPLES", "8")),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
