"""Every row of the contract's table of what each input gets."""

import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_ingest import manifest_builder
from lambda_ingest.contract.validation import validate
from lambda_ingest.runtime import Clients
from ndjson_pipeline_tests.lambda_ingest.harness import (
    TODAY,
    YESTERDAY,
    FakeClock,
    Ingest,
    as_bridge_event,
    message,
    names,
    s3_event,
    sns_message,
)
from ndjson_pipeline_tests.lambda_ingest.stubs import Counting, Failing


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
        (f"\uff12{TODAY[1:]}-a.ndjson", b"x", "no date"),
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


@pytest.mark.parametrize(
    "body",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent"},
        sns_message({"Service": "Amazon S3", "Event": "s3:TestEvent"}),
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete"}]},
        {"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}},
    ],
)
def test_messages_without_work_are_acknowledged(ingest: Ingest, body: dict[str, Any]) -> None:
    assert ingest.deliver_messages([message(body)]) == []
    assert ingest.items() == []
    assert ingest.reports() == []


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", "[]", "{}", '{"Records": 1}', '{"Records": []}', "x" * 256_000, "[" * 100_000),
        '{"Type": "SubscriptionConfirmation", "Message": "m", "SubscribeURL": "https://sns"}',
        json.dumps(sns_message({"hello": "world"})),
        json.dumps({"Records": [{"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {}}]}),
    ],
)
def test_a_malformed_body_fails_alone_and_its_neighbours_are_done(ingest: Ingest, body: str) -> None:
    events = [ingest.put(name) for name in names(10)]
    good = [message({"Records": [event]}, f"good-{number}") for number, event in enumerate(events)]
    failed = ingest.deliver_messages([*good[:5], message(body, "bad"), *good[5:]])
    assert failed == ["bad"]
    assert len(ingest.manifest_records()) == 1


def test_of_a_message_with_a_bad_record_the_good_ones_are_taken_and_it_fails_once(ingest: Ingest) -> None:
    events = [ingest.put(f"{TODAY}-{name}.ndjson") for name in "ab"]
    body = {"Records": [events[0], {"eventName": "ObjectCreated:Put"}, events[1]]}
    for _ in range(2):
        assert ingest.deliver_messages([message(body, "bad")]) == ["bad"]
        assert sorted(ingest.file_records()) == [f"{TODAY}-a.ndjson", f"{TODAY}-b.ndjson"]
    (error,) = ingest.reports()[0]["errors"]
    assert (error["kind"], error["subject"]) == ("malformed_message", "bad")
    assert "Records[1].s3 is missing" in error["message"]


def test_every_shape_of_event_in_one_queue_is_tracked(ingest: Ingest) -> None:
    """Keys that one shape encodes and the other does not."""
    keys = [f"{TODAY}-{number} a+b=ü (é).ndjson" for number in range(4)]
    events = [ingest.put(key) for key in keys]
    bodies = [
        {"Records": [events[0]]},
        sns_message({"Records": [events[1]]}),
        as_bridge_event(events[2]),
        sns_message(as_bridge_event(events[3])),
    ]
    assert ingest.deliver_messages([message(body, str(number)) for number, body in enumerate(bodies)]) == []
    records = ingest.file_records()
    assert sorted(records) == keys
    assert {record["status"] for record in records.values()} == {"pending"}


def test_a_key_with_a_plus_or_percent_in_an_unencoded_event_is_taken_as_it_is(ingest: Ingest) -> None:
    """Decoded, it would name an object that does not exist, and be forgotten as gone."""
    name = f"{TODAY}-a+b=c.ndjson"
    event = as_bridge_event(ingest.put(name))
    ingest.clock.advance(minutes=5)
    assert ingest.deliver_messages([message(event)]) == []
    assert sorted(ingest.file_records()) == [name]


@pytest.mark.parametrize(
    "changes",
    [
        {"eventTime": "9999-12-31T23:59:59-14:00"},
        {"eventTime": "0001-01-01T00:00:00+14:00"},
        {"eventTime": 1e300},
        {"eventTime": "9999-01-01T00:00:00Z"},
    ],
)
def test_a_time_out_of_range_harms_nobody(ingest: Ingest, changes: dict[str, Any]) -> None:
    events = [ingest.put(name) for name in names(10)]
    events[4] |= changes
    assert ingest.deliver(*events) == []
    assert len(ingest.manifest_records()) == 1


def test_an_event_of_a_time_to_come_is_no_fresh_one(ingest: Ingest) -> None:
    """Whatever it says of its age, an object that is gone is not tracked by it."""
    event = ingest.put(f"{TODAY}-a.ndjson") | {"eventTime": "2027-01-01T00:00:00Z"}
    ingest.delete(f"{TODAY}-a.ndjson")
    assert ingest.deliver(event) == []
    assert ingest.file_records() == {}


def test_whatever_goes_wrong_with_a_message_concerns_it_alone(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [ingest.put(name) for name in names(10)]
    parse = manifest_builder.parse_message

    def broken(body: object) -> Any:
        if "f00004" in str(body):
            raise AttributeError("nobody foresaw this, nor 2026-01-30-f00004")
        return parse(body)

    monkeypatch.setattr(manifest_builder, "parse_message", broken)
    assert len(ingest.deliver(*events)) == 1
    assert len(ingest.file_records()) == 9
    assert "f00004" not in json.dumps(ingest.reports())
    monkeypatch.undo()
    monkeypatch.setattr(
        manifest_builder,
        "validate",
        lambda created, *rest: validate(created, *rest) if "f00003" not in created.key else 1 / 0,
    )
    assert len(ingest.deliver(*events)) == 1
    assert len(ingest.file_records()) == 10


OUTSIDE = ["elsewhere/x.csv", f"pipeline/inputs/{TODAY}-a.csv", f"pipeline/{TODAY}-a.ndjson"]
NOT_FINAL = [
    *(f"pipeline/input/{below}" for below in (f".{TODAY}-a.ndjson", f"_temporary/0/{TODAY}-a.ndjson")),
    *(f"pipeline/input/{TODAY}-a.ndjson{ending}" for ending in (".tmp", ".TEMP", ".part", ".x1.partial")),
    *(f"pipeline/input/{TODAY}-a.ndjson{ending}" for ending in (".filepart", ".crdownload", "._COPYING_")),
]


@pytest.mark.parametrize("key", [*OUTSIDE, *NOT_FINAL])
def test_what_the_gate_stops_is_left_where_it_is(
    ingest: Ingest, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    event = ingest.put_key(key, b"x")
    counting = Counting(ingest.clients)
    assert ingest.deliver(event, runtime=ingest.runtime(counting.clients)) == []
    assert set(counting.calls) <= {"TransactWriteItems"}
    assert ingest.keys(ingest.settings.input_bucket) == [key]
    assert ingest.keys(ingest.settings.quarantine_bucket) == []
    assert ingest.items() == []
    assert "Left an object alone" in caplog.text
    items = ingest.clients.dynamodb.scan(TableName=ingest.settings.metrics_table or "")["Items"]
    assert [(item["metric_type"]["S"], item["value"]["N"]) for item in items] == [("files_left_alone", "1")]
    # It touched no file, so there is no report; beside a file that was touched it is counted there.
    assert ingest.reports() == []
    ingest.deliver(event, ingest.put(f"{TODAY}-good.ndjson"))
    (report,) = ingest.reports()
    assert sum(report["left_alone"].values()) == 1


def test_a_rename_after_the_upload_works(ingest: Ingest) -> None:
    temporary, final = f"{TODAY}-a.ndjson.tmp", f"{TODAY}-a.ndjson"
    ingest.deliver(ingest.put(temporary))
    ingest.clients.s3.copy_object(
        Bucket=ingest.settings.input_bucket or "",
        Key=ingest.key(final),
        CopySource={"Bucket": ingest.settings.input_bucket or "", "Key": ingest.key(temporary)},
    )
    ingest.deliver(ingest.put(final))
    assert ingest.record(final)["status"] == "pending"


@pytest.mark.parametrize("key", [f"pipeline/input/{TODAY}-a.csv", f"pipeline/input/{TODAY}-a.ndjson", "x/y"])
def test_an_object_of_another_bucket_is_refused_loudly_and_never_touched(
    ingest: Ingest, alerts: list[dict[str, Any]], key: str, caplog: pytest.LogCaptureFixture
) -> None:
    ingest.clients.s3.create_bucket(Bucket="stranger")
    ingest.clients.s3.put_object(Bucket="stranger", Key=key, Body=b"x")
    forged = s3_event("stranger", key, size=1, etag="e", time=ingest.clock())
    counting = Counting(ingest.clients)
    events = [forged] * 4
    assert ingest.deliver(*events, runtime=ingest.runtime(counting.clients, refusal_alert_threshold=4)) == []
    assert [call for call in counting.calls if call not in {"UpdateItem", "Publish"}] == [
        *("TransactWriteItems", "PutObject")
    ]
    assert ingest.keys("stranger") == [key]
    assert ingest.keys(ingest.settings.quarantine_bucket) == []
    assert ingest.file_records() == {}
    assert any(
        each.levelname == "ERROR" and "Left an object alone" in each.message for each in caplog.records
    )
    (report,) = ingest.reports()
    (error,) = report["errors"]
    assert (error["kind"], error["subject"]) == ("other_bucket", f"s3://stranger/{key}")
    assert "4 objects of stranger" in error["message"]
    assert report["left_alone"] == {"other bucket": 4}
    (alert,) = alerts
    assert (alert["Alert"], alert["Count"], alert["Reasons"]) == ("refused", 4, {"other bucket": 4})


def test_what_lies_in_quarantine_is_not_taken_for_input(ingest: Ingest) -> None:
    quarantine = ingest.settings.quarantine_bucket or ""
    key = ingest.key(f"{TODAY}-a.csv")
    ingest.deliver(ingest.put(f"{TODAY}-a.csv"))
    forged = s3_event(quarantine, key, size=10, etag="e", time=ingest.clock())
    assert ingest.deliver(forged, input_bucket=None) == []
    assert ingest.keys(quarantine) == [key]
    assert ingest.reports()[-1]["errors"][0]["kind"] == "quarantine_bucket"


def test_a_packed_file_goes_all_the_way(ingest: Ingest) -> None:
    names_of_both = [f"{YESTERDAY}-a.ndjson.gz", f"{YESTERDAY}-b.ndjson"]
    ingest.deliver(
        *(ingest.put(name, gzip.compress(b"{}")) for name in names_of_both), expected_file_size_mb=0
    )
    (manifest,) = ingest.manifests()
    assert [file.uri.rpartition("/")[2] for file in manifest.files] == names_of_both


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
