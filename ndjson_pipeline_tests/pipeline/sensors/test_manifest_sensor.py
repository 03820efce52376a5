"""Runs that the manifest sensor requests."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.test_utils import create_run_for_test

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import ManifestName
from ndjson_pipeline.claims.dagster_runs import ATTEMPT_TAG, MANIFESTS_TAG, claimed_tags, manifests_tag
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.deployment.instance.home import prepare_home
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors import manifest_sensor as module
from ndjson_pipeline.sensors.launches import MAX_LAUNCHES
from ndjson_pipeline.sensors.manifest_sensor import manifest_sensor
from ndjson_pipeline_tests.pipeline.code_location import shared_defs
from ndjson_pipeline_tests.pipeline.harness import ManifestTable, day, make_name
from ndjson_pipeline_tests.pipeline.partition_bar import bar

IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# Queued runs need to say where their job comes from.
ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("ndjson_pipeline"), "repository"), "convert_manifests"
)
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


class Sensor:
    """The manifest sensor against an instance."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance

    def tick(self) -> list[dg.RunRequest]:
        """Return what a tick requests."""
        with dg.build_sensor_context(
            instance=self.instance,
            sensor_name="manifest_sensor",
            resources={"pipeline": PipelineResource()},
            definitions=shared_defs(),
        ) as context:
            result = manifest_sensor(context)
        if isinstance(result, dg.SkipReason):
            assert result.skip_message
            return []
        assert isinstance(result, dg.SensorResult)
        return list(result.run_requests or [])

    def note_run(
        self, names: Sequence[ManifestName], status: dg.DagsterRunStatus, *, attempt: int = 1, **tags: str
    ) -> dg.DagsterRun:
        """Note a run as the daemon launches it from a request."""
        return create_run_for_test(
            self.instance,
            job_name="convert_manifests",
            status=status,
            remote_job_origin=ORIGIN,
            tags={
                "dagster/partition": names[0].date_prefix,
                MANIFESTS_TAG: manifests_tag(names),
                ATTEMPT_TAG: str(attempt),
                **tags,
            },
        )

    def launch(self, request: dg.RunRequest) -> dg.DagsterRun:
        """Queue what was requested, as the daemon does."""
        return create_run_for_test(
            self.instance,
            job_name="convert_manifests",
            status=dg.DagsterRunStatus.QUEUED,
            remote_job_origin=ORIGIN,
            tags={**request.tags, "dagster/partition": str(request.partition_key)},
        )

    def claimed(self, run: dg.DagsterRun, names: Sequence[ManifestName]) -> None:
        """Let a run say what it claimed, as it does itself."""
        self.instance.add_run_tags(run.run_id, claimed_tags(run.run_id, dict.fromkeys(names, 1)))

    def start(self, run: dg.DagsterRun) -> None:
        """Let a run's process say that it has begun."""
        event = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name)
        self.instance.report_dagster_event(event, run_id=run.run_id)

    def queued(self) -> int:
        return self.instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))


@pytest.fixture
def sensor(manifests: ManifestTable, instance: dg.DagsterInstance) -> Sensor:
    return Sensor(instance)


def test_without_a_waiting_manifest_a_tick_skips(sensor: Sensor, manifests: ManifestTable) -> None:
    assert sensor.tick() == []
    for sequence, status in enumerate(("processing", "completed", "failed"), start=1):
        manifests.commit(sequence, day(), status=status, attempt=1)
    assert sensor.tick() == []


def test_waiting_manifests_of_two_dates_become_one_run_each_todays_first(
    sensor: Sensor, manifests: ManifestTable
) -> None:
    older = [manifests.commit(sequence, day(-1)) for sequence in (1, 2)]
    today = [manifests.commit(1, day())]
    requests = sensor.tick()
    assert [request.partition_key for request in requests] == [day(), day(-1)]
    assert [request.tags[MANIFESTS_TAG] for request in requests] == [
        manifests_tag(today),
        manifests_tag(older),
    ]
    assert {request.tags[ATTEMPT_TAG] for request in requests} == {"1"}
    assert [int(request.tags["dagster/priority"]) for request in requests] == [20, 10]
    assert len({request.run_key for request in requests}) == 2
    assert all(request.run_key for request in requests)


def test_a_tick_repeated_before_its_runs_exist_asks_for_the_same_runs(
    sensor: Sensor, manifests: ManifestTable
) -> None:
    manifests.commit(1, day())
    assert [r.run_key for r in sensor.tick()] == [r.run_key for r in sensor.tick()]


@pytest.mark.parametrize("status", IN_FLIGHT, ids=lambda status: status.value)
def test_a_date_whose_run_has_not_claimed_yet_gets_no_other(
    sensor: Sensor, manifests: ManifestTable, status: dg.DagsterRunStatus
) -> None:
    names = [manifests.commit(sequence, day()) for sequence in (1, 2, 3)]
    run = sensor.note_run(names[:2], status)
    # The run takes what waits when it starts, the third too.
    assert sensor.tick() == []
    sensor.claimed(run, names)
    (request,) = sensor.tick()
    assert request.tags[MANIFESTS_TAG] == manifests_tag(names)


