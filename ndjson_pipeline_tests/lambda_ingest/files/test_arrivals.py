"""Files whose date is that of their first arrival: the same file never gets a second one."""

from datetime import date, timedelta
from typing import Any

import pytest

from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.settings import DateSource
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY, YESTERDAY, Ingest, message
from ndjson_pipeline_tests.lambda_ingest.stubs import Counting, Failing

ALL = (DateSource.NAME, DateSource.PATH, DateSource.ARRIVAL)


def deliver(ingest: Ingest, *events: Any, **changes: Any) -> list[str]:
    return ingest.deliver(*events, date_sources=ALL, **changes)


def arrivals(ingest: Ingest) -> list[dict[str, Any]]:
    return [item for item in ingest.items() if item["date_prefix"].startswith("ARRIVAL#")]


def dates(ingest: Ingest) -> dict[str, str]:
    return {name: record["date_prefix"] for name, record in ingest.file_records().items()}


def test_a_file_without_a_date_has_that_of_its_arrival(ingest: Ingest) -> None:
    names = [f"{YESTERDAY}-a.ndjson", f"dt={YESTERDAY}/a.ndjson", "part-1.ndjson", "team/part-2.ndjson.gz"]
    assert deliver(ingest, *(ingest.put(name) for name in names)) == []
    assert dates(ingest) == dict(zip(names, (YESTERDAY, YESTERDAY, TODAY, TODAY), strict=True))
    # Only where nothing else gives a date; for good, and in no index.
    assert len(arrivals(ingest)) == 2
    for item in arrivals(ingest):
        assert item.keys() == {"date_prefix", "file_key", "arrival_date", "created_at"}
        assert sum(len(name) + len(str(value)) for name, value in item.items()) < 150


def test_the_date_is_that_of_the_event_and_not_of_its_handling(ingest: Ingest) -> None:
    event = ingest.put("part-1.ndjson")
    ingest.clock.advance(days=2)
    deliver(ingest, event)
    assert dates(ingest) == {"part-1.ndjson": TODAY}


@pytest.mark.parametrize("time", [None, "soon", "2027-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"])
def test_without_a_time_of_the_past_it_is_the_present_date(ingest: Ingest, time: str | None) -> None:
    deliver(ingest, ingest.put("part-1.ndjson") | {"eventTime": time})
    assert dates(ingest) == {"part-1.ndjson": TODAY}


