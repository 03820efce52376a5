"""Lost events are found wherever the date stands, and what the gate stops is never sent."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_ingest.contract.settings import DateSource
from lambda_ingest.settings import Settings
from ndjson_pipeline_tests.lambda_ingest.harness import Ingest
from ndjson_pipeline_tests.lambda_ingest.stubs import Counting

NAME, PATH, ARRIVAL = DateSource.NAME, DateSource.PATH, DateSource.ARRIVAL


@pytest.fixture
def live(ingest: Ingest) -> Ingest:
    """Ingest whose clock shows the real time, as the listings of S3 do; never within minutes of midnight."""
    ingest.clock.now = datetime.now(UTC)
    return ingest


def day_of(ingest: Ingest, back: int = 0) -> str:
    return (ingest.clock.now - timedelta(days=back)).date().isoformat()


def lose(ingest: Ingest, *names: str) -> None:
    for name in names:
        ingest.put(name)
    ingest.receive()


def sent(ingest: Ingest) -> list[str]:
    prefix = ingest.settings.input_prefix
    bodies = [json.loads(message["body"]) for message in ingest.receive()]
    keys = [record["s3"]["object"]["key"] for body in bodies for record in body["Records"]]
    return sorted(key.removeprefix(prefix).replace("%3D", "=") for key in keys)


@pytest.mark.parametrize("sources", [(NAME,), (PATH,), (NAME, PATH, ARRIVAL)])
def test_what_the_gate_stops_is_never_sent(live: Ingest, sources: tuple[DateSource, ...]) -> None:
    day = day_of(live)
    lose(
        live,
        *(f"{day}-a.ndjson.tmp", f".{day}-a.ndjson", f"_x/{day}-a.ndjson", f"team/{day}-a.ndjson.PART"),
        *(
            f"dt={day}/_SUCCESS",
            f"dt={day}/.x/a.ndjson",
            f"dt={day}/a.ndjson.filepart",
            f"_x/dt={day}/a.ndjson",
        ),
        *("part-1.ndjson.crdownload", "team/", f"dt={day}/"),
    )
    live.clock.advance(minutes=20)
    assert live.sweep(date_sources=sources)["events_resent"] == {}
    assert sent(live) == []


@pytest.mark.parametrize(
    "form", ["dt={0}/", "date={0}/hour=13/", "year={1}/month={2}/day={3}/", "{1}/{2}/{3}/07/", "a/b/dt={0}/"]
)
@pytest.mark.parametrize("sources", [(PATH,), (NAME, PATH), (PATH, NAME)])
def test_a_lost_event_is_found_in_a_folder_with_a_date(
    live: Ingest, form: str, sources: tuple[DateSource, ...]
) -> None:
    day, old = day_of(live, 1), day_of(live, 100)
    folder, old_folder = (form.format(each, *each.split("-")) for each in (day, old))
    known = f"{folder}part-0.ndjson"
    live.deliver(live.put(known), live.put(f"{folder}x.csv"), date_sources=sources, quarantine_bucket=None)
    lost = [f"{folder}part-1.ndjson", f"{folder}z/part b+ü.ndjson.gz", f"{folder}w#.ndjson"]
    lose(live, *lost, f"{old_folder}part-1.ndjson")
    live.clock.advance(minutes=20)
    turned: dict[str, Any] = {"date_sources": sources, "quarantine_bucket": None}
    assert live.sweep(**turned)["events_resent"] == {day: 3}
    assert live.deliver_messages(live.receive(), **turned) == []
    records = live.file_records()
    assert {records[name]["date_prefix"] for name in lost[:2]} == {day}
    assert live.sweep(**turned)["events_resent"] == {}
    assert live.sweep(dates=[old], **turned)["events_resent"] == {old: 1}


def test_a_folders_file_with_another_date_in_its_name_is_found_by_that(live: Ingest) -> None:
    day, other = day_of(live), day_of(live, 1)
    sources = (NAME, PATH)
    name = f"dt={day}/{other}-a.ndjson"
    lose(live, name)
    live.clock.advance(minutes=20)
    live.sweep(date_sources=sources)
    live.deliver_messages(live.receive(), date_sources=sources)
    assert live.record(name)["date_prefix"] == other
    assert live.sweep(date_sources=sources)["events_resent"] == {}


@pytest.mark.parametrize("sources", [(ARRIVAL,), (NAME, PATH, ARRIVAL)])
def test_a_lost_event_of_a_file_without_a_date_is_found(
    live: Ingest, sources: tuple[DateSource, ...]
) -> None:
    day = day_of(live)
    turned: dict[str, Any] = {"date_sources": sources, "quarantine_bucket": None}
    known = [live.put("part-0.ndjson"), live.put("part-ü.csv"), live.put("team/part-0.ndjson")]
    live.deliver(*known, **turned)
    lost = [f"part-{number}.ndjson" for number in range(1, 13)] + ["team/x/part-1.ndjson", "a b.csv"]
    lose(live, *lost)
    assert live.sweep(**turned)["events_resent"] == {}
    live.clock.advance(minutes=20)
    assert live.sweep(**turned)["events_resent"] == {day: 14}
    assert live.deliver_messages(live.receive(), **turned) == []
    assert {record["date_prefix"] for record in live.file_records().values()} == {day}
    assert len(live.file_records()) == 17
    assert live.sweep(**turned)["events_resent"] == {}


def test_an_object_of_a_former_day_keeps_the_date_of_its_first_arrival(live: Ingest) -> None:
    """Copied in place it is of today for S3; its record is yesterday's, and knows it."""
    today, before = live.clock.now, day_of(live, 1)
    turned: dict[str, Any] = {"date_sources": (ARRIVAL,)}
    live.clock.now = today - timedelta(days=1)
    live.deliver(live.put("part-0.ndjson"), live.put("part-1.ndjson", b"1\n"), **turned)
    live.receive()
    live.put("part-1.ndjson", b"22\n")
    live.receive()
    live.clock.now = today + timedelta(minutes=20)
    assert live.sweep(**turned)["events_resent"] == {before: 1}
    assert live.deliver_messages(live.receive(), **turned) == []
    assert {record["date_prefix"] for record in live.file_records().values()} == {before}
    assert live.sweep(**turned)["events_resent"] == {}


