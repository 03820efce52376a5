"""What was loaded is never loaded again, though its record expired."""

from datetime import timedelta
from typing import Any

import pytest

from lambda_ingest.contract.manifest import Manifest
from lambda_ingest.runtime import Runtime
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY, FakeContext, Ingest, names
from ndjson_pipeline_tests.lambda_ingest.stubs import Counting, Failing

LATER = NOON + timedelta(days=31)


def load(ingest: Ingest, count: int = 20) -> list[dict[str, Any]]:
    """Load files of a date, let a month pass and their records expire, and return their events."""
    events = [ingest.put(name) for name in names(count)]
    ingest.deliver(*events)
    assert sum(len(manifest.files) for manifest in ingest.manifests()) == count
    ingest.clock.now = LATER
    expire(ingest)
    return events


def expire(ingest: Ingest, *, manifests: bool = True) -> None:
    """Remove what DynamoDB would by now, manifests as if their runs had completed at once."""
    for item in ingest.items():
        is_manifest = item["file_key"].startswith("MANIFEST#")
        if (is_manifest and manifests) or item.get("ttl", LATER.timestamp() + 1) <= LATER.timestamp():
            ingest.clients.dynamodb.delete_item(
                TableName=ingest.settings.tracking_table,
                Key={name: {"S": item[name]} for name in ("date_prefix", "file_key")},
            )


