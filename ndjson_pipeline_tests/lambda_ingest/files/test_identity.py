"""The bucket is part of a file's identity: two buckets with equal names are never mixed."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.file_keys import sort_key_of_refused
from lambda_ingest.contract.manifest import Manifest
from lambda_ingest.files.identity import is_record_of, knows_content, own_key
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, YESTERDAY, Ingest, names, s3_event
from ndjson_pipeline_tests.lambda_ingest.stubs import Failing

OTHER = "other-region-input"
ANY_BUCKET: dict[str, Any] = {"input_bucket": None}


@pytest.fixture
def two(ingest: Ingest) -> Iterator[Ingest]:
    ingest.clients.s3.create_bucket(Bucket=OTHER)
    yield ingest


def put_other(ingest: Ingest, name: str, body: bytes = b'{"b": 22}\n') -> dict[str, Any]:
    answer = ingest.clients.s3.put_object(Bucket=OTHER, Key=ingest.key(name), Body=body)
    return s3_event(
        OTHER, ingest.key(name), size=len(body), etag=answer["ETag"].strip('"'), time=ingest.clock()
    )


def listed(ingest: Ingest) -> list[str]:
    return sorted(file.uri for manifest in ingest.manifests() for file in manifest.files)


def uris(ingest: Ingest, count: int, day: str = TODAY) -> list[str]:
    return sorted(
        f"s3://{bucket}/{ingest.key(name)}"
        for bucket in (OTHER, ingest.settings.input_bucket)
        for name in names(count, day)
    )


def test_files_of_equal_names_in_two_buckets_are_each_loaded_once(
    two: Ingest, alerts: list[dict[str, Any]]
) -> None:
    ours = [two.put(name) for name in names(9)]
    others = [put_other(two, name) for name in names(9)]
    assert two.deliver(*ours, **ANY_BUCKET) == []
    assert two.deliver(*others, *ours, **ANY_BUCKET) == []
    two.clock.advance(days=1)
    two.deliver(*others, *ours, **ANY_BUCKET)
    two.sweep(**ANY_BUCKET)
    two.deliver(*others, *ours, **ANY_BUCKET)
    assert listed(two) == uris(two, 9)
    assert {record["status"] for record in two.file_records().values()} == {"manifested"}
    assert alerts == []
    assert two.sweep(**ANY_BUCKET)["open_dates"] == []


def test_a_manifest_carries_the_sort_key_of_a_file_whose_name_is_anothers(two: Ingest) -> None:
    name = f"{YESTERDAY}-a.ndjson"
    two.deliver(two.put(name), put_other(two, name), **ANY_BUCKET)
    two.clock.advance(minutes=2)
    two.sweep(**ANY_BUCKET)
    files = [file for manifest in two.manifests() for file in manifest.files]
    assert {file.record_key(two.settings.input_prefix) for file in files} == set(two.file_records())
    assert sorted(file.file_key or "" for file in files)[0] == ""
    for manifest in two.manifests():
        assert Manifest.from_json(manifest.to_json()) == manifest
    for file in files:
        record = two.file_records()[file.record_key(two.settings.input_prefix)]
        assert (record["file_path"], record["etag"]) == (file.uri, file.etag)


def test_the_marks_of_a_dead_builder_find_both(two: Ingest) -> None:
    broken = two.runtime(
        Failing(two.clients, "TransactWriteItems", after=1).clients, metrics_table=None, **ANY_BUCKET
    )
    two.deliver(
        *(two.put(name) for name in names(5)), *(put_other(two, name) for name in names(5)), runtime=broken
    )
    assert [record["files_marked"] for record in two.manifest_records()] == [False]
    two.sweep(**ANY_BUCKET)
    assert [record["files_marked"] for record in two.manifest_records()] == [True]
    records = two.file_records().values()
    assert [record["status"] for record in records] == ["manifested"] * 10


def test_new_content_in_one_bucket_is_no_overwrite_of_the_others(
    two: Ingest, alerts: list[dict[str, Any]]
) -> None:
    name = f"{YESTERDAY}-a.ndjson"
    two.deliver(two.put(name), put_other(two, name), **ANY_BUCKET)
    two.clock.advance(minutes=2)
    two.sweep(**ANY_BUCKET)
    two.deliver(put_other(two, name, b"third\n"), **ANY_BUCKET)
    (alert,) = alerts
    assert [file["FilePath"] for file in alert["Files"]] == [f"s3://{OTHER}/{two.key(name)}"]


@pytest.mark.parametrize("bad_first", [False, True])
def test_a_refused_file_of_one_bucket_leaves_the_others_alone(two: Ingest, bad_first: bool) -> None:
    name = f"{TODAY}-a.ndjson"
    events = [put_other(two, name, b""), two.put(name)]
    for event in events if bad_first else reversed(events):
        assert two.deliver(event, **ANY_BUCKET) == []
    records = {record["file_path"]: record["status"] for record in two.file_records().values()}
    assert records == {
        f"s3://{OTHER}/{two.key(name)}": "quarantined",
        f"s3://{two.settings.input_bucket}/{two.key(name)}": "pending",
    }
    assert two.keys(two.settings.input_bucket) == [two.key(name)]


def test_two_refused_files_of_equal_names_both_lie_in_quarantine(two: Ingest) -> None:
    two.deliver(put_other(two, f"{TODAY}-a.csv", b"b"), two.put(f"{TODAY}-a.csv", b"a"), **ANY_BUCKET)
    bucket = two.settings.quarantine_bucket or ""
    bodies = {two.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in two.keys(bucket)}
    assert bodies == {b"a", b"b"}


def test_what_was_loaded_of_both_is_not_loaded_again_once_their_records_expired(two: Ingest) -> None:
    old: dict[str, Any] = {**ANY_BUCKET, "ttl_days": 1, "max_files_per_manifest": 4}
    ours, others = (
        [two.put(name) for name in names(2, YESTERDAY)],
        [put_other(two, name) for name in names(2, YESTERDAY)],
    )
    two.deliver(*ours, *others, **ANY_BUCKET, max_files_per_manifest=4)
    before = listed(two)
    assert before == uris(two, 2, YESTERDAY)
    for order in ((others, ours), (ours, others), (others, others)):
        for item in two.file_records().values():
            key = {name: {"S": item[name]} for name in ("date_prefix", "file_key")}
            two.clients.dynamodb.delete_item(TableName=two.settings.tracking_table, Key=key)
        for events in order:
            assert two.deliver(*events, **old) == []
        two.clock.advance(minutes=2)
        two.sweep(**old)
        assert listed(two) == before


def test_a_file_that_waits_under_its_own_key_is_not_tracked_again_once_the_others_record_is_gone(
    two: Ingest,
) -> None:
    waits: dict[str, Any] = {**ANY_BUCKET, "ttl_days": 1, "min_files_for_partial_batch": 10}
    name = f"{YESTERDAY}-a.ndjson"
    other = put_other(two, name)
    # One after the other: of two at once either may be the first, and have the plain key.
    two.deliver(two.put(name), **waits)
    two.deliver(other, **waits)
    two.clients.dynamodb.delete_item(
        TableName=two.settings.tracking_table,
        Key={"date_prefix": {"S": YESTERDAY}, "file_key": {"S": name}},
    )
    two.deliver(other, **waits)
    assert len(two.file_records()) == 1


def test_the_audit_takes_no_other_buckets_record_for_its_own(two: Ingest) -> None:
    two.deliver(*(put_other(two, name) for name in names(2)), **ANY_BUCKET)
    for name in names(2):
        two.put(name)
    two.receive()
    two.clock.advance(hours=1)
    for_sure = two.clients.s3.list_objects_v2(Bucket=two.settings.input_bucket or "")["Contents"]
    two.clock.now = max(entry["LastModified"] for entry in for_sure)
    two.clock.advance(hours=1)
    day = TODAY
    assert two.sweep(dates=[day])["events_resent"] == {day: 2}
    assert two.deliver_messages(two.receive()) == []
    assert two.sweep(dates=[day])["events_resent"] == {}


buckets = st.text("abc-.:/#%", min_size=1, max_size=8)
keys = st.text(st.characters(codec=None, categories=None), min_size=1, max_size=400)


@given(buckets, keys, buckets, keys)
def test_a_key_of_its_own_is_no_plain_one_and_no_other_objects(
    bucket: str, key: str, other_bucket: str, other_key: str
) -> None:
    own = own_key(ObjectCreated(bucket, key, 1, "e"))
    assert 1 <= len(own.encode()) <= 1024
    assert ":" in own
    assert ":" not in sort_key_of_refused(other_key.encode("utf-8", "replace").decode())
    if (bucket, key) != (other_bucket, other_key):
        assert own != own_key(ObjectCreated(other_bucket, other_key, 1, "e"))


def test_whose_a_record_is_and_what_it_knows() -> None:
    record = {"file_path": "s3://a/k", "etag": "1", "alias_etag": "2", "overwritten_etag": "3"}
    assert is_record_of(record, "s3://a/k")
    assert not is_record_of(record, "s3://b/k")
    assert is_record_of({"file_path": 7}, "s3://b/k")
    assert [knows_content(record, "s3://a/k", etag) for etag in "1234"] == [True, True, True, False]
    assert not knows_content(record, "s3://b/k", "1")
    assert not knows_content({**record, "overwrite_alert_due": True}, "s3://a/k", "1")
    assert not knows_content({"etag": ["odd"]}, "s3://a/k", "1")