def test_of_dates_that_are_named_the_objects_of_those_days_are_looked_at(live: Ingest) -> None:
    day = day_of(live)
    lose(live, "part-0.ndjson")
    live.clock.advance(days=40)
    turned: dict[str, Any] = {"date_sources": (ARRIVAL,)}
    assert live.sweep(**turned)["events_resent"] == {}
    assert live.sweep(dates=[day], **turned)["events_resent"] == {day: 1}
    assert live.deliver_messages(live.receive(), **turned) == []
    assert live.record("part-0.ndjson")["date_prefix"] == day


@pytest.mark.parametrize("looks", [12, 25])
@pytest.mark.parametrize("between", [1, 1_000])
def test_an_audit_of_all_sources_goes_on_where_its_time_ended(
    live: Ingest, looks: int, between: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambda_ingest.audit.lost_events._MOST_BETWEEN_SENDS", between)
    day = day_of(live)
    lost = [
        *(f"{day}-{number}.ndjson" for number in range(3)),
        *(f"dt={day}/part-{number}.ndjson" for number in range(3)),
        *(f"part-{number}.ndjson" for number in range(3)),
    ]
    lose(live, *lost)
    live.clock.advance(minutes=20)
    for _ in range(100):
        left = looks

        def remaining() -> float:
            nonlocal left
            left -= 1
            return 60.0 if left >= 0 else 5.0

        live.context.remaining = remaining
        answer = live.sweep(metrics_table=None, date_sources=(NAME, PATH, ARRIVAL))
        assert answer["failed"] == []
        if not answer["events_incomplete"]:
            break
    else:
        pytest.fail("the audit does not come to its end")
    assert sent(live) == sorted(lost)


def test_by_name_alone_the_audit_reads_nothing_more(live: Ingest) -> None:
    day = day_of(live)
    live.deliver(live.put(f"{day}-a.ndjson"))
    lose(live, "part-1.ndjson", f"dt={day}/part-1.ndjson")
    live.clock.advance(minutes=20)
    counting = Counting(live.clients)
    assert live.sweep(live.runtime(counting.clients))["events_resent"] == {}
    assert "BatchGetItem" not in counting.calls
    assert Settings("m", "t").date_sources == (NAME,)
