"""The sweeper finishes what no event will finish."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_ingest.audit.dates import recent_dates
from lambda_ingest.errors import SweepEventError
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY, Ingest, names
from ndjson_pipeline_tests.lambda_ingest.stubs import Counting, Failing


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
        "oldest_pending_age_seconds": 77,
        "oldest_waiting_manifest_age_seconds": 0,
    }
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert lines[0]["oldest_pending_age_seconds"] == [77.0]
    ingest.clock.advance(days=1)
    ingest.sweep(audit=False)
    assert ingest.sweep(audit=False)["oldest_pending_age_seconds"] == 0


def test_an_age_that_could_not_be_read_is_not_told(
    ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 0 would say that all is well; silence is alarmed."""
    ingest.deliver(ingest.put(next(iter(names(1)))), metrics_table=None)
    ingest.clock.advance(hours=50)
    blind = ingest.runtime(Failing(ingest.clients, "Scan").clients)
    capsys.readouterr()
    assert ingest.sweep(audit=False, runtime=blind)["failed"] == ["flush"]
    assert "oldest_pending_age_seconds" not in capsys.readouterr().out


def test_the_age_of_the_oldest_waiting_manifest_is_a_metric(
    ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(10)), metrics_table=None)
    ingest.clock.advance(seconds=60)
    ingest.deliver(*(ingest.put(f"{TODAY}-b{number}.ndjson") for number in range(10)), metrics_table=None)
    ingest.clock.advance(seconds=40)
    assert len(ingest.manifest_records()) == 2
    capsys.readouterr()
    assert ingest.sweep(audit=False)["oldest_waiting_manifest_age_seconds"] == 100
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert lines[0]["oldest_waiting_manifest_age_seconds"] == [100.0]


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


@pytest.mark.parametrize("ttl_days", [1, 2, 30, 90])
def test_a_committed_manifest_whose_record_expired_is_kept(live: Ingest, ttl_days: int) -> None:
    """Whatever `TTL_DAYS` is, and was when its record was written."""
    day = days_ago(live, 1)
    live.deliver(live.put(f"{day}-a.ndjson"))
    (record,) = live.manifest_records()
    remove(live, record)
    live.clock.advance(days=45)
    assert live.sweep(dates=[day], ttl_days=ttl_days)["manifests_removed"] == []
    # Its files' records are gone as well, and one was tracked anew since.
    remove(live, live.record(f"{day}-a.ndjson"))
    assert live.sweep(dates=[day], ttl_days=ttl_days)["manifests_removed"] == []
    live.deliver(live.put(f"{day}-a.ndjson", b"22\n"), ttl_days=90)
    assert live.sweep(dates=[day], ttl_days=ttl_days)["manifests_removed"] == []


def test_what_is_no_manifest_of_ours_is_never_removed(live: Ingest) -> None:
    day = today_of(live)
    live.deliver(*(live.put(name) for name in names(10, day)))
    (committed,) = live.manifest_objects()
    content = live.clients.s3.get_object(Bucket=live.settings.manifest_bucket, Key=committed)["Body"].read()
    name = committed.rpartition("/")[2]
    others = {
        f"manifests/{day}/README.md": b"hello",
        f"manifests/{day}/other-tool-manifest.json": content,
        f"manifests/{day}/copies/{name}": content,
        f"manifests/{day}/manifest-{day}-batch-000007-0a0a0a0a.json": b"not JSON",
        f"manifests/{day}/manifest-{day}-batch-000008-0a0a0a0a.json": content,
    }
    for key, body in others.items():
        live.clients.s3.put_object(Bucket=live.settings.manifest_bucket, Key=key, Body=body)
    live.clock.advance(days=2)
    assert live.sweep()["manifests_removed"] == []
    assert live.manifest_objects() == sorted([committed, *others])


