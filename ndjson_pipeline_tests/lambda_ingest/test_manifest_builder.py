"""Every row of the contract's table of what each input gets."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_ingest.runtime import Clients
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, YESTERDAY, FakeClock, Ingest, message, names
from ndjson_pipeline_tests.lambda_ingest.stubs import Failing


@pytest.mark.parametrize(
    ("below", "body", "reason"),
    [
        (f"{TODAY}-a.csv", b"x", "other extension"),
        ("a.ndjson", b"x", "no date"),
        ("2026-02-30-a.ndjson", b"x", "impossible date"),
        ("2020-01-01-a.ndjson", b"x", "date out of range"),
        ("2026-02-01-a.ndjson", b"x", "date out of range"),
        (f"{TODAY}-a.ndjson", b"", "empty file"),
        (f"{TODAY}-a#b.ndjson", b"x", "outside the allowed pattern"),
        (f"MANIFEST#{TODAY}/{TODAY}-a.ndjson", b"x", "outside the allowed pattern"),
        (f"LOCK/_x/{TODAY}-a.ndjson", b"x", "outside the allowed pattern"),
        (f"{TODAY}-a%2Fb.ndjson", b"x", "outside the allowed pattern"),
        (f"{TODAY}-ä\nb.ndjson", b"x", "outside the allowed pattern"),
    ],
)
def test_a_refused_file_is_quarantined_with_the_reason(
    ingest: Ingest, below: str, body: bytes, reason: str
) -> None:
    event = ingest.put(below, body)
    assert ingest.deliver(event) == []
    (record,) = ingest.file_records().values()
    assert record["status"] == "quarantined"
    assert reason in record["reason"]
    assert record["file_path"] == f"s3://{ingest.settings.input_bucket}/{ingest.key(below)}"
    assert "pending_date" not in record
    assert ingest.keys(ingest.settings.input_bucket) == []
    assert ingest.keys(ingest.settings.quarantine_bucket) == [ingest.key(below)]
    head = ingest.clients.s3.head_object(
        Bucket=ingest.settings.quarantine_bucket or "", Key=ingest.key(below)
    )
    assert reason in head["Metadata"]["quarantine_reason"]
    assert head["Metadata"]["original_bucket"] == ingest.settings.input_bucket
    assert ingest.manifest_records() == []


def test_a_size_out_of_tolerance_is_quarantined(ingest: Ingest) -> None:
    event = ingest.put(f"{TODAY}-a.ndjson", b"x" * 100)
    assert ingest.deliver(event, expected_file_size_mb=3.5) == []
    assert "size out of tolerance" in ingest.record(f"{TODAY}-a.ndjson")["reason"]


def test_without_a_quarantine_bucket_the_file_stays_and_its_record_says_quarantined(ingest: Ingest) -> None:
    event = ingest.put(f"{TODAY}-a.csv")
    assert ingest.deliver(event, quarantine_bucket=None) == []
    assert ingest.record(f"{TODAY}-a.csv")["status"] == "quarantined"
    assert ingest.keys(ingest.settings.input_bucket) == [ingest.key(f"{TODAY}-a.csv")]


def test_a_mended_file_under_the_same_key_is_accepted(ingest: Ingest) -> None:
    name = f"{TODAY}-a.ndjson"
    ingest.deliver(ingest.put(name, b""))
    assert ingest.record(name)["status"] == "quarantined"
    assert ingest.deliver(ingest.put(name)) == []
    record = ingest.record(name)
    assert record["status"] == "pending"
    assert "reason" not in record


def test_the_same_event_twice_counts_once(ingest: Ingest) -> None:
    events = [ingest.put(name) for name in names(9)]
    ingest.deliver(*events)
    ingest.deliver(*events, *events)
    assert ingest.manifest_records() == []
    ingest.deliver(ingest.put(f"{TODAY}-last.ndjson"), *events)
    (manifest,) = ingest.manifests()
    assert len({file.uri for file in manifest.files}) == 10
    ingest.deliver(*events)
    assert len(ingest.manifest_records()) == 1


def test_events_out_of_order_leave_the_record_with_the_objects_content(ingest: Ingest) -> None:
    name = f"{TODAY}-a.ndjson"
    first = ingest.put(name, b"1\n")
    second = ingest.put(name, b"22\n")
    ingest.deliver(second)
    ingest.deliver(first)
    record = ingest.record(name)
    assert record["etag"] == second["s3"]["object"]["eTag"]
    assert record["file_size_bytes"] == 3


def test_other_content_under_a_pending_key_is_followed(ingest: Ingest) -> None:
    name = f"{TODAY}-a.ndjson"
    ingest.deliver(ingest.put(name, b"1\n"))
    tracked_at = ingest.record(name)["created_at"]
    ingest.clock.advance(seconds=5)
    newer = ingest.put(name, b"22\n")
    assert ingest.deliver(newer) == []
    record = ingest.record(name)
    assert record["status"] == "pending"
    assert record["etag"] == newer["s3"]["object"]["eTag"]
    assert record["created_at"] == tracked_at
    ingest.deliver(*(ingest.put(other) for other in names(9)))
    (manifest,) = ingest.manifests()
    assert [file.etag for file in manifest.files if file.uri.endswith(name)] == [record["etag"]]


def test_other_content_under_a_manifested_key_is_recorded_and_alerted_once(
    ingest: Ingest, alerts: list[dict[str, Any]]
) -> None:
    name = f"{YESTERDAY}-a.ndjson"
    ingest.deliver(ingest.put(name, b"1\n"))
    before = ingest.record(name)
    newer = ingest.put(name, b"22\n")
    assert ingest.deliver(newer) == []
    assert ingest.deliver(newer) == []
    record = ingest.record(name)
    assert record["status"] == "manifested"
    assert record["etag"] == before["etag"]
    assert record["overwritten_etag"] == newer["s3"]["object"]["eTag"]
    assert "overwrite_alert_due" not in record
    assert [alert["Alert"] for alert in alerts] == ["overwritten"]
    assert alerts[0]["FilePath"].endswith(name)
    assert len(ingest.manifest_records()) == 1
    assert any(error["kind"] == "overwritten" for report in ingest.reports() for error in report["errors"])


def test_an_overwrite_that_could_not_be_alerted_is_alerted_on_redelivery(
    ingest: Ingest, alerts: list[dict[str, Any]]
) -> None:
    name = f"{YESTERDAY}-a.ndjson"
    ingest.deliver(ingest.put(name, b"1\n"))
    newer = ingest.put(name, b"22\n")
    broken = ingest.runtime(Failing(ingest.clients, "Publish").clients)
    assert len(ingest.deliver(newer, runtime=broken)) == 1
    assert alerts == []
    assert ingest.deliver(newer) == []
    assert len(alerts) == 1


def test_an_object_deleted_before_its_late_event_is_acknowledged_and_not_tracked(
    ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    event = ingest.put(f"{TODAY}-a.ndjson")
    ingest.clients.s3.delete_object(
        Bucket=ingest.settings.input_bucket or "", Key=ingest.key(f"{TODAY}-a.ndjson")
    )
    ingest.clock.advance(minutes=5)
    assert ingest.deliver(event) == []
    assert ingest.file_records() == {}
    assert "Acknowledged a file" in caplog.text


def test_a_refused_object_that_is_gone_is_acknowledged(
    ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    event = ingest.put(f"{TODAY}-a.csv")
    ingest.clients.s3.delete_object(
        Bucket=ingest.settings.input_bucket or "", Key=ingest.key(f"{TODAY}-a.csv")
    )
    assert ingest.deliver(event) == []
    assert ingest.file_records() == {}
    assert "was gone" in caplog.text


@pytest.mark.parametrize("body", [{"Service": "Amazon S3", "Event": "s3:TestEvent"}, {}, {"Records": []}])
def test_messages_without_work_are_acknowledged(ingest: Ingest, body: dict[str, Any]) -> None:
    assert ingest.deliver_messages([message(body)]) == []
    assert ingest.items() == []
    assert ingest.reports() == []


@pytest.mark.parametrize("body", ["", "{", "[]", '{"Records": 1}', "x" * 256_000, "[" * 100_000])
def test_a_malformed_body_fails_alone_and_its_neighbours_are_done(ingest: Ingest, body: str) -> None:
    events = [ingest.put(name) for name in names(10)]
    good = [message({"Records": [event]}, f"good-{number}") for number, event in enumerate(events)]
    failed = ingest.deliver_messages([*good[:5], message(body, "bad"), *good[5:]])
    assert failed == ["bad"]
    assert len(ingest.manifest_records()) == 1


def test_one_bad_record_does_not_keep_its_message_from_reporting_once(ingest: Ingest) -> None:
    event = ingest.put(f"{TODAY}-a.ndjson")
    body = {"Records": [event, {"eventName": "ObjectCreated:Put"}]}
    assert ingest.deliver_messages([message(body, "bad")]) == ["bad"]


@pytest.mark.parametrize("operation", ["PutItem", "HeadObject"])
@pytest.mark.parametrize(
    "code",
    ["ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError", "SlowDown"],
)
def test_a_throttled_or_failing_service_returns_the_message_and_shows_nothing(
    ingest: Ingest, operation: str, code: str
) -> None:
    event = ingest.put(f"{TODAY}-a.ndjson")
    ingest.clock.advance(minutes=5)
    runtime = ingest.runtime(Failing(ingest.clients, operation, code=code).clients)
    assert len(ingest.deliver(event, runtime=runtime)) == 1
    assert ingest.items() == []
    assert ingest.deliver(event) == []
    assert ingest.record(f"{TODAY}-a.ndjson")["status"] == "pending"


@pytest.mark.parametrize("operation", ["CopyObject", "PutItem", "DeleteObject"])
def test_a_quarantine_that_stops_half_way_is_finished_by_the_redelivery(
    ingest: Ingest, operation: str
) -> None:
    event = ingest.put(f"{TODAY}-a.csv")
    runtime = ingest.runtime(Failing(ingest.clients, operation).clients)
    assert len(ingest.deliver(event, runtime=runtime)) == 1
    stored = ingest.keys(ingest.settings.input_bucket) + ingest.keys(ingest.settings.quarantine_bucket)
    assert ingest.key(f"{TODAY}-a.csv") in stored
    assert ingest.deliver(event) == []
    assert ingest.keys(ingest.settings.input_bucket) == []
    assert ingest.keys(ingest.settings.quarantine_bucket) == [ingest.key(f"{TODAY}-a.csv")]
    assert ingest.record(f"{TODAY}-a.csv")["status"] == "quarantined"


@pytest.mark.parametrize("operation", ["Query", "TransactWriteItems", "BatchGetItem"])
def test_a_build_that_fails_never_fails_a_message(ingest: Ingest, operation: str) -> None:
    events = [ingest.put(name) for name in names(10)]
    runtime = ingest.runtime(Failing(ingest.clients, operation).clients, metrics_table=None)
    assert ingest.deliver(*events, runtime=runtime) == []
    assert ingest.manifest_records() == []
    assert ingest.locks() == []
    ingest.sweep()
    assert len(ingest.manifest_records()) == 1


def test_a_folder_marker_is_acknowledged_and_left_alone(ingest: Ingest) -> None:
    event = ingest.put_key(ingest.key("team/"), b"")
    assert ingest.deliver(event) == []
    assert ingest.file_records() == {}
    assert ingest.keys(ingest.settings.input_bucket) == [ingest.key("team/")]


def test_a_late_file_flushes_its_date_and_all_that_is_pending_there(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(3, TODAY)))
    ingest.clock.advance(days=1)
    ingest.deliver(ingest.put(f"{TODAY}-late.ndjson"))
    (manifest,) = ingest.manifests()
    assert len(manifest.files) == 4
    assert {record["status"] for record in ingest.file_records().values()} == {"manifested"}


def test_real_s3_events_through_a_real_queue_are_understood(ingest: Ingest) -> None:
    keys = [f"{TODAY}-a b+ü😀.ndjson".replace("😀", "é"), f"sub/folder/{TODAY}-x.ndjson"]
    for key in keys:
        ingest.put(key)
    queue = ingest.settings.queue_url or ""
    received = []
    while found := ingest.clients.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        received += [{"messageId": entry["MessageId"], "body": entry["Body"]} for entry in found]
    ingest.clock.now = FakeClock().now
    assert ingest.deliver_messages(received) == []
    assert sorted(ingest.file_records()) == sorted(keys)


def test_the_report_and_the_metrics_tell_what_was_done(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(10)), ingest.put(f"{TODAY}-a.csv"))
    (report,) = ingest.reports()
    assert report["execution_info"]["request_id"] == "request-1"
    assert report["execution_info"]["memory_limit_mb"] == 256
    assert report["processing_summary"] == {
        "files_processed": 10,
        "files_quarantined": 1,
        "manifests_created": 1,
        "status": "partial",
    }
    (record,) = ingest.manifest_records()
    assert report["manifests"] == [
        {
            "manifest_path": record["manifest_path"],
            "date_prefix": TODAY,
            "file_count": 10,
            "file_key": record["file_key"],
        }
    ]
    assert report["dates"] == {TODAY: {"files_processed": 10, "files_quarantined": 1, "manifests_created": 1}}
    items = ingest.clients.dynamodb.scan(TableName=ingest.settings.metrics_table or "")["Items"]
    values = {item["metric_type"]["S"]: float(item["value"]["N"]) for item in items}
    assert values == {"files_processed": 10, "files_quarantined": 1, "manifests_created": 1}


def test_metrics_of_one_instant_all_survive(ingest: Ingest) -> None:
    for number in range(5):
        ingest.deliver(ingest.put(f"{TODAY}-{number}.ndjson"), metrics_table=None)
        ingest.runtime().metrics.put({"files_processed": 1}, lambda: 60.0)
    items = ingest.clients.dynamodb.scan(TableName=ingest.settings.metrics_table or "")["Items"]
    assert len(items) == 5


@pytest.mark.parametrize("operation", ["PutObject", "TransactWriteItems"])
def test_a_report_or_metric_that_cannot_be_written_changes_nothing_else(
    ingest: Ingest, operation: str
) -> None:
    event = ingest.put(f"{TODAY}-a.ndjson")
    runtime = ingest.runtime(Failing(ingest.clients, operation).clients)
    assert ingest.deliver(event, runtime=runtime) == []
    assert ingest.record(f"{TODAY}-a.ndjson")["status"] == "pending"


def test_no_file_content_and_no_event_body_reaches_the_log(
    ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "correct-horse-battery-staple"
    ingest.deliver(
        ingest.put(f"{TODAY}-a.csv", secret.encode()), ingest.put(f"{TODAY}-a.ndjson", secret.encode())
    )
    ingest.deliver_messages([message(json.dumps({"Records": [{"x": secret}]})), message(secret)])
    captured = capsys.readouterr()
    assert secret not in captured.out + captured.err


def test_a_client_error_keeps_its_code(ingest: Ingest) -> None:
    clients: Clients = Failing(ingest.clients, "PutItem", code="ThrottlingException").clients
    with pytest.raises(ClientError, match="ThrottlingException"):
        clients.dynamodb.put_item(TableName=ingest.settings.tracking_table, Item={})
