"""The document of an alert, and how much of it there is."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_ingest.contract.text import printable_lines
from ndjson_pipeline.claims.due_alerts import DueAlert
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.sensors.failure_alert import (
    MOST_BYTES,
    SUBJECT,
    FailedRun,
    alert_document,
    encode,
    publish,
)
from ndjson_pipeline_tests.pipeline.harness import NOW, make_record

SNS_BYTES = 256 * 1024
CONTRACT = {
    *("FunctionError", "DatePrefix", "ManifestPath", "Error", "Timestamp", "DagsterRunId", "DagsterRunUrl"),
    *("GlueJobRunId", "JobName"),
}


def failure(number: int, error_message: str, *, will_retry: bool = False) -> tuple[ManifestRecord, DueAlert]:
    alert = DueAlert("run-1", 1, f"jr_{number}", error_message, "2026-01-30T00:00:00.000000Z", will_retry)
    return make_record(number), alert


def failed_run(*failures: tuple[ManifestRecord, DueAlert], cause: str = "it failed") -> FailedRun:
    return FailedRun("run-1", "2026-01-30", failures, "DagsterRunFailed", cause, is_retried=False, url=None)


def alert_of(*failures: tuple[ManifestRecord, DueAlert], cause: str = "it failed") -> dict[str, Any]:
    document = alert_document(failed_run(*failures, cause=cause), "job", NOW)
    encoded = encode(document)
    # What SNS counts, and what a queue behind it gets within another document.
    assert encoded.isascii()
    assert len(encoded) <= MOST_BYTES
    assert len(json.dumps({"Message": encoded})) <= SNS_BYTES
    assert json.loads(encoded) == document
    assert set(document) >= CONTRACT
    return document


texts = st.text(st.characters(codec=None), max_size=40)


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(0, 9000), st.integers(0, 300))
def test_an_alert_is_never_too_large_whatever_it_tells(text: str, repeats: int, manifests: int) -> None:
    failures = [failure(number, f"{number} {text * repeats}") for number in range(1, manifests + 1)]
    document = alert_of(*failures, cause=text * repeats)
    assert document["ManifestCount"] == manifests
    assert document["ManifestsLeftOut"] == manifests - len(document["ManifestPaths"])
    assert document["Error"]["Cause"] or not text * repeats


@pytest.mark.parametrize("character", ["x", "\u00e9", "\U0001f525", '"', "\\", "\n", "\x00", "\ud800"])
def test_a_reason_is_cut_between_two_characters(character: str) -> None:
    document = alert_of(failure(1, character * 1_000_000))
    cause = document["Error"]["Cause"]
    body = cause.removesuffix(" ... (cut)")
    assert body != cause
    shown = printable_lines(character, 100)
    # What does not print is escaped, and an escape may be cut.
    assert (shown * len(body)).startswith(body)
    assert len(json.dumps(cause)) > MOST_BYTES / 4
    assert document["ManifestsLeftOut"] == 0


def test_how_many_manifests_and_reasons_are_left_out_is_said() -> None:
    failures = [failure(number, f"{number} " + "\u00e9" * 1000) for number in range(1, 3001)]
    document = alert_of(*failures)
    shown = len(document["ManifestPaths"])
    assert 100 < shown < 3000
    assert (document["ManifestCount"], document["ManifestsLeftOut"]) == (3000, 3000 - shown)
    last = document["Error"]["Cause"].splitlines()[-1]
    assert last == f"{3000 - len(document['Error']['Cause'].splitlines()) + 1} more reasons are left out"
    assert document["ManifestPath"] == failures[0][0].manifest_path


def test_nothing_is_left_out_of_what_has_room() -> None:
    failures = [failure(number, f"reason {number % 3}") for number in range(1, 51)]
    document = alert_of(*failures)
    assert document["ManifestPaths"] == [record.manifest_path for record, _ in failures]
    assert document["Error"]["Cause"] == "reason 1\nreason 2\nreason 0"
    assert document["GlueJobRunIds"] == [f"jr_{number}" for number in range(1, 51)]
    assert document["ManifestsLeftOut"] == 0


@pytest.mark.parametrize(("retries", "expected"), [((True, True), True), ((True, False), False), ((), False)])
def test_another_attempt_follows_where_it_does_for_all(retries: tuple[bool, ...], expected: bool) -> None:
    failures = [failure(number, "e", will_retry=retry) for number, retry in enumerate(retries, start=1)]
    assert alert_of(*failures)["WillRetry"] is expected


def test_the_subject_is_what_sns_takes() -> None:
    assert SUBJECT.isascii()
    assert len(SUBJECT) <= 100
    assert SUBJECT.isprintable()
    sent: list[dict[str, Any]] = []

    class Topic:
        def publish(self, **message: Any) -> None:
            sent.append(message)

    topic: Any = Topic()
    publish(topic, "arn", alert_of(failure(1, "\u00e9")))
    (message,) = sent
    assert (message["Subject"], message["TopicArn"]) == (SUBJECT, "arn")
    assert json.loads(message["Message"])["Error"]["Cause"] == "\u00e9"
