"""A refused content never takes a good one's record away, whatever order their events come in."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, Ingest
from ndjson_pipeline_tests.lambda_ingest.stubs import Counting, Failing

NAME = f"{TODAY}-a.ndjson"
GOOD = b'{"a": 1}\n'
ORDERS = sorted(set(itertools.permutations(["bad", "good", "bad", "good"])))
DEPLOYMENTS: list[dict[str, Any]] = [
    {},
    {"quarantine_bucket": None},
    {"input_bucket": None},
    {"quarantine_bucket": None, "input_bucket": None},
]


def check_good_is_loaded(ingest: Ingest, good: Mapping[str, dict[str, Any]], changes: dict[str, Any]) -> None:
    """Let a day pass and sweep; each good content must be in one manifest, and its object in its place."""
    ingest.clock.advance(days=1, hours=1)
    ingest.receive()
    ingest.sweep(audit=False, **changes)
    listed = [file for manifest in ingest.manifests() for file in manifest.files]
    assert len({file.uri for file in listed}) == len(listed)
    assert {file.uri.rpartition("/")[2]: file.etag for file in listed} == {
        name: event["s3"]["object"]["eTag"] for name, event in good.items()
    }
    assert ingest.keys(ingest.settings.input_bucket) == sorted(map(ingest.key, good))
    assert {record["status"] for record in ingest.file_records().values()} == {"manifested"}


@pytest.mark.parametrize(
    ("changes", "bad"), [*((each, b"") for each in DEPLOYMENTS), ({}, b"x" * 100)], ids=str
)
def test_every_order_of_a_bad_and_a_good_contents_events_loads_the_good_one(
    ingest: Ingest, changes: dict[str, Any], bad: bytes
) -> None:
    sizes: dict[str, Any] = {} if not bad else {"expected_file_size_mb": 9 / 1_048_576}
    good = {}
    for number, (is_delivered_first, order) in enumerate(itertools.product((False, True), ORDERS)):
        name = f"{TODAY}-{number}.ndjson"
        events = {"bad": ingest.put(name, bad)}
        if is_delivered_first:
            assert ingest.deliver(events["bad"], **changes, **sizes) == []
        events["good"] = good[name] = ingest.put(name, GOOD)
        for each in order:
            assert ingest.deliver(events[each], **changes, **sizes) == []
    check_good_is_loaded(ingest, good, {**changes, **sizes})


@pytest.mark.parametrize("changes", DEPLOYMENTS, ids=str)
def test_a_good_content_that_comes_while_a_bad_one_is_recorded_is_loaded(
    ingest: Ingest, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Good, bad, the same good again: its second event finds nothing to do, and then the bad is recorded."""
    first = ingest.put(NAME, GOOD)
    ingest.deliver(first, **changes)
    bad = ingest.put(NAME, b"")
    runtime = ingest.runtime(**changes)
    records = runtime.quarantine._records._records
    original = records.put_if_unchanged

    def meanwhile(*arguments: Any) -> bool:
        monkeypatch.setattr(records, "put_if_unchanged", original)
        assert ingest.deliver(ingest.put(NAME, GOOD), **changes) == []
        return original(*arguments)

    monkeypatch.setattr(records, "put_if_unchanged", meanwhile)
    assert ingest.deliver(bad, runtime=runtime) == []
    check_good_is_loaded(ingest, {NAME: first}, changes)


@pytest.mark.parametrize("operation", ["HeadObject", "PutItem", "CopyObject"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_stale_event_that_fails_half_way_leaves_the_good_record(
    ingest: Ingest, operation: str, after: int
) -> None:
    bad = ingest.put(NAME, b"")
    good = ingest.put(NAME, GOOD)
    ingest.deliver(good)
    broken = ingest.runtime(Failing(ingest.clients, operation, after=after).clients)
    ingest.deliver(bad, runtime=broken)
    ingest.deliver(bad)
    check_good_is_loaded(ingest, {NAME: good}, {})


def test_a_pending_file_that_was_overwritten_by_a_refused_content_is_refused(ingest: Ingest) -> None:
    ingest.deliver(ingest.put(NAME, GOOD))
    assert ingest.deliver(ingest.put(NAME, b"")) == []
    assert ingest.record(NAME)["status"] == "quarantined"
    assert ingest.keys(ingest.settings.input_bucket) == []


def test_a_file_that_waits_in_a_manifest_stays_where_it_is_though_a_setting_refuses_it_now(
    ingest: Ingest,
) -> None:
    """It was moved away, and its conversion found it missing."""
    event = ingest.put(NAME, GOOD)
    ingest.deliver(event, max_files_per_manifest=1)
    assert ingest.deliver(event, expected_file_size_mb=3.5) == []
    assert ingest.keys(ingest.settings.input_bucket) == [ingest.key(NAME)]
    assert ingest.keys(ingest.settings.quarantine_bucket) == []
    assert ingest.record(NAME)["status"] == "manifested"


def test_a_refused_file_is_counted_once_however_often_its_event_comes(ingest: Ingest) -> None:
    event = ingest.put(NAME, b"")
    for _ in range(3):
        ingest.deliver(event, quarantine_bucket=None)
    counted = [report["processing_summary"]["files_quarantined"] for report in ingest.reports()]
    assert sum(counted) == 1


def test_only_refused_files_pay_for_the_look(ingest: Ingest) -> None:
    counting = Counting(ingest.clients)
    runtime = ingest.runtime(counting.clients, metrics_table=None, quarantine_bucket=None)
    ingest.deliver(ingest.put(NAME, GOOD), runtime=runtime)
    assert counting.calls.count("HeadObject") == 0
    ingest.deliver(ingest.put(f"{TODAY}-b.ndjson", b""), runtime=runtime)
    assert counting.calls.count("HeadObject") == 1