def copied(ingest: Ingest, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events of objects that are copied onto themselves now."""
    time = ingest.clock().strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return [{**event, "eventName": "ObjectCreated:Copy", "eventTime": time} for event in events]


def test_files_that_are_copied_in_place_after_their_records_expired_are_not_loaded_again(
    ingest: Ingest, alerts: list[dict[str, Any]]
) -> None:
    events = load(ingest)
    before = ingest.manifest_objects()
    assert ingest.items() == []
    assert ingest.deliver(*copied(ingest, events)) == []
    assert (ingest.manifest_objects(), ingest.manifest_records(), alerts) == (before, [], [])
    record = ingest.record(f"{TODAY}-f00003.ndjson")
    listed = {
        file.uri: (f"s3://{ingest.settings.manifest_bucket}/{key}", file)
        for key in before
        for file in Manifest.from_json(
            ingest.clients.s3.get_object(Bucket=ingest.settings.manifest_bucket, Key=key)["Body"].read()
        ).files
    }
    path, file = listed[record["file_path"]]
    assert (record["status"], record["manifest_path"], record["etag"]) == ("manifested", path, file.etag)
    assert record["ttl"] == int(LATER.timestamp()) + 30 * 86_400
    assert ingest.deliver(*copied(ingest, events)) == []
    assert ingest.manifest_objects() == before


def test_a_versioned_buckets_record_names_the_version_again(ingest: Ingest) -> None:
    ingest.clients.s3.put_bucket_versioning(
        Bucket=ingest.settings.input_bucket or "", VersioningConfiguration={"Status": "Enabled"}
    )
    (event, *_) = load(ingest, 10)
    ingest.deliver(*copied(ingest, [event]))
    assert ingest.record(f"{TODAY}-f00000.ndjson")["version_id"] == event["s3"]["object"]["versionId"]


def test_a_duplicate_from_a_dead_letter_queue_is_known_with_a_shorter_ttl_too(ingest: Ingest) -> None:
    events = load(ingest, 10)
    ingest.clock.now = NOON + timedelta(days=8)
    assert ingest.deliver(*events, ttl_days=7) == []
    assert ingest.manifest_records() == []
    assert len(ingest.file_records()) == 10


def test_other_content_of_what_was_loaded_is_overwritten_and_alerted(
    ingest: Ingest, alerts: list[dict[str, Any]]
) -> None:
    load(ingest, 10)
    newer = ingest.put(f"{TODAY}-f00003.ndjson", b"22\n")
    assert ingest.deliver(newer) == []
    record = ingest.record(f"{TODAY}-f00003.ndjson")
    assert record["status"] == "manifested"
    assert record["overwritten_etag"] == newer["s3"]["object"]["eTag"] != record["etag"]
    assert [alert["NewETag"] for alert in alerts] == [record["overwritten_etag"]]
    assert ingest.manifest_records() == []


def test_refused_content_of_what_was_loaded_is_overwritten_and_alerted(
    ingest: Ingest, alerts: list[dict[str, Any]]
) -> None:
    load(ingest, 10)
    ingest.deliver(ingest.put(f"{TODAY}-f00003.ndjson", b""))
    assert ingest.record(f"{TODAY}-f00003.ndjson")["status"] == "manifested"
    assert len(alerts) == 1
    mended = ingest.put(f"{TODAY}-f00003.ndjson", b"22\n")
    ingest.deliver(mended)
    assert ingest.record(f"{TODAY}-f00003.ndjson")["status"] == "manifested"
    assert ingest.manifest_records() == []


def test_a_file_of_an_old_date_that_no_manifest_lists_is_loaded(ingest: Ingest) -> None:
    load(ingest, 10)
    ingest.deliver(ingest.put(f"{TODAY}-new.ndjson"))
    (record,) = ingest.manifest_records()
    assert record["file_count"] == 1
    assert ingest.record(f"{TODAY}-new.ndjson")["manifest_path"] == record["manifest_path"]


def test_a_dates_counter_goes_on_after_its_records_expired(ingest: Ingest) -> None:
    load(ingest, 20)
    ingest.deliver(ingest.put(f"{TODAY}-new.ndjson"))
    assert [manifest.name.sequence for manifest in ingest.manifests()] == [3]


def test_an_object_that_a_dead_builder_left_does_not_count(ingest: Ingest) -> None:
    """Its other files are pending still, which they could not be had it been committed."""
    broken = ingest.runtime(Failing(ingest.clients, "TransactWriteItems").clients, metrics_table=None)
    events = [ingest.put(name) for name in names(10)]
    ingest.deliver(*events, runtime=broken)
    assert len(ingest.manifest_objects()) == 1
    assert {record["status"] for record in ingest.file_records().values()} == {"pending"}
    ingest.clock.now = LATER
    expire(ingest)
    assert len(ingest.file_records()) == 10
    ingest.clients.dynamodb.delete_item(
        TableName=ingest.settings.tracking_table,
        Key={"date_prefix": {"S": TODAY}, "file_key": {"S": f"{TODAY}-f00003.ndjson"}},
    )
    ingest.deliver(*copied(ingest, events[3:4]))
    ingest.sweep(audit=False)
    assert sorted(file.uri[-12:-7] for manifest in ingest.manifests() for file in manifest.files) == [
        f"{number:05d}" for number in range(10)
    ]
    assert {record["status"] for record in ingest.file_records().values()} == {"manifested"}


def test_a_manifest_whose_record_still_stands_counts(ingest: Ingest) -> None:
    events = [ingest.put(name) for name in names(10)]
    ingest.deliver(*events)
    ingest.clock.now = LATER
    expire(ingest, manifests=False)
    (record,) = ingest.manifest_records()
    ingest.deliver(*copied(ingest, events))
    assert ingest.manifest_records() == [record]


def test_nothing_is_looked_for_of_dates_whose_records_live(ingest: Ingest) -> None:
    ingest.clock.now = NOON + timedelta(days=27)
    counting = Counting(ingest.clients)
    ingest.deliver(
        ingest.put(f"{TODAY}-a.ndjson"),
        runtime=ingest.runtime(counting.clients, metrics_table=None, min_files_for_partial_batch=5),
    )
    assert counting.calls == ["PutItem", "Query", "PutObject"]


def reads(counting: Counting) -> tuple[int, int]:
    return counting.calls.count("ListObjectsV2"), counting.calls.count("GetObject")


def test_a_dates_manifests_are_read_once_in_an_execution_environment(ingest: Ingest) -> None:
    events = copied(ingest, load(ingest, 30))
    counting = Counting(ingest.clients)
    runtime = ingest.runtime(counting.clients, metrics_table=None)
    ingest.deliver(*events[:10], runtime=runtime)
    # Three to know what they list, and one once more to judge it.
    assert reads(counting) == (1, 4)
    ingest.deliver(*events[10:], runtime=runtime)
    assert reads(counting) == (1, 6)


def test_what_is_newer_is_read_after_a_while(ingest: Ingest) -> None:
    events = copied(ingest, load(ingest, 20))
    counting = Counting(ingest.clients)
    runtime = ingest.runtime(counting.clients, metrics_table=None)
    ingest.deliver(events[0], runtime=runtime)
    later = [ingest.put(name) for name in names(10, start=20)]
    ingest.deliver(*later)
    ingest.clock.advance(days=2)
    for item in ingest.items():
        ingest.clients.dynamodb.delete_item(
            TableName=ingest.settings.tracking_table,
            Key={name: {"S": item[name]} for name in ("date_prefix", "file_key")},
        )
    before = reads(counting)
    ingest.deliver(*copied(ingest, later), runtime=runtime)
    assert ingest.manifest_records() == []
    assert [after - already for after, already in zip(reads(counting), before, strict=True)] == [1, 2]


def test_where_the_time_is_short_the_message_fails_and_its_retry_goes_on(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambda_ingest.files.loaded._READS_BETWEEN_LOOKS", 1)
    events = copied(ingest, load(ingest, 30))
    counting = Counting(ingest.clients)
    runtime: Runtime = ingest.runtime(counting.clients, metrics_table=None)
    ingest.context = FakeContext(remaining=lambda: 60.0 if reads(counting)[1] < 2 else 5.0)
    assert len(ingest.deliver(events[29], runtime=runtime)) == 1
    assert ingest.file_records() == {}
    assert reads(counting) == (1, 2)
    ingest.context = FakeContext()
    assert ingest.deliver(events[29], runtime=runtime) == []
    assert ingest.record(f"{TODAY}-f00029.ndjson")["status"] == "manifested"
    # The third manifest, and it again to judge it.
    assert reads(counting) == (1, 4)


def test_a_broken_object_among_the_manifests_hides_no_other(
    ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    events = copied(ingest, load(ingest, 10))
    bucket, folder = ingest.settings.manifest_bucket, f"manifests/{TODAY}"
    for key in ("README.md", f"manifest-{TODAY}-batch-000000-00000000.json"):
        ingest.clients.s3.put_object(Bucket=bucket, Key=f"{folder}/{key}", Body=b"not JSON")
    assert ingest.deliver(*events) == []
    assert len(ingest.manifest_objects()) == 3
    assert {record["status"] for record in ingest.file_records().values()} == {"manifested"}


def test_a_refused_file_of_the_first_day_of_the_calendar_is_quarantined(ingest: Ingest) -> None:
    assert ingest.deliver(ingest.put("0001-01-01-a.ndjson")) == []
    assert ingest.record("0001-01-01-a.ndjson")["status"] == "quarantined"


def test_what_is_kept_of_dates_is_bounded(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_ingest.files.loaded._MOST_FILES", 15)
    events = copied(ingest, load(ingest, 20))
    counting = Counting(ingest.clients)
    runtime = ingest.runtime(counting.clients, metrics_table=None)
    ingest.deliver(events[0], runtime=runtime)
    other = ingest.put("2025-12-01-other.ndjson")
    ingest.deliver(other, runtime=runtime)
    assert list(runtime.loaded._dates) == ["2025-12-01"]
    ingest.deliver(events[1], runtime=runtime)
    assert ingest.record(f"{TODAY}-f00001.ndjson")["status"] == "manifested"
