"""Quarantine overwrites nothing, makes no second copy, and leaves what is large to whoever has the time."""

from typing import Any

import pytest

from lambda_ingest.contract.records import MOVES_PARTITION
from lambda_ingest.files import copies, moves, quarantine
from lambda_ingest.files.copies import COPY_BYTES_PER_SECOND, seconds_for
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, FakeContext, Ingest
from ndjson_pipeline_tests.lambda_ingest.stubs import Failing

NAME = f"{TODAY}-a.csv"


def quarantined(ingest: Ingest) -> dict[str, bytes]:
    bucket = ingest.settings.quarantine_bucket or ""
    return {
        key: ingest.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in ingest.keys(bucket)
    }


def items_of_moves(ingest: Ingest) -> list[dict[str, Any]]:
    return [item for item in ingest.items() if item["date_prefix"] == MOVES_PARTITION]


def test_evidence_is_never_overwritten(ingest: Ingest) -> None:
    for body in (b"first", b"second", b"third"):
        assert ingest.deliver(ingest.put(NAME, body)) == []
    found = quarantined(ingest)
    assert found.pop(ingest.key(NAME)) == b"first"
    assert sorted(found.values()) == [b"second", b"third"]
    assert all(key.startswith(f"{ingest.key(NAME)}.") for key in found)
    assert ingest.keys(ingest.settings.input_bucket) == []


def test_evidence_of_others_is_never_overwritten(ingest: Ingest) -> None:
    bucket = ingest.settings.quarantine_bucket or ""
    ingest.clients.s3.put_object(Bucket=bucket, Key=ingest.key(NAME), Body=b"another tool's")
    event = ingest.put(NAME, b"ours")
    assert ingest.deliver(event) == []
    found = quarantined(ingest)
    assert found.pop(ingest.key(NAME)) == b"another tool's"
    ((beside, body),) = found.items()
    assert body == b"ours"
    metadata = ingest.clients.s3.head_object(Bucket=bucket, Key=beside)["Metadata"]
    assert metadata["original_bucket"] == ingest.settings.input_bucket
    assert metadata["original_etag"] == event["s3"]["object"]["eTag"]
    assert "other extension" in metadata["quarantine_reason"]


@pytest.mark.parametrize("is_occupied", [False, True])
def test_a_retry_finds_its_own_copy_and_makes_no_other(ingest: Ingest, is_occupied: bool) -> None:
    bucket = ingest.settings.quarantine_bucket or ""
    if is_occupied:
        ingest.clients.s3.put_object(Bucket=bucket, Key=ingest.key(NAME), Body=b"another tool's")
    event = ingest.put(NAME, b"ours")
    broken = ingest.runtime(Failing(ingest.clients, "DeleteObject").clients)
    for _ in range(2):
        assert len(ingest.deliver(event, runtime=broken)) == 1
    before = quarantined(ingest)
    assert list(before.values()).count(b"ours") == 1
    assert ingest.deliver(event) == []
    assert quarantined(ingest) == before
    assert ingest.keys(ingest.settings.input_bucket) == []


