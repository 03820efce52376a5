"""SQS messages: what they report, what is ignored, what fails alone."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.errors import EventFormatError
from lambda_ingest.files.events import parse_message
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, s3_event


def record(**changes: Any) -> dict[str, Any]:
    return s3_event("in", "pipeline/input/2026-01-30-a.ndjson", size=5, etag="e", time=NOON) | changes


def test_one_message_may_hold_several_records() -> None:
    body = json.dumps({"Records": [record(), record()]})
    assert len(parse_message(body).objects) == 2


@pytest.mark.parametrize(
    "key",
    ["a b.ndjson", "a+b.ndjson", "ä/日本.ndjson", "100%.ndjson", "a%2Fb.ndjson", "😀.ndjson", "a\nb"],
)
def test_keys_are_decoded_exactly_once(key: str) -> None:
    body = json.dumps({"Records": [s3_event("in", key, size=1, etag="e", time=NOON)]})
    assert parse_message(body).objects[0].key == key


def test_what_s3_says_of_an_object_is_kept() -> None:
    body = json.dumps({"Records": [s3_event("in", "k", size=9, etag='"e"', time=NOON, version_id="v1")]})
    created = parse_message(body).objects[0]
    assert (created.bucket, created.key, created.size_bytes, created.etag, created.version_id) == (
        *("in", "k", 9, "e", "v1"),
    )
    assert created.event_time == datetime(2026, 1, 30, 12, tzinfo=UTC)
    assert created.uri == "s3://in/k"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "in"}, "s3:TestEvent"),
        ({}, "without Records"),
        ({"hello": [1]}, "without Records"),
        ({"Records": [record(eventName="ObjectRemoved:Delete")]}, "creates no object"),
    ],
)
def test_what_needs_no_work_is_ignored_with_a_reason(body: dict[str, Any], reason: str) -> None:
    parsed = parse_message(json.dumps(body))
    assert parsed.objects == ()
    assert reason in parsed.ignored[0]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        None,
        {"Records": 1},
        "[" * 100_000,
        json.dumps({"Records": {}}),
        json.dumps({"Records": [None]}),
        json.dumps({"Records": [{}]}),
        json.dumps({"Records": [{"eventName": 3}]}),
        json.dumps({"Records": [record(s3=None)]}),
        json.dumps({"Records": [record(s3={"bucket": {"name": ""}, "object": {}})]}),
        json.dumps({"Records": [record(s3={"bucket": {"name": "b"}, "object": {"key": "k", "eTag": "e"}})]}),
        json.dumps({"Records": [record(s3={"bucket": {"name": "b"}, "object": {"key": "k", "size": "1"}})]}),
        json.dumps(
            {
                "Records": [
                    record(s3={"bucket": {"name": "b"}, "object": {"key": "k", "size": True, "eTag": "e"}})
                ]
            }
        ),
    ],
)
def test_a_malformed_body_is_an_error_that_does_not_show_its_content(body: object) -> None:
    with pytest.raises(EventFormatError) as caught:
        parse_message(body)
    assert len(str(caught.value)) < 200


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["Records", "eventName", "s3", "bucket", "object", "name", "key", "size", "eTag"]
                ),
                inner,
            )
        ),
    )
)
def test_no_json_whatever_breaks_the_parser(document: object) -> None:
    with contextlib.suppress(EventFormatError):
        parse_message(json.dumps(document))


def test_a_strange_event_time_is_no_reason_to_fail() -> None:
    for strange in (None, 5, "yesterday", "2026-01-30T12:00:00"):
        parsed = parse_message(json.dumps({"Records": [record(eventTime=strange)]}))
        assert parsed.objects[0].event_time is None
