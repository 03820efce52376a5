"""SQS messages: what they report, what needs no work, what fails alone."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.files.events import ParsedMessage, parse_message
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, bridge_event, s3_event, sns_message

KEY = "pipeline/input/2026-01-30-a.ndjson"


def record(**changes: Any) -> dict[str, Any]:
    return s3_event("in", KEY, size=5, etag="e", time=NOON) | changes


def record_of(**changes: Any) -> dict[str, Any]:
    """Return a record whose object differs."""
    described = {"key": "k", "size": 1, "eTag": "e"} | changes
    return record(s3={"bucket": {"name": "in"}, "object": described})


def bridge(**changes: Any) -> dict[str, Any]:
    return bridge_event("in", KEY, size=5, etag="e", time=NOON) | changes


def parsed(body: object) -> ParsedMessage:
    return parse_message(body if isinstance(body, str) else json.dumps(body))


def problem(body: object) -> str:
    """Return what is wrong with a body of which nothing is taken."""
    found = parsed(body)
    assert found.objects == ()
    assert found.problem is not None
    return found.problem


def test_one_message_may_hold_several_records() -> None:
    assert len(parsed({"Records": [record(), record()]}).objects) == 2


SHAPES: list[tuple[str, Mapping[str, Any]]] = [
    ("notification", {"Records": [record()]}),
    ("bridge", bridge()),
    ("notification by SNS", sns_message({"Records": [record()]})),
    ("bridge by SNS", sns_message(bridge())),
]


@pytest.mark.parametrize(("_", "body"), SHAPES)
def test_every_shape_reports_the_same_object(_: str, body: Mapping[str, Any]) -> None:
    found = parsed(body)
    assert found.problem is None
    (created,) = found.objects
    assert (created.bucket, created.key, created.size_bytes, created.etag) == ("in", KEY, 5, "e")
    assert created.event_time == NOON


@pytest.mark.parametrize(
    "key",
    ["a b.ndjson", "a+b.ndjson", "ä/日本.ndjson", "100%.ndjson", "a%2Fb.ndjson", "😀.ndjson", "a\nb", "%FF"],
)
def test_keys_are_decoded_exactly_once(key: str) -> None:
    for body in (
        {"Records": [s3_event("in", key, size=1, etag="e", time=NOON)]},
        # Not encoded at all.
        bridge_event("in", key, size=1, etag="e", time=NOON),
    ):
        for each in (body, sns_message(body)):
            assert parsed(each).objects[0].key == key


@pytest.mark.parametrize(
    "encoded",
    ["%FF.ndjson", "a%C3.ndjson", "%ED%A0%80", "100%.ndjson", "a%2", "a%G1", "%%41", quote_plus("a") + "%"],
)
def test_a_key_that_is_not_encoded_as_s3_does_it_fails(encoded: str) -> None:
    """Decoded to something else it would name an object that is gone, and be forgotten."""
    assert "not URL-encoded" in problem({"Records": [record_of(key=encoded)]})


def test_what_s3_says_of_an_object_is_kept() -> None:
    for body in (
        {"Records": [s3_event("in", "k", size=9, etag='"e"', time=NOON, version_id="v1")]},
        bridge_event("in", "k", size=9, etag='"e"', time=NOON, version_id="v1"),
    ):
        created = parsed(body).objects[0]
        assert (created.bucket, created.key, created.size_bytes, created.etag, created.version_id) == (
            *("in", "k", 9, "e", "v1"),
        )
        assert created.event_time == datetime(2026, 1, 30, 12, tzinfo=UTC)
        assert created.uri == "s3://in/k"


@pytest.mark.parametrize("version", ["null", "", None])
def test_the_version_of_a_bucket_without_versions_is_none(version: str | None) -> None:
    assert parsed({"Records": [record_of(versionId=version)]}).objects[0].version_id is None


TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-01-30T12:00:00.000Z",
    "Bucket": "in",
    "RequestId": "1",
    "HostId": "2",
}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (TEST_EVENT, "s3:TestEvent"),
        (sns_message(TEST_EVENT), "s3:TestEvent"),
        *(
            ({"Records": [record(eventName=name)]}, f"creates no object: {name.partition(':')[0]}")
            for name in (
                "ObjectRemoved:Delete",
                "ObjectRemoved:DeleteMarkerCreated",
                "ObjectRestore:Completed",
                "ObjectTagging:Put",
                "ObjectAcl:Put",
                "LifecycleExpiration:Delete",
                "LifecycleTransition",
                "Replication:OperationFailedReplication",
                "ReducedRedundancyLostObject",
                "IntelligentTiering",
            )
        ),
        ({"Records": [record(eventName="s3:ObjectRemoved:Delete")]}, "ObjectRemoved"),
        *(
            (bridge(**{"detail-type": kind}), f"creates no object: {kind}")
            for kind in (
                "Object Deleted",
                "Object Restore Completed",
                "Object Tags Added",
                "Object ACL Updated",
                "Object Storage Class Changed",
                "Object Access Tier Changed",
                "Async Copy Completion",
            )
        ),
    ],
)
def test_what_creates_nothing_needs_no_work_and_says_why(body: dict[str, Any], reason: str) -> None:
    found = parsed(body)
    assert (found.objects, found.problem) == ((), None)
    assert reason in found.ignored[0]


def test_reasons_are_told_once_however_many_parts_they_are_of() -> None:
    removed = record(eventName="ObjectRemoved:Delete")
    assert parsed({"Records": [removed] * 500}).ignored == (
        "an event that creates no object: ObjectRemoved (500)",
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "no event of S3"),
        ({"hello": [1]}, "no event of S3"),
        ({"Records": []}, "Records is empty"),
        ({"Records": {}}, "must be list"),
        (sns_message({}), "no event of S3"),
        (sns_message({"Records": []}), "Records is empty"),
        (sns_message(sns_message({"Records": [record()]})), "within an SNS message"),
        ({"Records": [record(eventName="ObjectCreated")]}, "none that S3 has"),
        ({"Records": [record(eventName="ObjectCreated:")]}, "none that S3 has"),
        ({"Records": [record(eventName="ObjectSold:Put")]}, "none that S3 has"),
        ({"Records": [record(eventName="INSERT", eventSource="aws:dynamodb")]}, "eventSource must be aws:s3"),
        ({"Records": [record(eventSource="aws:dynamodb")]}, "eventSource must be aws:s3"),
        ({"Records": [record(eventSource=None)]}, "eventSource must be aws:s3"),
        (bridge(source="aws.ec2"), "source must be aws.s3"),
        (bridge(source="my.app"), "source must be aws.s3"),
        (bridge(**{"detail-type": "AWS API Call via CloudTrail"}), "none that S3 has"),
        (bridge(detail=None), "detail must be dict"),
        (TEST_EVENT | {"x": 1}, "no event of S3"),
        ({"Event": "s3:SomethingElse"}, "no event of S3"),
        (
            {"Type": "SubscriptionConfirmation", "SubscribeURL": "https://x", "Message": "m"},
            "SubscribeURL once",
        ),
        ({"Type": "Notification", "Message": 5}, "Message must be str"),
        ({"Type": "Notification", "Message": "hello"}, "no JSON"),
        ({"Type": "Other", "Message": "{}"}, "Type must be Notification"),
    ],
)
def test_what_is_not_understood_fails_with_the_reason(body: dict[str, Any], reason: str) -> None:
    assert reason in problem(body)


@pytest.mark.parametrize(
    "body",
    [
        TEST_EVENT | {"Records": [record()]},
        bridge(Records=[record()], **{"detail-type": "Object Deleted"}),
        sns_message(TEST_EVENT) | {"Records": [record()]},
    ],
)
def test_a_body_of_several_shapes_loses_none_of_its_objects(body: dict[str, Any]) -> None:
    assert [created.key for created in parsed(body).objects] == [KEY]


def test_of_several_records_the_good_ones_are_taken_and_the_message_fails() -> None:
    found = parsed({"Records": [record(), {"eventName": "ObjectCreated:Put"}, record(), *[None] * 9]})
    assert len(found.objects) == 2
    assert found.problem is not None
    assert "Records[1].s3 is missing" in found.problem
    assert "and 7 more" in found.problem


MALFORMED = [
    "",
    "{",
    "[]",
    "null",
    "5",
    None,
    5,
    {"Records": 1},
    "[" * 100_000,
    "\ufeff{}",
    '{"Records": ' + "9" * 5_000 + "}",
    json.dumps({"Records": [None]}),
    json.dumps({"Records": [{}]}),
    json.dumps({"Records": [{"eventName": 3}]}),
    json.dumps({"Records": [record(s3=None)]}),
    json.dumps({"Records": [record(s3={"bucket": {"name": ""}, "object": {}})]}),
    *(
        json.dumps(
            {
                "Records": [
                    record(s3={"bucket": {"name": name}, "object": {"key": "k", "size": 1, "eTag": "e"}})
                ]
            }
        )
        for name in ("a/b", "..", "in\n", "\ud800", "ï", "-in", "x" * 300)
    ),
    *(
        json.dumps({"Records": [record_of(**changes)]})
        for changes in (
            {"key": ""},
            {"key": "\ud800"},
            {"key": ["k"]},
            {"size": "1"},
            {"size": True},
            {"size": 1.0},
            {"size": -1},
            {"size": 10**30},
            {"size": float("inf")},
            {"size": float("nan")},
            {"size": None},
            {"eTag": ""},
            {"eTag": '""'},
            {"eTag": "e\r\nX-Amz: y"},
            {"eTag": None},
            {"versionId": 7},
            {"versionId": "v\n"},
            {"versionId": "\ud800"},
        )
    ),
    '{"Records": [], "Records": []}',
]


@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_body_is_a_problem_that_does_not_show_its_content(body: object) -> None:
    found = parse_message(body)
    assert found.objects == ()
    assert found.problem is not None
    assert len(found.problem) < 400


def test_a_field_that_stands_twice_loses_nothing_in_silence() -> None:
    first, second = json.dumps(record()), json.dumps(record(eventName="ObjectAcl:Put"))
    body = f'{{"Records": [{first}], "Records": [{second}]}}'
    assert "a field twice" in problem(body)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("Records", "eventName", "s3", "bucket", "object", "name", "key", "size", "eTag"),
                    *("Type", "Message", "detail", "detail-type", "source", "Event"),
                ]
            ),
            inner,
        )
    ),
)


@given(ANY_JSON)
def test_no_json_whatever_breaks_the_parser(document: object) -> None:
    found = parse_message(json.dumps(document))
    # Nothing is acknowledged that is not understood.
    assert found.objects or found.ignored or found.problem


@pytest.mark.parametrize(
    "strange",
    [
        None,
        5,
        1e300,
        "yesterday",
        "2026-01-30T12:00:00",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "\uff12\uff10\uff12\uff16-01-30T12:00:00Z",
        "2026-01-30T12:00:00\u3000Z",
        "\ud800",
        {"a": 1},
    ],
)
def test_a_strange_event_time_is_no_reason_to_fail(strange: object) -> None:
    for body in ({"Records": [record(eventTime=strange)]}, bridge(time=strange)):
        (created,) = parsed(body).objects
        assert created.event_time is None
