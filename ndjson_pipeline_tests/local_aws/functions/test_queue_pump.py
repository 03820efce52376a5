"""From a queue to a function, by the service's rules."""

import hashlib
import json

import pytest

from ndjson_pipeline_tests.local_aws.conftest import eventually
from ndjson_pipeline_tests.local_aws.pumped import VISIBILITY_SECONDS, Pumped, pumped


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    aws, records = pumped(tmp_path_factory.mktemp("pump"))
    with aws:
        yield Pumped(aws, records)


@pytest.fixture
def pump(shared):
    eventually(shared.is_empty)
    shared.forget_the_dead()
    return shared


def test_events_have_the_services_shape(pump):
    body = json.dumps({"command": None, "text": "ü"})
    sent = pump.sqs.send_message(
        QueueUrl=pump.url,
        MessageBody=body,
        MessageAttributes={
            "colour": {"DataType": "String", "StringValue": "red"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    record = eventually(
        lambda: [each for batch in pump.batches() for each in batch if each["messageId"] == sent["MessageId"]]
    )[0]
    assert set(record) == {
        "messageId",
        "receiptHandle",
        "body",
        "attributes",
        "messageAttributes",
        "md5OfBody",
        "eventSource",
        "eventSourceARN",
        "awsRegion",
    }
    assert record["body"] == body
    assert record["md5OfBody"] == hashlib.md5(body.encode()).hexdigest()
    assert (record["eventSource"], record["awsRegion"]) == ("aws:sqs", "us-east-1")
    assert record["eventSourceARN"] == f"arn:aws:sqs:us-east-1:123456789012:{pump.aws.names.queue}"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= set(record["attributes"])
    assert record["messageAttributes"]["colour"] == {
        "stringValue": "red",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "String",
    }
    assert record["messageAttributes"]["raw"]["binaryValue"] == "AP8="


def test_an_object_in_the_input_bucket_reaches_the_function(pump):
    key = "pipeline/input/2026-01-30-a b+c#ü.ndjson"
    pump.aws.client("s3").put_object(Bucket=pump.aws.names.input_bucket, Key=key, Body=b"{}\n")
    eventually(lambda: "2026-01-30-a+b%2Bc%23%C3%BC" in json.dumps(pump.batches()))
    eventually(pump.is_empty)


def test_acknowledged_messages_are_gone(pump):
    ids = pump.send("ok", "ok", "null")
    eventually(lambda: all(pump.receives(each) for each in ids))
    eventually(pump.is_empty)
    assert [pump.receives(each) for each in ids] == [[1], [1], [1]]
    assert pump.dead() == 0


def test_a_reported_failure_comes_again_alone_and_ends_in_the_dead_letter_queue(pump):
    good, bad = pump.send("ok", "fail")
    eventually(lambda: pump.dead() == 1)
    assert pump.receives(good) == [1]
    assert pump.receives(bad) == [1, 2]


def test_a_returned_message_waits_for_the_visibility_timeout(pump):
    (bad,) = pump.send("fail")
    eventually(lambda: len(pump.receives(bad)) == 2)
    first, second = (
        int(path.name.partition("-")[0]) / 1e9
        for path in sorted(pump.records.glob("*.json"))
        if bad in path.read_text()
    )
    assert second - first >= VISIBILITY_SECONDS - 0.1
    eventually(lambda: pump.dead() == 1)


def test_no_batch_is_larger_than_the_services(pump):
    ids = [each for _ in range(4) for each in pump.send(*["ok"] * 10)]
    eventually(lambda: all(pump.receives(each) for each in ids))
    assert max(len(batch) for batch in pump.batches()) <= 10
    assert all(pump.receives(each) == [1] for each in ids)


def test_output_of_the_function_is_logged(pump):
    pump.send("print")
    group = f"/aws/lambda/{pump.aws.names.manifest_builder_function}"
    logs = pump.aws.client("logs")
    eventually(
        lambda: logs.filter_log_events(logGroupName=group, filterPattern="printed by the function")["events"]
    )


def test_no_more_processes_than_concurrency(pump):
    ids = [each for _ in range(4) for each in pump.send(*["ok"] * 10)]
    eventually(lambda: all(pump.receives(each) for each in ids))
    assert len(pump.aws.runtime.process_ids) <= pump.aws.settings.queue_concurrency