def test_a_part_that_fails_is_named_and_leaves_the_others_alone(live: Ingest) -> None:
    day = (live.clock.now - timedelta(days=1)).date().isoformat()
    live.deliver(live.put(f"{day}-a.ndjson"), max_files_per_manifest=5, min_files_for_partial_batch=5)
    answer = live.sweep(runtime=live.runtime(Failing(live.clients, "ListObjectsV2").clients))
    assert answer["flushed"] == {day: 1}
    dates = recent_dates(live.clock(), 3)
    assert sorted(answer["failed"]) == sorted(
        [
            *(f"{part} of {date}" for part in ("manifests", "events") for date in dates),
            "folders of the input",
        ]
    )


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


def test_of_an_old_date_what_a_manifest_lists_is_known_without_its_record(live: Ingest) -> None:
    day = today_of(live)
    loaded = [live.put(f"{day}-{name}.ndjson") for name in ("loaded", "other")]
    live.deliver(*loaded, max_files_per_manifest=2)
    for record in live.items():
        remove(live, record)
    live.put(f"{day}-other.ndjson", b"22\n")
    live.put(f"{day}-lost.ndjson")
    live.receive()
    live.clock.advance(days=30)
    answer = live.sweep(dates=[day])
    assert (answer["events_resent"], answer["events_incomplete"]) == ({day: 2}, [])
    assert live.deliver_messages(live.receive()) == []
    assert live.record(f"{day}-other.ndjson")["overwritten_etag"]
    assert live.record(f"{day}-lost.ndjson")["manifest_path"].split("-batch-")[1].startswith("000002")
    assert live.sweep(dates=[day])["events_resent"] == {}


def remove(ingest: Ingest, record: Mapping[str, Any]) -> None:
    ingest.clients.dynamodb.delete_item(
        TableName=ingest.settings.tracking_table,
        Key={name: {"S": record[name]} for name in ("date_prefix", "file_key")},
    )


def test_a_date_that_the_time_did_not_reach_is_named(live: Ingest) -> None:
    day = days_ago(live, 10)
    live.put(f"{day}-lost.ndjson")
    live.receive()
    live.clock.advance(minutes=20)
    live.context.remaining = lambda: 0.0
    assert live.sweep(dates=[day])["events_incomplete"] == [day]


def sweeps_until_complete(live: Ingest, looks: int, **event: Any) -> list[dict[str, Any]]:
    """Sweep with a time that is up after so many looks at it, until an audit comes to its end."""
    answers = []
    while not answers or answers[-1]["events_incomplete"]:
        left = looks

        def remaining() -> float:
            nonlocal left
            left -= 1
            return 60.0 if left >= 0 else 5.0

        live.context.remaining = remaining
        answers.append(live.sweep(metrics_table=None, **event))
        assert answers[-1]["failed"] == []
        assert len(answers) < 200
    live.context.remaining = lambda: 60.0
    return answers


@pytest.mark.parametrize("looks", [12, 20])
def test_an_audit_goes_on_where_the_time_of_the_last_one_ended(live: Ingest, looks: int) -> None:
    """Each lost event is sent once, though no sweep had the time for all of them."""
    day, other = today_of(live), days_ago(live, 2)
    live.deliver(*(live.put(name) for name in names(9, day)))
    for folder in ("", "team/", "team/a/", "zone/"):
        for date in (day, other):
            for number in range(3):
                live.put(f"{folder}{date}-lost-{number}.ndjson")
    live.receive()
    live.clock.advance(minutes=20)
    answers = sweeps_until_complete(live, looks)
    assert len(answers) > 2
    sent = [json.loads(message["body"])["Records"][0]["s3"]["object"]["key"] for message in live.receive()]
    assert len(sent) == len(set(sent)) == 24
    assert [item for item in live.items() if item["date_prefix"].startswith("AUDIT#")] == []


