"""The Lambda's reports become materializations, each once."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import report_key
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors import lambda_report_sensor as module
from ndjson_pipeline.sensors.counted_reports import COUNTED_REPORTS, mark_of, marks_of
from ndjson_pipeline.sensors.lambda_report_sensor import (
    FIRST_LOOK_BACK,
    REPORTS_PER_TICK,
    SETTLE_TIME,
    ReportCursor,
    lambda_report_sensor,
)
from ndjson_pipeline_tests.pipeline.harness import ManifestTable, client_error, day

NOON = datetime(2026, 1, 30, 12, tzinfo=UTC)


def key(instant: datetime, unique: str = "aaaaaaaa") -> str:
    return report_key("lambda", instant, unique)


def cursor_at(instant: datetime) -> ReportCursor:
    return ReportCursor(f"logs/lambda/{instant:%Y-%m-%d-T%H%M%S}", frozenset())


def is_unread(cursor: ReportCursor, of_key: str) -> bool:
    return of_key > cursor.watermark and of_key not in cursor.seen


class TestCursor:
    def test_without_a_cursor_the_last_days_are_read(self) -> None:
        for absent in (None, ""):
            cursor = ReportCursor.load(absent, NOON)
            assert is_unread(cursor, key(NOON - FIRST_LOOK_BACK + timedelta(seconds=1)))
            assert not is_unread(cursor, key(NOON - FIRST_LOOK_BACK - timedelta(seconds=1)))

    def test_a_cursor_is_carried_over_as_it_was(self) -> None:
        cursor = ReportCursor("logs/lambda/2026-01-30-T115800", frozenset({key(NOON), key(NOON, "bbbbbbbb")}))
        assert ReportCursor.load(cursor.dump(), NOON) == cursor

    def test_what_was_read_is_not_read_again(self) -> None:
        read = [key(NOON), key(NOON, "bbbbbbbb"), key(NOON - timedelta(hours=1))]
        cursor = cursor_at(NOON - timedelta(days=1)).advance(read)
        assert not any(is_unread(cursor, one) for one in read)

    def test_a_key_that_appears_late_within_the_settle_time_is_read_once(self) -> None:
        cursor = cursor_at(NOON - timedelta(days=1)).advance([key(NOON)])
        late = key(NOON - SETTLE_TIME + timedelta(seconds=1), "late0000")
        same_second = key(NOON, "00000000")
        assert is_unread(cursor, late)
        assert is_unread(cursor, same_second)
        cursor = cursor.advance([late, same_second])
        assert not is_unread(cursor, late)
        assert not is_unread(cursor, same_second)

    def test_the_watermark_advances_and_forgets_what_lies_before_it(self) -> None:
        first = cursor_at(NOON - timedelta(days=1)).advance([key(NOON)])
        second = first.advance([key(NOON + timedelta(hours=1))])
        assert second.watermark > first.watermark
        assert second.seen == {key(NOON + timedelta(hours=1))}
        assert not is_unread(second, key(NOON))

    def test_the_watermark_never_goes_back(self) -> None:
        cursor = cursor_at(NOON).advance([key(NOON - timedelta(minutes=1))])
        assert cursor.watermark == cursor_at(NOON).watermark

    @pytest.mark.parametrize("name", ["readme.txt", "\uff12\uff10\uff12\uff17-01-30-T123456-x-0001.json"])
    def test_a_key_without_an_instant_is_read_once_and_moves_nothing(self, name: str) -> None:
        strange = f"logs/lambda/{name}"
        cursor = cursor_at(NOON).advance([strange])
        assert cursor.watermark == cursor_at(NOON).watermark
        assert not is_unread(cursor, strange)
        assert is_unread(cursor, key(NOON + timedelta(seconds=1)))


class Reports:
    """Reports in the manifest bucket, and ticks of the sensor that carry its cursor."""

    def __init__(
        self, manifests: ManifestTable, instance: dg.DagsterInstance, log_handler: logging.Handler
    ) -> None:
        self._deployment = manifests.deployment
        self._instance = instance
        self._log_handler = log_handler
        self.cursor: str | None = None
        self.said = ""

    def put(self, of_key: str, content: bytes | Mapping[str, tuple[int, int, int]]) -> None:
        if not isinstance(content, bytes):
            fields = ("files_processed", "files_quarantined", "manifests_created")
            dates = {date: dict(zip(fields, counts, strict=True)) for date, counts in content.items()}
            content = json.dumps({"dates": dates}).encode()
        self._deployment.s3.put_object(
            Bucket=self._deployment.names.manifest_bucket, Key=of_key, Body=content
        )

    def tick(self) -> list[dg.AssetMaterialization]:
        """Return what a tick reports; its cursor is the next one's."""
        with dg.build_sensor_context(
            instance=self._instance, cursor=self.cursor, resources={"pipeline": PipelineResource()}
        ) as context:
            # Dagster's loggers pass nothing on.
            context.log.addHandler(self._log_handler)
            result = lambda_report_sensor(context)
        assert result.skip_reason is not None
        self.cursor = result.cursor
        self.said = result.skip_reason.skip_message or ""
        return list(result.asset_events)