def test_a_queue_never_holds_more_than_one_run_of_a_date(sensor: Sensor, manifests: ManifestTable) -> None:
    for sequence in range(1, 30):
        manifests.commit(sequence, day())
        for request in sensor.tick():
            sensor.launch(request)
    assert sensor.queued() == 1


def test_a_run_that_a_retry_repeats_waits_as_its_former_self_did(
    sensor: Sensor, manifests: ManifestTable
) -> None:
    name = manifests.commit(1, day())
    former = sensor.note_run([name], dg.DagsterRunStatus.FAILURE)
    sensor.claimed(former, [name])
    claimed = sensor.instance.get_run_by_id(former.run_id)
    assert claimed is not None
    # Dagster copies the tags of the run that it launches again.
    sensor.note_run([name], dg.DagsterRunStatus.QUEUED, **claimed.tags)
    assert sensor.tick() == []


def test_a_run_that_began_long_ago_and_claimed_nothing_holds_nothing_up(
    sensor: Sensor, manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = manifests.commit(1, day())
    run = sensor.note_run([name], dg.DagsterRunStatus.STARTING)
    sensor.start(run)
    assert sensor.tick() == []
    later = utc_now() + timedelta(minutes=3)
    monkeypatch.setattr(module, "utc_now", lambda: later)
    assert len(sensor.tick()) == 1


def test_runs_of_persons_and_backfills_count_as_no_waiting_run(
    sensor: Sensor, manifests: ManifestTable
) -> None:
    manifests.commit(1, day())
    create_run_for_test(
        sensor.instance,
        job_name="convert_manifests",
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=ORIGIN,
        tags={"dagster/partition": day(), "dagster/backfill": "b"},
    )
    assert len(sensor.tick()) == 1


@pytest.mark.parametrize("status", ENDED, ids=lambda status: status.value)
def test_manifests_of_a_run_that_ended_without_a_claim_are_asked_for_under_another_key(
    sensor: Sensor, manifests: ManifestTable, status: dg.DagsterRunStatus
) -> None:
    name = manifests.commit(1, day())
    (first,) = sensor.tick()
    sensor.note_run([name], status)
    (second,) = sensor.tick()
    assert second.tags == first.tags
    assert second.run_key != first.run_key


def test_manifests_that_no_run_claims_are_failed_with_the_reason_after_the_last_launch(
    sensor: Sensor, manifests: ManifestTable
) -> None:
    stuck = [manifests.commit(sequence, day(-1)) for sequence in (1, 2)]
    other = manifests.commit(1, day())
    keys = set()
    for _ in range(MAX_LAUNCHES):
        requests = sensor.tick()
        keys |= {request.run_key for request in requests if request.partition_key == day(-1)}
        sensor.note_run(stuck, dg.DagsterRunStatus.FAILURE)
    assert len(keys) == MAX_LAUNCHES
    (request,) = sensor.tick()
    assert request.tags[MANIFESTS_TAG] == manifests_tag([other])
    for name in stuck:
        item = manifests.item(name)
        assert item["status"] == "failed"
        assert f"{MAX_LAUNCHES} runs were launched" in item["error_message"]
    # No run is there to show it.
    assert bar(sensor.instance) == {day(-1): "failed"}
    assert manifests.item(other)["status"] == "pending"
    assert len(sensor.tick()) == 1


def test_tomorrows_manifest_waits_for_its_day(sensor: Sensor, manifests: ManifestTable) -> None:
    tomorrow = manifests.commit(1, day(1))
    assert sensor.tick() == []
    today = manifests.commit(1, day())
    (request,) = sensor.tick()
    assert request.tags[MANIFESTS_TAG] == manifests_tag([today])
    assert manifests.item(tomorrow)["status"] == "pending"


@pytest.mark.parametrize(
    ("date_prefix", "reason"),
    [
        ("2024-12-31", "before the first partition, 2025-01-01"),
        ("2026-13-45", "is no day"),
        (day(2), "further ahead than tomorrow"),
        ("2999-01-01", "further ahead than tomorrow"),
    ],
)
def test_a_manifest_whose_date_can_be_no_partition_is_failed_with_the_reason_and_blocks_nothing(
    sensor: Sensor, manifests: ManifestTable, date_prefix: str, reason: str
) -> None:
    bad, good = manifests.commit(1, date_prefix), manifests.commit(1, day())
    (request,) = sensor.tick()
    assert request.tags[MANIFESTS_TAG] == manifests_tag([good])
    item = manifests.item(bad)
    assert (item["status"], item["attempt"], item.get("retry_at")) == ("failed", 1, None)
    assert reason in item["error_message"]
    # The alert sensor tells of it.
    assert item["alert_pending"] == "sensor:manifest_sensor"


def test_more_such_manifests_than_a_tick_fails_are_failed_by_the_next_ones(
    sensor: Sensor, manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAILED_PER_TICK", 2)
    names = [manifests.commit(sequence, "2024-12-31") for sequence in range(1, 6)]
    failed = []
    for _ in range(4):
        assert sensor.tick() == []
        failed.append(sum(manifests.item(name)["status"] == "failed" for name in names))
    assert failed == [2, 4, 5, 5]


def test_rows_of_other_shapes_do_not_break_a_tick(
    sensor: Sensor, manifests: ManifestTable, caplog: pytest.LogCaptureFixture
) -> None:
    name = manifests.commit(2, day())
    for file_key in ("MANIFEST", "MANIFEST#old.json", f"MANIFEST#{make_name(1, day()).filename}", "a.ndjson"):
        manifests.put_item(date_prefix=day(), file_key=file_key, status="pending", file_count=1)
    (request,) = sensor.tick()
    assert request.tags[MANIFESTS_TAG] == manifests_tag([name])
    assert "MANIFEST#old.json" in caplog.text


def test_a_going_run_with_a_tag_of_another_shape_does_not_break_a_tick(
    sensor: Sensor, manifests: ManifestTable
) -> None:
    name = manifests.commit(1, day(-1))
    manifests.commit(1, day())
    sensor.note_run([name], dg.DagsterRunStatus.STARTED, **{MANIFESTS_TAG: "all of them"})
    assert [request.partition_key for request in sensor.tick()] == [day()]


def test_a_manifest_object_without_a_committed_record_is_never_launched(
    sensor: Sensor, manifests: ManifestTable
) -> None:
    manifests.put_object(make_name(1, day()))
    assert sensor.tick() == []
    committed = manifests.commit(2, day())
    (request,) = sensor.tick()
    assert request.tags[MANIFESTS_TAG] == manifests_tag([committed])


def test_the_attempt_is_one_higher_than_the_records(sensor: Sensor, manifests: ManifestTable) -> None:
    manifests.commit(1, day(), attempt=2)
    (request,) = sensor.tick()
    assert request.tags[ATTEMPT_TAG] == "3"


def test_a_request_can_be_launched_as_a_run_of_its_partition(
    sensor: Sensor, manifests: ManifestTable
) -> None:
    manifests.commit(1, day())
    with dg.build_sensor_context(
        instance=sensor.instance, resources={"pipeline": PipelineResource()}, definitions=shared_defs()
    ) as context:
        data = manifest_sensor.evaluate_tick(context)
    (request,) = data.run_requests
    assert request.tags["dagster/partition"] == day()
    assert request.job_name in (None, "convert_manifests")


def test_what_crashed_is_launched_again_as_the_next_attempt(sensor: Sensor, manifests: ManifestTable) -> None:
    crashed = manifests.commit(1, day(), status="failed", attempt=1, retry_at=f"{day(-1)}T00:00:00.000000Z")
    manifests.commit(2, day(), status="failed", attempt=1)
    (request,) = sensor.tick()
    assert request.tags[MANIFESTS_TAG] == manifests_tag([crashed])
    assert request.tags[ATTEMPT_TAG] == "2"


def steps_of_a_tick(sensor: Sensor) -> int:
    """Return how many steps SQLite takes for a tick, in tens."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    def watch(connection: Any, *_: Any) -> None:
        connection.set_progress_handler(count, 10)

    sqlalchemy.event.listen(sqlalchemy.pool.Pool, "checkout", watch)
    try:
        sensor.tick()
    finally:
        sqlalchemy.event.remove(sqlalchemy.pool.Pool, "checkout", watch)
    return steps


def test_a_tick_asks_dagsters_storage_for_no_more_behind_many_finished_runs(
    manifests: ManifestTable, tmp_path: Path
) -> None:
    prepare_home(tmp_path / "home")
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        sensor = Sensor(instance)
        manifests.commit(1, day())
        going = manifests.commit(2, day())
        sensor.note_run([going], dg.DagsterRunStatus.QUEUED)
        few = steps_of_a_tick(sensor)
        for number in range(300):
            tags = {"dagster/partition": day(-1), MANIFESTS_TAG: f"{number:06d}-00000000", ATTEMPT_TAG: "1"}
            run = dg.DagsterRun("convert_manifests", status=dg.DagsterRunStatus.SUCCESS, tags=tags)
            instance.add_run(run)
        many = steps_of_a_tick(sensor)
    assert few > 0
    # A walk over 300 runs takes more than ten steps for each.
    assert many - few < 100


def test_a_manifest_that_can_not_be_failed_keeps_no_other_from_its_run(
    sensor: Sensor, manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests.commit(1, "2024-12-31")
    good = manifests.commit(1, day())

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("a row that nobody thought of")

    monkeypatch.setattr(ManifestRecordStore, "claim", refuse)
    (request,) = sensor.tick()
    assert request.tags[MANIFESTS_TAG] == manifests_tag([good])