def test_an_audit_that_goes_on_removes_what_it_did_not_reach(live: Ingest) -> None:
    day = today_of(live)
    broken = live.runtime(Failing(live.clients, "TransactWriteItems").clients, metrics_table=None)
    live.deliver(*(live.put(name) for name in names(10, day)), runtime=broken)
    live.deliver(*(live.put(name) for name in names(10, day, start=10)), max_files_per_manifest=20)
    live.clock.advance(days=1, minutes=1)
    answers = sweeps_until_complete(live, 12)
    assert sum(len(answer["manifests_removed"]) for answer in answers) == 1
    assert len(live.manifest_objects()) == 1


def test_a_cursor_is_kept_for_each_choice_of_dates(live: Ingest) -> None:
    live.context.remaining = lambda: 5.0
    live.sweep()
    live.sweep(dates=[days_ago(live, 40)])
    cursors = [item for item in live.items() if item["date_prefix"].startswith("AUDIT#")]
    assert sorted(item["file_key"] for item in cursors) == sorted([days_ago(live, 40), "recent"])
    live.context.remaining = lambda: 60.0
    live.clock.advance(days=1)
    live.sweep()
    assert [item["file_key"] for item in live.items()] == [days_ago(live, 41)]


def test_the_report_and_the_metrics_come_before_the_audit(live: Ingest) -> None:
    live.deliver(live.put(f"{days_ago(live, 1)}-a.ndjson"), min_files_for_partial_batch=5)
    reports = len(live.reports())
    live.clock.advance(seconds=1)
    counting = Counting(live.clients)
    live.sweep(live.runtime(counting.clients))
    assert len(live.reports()) == reports + 1
    written = max(number for number, call in enumerate(counting.calls) if call == "PutObject")
    assert counting.calls.index("ListObjectsV2") > written
    assert counting.calls.index("TransactWriteItems") < written


@pytest.mark.parametrize("folder", ["team/", "a/b/c/", "2026/", "tomorrow-\u00fc/", "MANIFEST/"])
def test_a_folder_is_found_though_every_one_of_its_events_was_lost(live: Ingest, folder: str) -> None:
    day = today_of(live)
    live.put(f"{folder}{day}-lost.ndjson")
    live.receive()
    live.clock.advance(minutes=20)
    assert live.sweep()["events_resent"] == {day: 1}


def test_events_that_sqs_is_too_busy_for_are_sent_after_a_pause(
    live: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = today_of(live)
    for name in names(3, day):
        live.put(name)
    live.receive()
    live.clock.advance(minutes=20)
    send, busy = live.clients.sqs.send_message_batch, 2

    def answer(**request: Any) -> Any:
        nonlocal busy
        if not busy:
            return send(**request)
        busy -= 1
        first, *others = request["Entries"]
        failed = [{"Id": each["Id"], "SenderFault": False, "Code": "Throttled"} for each in others]
        return {**send(QueueUrl=request["QueueUrl"], Entries=[first]), "Failed": failed}

    monkeypatch.setattr(live.clients.sqs, "send_message_batch", answer)
    assert live.sweep()["events_resent"] == {day: 3}
    assert len(live.receive()) == 3
    assert len(live.slept) == 2


def test_events_that_sqs_will_never_take_fail_their_part_with_the_code(
    live: Ingest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    day = today_of(live)
    live.put(f"{day}-a.ndjson")
    live.receive()
    live.clock.advance(minutes=20)

    def answer(**request: Any) -> Any:
        entries = request["Entries"]
        return {"Failed": [{"Id": each["Id"], "SenderFault": True, "Code": "Invalid"} for each in entries]}

    monkeypatch.setattr(live.clients.sqs, "send_message_batch", answer)
    answered = live.sweep()
    assert (answered["failed"], answered["events_resent"]) == ([f"events of {day}"], {day: 0})
    assert "Invalid" in caplog.text
    assert live.slept == []


def test_nothing_is_swept_where_the_dates_make_no_sense(ingest: Ingest) -> None:
    ingest.deliver(*(ingest.put(name) for name in names(3)))
    ingest.clock.advance(days=1)
    with pytest.raises(SweepEventError):
        ingest.sweep(dates=["garbage"])
    assert ingest.manifest_records() == []