def test_the_longest_key_has_room_beside_it(ingest: Ingest) -> None:
    below = "ä" * ((1024 - len(ingest.settings.input_prefix)) // 2)
    for body in (b"first", b"second"):
        assert ingest.deliver(ingest.put(below, body)) == []
    assert sorted(quarantined(ingest).values()) == [b"first", b"second"]
    assert all(len(key.encode()) <= 1024 for key in quarantined(ingest))


def test_a_role_that_sees_nothing_in_quarantine_may_still_put_there(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    head_object = ingest.clients.s3.head_object

    def forbidden(**request: Any) -> Any:
        if request["Bucket"] == ingest.settings.quarantine_bucket:
            return Failing(ingest.clients, "HeadObject", code="403").clients.s3.head_object(**request)
        return head_object(**request)

    monkeypatch.setattr(ingest.clients.s3, "head_object", forbidden)
    assert ingest.deliver(ingest.put(NAME, b"ours")) == []
    assert quarantined(ingest) == {ingest.key(NAME): b"ours"}


def test_how_long_a_copy_takes_is_reckoned_with_care() -> None:
    assert seconds_for(COPY_BYTES_PER_SECOND) == 1
    assert seconds_for(5 * 1024**3) == 5 * 1024**3 / (8 * COPY_BYTES_PER_SECOND)
    assert seconds_for(0) == 0


def slow_builder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "seconds_for", lambda _: 1000.0)


def test_a_copy_that_takes_too_long_is_left_to_the_sweeper(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_builder(monkeypatch)
    event = ingest.put(NAME, b"large")
    for _ in range(2):
        assert ingest.deliver(event) == []
    assert ingest.record(NAME)["status"] == "quarantined"
    assert quarantined(ingest) == {}
    assert ingest.keys(ingest.settings.input_bucket) == [ingest.key(NAME)]
    assert len(items_of_moves(ingest)) == 1
    answer = ingest.sweep(audit=False)
    assert answer["quarantine_moved"] == [f"s3://{ingest.settings.input_bucket}/{ingest.key(NAME)}"]
    assert answer["failed"] == []
    assert quarantined(ingest) == {ingest.key(NAME): b"large"}
    assert ingest.keys(ingest.settings.input_bucket) == []
    assert items_of_moves(ingest) == []


def test_what_a_sweep_has_no_time_for_waits_and_what_none_has_is_said(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_builder(monkeypatch)
    ingest.deliver(ingest.put(NAME, b"large"))
    monkeypatch.setattr(moves, "seconds_for", lambda _: 49.0)
    remaining = iter([60.0])
    ingest.context = FakeContext(remaining=lambda: next(remaining, 40.0))
    assert len(ingest.sweep(audit=False)["quarantine_left"]) == 1
    assert len(items_of_moves(ingest)) == 1
    ingest.context = FakeContext()
    monkeypatch.setattr(moves, "seconds_for", lambda _: 51.0)
    assert len(ingest.sweep(audit=False)["quarantine_stay"]) == 1
    assert items_of_moves(ingest) == []
    assert "it stays where it is" in ingest.record(NAME)["reason"]
    assert ingest.keys(ingest.settings.input_bucket) == [ingest.key(NAME)]


@pytest.mark.parametrize("is_good", [False, True])
def test_a_file_that_was_replaced_before_its_move_is_left_alone(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, is_good: bool
) -> None:
    name = f"{TODAY}-a.ndjson"
    slow_builder(monkeypatch)
    ingest.deliver(ingest.put(name, b""))
    newer = ingest.put(name)
    if is_good:
        ingest.deliver(newer)
    assert ingest.sweep(audit=False)["quarantine_moved"] == []
    assert ingest.keys(ingest.settings.input_bucket) == [ingest.key(name)]
    assert items_of_moves(ingest) == []
    ingest.deliver(newer)
    assert ingest.record(name)["status"] == "pending"


def test_a_file_that_is_accepted_after_all_is_not_moved(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size that is expected was set wrong, and the file waits in a manifest by the time of the sweep."""
    name = f"{TODAY}-a.ndjson"
    slow_builder(monkeypatch)
    event = ingest.put(name)
    ingest.deliver(event, expected_file_size_mb=3.5)
    ingest.deliver(event, max_files_per_manifest=1)
    assert ingest.record(name)["status"] == "manifested"
    assert ingest.sweep(audit=False)["quarantine_moved"] == []
    assert ingest.keys(ingest.settings.input_bucket) == [ingest.key(name)]


def test_one_move_that_fails_and_one_of_another_shape_stop_no_other(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_builder(monkeypatch)
    ingest.deliver(*(ingest.put(f"{TODAY}-{number}.csv") for number in range(3)))
    ingest.clients.dynamodb.put_item(
        TableName=ingest.settings.tracking_table,
        Item={"date_prefix": {"S": MOVES_PARTITION}, "file_key": {"S": "a"}, "file_path": {"N": "1"}},
    )
    broken = ingest.runtime(Failing(ingest.clients, "CopyObject", code="AccessDenied").clients)
    answer = ingest.sweep(broken, audit=False)
    assert (answer["quarantine_moved"], answer["failed"]) == ([], [])
    assert len(ingest.reports()[-1]["errors"]) == 3
    assert len(ingest.sweep(audit=False)["quarantine_moved"]) == 3


def test_a_large_object_is_copied_in_parts(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_PART_BYTES", 12 * 1024**2)
    body = bytes(range(256)) * (13 * 4096)
    assert ingest.deliver(ingest.put(NAME, body)) == []
    assert quarantined(ingest) == {ingest.key(NAME): body}
    assert ingest.deliver(ingest.put(NAME, body[1:])) == []
    assert sorted(map(len, quarantined(ingest).values())) == [len(body) - 1, len(body)]


def test_a_copy_in_parts_that_runs_out_of_time_is_left_and_leaves_nothing(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_PART_BYTES", 12 * 1024**2)
    monkeypatch.setattr(copies, "RESERVED_SECONDS", 1000.0)
    assert ingest.deliver(ingest.put(NAME, b"x" * (13 * 1024**2))) == []
    assert len(items_of_moves(ingest)) == 1
    uploads = ingest.clients.s3.list_multipart_uploads(Bucket=ingest.settings.quarantine_bucket or "")
    assert uploads.get("Uploads", []) == []
