"""One switch, at the worst moment, while a refused file is recorded, copied or moved."""

from collections.abc import Callable
from typing import Any

import pytest

from lambda_ingest.contract.records import MOVES_PARTITION
from lambda_ingest.files import copies, moves, quarantine
from ndjson_pipeline_tests.lambda_ingest.harness import YESTERDAY
from ndjson_pipeline_tests.lambda_ingest.proofs.processes import AwsCall, once_before
from ndjson_pipeline_tests.lambda_ingest.proofs.schedules import TRACK_ONLY
from ndjson_pipeline_tests.lambda_ingest.proofs.world import World

NAME = f"{YESTERDAY}-a.ndjson"
EMPTY, GOOD = b"", b'{"a": 1}\n'
# moto takes parts of 5 MB and more, but for the last.
LARGE = b"x" * (11 * 1024**2)
CSV = f"{YESTERDAY}-a.csv"


def is_operation(operation: str) -> Callable[[AwsCall], bool]:
    return lambda call: call.operation == operation


def deliver_while(
    world: World,
    event: dict[str, Any],
    matches: Callable[[AwsCall], bool],
    act: Callable[[], object],
) -> None:
    """Deliver an event, and let others act once, before the first call that matches."""
    process = world.processes[0]
    process.intercept = once_before(matches, act)
    runtime = world.runtime(process.clients, metrics_table=None)
    assert world.deliver(event, runtime=runtime) == []


def in_quarantine(world: World, name: str) -> bytes | None:
    return world.object_bytes(world.settings.quarantine_bucket, world.key(name))


def put_evidence(world: World, name: str) -> Callable[[], object]:
    bucket = world.settings.quarantine_bucket or ""
    return lambda: world.clients.s3.put_object(Bucket=bucket, Key=world.key(name), Body=b"another's")


@pytest.mark.parametrize(
    ("body", "operation"), [(b"ours", "CopyObject"), (LARGE, "CompleteMultipartUpload")], ids=["one", "parts"]
)
def test_evidence_that_comes_between_look_and_copy_is_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch, body: bytes, operation: str
) -> None:
    monkeypatch.setattr(copies, "_PART_BYTES", 6 * 1024**2)
    event = world.put(CSV, body)
    deliver_while(world, event, is_operation(operation), put_evidence(world, CSV))
    assert in_quarantine(world, CSV) == b"another's"
    world.check_evidence({b"another's": 1, body: 1})
    assert world.keys(world.settings.input_bucket) == []


@pytest.mark.parametrize(
    ("body", "operation"), [(EMPTY, "CopyObject"), (LARGE, "UploadPartCopy")], ids=["one", "parts"]
)
def test_content_that_comes_between_look_and_copy_is_not_quarantined(
    world: World, monkeypatch: pytest.MonkeyPatch, body: bytes, operation: str
) -> None:
    """Its own event has been handled, and found the record of a good content."""
    monkeypatch.setattr(copies, "_PART_BYTES", 6 * 1024**2)
    changes: dict[str, Any] = {"expected_file_size_mb": len(GOOD) / 1_048_576}
    event = world.put(NAME, body)
    process = world.processes[0]
    process.intercept = once_before(is_operation(operation), lambda: world.put(NAME, GOOD))
    runtime = world.runtime(process.clients, metrics_table=None, **changes)
    assert world.deliver(event, runtime=runtime) == []
    world.check_evidence({})
    world.check_healed([NAME])


def test_a_record_that_another_event_moved_is_not_made_a_refused_one(world: World) -> None:
    assert world.deliver(world.put(NAME, GOOD), **TRACK_ONLY) == []
    bad = world.put(NAME, EMPTY)

    def is_refusal(call: AwsCall) -> bool:
        return call.operation == "PutItem" and ":was_etag" in call.request.get(
            "ExpressionAttributeValues", {}
        )

    def load() -> None:
        assert world.deliver(world.put(NAME, b"22\n"), metrics_table=None) == []
        world.check_healed([NAME])

    deliver_while(world, bad, is_refusal, load)
    world.check_healed([NAME])
    world.check_evidence({})


def left_to_the_sweeper(world: World, monkeypatch: pytest.MonkeyPatch, name: str, body: bytes) -> None:
    monkeypatch.setattr(quarantine, "seconds_for", lambda _: 1000.0)
    assert world.deliver(world.put(name, body), metrics_table=None) == []


def sweep_while(world: World, matches: Callable[[AwsCall], bool], act: Callable[[], object]) -> None:
    process = world.processes[0]
    process.intercept = once_before(matches, act)
    world.sweep(world.runtime(process.clients, metrics_table=None), audit=False)


def items_of_moves(world: World) -> list[dict[str, Any]]:
    return [item for item in world.items() if item["date_prefix"] == MOVES_PARTITION]


def test_a_move_that_is_left_while_another_content_is_moved_is_not_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_to_the_sweeper(world, monkeypatch, CSV, b"first")
    sweep_while(
        world,
        lambda call: call.operation == "DeleteItem",
        lambda: left_to_the_sweeper(world, monkeypatch, CSV, b"second"),
    )
    assert len(items_of_moves(world)) == 1
    world.sweep(world.runtime(metrics_table=None), audit=False)
    world.check_evidence({b"first": 1, b"second": 1})
    assert items_of_moves(world) == []


def test_a_file_that_was_mended_is_not_said_to_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_to_the_sweeper(world, monkeypatch, NAME, EMPTY)
    monkeypatch.setattr(moves, "seconds_for", lambda _: 1000.0)

    def mend() -> None:
        assert world.deliver(world.put(NAME, GOOD), **TRACK_ONLY) == []

    sweep_while(world, is_operation("UpdateItem"), mend)
    assert "reason" not in world.record(NAME)
    assert world.record(NAME)["status"] == "pending"


def test_a_file_that_is_mended_while_it_is_moved_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_to_the_sweeper(world, monkeypatch, NAME, EMPTY)

    def mend() -> None:
        assert world.deliver(world.put(NAME, GOOD), **TRACK_ONLY) == []

    sweep_while(world, is_operation("DeleteObject"), mend)
    assert world.object_bytes(world.settings.input_bucket, world.key(NAME)) == GOOD
    assert world.record(NAME)["status"] == "pending"