def later_event(ingest: Ingest, event: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return an event that tells of the same object on the next day."""
    ingest.clock.advance(days=1)
    if kind == "redelivery":
        return event
    if kind == "sent by the audit with the object's time":
        return event | {"eventTime": "2026-01-31T00:00:00.000000Z"}
    if kind == "without a time":
        return event | {"eventTime": None}
    return ingest.put("part-1.ndjson")


KINDS = ["redelivery", "sent by the audit with the object's time", "without a time", "copied in place"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_expired", [False, True])
def test_the_same_file_never_gets_a_second_date(ingest: Ingest, kind: str, is_expired: bool) -> None:
    event = ingest.put("part-1.ndjson")
    deliver(ingest, event, max_files_per_manifest=1)
    (manifest,) = ingest.manifests()
    if is_expired:
        # All that has a ttl is gone; what was loaded is told by the manifests.
        ingest.clock.advance(days=60)
        for item in ingest.items():
            if "ttl" in item:
                key = {name: {"S": item[name]} for name in ("date_prefix", "file_key")}
                ingest.clients.dynamodb.delete_item(TableName=ingest.settings.tracking_table, Key=key)
    assert deliver(ingest, later_event(ingest, event, kind), max_files_per_manifest=1) == []
    assert dates(ingest) == {"part-1.ndjson": TODAY}
    assert [each.name for each in ingest.manifests()] == [manifest.name]
    (item,) = arrivals(ingest)
    assert item["arrival_date"] == TODAY


def test_the_same_key_of_another_bucket_has_its_own_date(ingest: Ingest) -> None:
    runtime = ingest.runtime()
    first, other = (ObjectCreated(bucket, "pipeline/input/a.ndjson", 1, "e") for bucket in ("one", "two"))
    assert runtime.arrivals.date_of(first, NOON) == date(2026, 1, 30)
    assert runtime.arrivals.date_of(other, NOON + timedelta(days=1)) == date(2026, 1, 31)
    assert runtime.arrivals.date_of(first, NOON + timedelta(days=1)) == date(2026, 1, 30)
    waits = runtime.patience.waits(lambda: 60.0)
    found = runtime.arrivals.dates_of([first.uri, other.uri, "s3://one/unseen"], waits)
    assert found == {first.uri: date(2026, 1, 30), other.uri: date(2026, 1, 31)}


def test_a_refused_file_keeps_its_date_too(ingest: Ingest) -> None:
    event = ingest.put("part-1.csv")
    deliver(ingest, event, quarantine_bucket=None)
    ingest.clock.advance(days=1)
    deliver(ingest, event | {"eventTime": None}, quarantine_bucket=None)
    assert dates(ingest) == {"part-1.csv": TODAY}


def test_it_costs_one_call_a_file_and_none_where_the_key_has_a_date(ingest: Ingest) -> None:
    counted = []
    for name, sources in (("part-1.ndjson", ALL), (f"{TODAY}-1.ndjson", ALL), (f"{TODAY}-2.ndjson", ALL[:1])):
        counting = Counting(ingest.clients)
        ingest.deliver(ingest.put(name), runtime=ingest.runtime(counting.clients, date_sources=sources))
        counted.append(counting.calls.count("PutItem"))
    assert counted == [2, 1, 1]


def test_a_first_arrival_that_cannot_be_kept_returns_the_message(ingest: Ingest) -> None:
    event = ingest.put("part-1.ndjson")
    broken = ingest.runtime(Failing(ingest.clients, "PutItem").clients, date_sources=ALL)
    assert len(ingest.deliver(event, runtime=broken)) == 1
    assert ingest.items() == []
    assert deliver(ingest, event) == []


def test_a_crash_after_the_first_arrival_leaves_its_date_to_whoever_comes_next(ingest: Ingest) -> None:
    event = ingest.put("part-1.ndjson")
    broken = ingest.runtime(Failing(ingest.clients, "PutItem", after=1).clients, date_sources=ALL)
    assert len(ingest.deliver(event, runtime=broken)) == 1
    assert (len(arrivals(ingest)), ingest.file_records()) == (1, {})
    ingest.clock.advance(days=1)
    assert deliver(ingest, event | {"eventTime": None}) == []
    assert dates(ingest) == {"part-1.ndjson": TODAY}


def test_an_arrival_whose_answer_was_lost_is_found_by_its_retry(ingest: Ingest) -> None:
    created = ObjectCreated("in", "pipeline/input/a.ndjson", 1, "e")
    arrivals_ = ingest.runtime().arrivals
    put = ingest.clients.dynamodb.put_item

    class Lost:
        def __getattr__(self, name: str) -> Any:
            return getattr(ingest.clients.dynamodb, name)

        def put_item(self, **request: Any) -> Any:
            put(**request)
            return put(**request)

    arrivals_._table = type(arrivals_._table)(
        Lost(),
        arrivals_._table.name,
        arrivals_._table.clock,
        arrivals_._table.ttl,  # type: ignore[arg-type]
    )
    assert arrivals_.date_of(created, NOON) == date(2026, 1, 30)


def test_two_that_see_it_at_once_give_it_one_date(ingest: Ingest) -> None:
    """Whoever comes second finds the first one's date, whatever its own event says."""
    event = ingest.put("part-1.ndjson")
    ingest.clock.advance(days=1)
    bodies = [
        message({"Records": [each]}, str(number))
        for number, each in enumerate([event, event | {"eventTime": None}])
    ]
    assert ingest.deliver_messages(bodies, date_sources=ALL) == []
    assert len(ingest.file_records()) == 1


def test_reports_count_each_file_under_its_date(ingest: Ingest) -> None:
    names = [f"{YESTERDAY}-a.ndjson", "dt=2026-01-28/a.ndjson", "part-1.ndjson", "part-2.csv"]
    deliver(ingest, *(ingest.put(name) for name in names), max_files_per_manifest=5)
    (report,) = ingest.reports()
    counts = {
        day: (each["files_processed"], each["files_quarantined"]) for day, each in report["dates"].items()
    }
    assert counts == {"2026-01-28": (1, 0), YESTERDAY: (1, 0), TODAY: (1, 1)}


def test_a_row_of_another_shape_stops_nothing(ingest: Ingest) -> None:
    event = ingest.put("part-1.ndjson")
    deliver(ingest, event)
    (item,) = arrivals(ingest)
    key = {name: {"S": item[name]} for name in ("date_prefix", "file_key")}
    ingest.clients.dynamodb.put_item(TableName=ingest.settings.tracking_table, Item=key)
    assert deliver(ingest, event) == []
    assert dates(ingest) == {"part-1.ndjson": TODAY}


def test_sweeps_pass_over_first_arrivals(ingest: Ingest) -> None:
    deliver(ingest, ingest.put("part-1.ndjson"))
    ingest.clock.advance(days=1)
    answer = ingest.sweep(audit=False, date_sources=ALL)
    assert (answer["open_dates"], answer["flushed"], answer["failed"]) == ([TODAY], {TODAY: 1}, [])