@pytest.fixture
def reports(
    manifests: ManifestTable, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> Reports:
    return Reports(manifests, instance, caplog.handler)


def counts_of(event: dg.AssetMaterialization) -> tuple[object, ...]:
    names = ("files_processed", "files_quarantined", "manifests_created", "reports")
    return (event.partition, *(event.metadata[name].value for name in names))


def test_without_reports_a_tick_skips(reports: Reports) -> None:
    assert reports.tick() == []
    assert reports.said == "No new Lambda report"


def test_a_tick_that_did_work_says_what_it_did(reports: Reports) -> None:
    reports.put(key(utc_now(), "aaaaaaaa"), {day(): (3, 1, 0), day(-1): (5, 0, 1)})
    reports.tick()
    assert reports.said == f"Read 1 Lambda reports, and counted those of {day(-1)}, {day()}"


def test_each_report_is_told_once_across_ticks(reports: Reports) -> None:
    now = utc_now()
    reports.put(key(now, "aaaaaaaa"), {day(): (3, 1, 0)})
    (first,) = reports.tick()
    assert counts_of(first) == (day(), 3, 1, 0, 1)
    assert first.asset_key == dg.AssetKey("manifests")
    assert reports.tick() == []
    reports.put(key(now + timedelta(seconds=1), "bbbbbbbb"), {day(): (2, 0, 1)})
    # Older by its key, but visible only now.
    reports.put(key(now - timedelta(seconds=30), "cccccccc"), {day(): (1, 0, 0)})
    (second,) = reports.tick()
    assert counts_of(second) == (day(), 3, 0, 1, 2)
    assert reports.tick() == []


def test_a_tick_sums_by_date(reports: Reports) -> None:
    now = utc_now()
    reports.put(key(now, "aaaaaaaa"), {day(): (3, 1, 0), day(-1): (5, 0, 1)})
    reports.put(key(now, "bbbbbbbb"), {day(): (4, 0, 2)})
    assert [counts_of(event) for event in reports.tick()] == [(day(-1), 5, 0, 1, 1), (day(), 7, 1, 2, 2)]


def test_the_last_report_is_linked(reports: Reports) -> None:
    reports.put(key(utc_now()), {day(): (3, 1, 0)})
    (event,) = reports.tick()
    assert str(event.metadata["last_report"].value).startswith("s3://ndjson-manifest-sqs-")


def test_a_fresh_cursor_reads_the_last_days_again_and_no_more(reports: Reports) -> None:
    now = utc_now()
    reports.put(key(now - timedelta(days=1)), {day(-1): (1, 0, 0)})
    reports.put(key(now - FIRST_LOOK_BACK - timedelta(hours=1)), {day(-2): (9, 0, 0)})
    assert [counts_of(event) for event in reports.tick()] == [(day(-1), 1, 0, 0, 1)]


def test_a_bad_report_is_skipped_with_a_warning_and_harms_no_other(
    reports: Reports, caplog: pytest.LogCaptureFixture
) -> None:
    now = utc_now()
    bad = key(now, "bad00000")
    reports.put(bad, b"not json")
    reports.put(key(now, "good0000"), {day(): (3, 0, 0)})
    assert [counts_of(event) for event in reports.tick()] == [(day(), 3, 0, 0, 1)]
    assert bad in caplog.text
    assert reports.tick() == []


def test_bad_reports_alone_are_read_once_too(reports: Reports) -> None:
    reports.put(key(utc_now(), "bad00000"), b"not json")
    assert reports.tick() == []
    assert "bad00000" in (reports.cursor or "")
    assert reports.tick() == []


def test_dates_that_are_no_partition_are_skipped_with_a_warning(
    reports: Reports, caplog: pytest.LogCaptureFixture
) -> None:
    full_width = day().translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    strange = (day(2), "2024-12-31", "x", full_width)
    reports.put(key(utc_now()), {**dict.fromkeys(strange, (1, 0, 0)), day(): (2, 0, 0)})
    assert [counts_of(event) for event in reports.tick()] == [(day(), 2, 0, 0, 1)]
    for date in strange:
        assert f"Skipped counts of {date}" in caplog.text


def test_a_report_stamped_in_the_future_does_not_hide_those_after_it(reports: Reports) -> None:
    now = utc_now()
    reports.put(key(now + timedelta(days=400), "skewed00"), {day(): (1, 0, 0)})
    assert len(reports.tick()) == 1
    reports.put(key(now + timedelta(seconds=1), "aaaaaaaa"), {day(): (2, 0, 0)})
    assert [counts_of(event) for event in reports.tick()] == [(day(), 2, 0, 0, 1)]


def test_more_reports_than_a_tick_reads_are_read_by_the_next_ones(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert REPORTS_PER_TICK > 100
    monkeypatch.setattr(module, "REPORTS_PER_TICK", 4)
    now = utc_now()
    for number in range(10):
        reports.put(key(now, f"{number:08d}"), {day(): (1, 0, 0)})
    per_tick = [sum(counts_of(event)[1] for event in reports.tick()) for _ in range(4)]
    assert per_tick == [4, 4, 2, 0]


class Restarts:
    """Ticks whose events are stored, and whose cursor a crash may lose."""

    def __init__(self, reports: Reports, instance: dg.DagsterInstance) -> None:
        self.reports = reports
        self.instance = instance

    def tick(self, *, stored: int | None = None) -> int:
        """Run a tick and store the first of its events, or all; return how many there were."""
        events = self.reports.tick()
        for event in events[:stored]:
            self.instance.report_runless_asset_event(event)
        return len(events)

    def totals(self) -> dict[str | None, int]:
        """Return the files processed of each date, over all materializations."""
        found: dict[str | None, int] = {}
        for record in self.instance.fetch_materializations(dg.AssetKey("manifests"), limit=1000).records:
            event = record.asset_materialization
            assert event is not None
            files = event.metadata["files_processed"].value
            assert isinstance(files, int)
            found[event.partition] = found.get(event.partition, 0) + files
        return found


@pytest.fixture(params=["in memory", "in files"])
def restarts(
    request: pytest.FixtureRequest,
    manifests: ManifestTable,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> Iterator[Restarts]:
    with ExitStack() as stack:
        made = (
            dg.DagsterInstance.ephemeral()
            if request.param == "in memory"
            else dg.DagsterInstance.local_temp(str(tmp_path))
        )
        instance = stack.enter_context(made)
        yield Restarts(Reports(manifests, instance, caplog.handler), instance)


@pytest.mark.parametrize("is_first_tick", [True, False])
def test_a_cursor_that_was_lost_counts_no_report_twice(restarts: Restarts, is_first_tick: bool) -> None:
    now, reports = utc_now(), restarts.reports
    reports.put(key(now - timedelta(minutes=3), "first000"), {day(): (5, 0, 0)})
    if not is_first_tick:
        restarts.tick()
    before = reports.cursor
    reports.put(key(now, "aaaaaaaa"), {day(): (3, 1, 0), day(-1): (5, 0, 1)})
    reports.put(key(now, "bbbbbbbb"), {day(): (4, 0, 2)})
    restarts.tick()
    assert restarts.totals() == {day(): 12, day(-1): 5}
    for lost in (before, None):
        reports.cursor = lost
        assert restarts.tick() == 0
        # What was met again is behind the cursor once more.
        assert restarts.tick() == 0
    reports.cursor = before
    reports.put(key(now + timedelta(seconds=1), "cccccccc"), {day(): (1, 0, 0)})
    assert restarts.tick() == 1
    assert restarts.totals() == {day(): 13, day(-1): 5}


def test_events_of_which_a_crash_left_some_are_completed_by_the_next_tick(restarts: Restarts) -> None:
    now = utc_now()
    restarts.reports.put(key(now, "aaaaaaaa"), {day(-2): (1, 0, 0), day(-1): (2, 0, 0), day(): (3, 0, 0)})
    restarts.tick(stored=1)
    assert restarts.totals() == {day(-2): 1}
    restarts.reports.cursor = None
    assert restarts.tick() == 2
    assert restarts.totals() == {day(-2): 1, day(-1): 2, day(): 3}


def test_more_materializations_than_one_read_gives_are_all_looked_at(
    restarts: Restarts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MATERIALIZATIONS_PER_READ", 2)
    now = utc_now()
    for number in range(5):
        restarts.reports.put(key(now, f"{number:08d}"), {day(): (1, 0, 0)})
        assert restarts.tick() == 1
    restarts.reports.cursor = None
    assert restarts.tick() == 0
    assert restarts.totals() == {day(): 5}


def test_what_is_looked_up_is_bounded_by_what_is_new(
    restarts: Restarts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, limits = [], []
    original = restarts.instance.fetch_materializations

    def fetch(records_filter: dg.AssetRecordsFilter, **named: Any) -> Any:
        asked.append(records_filter)
        limits.append(named["limit"])
        return original(records_filter, **named)

    monkeypatch.setattr(restarts.instance, "fetch_materializations", fetch)
    assert restarts.tick() == 0
    assert asked == []
    now = utc_now()
    restarts.reports.put(key(now), {day(): (1, 0, 0), "2999-01-01": (1, 0, 0)})
    restarts.tick()
    one, newest = asked
    assert one.asset_partitions == newest.asset_partitions == [day()]
    # The date's newest one has the sum that this goes on from.
    assert limits[1] == 1
    assert now.timestamp() - 180 < one.after_timestamp < now.timestamp()


def test_a_materialization_names_no_more_reports_than_a_tick_reads(
    restarts: Restarts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORTS_PER_TICK", 3)
    now = utc_now()
    for number in range(4):
        restarts.reports.put(key(now, f"{number:08d}"), {day(): (1, 0, 0)})
    (event,) = restarts.reports.tick()
    named = event.metadata[COUNTED_REPORTS]
    assert marks_of(named) == {mark_of(key(now, f"{number:08d}")) for number in range(3)}


class Tomorrow:
    """Ticks before and after midnight, by Dagster's clock and the sensor's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def comes(self) -> None:
        """Let tomorrow be a partition."""
        partitions = dg.DailyPartitionsDefinition("2025-01-01", timezone="UTC", end_offset=2)
        self._monkeypatch.setattr(module, "daily_partitions", lambda _start_date: partitions)


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> Tomorrow:
    return Tomorrow(monkeypatch)


def test_reports_of_tomorrow_are_counted_once_when_their_day_comes(
    restarts: Restarts, tomorrow: Tomorrow
) -> None:
    now, reports = utc_now(), restarts.reports
    reports.put(key(now - timedelta(minutes=9), "aaaaaaaa"), {day(1): (3, 1, 0), day(): (1, 0, 0)})
    restarts.tick()
    reports.put(key(now - timedelta(minutes=5), "bbbbbbbb"), {day(): (2, 0, 0)})
    reports.put(key(now - timedelta(minutes=5), "cccccccc"), {day(1): (4, 0, 1)})
    restarts.tick()
    assert restarts.totals() == {day(): 3}
    assert restarts.tick() == 0
    tomorrow.comes()
    reports.put(key(now, "dddddddd"), {day(1): (5, 0, 0)})
    assert restarts.tick() == 1
    assert restarts.totals() == {day(): 3, day(1): 12}
    assert restarts.tick() == 0
    assert json.loads(reports.cursor or "")["ahead"] == {}


@pytest.mark.parametrize("is_lost", ["before", "after"])
def test_reports_of_tomorrow_are_counted_once_though_the_cursor_is_lost(
    restarts: Restarts, tomorrow: Tomorrow, is_lost: str
) -> None:
    now, reports = utc_now(), restarts.reports
    reports.put(key(now - timedelta(minutes=9), "aaaaaaaa"), {day(1): (3, 1, 0), day(): (1, 0, 0)})
    restarts.tick()
    waiting = reports.cursor
    if is_lost == "before":
        reports.cursor = None
        restarts.tick()
    tomorrow.comes()
    restarts.tick()
    assert restarts.totals() == {day(): 1, day(1): 3}
    for lost in (None, waiting):
        reports.cursor = lost
        assert restarts.tick() == 0
    assert restarts.totals() == {day(): 1, day(1): 3}


def test_reports_of_tomorrow_are_read_again_some_a_tick_and_the_cursor_stays_small(
    restarts: Restarts, tomorrow: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, reports = utc_now(), restarts.reports
    for number in range(7):
        reports.put(key(now - timedelta(minutes=9 + number), f"{number:08d}"), {day(1): (1, 0, 0)})
    restarts.tick()
    assert sorted(json.loads(reports.cursor or "")["ahead"]) == [day(1)]
    assert len(json.loads(reports.cursor or "")["ahead"][day(1)]) == 2
    tomorrow.comes()
    monkeypatch.setattr(module, "REPORTS_PER_TICK", 3)
    totals = []
    for _ in range(4):
        restarts.tick()
        totals.append(restarts.totals().get(day(1), 0))
    assert totals[0] == 3
    assert totals[-1] == 7


def test_a_report_that_is_none_stops_neither_the_tick_nor_another(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write the bucket can write what looks like a report."""
    monkeypatch.setattr(module, "MOST_REPORT_BYTES", 5_000)
    now = utc_now()
    fields = '"files_quarantined": 0, "manifests_created": 0'
    for number, content in enumerate(
        [
            b"[" * 4_000,
            b"\xff\xfe",
            b"{" + b" " * 6_000,
            f'{{"dates": {{"{day()}": {{"files_processed": -5, {fields}}}}}}}'.encode(),
            f'{{"dates": {{"{day()}": {{"files_processed": 1e300, {fields}}}}}}}'.encode(),
            f'{{"dates": {{"{day()}": {{"files_processed": true, {fields}}}}}}}'.encode(),
        ]
    ):
        reports.put(key(now, f"{number:08d}"), content)
    reports.put("logs/lambda/zzz\nERROR forged", {day(): (99, 0, 0)})
    reports.put(key(now, "mixed000"), {"no\ndate": (1, 0, 0), "9999-99-99": (1, 0, 0), day(): (2, 0, 0)})
    assert [counts_of(event) for event in reports.tick()] == [(day(), 2, 0, 0, 1)]
    assert reports.tick() == []


def test_a_report_that_can_not_be_read_for_good_is_passed_over(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utc_now()
    denied = key(now, "aaaaaaaa")
    reports.put(denied, {day(): (1, 0, 0)})
    reports.put(key(now, "bbbbbbbb"), {day(): (2, 0, 0)})
    s3 = reports._deployment.s3
    get = s3.get_object

    def refuse(**request: Any) -> Any:
        if request["Key"] == denied:
            raise client_error("AccessDenied", "GetObject")
        return get(**request)

    monkeypatch.setattr(s3, "get_object", refuse)
    assert [counts_of(event) for event in reports.tick()] == [(day(), 2, 0, 0, 1)]
    assert reports.tick() == []


def test_keys_of_no_time_or_a_later_one_are_kept_in_mind_up_to_a_bound(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_AHEAD", 2)
    later = utc_now() + timedelta(days=400)
    for number in range(5):
        reports.put(key(later, f"{number:08d}"), {day(): (1, 0, 0)})
    for _ in range(3):
        reports.tick()
    assert len(json.loads(reports.cursor or "{}")["seen"]) == 2


def test_a_materialization_shows_what_was_refused_and_what_waits(
    reports: Reports, manifests: ManifestTable, instance: dg.DagsterInstance
) -> None:
    def document(day_of: str, uri: str, refused: int) -> bytes:
        counts = {"files_processed": 3, "files_quarantined": refused, "manifests_created": 1}
        errors = [
            {"kind": "quarantined", "subject": uri, "message": "the file is empty"},
            {"kind": "overwritten", "subject": "s3://i/other", "message": "other content"},
        ]
        return json.dumps({"dates": {day_of: counts}, "errors": errors}).encode()

    now = utc_now()
    manifests.put_item(
        date_prefix=day(), file_key=f"{day()}-a.ndjson", pending_date=day(), created_at=f"{day()}T00:00:00Z"
    )
    reports.put(key(now, "00000001"), document(day(), f"s3://i/{day()}-bad.ndjson", 1))
    reports.put(key(now, "00000002"), document(day(), "s3://i/notes.txt", 25))
    (event,) = reports.tick()
    shown = {name: value.value for name, value in event.metadata.items()}
    assert (shown["files_waiting"], shown["files_quarantined"], shown["date_files_refused"]) == (1, 26, 26)
    assert shown["refused_command"] == f"ndjson-pipeline files --date {day()} --status quarantined"
    table = event.metadata["refused"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [record.data for record in table.records] == [
        {"file": f"s3://i/{day()}-bad.ndjson", "reason": "the file is empty"},
        {"file": "s3://i/notes.txt", "reason": "the file is empty"},
    ]
    assert list(table.schema.constraints.other) == ["and 24 more"]
    # The sum goes on from the newest materialization.
    instance.report_runless_asset_event(event)
    reports.put(key(utc_now() + timedelta(seconds=1), "00000003"), {day(): (4, 1, 0)})
    (later,) = reports.tick()
    told = {name: value.value for name, value in later.metadata.items()}
    assert (told["files_processed"], told["date_files_accepted"]) == (4, 10)
    assert (told["date_files_refused"], told["date_manifests_created"]) == (27, 2)
    assert "refused" not in told


def test_an_index_that_can_not_be_read_costs_no_counts(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise client_error("ProvisionedThroughputExceededException")

    monkeypatch.setattr(module, "pending_by_date", refuse)
    reports.put(key(utc_now()), {day(): (1, 0, 0)})
    (event,) = reports.tick()
    assert counts_of(event) == (day(), 1, 0, 0, 1)
    assert "files_waiting" not in event.metadata
