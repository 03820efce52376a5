"""The sweeper finishes what no event will finish."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from lambda_ingest.audit.dates import recent_dates
from lambda_ingest.errors import SweepEventError
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY, Ingest, names
from ndjson_pipeline_tests.lambda_ingest.stubs import Failing


@pytest.fixture
def live(ingest: Ingest) -> Ingest:
    """Ingest whose clock shows the real time, as the listings of S3 do."""
    ingest.clock.now = datetime.now(UTC)
    return ingest


def today_of(ingest: Ingest) -> str:
    return ingest.clock.now.date().isoformat()


def test_past_dates_flush_without_a_late_file(ingest: Ingest, caplog: pytest.LogCaptureFixture) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(3)))
    assert ingest.sweep(audit=False)["flushed"] == {}
    ingest.clock.now = NOON.replace(hour=0, minute=1) + timedelta(days=1)
    answer = ingest.sweep(audit=False)
    assert answer["flushed"] == {TODAY: 3}
    assert answer["left"] == []
    (manifest,) = ingest.manifests()
    assert len(manifest.files) == 3
    assert {record["status"] for record in ingest.file_records().values()} == {"manifested"}
    flushed = next(record for record in caplog.records if record.getMessage() == "Flushed a date")
    assert (flushed.date_prefix, flushed.file_count) == (TODAY, 3)  # type: ignore[attr-defined]
    assert ingest.sweep(audit=False)["open_dates"] == []


def test_a_past_date_below_the_minimum_is_left_and_said(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(2)), min_files_for_partial_batch=3)
    ingest.clock.advance(days=1)
    assert ingest.sweep(audit=False, min_files_for_partial_batch=3)["left"] == [TODAY]


def test_a_batch_that_is_old_enough_is_cut_today(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(2)))
    ingest.clock.advance(seconds=299)
    assert ingest.sweep(audit=False, max_batch_age_seconds=300)["flushed"] == {}
    ingest.clock.advance(seconds=1)
    assert ingest.sweep(audit=False, max_batch_age_seconds=300)["flushed"] == {TODAY: 2}


def test_half_marked_manifests_are_finished_even_where_no_batch_is_due(ingest: Ingest) -> None:
    broken = ingest.runtime(
        Failing(ingest.clients, "TransactWriteItems", after=1).clients, metrics_table=None
    )
    ingest.deliver(*(ingest.put(name) for name in names(10)), runtime=broken)
    assert {record["status"] for record in ingest.file_records().values()} == {"pending"}
    (record,) = ingest.manifest_records()
    assert record["files_marked"] is False
    answer = ingest.sweep(audit=False, max_files_per_manifest=1000)
    assert answer["finished"] == [record["manifest_path"]]
    assert {record["status"] for record in ingest.file_records().values()} == {"manifested"}
    assert len(ingest.manifest_records()) == 1


def test_the_age_of_the_oldest_pending_file_is_a_metric(
    ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(2)), metrics_table=None)
    ingest.clock.advance(seconds=77)
    ingest.deliver(ingest.put(f"{TODAY}-new.ndjson"), metrics_table=None)
    capsys.readouterr()
    assert ingest.sweep(audit=False)["oldest_pending_age_seconds"] == 77
    items = ingest.clients.dynamodb.scan(TableName=ingest.settings.metrics_table or "")["Items"]
    assert {item["metric_type"]["S"]: float(item["value"]["N"]) for item in items} == {
        "oldest_pending_age_seconds": 77
    }
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert lines[0]["oldest_pending_age_seconds"] == [77.0]
    ingest.clock.advance(days=1)
    ingest.sweep(audit=False)
    assert ingest.sweep(audit=False)["oldest_pending_age_seconds"] == 0


def test_lost_events_are_sent_again_once_they_are_late(live: Ingest) -> None:
    day = today_of(live)
    known = [live.put(f"{day}-known.ndjson"), live.put(f"team/{day}-known.ndjson"), live.put(f"{day}-x.csv")]
    live.deliver(*known)
    lost = [f"{day}-lost b+ü.ndjson", f"{day}-a.ndjson", f"team/{day}-lost.ndjson", f"{day}-z#z.ndjson"]
    for name in lost:
        live.put(name)
    live.receive()
    assert live.sweep()["events_resent"] == {}
    live.clock.advance(minutes=20)
    assert live.sweep()["events_resent"] == {day: 4}
    assert live.deliver_messages(live.receive()) == []
    records = live.file_records()
    assert {records[name]["status"] for name in lost[:3]} == {"pending"}
    assert records[f"{day}-z%23z.ndjson"]["status"] == "quarantined"
    assert live.sweep()["events_resent"] == {}


def test_a_refused_file_that_stays_without_a_quarantine_bucket_is_not_sent_again(live: Ingest) -> None:
    day = today_of(live)
    live.deliver(live.put(f"{day}-a#b.ndjson"), live.put(f"{day}-c.csv"), quarantine_bucket=None)
    live.receive()
    live.clock.advance(minutes=20)
    assert live.sweep(quarantine_bucket=None)["events_resent"] == {}


def test_a_lost_event_of_an_overwrite_is_found_by_its_content(live: Ingest) -> None:
    day = today_of(live)
    live.deliver(live.put(f"{day}-a.ndjson", b"1\n"))
    live.put(f"{day}-a.ndjson", b"22\n")
    live.receive()
    live.clock.advance(minutes=20)
    assert live.sweep()["events_resent"] == {day: 1}
    live.deliver_messages(live.receive())
    assert live.record(f"{day}-a.ndjson")["file_size_bytes"] == 3
    assert live.sweep()["events_resent"] == {}


def test_an_overwrite_that_was_recorded_is_not_sent_again(live: Ingest) -> None:
    day = (live.clock.now - timedelta(days=1)).date().isoformat()
    live.deliver(live.put(f"{day}-a.ndjson", b"1\n"))
    live.deliver(live.put(f"{day}-a.ndjson", b"22\n"))
    live.receive()
    live.clock.advance(minutes=20)
    assert live.sweep()["events_resent"] == {}


def test_manifests_that_were_never_committed_are_removed_after_a_day(live: Ingest) -> None:
    day = today_of(live)
    broken = live.runtime(Failing(live.clients, "TransactWriteItems").clients, metrics_table=None)
    live.deliver(*(live.put(name) for name in names(10, day)), runtime=broken)
    (orphan,) = live.manifest_objects()
    live.put(f"{day}-one-more.ndjson")
    live.clock.advance(hours=1)
    live.deliver(*(live.put(name) for name in names(10, day, start=10)), max_files_per_manifest=20)
    (committed,) = [record["manifest_path"] for record in live.manifest_records()]
    assert live.sweep()["manifests_removed"] == []
    live.clock.advance(days=1)
    assert live.sweep()["manifests_removed"] == [orphan]
    assert [f"s3://{live.settings.manifest_bucket}/{key}" for key in live.manifest_objects()] == [committed]


def test_a_committed_manifest_whose_record_expired_is_kept(live: Ingest) -> None:
    day = (live.clock.now - timedelta(days=1)).date().isoformat()
    live.deliver(live.put(f"{day}-a.ndjson"))
    (record,) = live.manifest_records()
    key = {name: {"S": record[name]} for name in ("date_prefix", "file_key")}
    live.clients.dynamodb.delete_item(TableName=live.settings.tracking_table, Key=key)
    live.clock.advance(days=2)
    assert live.sweep(ttl_days=2)["manifests_removed"] == []


def test_a_part_that_fails_is_named_and_leaves_the_others_alone(live: Ingest) -> None:
    day = (live.clock.now - timedelta(days=1)).date().isoformat()
    live.deliver(live.put(f"{day}-a.ndjson"), max_files_per_manifest=5, min_files_for_partial_batch=5)
    answer = live.sweep(runtime=live.runtime(Failing(live.clients, "ListObjectsV2").clients))
    assert answer["flushed"] == {day: 1}
    assert len(answer["failed"]) == 2 * len(recent_dates(live.clock(), 3))


def days_ago(ingest: Ingest, days: int) -> str:
    return (ingest.clock.now - timedelta(days=days)).date().isoformat()


def test_a_date_beyond_the_recent_ones_is_audited_on_demand(live: Ingest) -> None:
    old, other = days_ago(live, 200), days_ago(live, 201)
    for day in (old, other):
        live.put(f"{day}-lost.ndjson")
    live.receive()
    live.clock.advance(minutes=20)
    assert live.sweep()["events_resent"] == {}
    answer = live.sweep(dates=[old])
    assert (answer["audited"], answer["events_resent"]) == ([old], {old: 1})
    assert live.deliver_messages(live.receive()) == []
    assert set(live.file_records()) == {f"{old}-lost.ndjson"}
    assert live.sweep(dates=[old])["events_resent"] == {}


def test_dates_named_twice_are_audited_once(live: Ingest) -> None:
    day = days_ago(live, 10)
    live.put(f"{day}-lost.ndjson")
    live.receive()
    live.clock.advance(minutes=20)
    live.sweep(dates=[day, day])
    assert len(live.receive()) == 1


def test_an_object_whose_record_may_have_expired_is_left_alone_and_said(live: Ingest) -> None:
    day = today_of(live)
    live.deliver(live.put(f"{day}-loaded.ndjson"), max_files_per_manifest=1)
    record = live.record(f"{day}-loaded.ndjson")
    live.clients.dynamodb.delete_item(
        TableName=live.settings.tracking_table,
        Key={name: {"S": record[name]} for name in ("date_prefix", "file_key")},
    )
    live.receive()
    live.clock.advance(days=30)
    answer = live.sweep(dates=[day])
    # Tracked anew it would be in a second manifest.
    assert (answer["events_resent"], answer["events_undecidable"]) == ({}, {day: 1})
    assert live.receive() == []


def test_a_date_that_the_time_did_not_reach_is_named(live: Ingest) -> None:
    day = days_ago(live, 10)
    live.put(f"{day}-lost.ndjson")
    live.receive()
    live.clock.advance(minutes=20)
    live.context.remaining = lambda: 0.0
    assert live.sweep(dates=[day])["events_incomplete"] == [day]


def test_nothing_is_swept_where_the_dates_make_no_sense(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(3)))
    ingest.clock.advance(days=1)
    with pytest.raises(SweepEventError):
        ingest.sweep(dates=["garbage"])
    assert ingest.manifest_records() == []
