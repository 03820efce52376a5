"""Input files are observed where something of their date has changed."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors import raw_files_sensor as module
from ndjson_pipeline.sensors.arrived import Arrived
from ndjson_pipeline.sensors.pending_files import PendingFiles, pending_by_date
from ndjson_pipeline.sensors.raw_files_sensor import raw_files_sensor
from ndjson_pipeline_tests.pipeline.harness import ManifestTable, client_error, day

MANIFESTS = dg.AssetKey("manifests")


class RawFiles:
    """Files that wait, what the Lambda reported, and ticks that carry the cursor."""

    def __init__(self, manifests: ManifestTable, instance: dg.DagsterInstance) -> None:
        self.table = manifests
        self.instance = instance
        self.cursor: str | None = None
        self.said = ""

    def wait(self, date_prefix: str, name: str, minute: int = 0, **attributes: Any) -> None:
        """Let a file wait for its batch."""
        self.table.put_item(
            **{
                "date_prefix": date_prefix,
                "file_key": f"{date_prefix}-{name}.ndjson",
                "pending_date": date_prefix,
                "status": "pending",
                "created_at": f"2026-01-30T10:{minute:02d}:00.000000Z",
                "file_size_mb": 2,
                **attributes,
            }
        )

    def batch(self, date_prefix: str, name: str) -> None:
        """Let a file wait no more."""
        self.table.deployment.dynamodb.delete_item(
            TableName=self.table.deployment.names.tracking_table,
            Key={"date_prefix": {"S": date_prefix}, "file_key": {"S": f"{date_prefix}-{name}.ndjson"}},
        )

    def report(self, date_prefix: str, arrived: Arrived) -> None:
        """Let a materialization of `manifests` tell what came in so far."""
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(MANIFESTS, partition=date_prefix, metadata=arrived.metadata)
        )

    def tick(self) -> dict[str, Mapping[str, Any]]:
        """Return what a tick observes, by date."""
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"pipeline": PipelineResource()}
        ) as context:
            result = raw_files_sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        self.said = result.skip_reason.skip_message or "" if result.skip_reason else ""
        events = list(result.asset_events)
        assert all(event.asset_key == dg.AssetKey("raw_ndjson") for event in events)
        assert len({event.partition for event in events}) == len(events)
        return {
            str(event.partition): {name: value.value for name, value in event.metadata.items()}
            for event in events
        }


@pytest.fixture
def files(manifests: ManifestTable, instance: dg.DagsterInstance) -> RawFiles:
    return RawFiles(manifests, instance)


def test_an_idle_feed_has_nothing_to_observe(files: RawFiles) -> None:
    assert files.tick() == {}
    assert files.said == "No change; files of 0 dates wait"


def test_a_date_is_observed_with_what_came_in_and_what_waits(files: RawFiles) -> None:
    files.wait(day(), "b", 7)
    files.wait(day(), "a", 3)
    files.report(day(), Arrived(accepted=12, refused=2, manifests=1))
    observed = files.tick()
    oldest = observed[day()].pop("oldest_pending")
    assert observed == {
        day(): {
            "dagster/uri": "s3://ndjson-input-sqs-123456789012-dev/pipeline/input/",
            "files_seen": 14,
            "files_accepted": 12,
            "files_refused": 2,
            "files_pending": 2,
            "pending_size_mb": 4.0,
            "input": (
                "https://us-east-1.console.aws.amazon.com/s3/buckets/ndjson-input-sqs-123456789012-dev"
                "?region=us-east-1&prefix=pipeline/input/"
            ),
        }
    }
    assert oldest == pytest.approx(1769767380.0)


def test_only_what_changed_is_observed_again_and_a_date_that_is_done_once_more(files: RawFiles) -> None:
    files.wait(day(), "a")
    files.wait(day(-1), "a")
    assert set(files.tick()) == {day(), day(-1)}
    assert files.tick() == {}
    files.wait(day(), "b")
    assert {date: figures["files_pending"] for date, figures in files.tick().items()} == {day(): 2}
    files.batch(day(-1), "a")
    done = files.tick()
    assert {date: figures["files_pending"] for date, figures in done.items()} == {day(-1): 0}
    assert "oldest_pending" not in done[day(-1)]
    assert files.tick() == {}


def test_files_that_never_waited_long_enough_to_be_seen_are_observed_all_the_same(files: RawFiles) -> None:
    assert files.tick() == {}
    files.report(day(-3), Arrived(accepted=10, manifests=1))
    assert {date: figures["files_seen"] for date, figures in files.tick().items()} == {day(-3): 10}
    assert files.tick() == {}
    files.report(day(-3), Arrived(accepted=10, refused=1, manifests=1))
    assert {date: figures["files_refused"] for date, figures in files.tick().items()} == {day(-3): 1}


def test_a_tick_looks_at_so_many_events_and_the_next_goes_on(
    files: RawFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DATES_PER_TICK", 2)
    files.report(day(-9), Arrived(accepted=1))
    files.tick()
    for days in (1, 2, 3):
        files.report(day(-days), Arrived(accepted=1))
    assert set(files.tick()) == {day(-1), day(-2)}
    assert set(files.tick()) == {day(-3)}
    assert files.tick() == {}


def test_what_can_be_no_partition_is_left_alone(files: RawFiles) -> None:
    files.wait(day(1), "tomorrow")
    files.wait("2024-01-01", "before")
    files.wait(day(), "odd", created_at="some day", file_size_mb="much")
    observed = files.tick()
    assert set(observed) == {day()}
    assert (observed[day()]["files_pending"], observed[day()]["pending_size_mb"]) == (1, 0.0)


def test_where_more_wait_than_a_look_takes_the_figures_say_so(
    files: RawFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = files.table.deployment
    for number in range(4):
        files.wait(day(), str(number))
    table = deployment.names.tracking_table
    assert pending_by_date(deployment.dynamodb, table, 5) == (
        {day(): PendingFiles(4, 8.0, "2026-01-30T10:00:00.000000Z")},
        False,
    )
    found, is_cut = pending_by_date(deployment.dynamodb, table, 3)
    assert (found[day()].files, is_cut) == (3, True)
    monkeypatch.setattr(module, "pending_by_date", lambda *_: (found, True))
    assert files.tick()[day()]["note"].startswith("more than 500 files wait")


def test_a_table_that_can_not_be_read_fails_the_tick_and_keeps_the_cursor(
    files: RawFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.wait(day(), "a")
    files.tick()
    before = files.cursor

    def refuse(*_: object) -> None:
        raise client_error("ProvisionedThroughputExceededException")

    monkeypatch.setattr(module, "pending_by_date", refuse)
    with pytest.raises(Exception, match="happened"):
        files.tick()
    assert files.cursor == before
