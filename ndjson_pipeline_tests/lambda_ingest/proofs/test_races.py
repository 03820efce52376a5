"""One switch, at the worst moment, between parts of ingest that are not two builders."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lambda_ingest.batches.cutter import DateCuts
from lambda_ingest.files.overwrites import Overwritten
from lambda_ingest.runtime import Runtime
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, YESTERDAY
from ndjson_pipeline_tests.lambda_ingest.proofs.processes import AwsCall, once_before
from ndjson_pipeline_tests.lambda_ingest.proofs.schedules import TRACK_ONLY
from ndjson_pipeline_tests.lambda_ingest.proofs.world import World

NAME = f"{YESTERDAY}-a.ndjson"


def is_operation(operation: str) -> Callable[[AwsCall], bool]:
    return lambda call: call.operation == operation


def is_commit(call: AwsCall) -> bool:
    return call.operation == "TransactWriteItems" and any(
        "ConditionCheck" in action for action in call.request["TransactItems"]
    )


def is_mark(call: AwsCall) -> bool:
    return call.operation == "TransactWriteItems" and any(
        "Update" in action for action in call.request["TransactItems"]
    )


def runtime_where(
    world: World, matches: Callable[[AwsCall], bool], act: Callable[[], object], **changes: Any
) -> Runtime:
    """Return a runtime during which others act once, before the first call that matches."""
    process = world.processes[0]
    process.intercept = once_before(matches, act)
    return world.runtime(process.clients, **changes)


def build(runtime: Runtime, date_prefix: str = YESTERDAY) -> DateCuts:
    build = DateCuts(date_prefix)
    runtime.cutter.cut(build, lambda: 60.0)
    return build


def etag_of(event: dict[str, Any]) -> str:
    return event["s3"]["object"]["eTag"]


def remove_record(world: World, date_prefix: str, file_key: str) -> None:
    world.clients.dynamodb.delete_item(
        TableName=world.settings.tracking_table,
        Key={"date_prefix": {"S": date_prefix}, "file_key": {"S": file_key}},
    )


def track(world: World, name: str = NAME) -> dict[str, Any]:
    """Put a file and record it, without a build."""
    event = world.put(name)
    assert world.deliver(event, **TRACK_ONLY) == []
    return event


def test_a_held_lock_is_refused_until_its_life_has_passed(world: World) -> None:
    locks = world.runtime().locks
    first = locks.acquire(TODAY)
    assert first is not None
    world.clock.advance(seconds=world.settings.lock_ttl_seconds)
    assert locks.acquire(TODAY) is None
    world.clock.advance(seconds=1)
    second = locks.acquire(TODAY)
    assert second is not None and second.lock_id != first.lock_id


def test_a_builder_that_outlived_its_lock_does_not_release_the_next_ones(world: World) -> None:
    locks = world.runtime().locks
    first = locks.acquire(TODAY)
    world.clock.advance(seconds=world.settings.lock_ttl_seconds + 1)
    second = locks.acquire(TODAY)
    assert first is not None and second is not None
    locks.release(first)
    assert [item["lock_id"] for item in world.locks()] == [second.lock_id]
    locks.release(second)
    assert world.locks() == []


def test_a_commit_does_not_begin_a_record_anew(world: World) -> None:
    track(world)
    runtime = world.runtime()
    build(runtime)
    (manifest,) = world.committed_manifests()
    (before,) = world.manifest_records()
    lock = runtime.locks.acquire(YESTERDAY)
    assert lock is not None
    world.clock.advance(seconds=1)
    assert runtime.store.commit(manifest, "0" * 64, lock, lambda: 60.0) is False
    assert world.manifest_records() == [before]


def test_marks_make_no_record_of_a_manifest_that_has_none(world: World) -> None:
    track(world)

    def expire() -> None:
        (record,) = world.manifest_records()
        remove_record(world, YESTERDAY, record["file_key"])

    try:
        build(runtime_where(world, is_mark, expire))
    except Exception as error:  # noqa: BLE001 - failing is as good as going on; making a record up is not
        assert "could not be marked" in str(error)
    assert world.manifest_records() == []


def test_content_that_comes_between_choice_and_mark_is_told_of(world: World) -> None:
    listed = track(world)

    def overwrite() -> None:
        assert world.deliver(world.put(NAME, b"22\n"), metrics_table=None) == []

    built = build(runtime_where(world, is_commit, overwrite))
    record = world.record(NAME)
    assert record["etag"] == etag_of(listed)
    assert [found.etag for found in built.overwritten] == [record["overwritten_etag"]]


def test_content_that_comes_while_an_overwrite_is_marked_is_not_lost(world: World) -> None:
    track(world)
    newest: list[str] = []

    def overwrite() -> None:
        assert world.deliver(world.put(NAME, b"22\n"), metrics_table=None) == []

    def overwrite_again() -> None:
        event = world.put(NAME, b"333\n")
        newest.append(etag_of(event))
        assert world.deliver(event, metrics_table=None) == []

    process = world.processes[0]
    first = once_before(is_commit, overwrite)
    second = once_before(is_operation("UpdateItem"), overwrite_again)
    process.intercept = lambda call, send: first(call, lambda: second(call, send))
    build(world.runtime(process.clients))
    assert world.record(NAME)["overwritten_etag"] == newest[0]


@pytest.mark.parametrize("odd", [{}, {"etag": {"S": "x"}}], ids=["neither", "no status"])
def test_content_that_comes_while_a_record_of_another_shape_is_marked_is_not_lost(
    world: World, odd: dict[str, Any]
) -> None:
    track(world)
    table, key = world.settings.tracking_table, {"date_prefix": {"S": YESTERDAY}, "file_key": {"S": NAME}}
    whole = world.clients.dynamodb.get_item(TableName=table, Key=key)["Item"]
    newest = etag_of(world.put(NAME, b"333\n"))

    def spoil() -> None:
        world.clients.dynamodb.put_item(TableName=table, Item={**key, **odd})

    def follow() -> None:
        # As an event's handler writes it that found the record in order.
        world.clients.dynamodb.put_item(TableName=table, Item={**whole, "etag": {"S": newest}})

    process = world.processes[0]
    first = once_before(is_commit, spoil)
    second = once_before(is_operation("UpdateItem"), follow)
    process.intercept = lambda call, send: first(call, lambda: second(call, send))
    build(world.runtime(process.clients))
    assert world.record(NAME)["overwritten_etag"] == newest


def test_a_record_does_not_follow_new_content_once_its_batch_is_marked(world: World) -> None:
    track(world)
    newer = world.put(NAME, b"22\n")

    def is_follow(call: AwsCall) -> bool:
        return call.operation == "PutItem" and "pending_date" in call.request["Item"] and reads["done"]

    # The first put finds the record; the second would let it stand for the new content.
    reads = {"done": False}
    process = world.processes[0]
    race = once_before(is_follow, lambda: build(world.runtime()))

    def intercept(call: AwsCall, send: Callable[[], Any]) -> Any:
        try:
            return race(call, send)
        finally:
            reads["done"] = reads["done"] or call.operation == "HeadObject"

    process.intercept = intercept
    assert world.deliver(newer, runtime=world.runtime(process.clients, metrics_table=None)) == []
    world.check_healed([NAME])
    assert world.record(NAME)["overwritten_etag"] == etag_of(newer)


def test_a_record_without_an_etag_does_not_follow_once_it_was_given_one(world: World) -> None:
    """A record of another tool; who is first to make it follow is not undone by who is second."""
    item = {"date_prefix": {"S": YESTERDAY}, "file_key": {"S": NAME}, "status": {"S": "pending"}}
    item["created_at"] = {"S": "2026-01-29T00:00:00.000000Z"}
    world.clients.dynamodb.put_item(TableName=world.settings.tracking_table, Item=item)
    event = world.put(NAME)

    def is_follow(call: AwsCall) -> bool:
        values = call.request.get("ExpressionAttributeValues", {})
        return call.operation == "PutItem" and ":was_status" in values

    def follow_and_build() -> None:
        assert world.deliver(event, metrics_table=None) == []
        assert world.record(NAME)["status"] == "manifested"

    runtime = runtime_where(world, is_follow, follow_and_build, metrics_table=None)
    assert world.deliver(event, runtime=runtime) == []
    world.check_healed([NAME])


def test_an_overwrite_makes_no_record_of_a_file_that_has_none(world: World) -> None:
    track(world)
    build(world.runtime())
    newer = world.put(NAME, b"22\n")
    runtime = runtime_where(
        world,
        is_operation("UpdateItem"),
        lambda: remove_record(world, YESTERDAY, NAME),
        **TRACK_ONLY,
    )
    assert world.deliver(newer, runtime=runtime) == []
    assert world.record(NAME)["file_path"].endswith(NAME)


def test_an_alert_leaves_a_later_overwrite_due(world: World) -> None:
    track(world)
    build(world.runtime())
    uri = world.record(NAME)["file_path"]
    earlier, later = etag_of(world.put(NAME, b"22\n")), world.put(NAME, b"333\n")
    runtime = runtime_where(
        world,
        is_operation("Publish"),
        lambda: world.runtime().overwrites._note_told(Overwritten(YESTERDAY, NAME, uri, earlier)),
        metrics_table=None,
    )
    due: list[bool] = []
    process = world.processes[0]
    intercept = process.intercept

    def look(call: AwsCall, send: Callable[[], Any]) -> Any:
        answer = intercept(call, send)
        if call.operation == "Publish":
            due.append(world.record(NAME).get("overwrite_alert_due", False))
        return answer

    process.intercept = look
    assert world.deliver(later, runtime=runtime) == []
    assert due == [True]
    assert "overwrite_alert_due" not in world.record(NAME)


def test_a_refused_overwrite_leaves_the_record_of_its_batch(world: World) -> None:
    listed = track(world)
    build(world.runtime())
    before = world.record(NAME)
    empty = world.put(NAME, b"")
    assert world.deliver(empty, metrics_table=None) == []
    record = world.record(NAME)
    assert (record["status"], record["etag"]) == ("manifested", etag_of(listed))
    assert record["manifest_path"] == before["manifest_path"]
    assert record["overwritten_etag"] == etag_of(empty)


def test_a_refused_object_that_was_mended_before_its_copy_is_not_quarantined(world: World) -> None:
    empty = world.put(NAME, b"")
    mended = world.put(NAME)
    assert world.deliver(empty, metrics_table=None) == []
    assert world.keys(world.settings.quarantine_bucket) == []
    # What the object holds is accepted, whichever event says so.
    world.check_healed([NAME])
    assert world.deliver(mended, metrics_table=None) == []
    world.check_healed([NAME])


def test_a_refused_object_that_is_mended_after_its_copy_is_not_removed(world: World) -> None:
    empty = world.put(NAME, b"")
    mended: list[dict[str, Any]] = []
    runtime = runtime_where(
        world, is_operation("DeleteObject"), lambda: mended.append(world.put(NAME)), metrics_table=None
    )
    assert world.deliver(empty, runtime=runtime) == []
    assert world.keys(world.settings.input_bucket) == [world.key(NAME)]
    assert world.deliver(*mended, metrics_table=None) == []
    world.check_healed([NAME])


@pytest.mark.parametrize("is_old", [False, True])
def test_a_sweep_removes_no_object_that_a_builder_is_about_to_commit(world: World, is_old: bool) -> None:
    """A builder takes up what a dead one left; a sweep that looked just before must not remove it.

    After an outage of more than a day this is the first thing that happens.
    """
    track(world)

    def die(call: AwsCall, send: Callable[[], Any]) -> Any:
        if is_commit(call):
            raise RuntimeError("the builder dies before its commit")
        return send()

    process = world.processes[1]
    process.intercept = die
    with pytest.raises(RuntimeError):
        build(world.runtime(process.clients))
    assert world.unreferenced_objects()
    world.clock.now += timedelta(days=1, minutes=1) if is_old else timedelta(hours=1)

    # The sweep's own flush is kept from the file, as by another builder's lock.
    commits: list[DateCuts] = []
    runtime = runtime_where(
        world,
        is_operation("DeleteObject"),
        lambda: commits.append(build(world.runtime())),
        min_files_for_partial_batch=2,
        metrics_table=None,
    )
    world.sweep(runtime)
    if not commits:
        build(world.runtime())
    world.check_healed([NAME])
