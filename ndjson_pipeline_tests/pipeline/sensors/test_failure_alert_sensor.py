"""One alert for each failed or canceled run, once SNS accepts it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.test_utils import create_run_for_test

from lambda_ingest.contract.items import to_item
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import manifest_record_key
from ndjson_pipeline.claims.dagster_runs import handed_over_tags
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.retries import FailureKind
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors import failure_alert_sensor as module
from ndjson_pipeline.sensors.failure_alert_sensor import ALERTED_TAG, WILL_RETRY_TAG, failure_alert_sensor
from ndjson_pipeline_tests.pipeline.asset_runner import Runner
from ndjson_pipeline_tests.pipeline.code_location import shared_defs
from ndjson_pipeline_tests.pipeline.harness import FakeGlue, ManifestTable, client_error, day, make_name
from ndjson_pipeline_tests.pipeline.partition_bar import bar


@dataclass
class World:
    """The sensor, with what it published."""

    manifests: ManifestTable
    instance: dg.DagsterInstance
    published: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    cursor: str | None = None

    skip_reason: str = ""
    # Runs whose alert SNS refuses.
    refused: set[str] = field(default_factory=set)

    def publish(self, _sns: Any, topic_arn: str, document: dict[str, Any]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        if document["DagsterRunId"] in self.refused:
            raise client_error("InvalidParameter", "Publish")
        assert topic_arn == "arn:aws:sns:us-east-1:123456789012:ndjson-parquet-alerts-dev"
        self.published.append(json.loads(json.dumps(document)))

    def failed(self, sequence: int, run_id: str, **attributes: Any) -> ManifestName:
        due = {
            "run_id": run_id,
            "attempt": 1,
            "glue_job_run_id": "jr_1",
            "error_message": "the disk is full",
            "failed_time": f"{day()}T00:00:00.000000Z",
            "will_retry": "retry_at" in attributes,
            **{
                name: attributes.pop(name)
                for name in ("glue_job_run_id", "error_message")
                if name in attributes
            },
        }
        return self.manifests.commit(
            sequence,
            day(),
            **{
                "status": "failed",
                "attempt": 1,
                "dagster_run_id": run_id,
                "alert_pending": run_id,
                "alerts_due": [{name: value for name, value in due.items() if value is not None}],
                **attributes,
            },
        )

    def run(self, status: dg.DagsterRunStatus) -> str:
        run = create_run_for_test(
            self.instance, job_name="convert_manifests", status=status, tags={"dagster/partition": day()}
        )
        return run.run_id

    def failed_run(self) -> str:
        """Note a run that fails at an instant of its own, as a run does."""
        run = create_run_for_test(
            self.instance, job_name="convert_manifests", status=dg.DagsterRunStatus.STARTED
        )
        self.instance.report_run_failed(run)
        return run.run_id

    def tick(self) -> None:
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            sensor_name="failure_alert_sensor",
            resources={"pipeline": PipelineResource()},
            definitions=shared_defs(),
        ) as context:
            result = failure_alert_sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        assert result.skip_reason is not None
        self.skip_reason = result.skip_reason.skip_message or ""


@pytest.fixture
def world(
    manifests: ManifestTable, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    built = World(manifests, instance)
    monkeypatch.setattr(module, "publish", built.publish)
    yield built


def test_a_failed_run_is_alerted_once_with_the_documented_fields(world: World) -> None:
    run_id = world.run(dg.DagsterRunStatus.FAILURE)
    name = world.failed(1, run_id)
    path = world.manifests.path(name)
    world.tick()
    world.tick()
    (alert,) = world.published
    timestamp = alert.pop("Timestamp")
    assert timestamp.endswith("Z")
    assert alert == {
        "FunctionError": f"Glue job failed for manifest: {path}",
        "DatePrefix": day(),
        "ManifestPath": path,
        "ManifestPaths": [path],
        "ManifestCount": 1,
        "ManifestsLeftOut": 0,
        "Error": {"Error": "DagsterRunFailed", "Cause": "the disk is full"},
        "WillRetry": False,
        "DagsterRunId": run_id,
        "DagsterRunUrl": None,
        "GlueJobRunId": "jr_1",
        "GlueJobRunIds": ["jr_1"],
        "JobName": "ndjson-parquet-batch-job-dev",
    }
    assert "alert_pending" not in world.manifests.item(name)
    assert world.instance.get_run_by_id(run_id).tags[ALERTED_TAG] == run_id  # type: ignore[union-attr]


def test_all_manifests_of_a_run_are_in_its_one_alert(world: World) -> None:
    run_id = world.run(dg.DagsterRunStatus.FAILURE)
    names = [world.failed(sequence, run_id, retry_at=f"{day(1)}T00:00:00.000000Z") for sequence in (2, 1)]
    world.tick()
    (alert,) = world.published
    assert alert["ManifestPaths"] == [world.manifests.path(name) for name in sorted(names)]
    assert alert["WillRetry"] is True


def test_an_alert_tells_that_dagster_launches_a_crashed_run_again(world: World) -> None:
    run_id = world.run(dg.DagsterRunStatus.FAILURE)
    world.instance.add_run_tags(run_id, {WILL_RETRY_TAG: "true"})
    world.tick()
    (alert,) = world.published
    assert alert["WillRetry"] is True


def test_a_run_that_failed_before_it_claimed_anything_is_alerted(world: World) -> None:
    run_id = world.run(dg.DagsterRunStatus.FAILURE)
    world.tick()
    world.tick()
    (alert,) = world.published
    assert (alert["DagsterRunId"], alert["DatePrefix"], alert["ManifestPath"]) == (run_id, day(), None)


def test_a_canceled_run_is_alerted_as_such(world: World) -> None:
    world.run(dg.DagsterRunStatus.CANCELED)
    world.tick()
    assert world.published[0]["Error"]["Error"] == "DagsterRunCanceled"


CONTRACT = {
    *("FunctionError", "DatePrefix", "ManifestPath", "Error", "Timestamp", "DagsterRunId", "DagsterRunUrl"),
    *("GlueJobRunId", "JobName"),
}
ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("ndjson_pipeline"), "repository"), "convert_manifests"
)


def the_one_alert(world: World, run_id: str) -> dict[str, Any]:
    """Return the only alert after several ticks."""
    for _ in range(3):
        world.tick()
    (alert,) = world.published
    assert set(alert) >= CONTRACT
    assert set(alert["Error"]) == {"Error", "Cause"}
    assert alert["Error"]["Cause"]
    assert (alert["DagsterRunId"], alert["JobName"]) == (run_id, "ndjson-parquet-batch-job-dev")
    return alert


def test_a_run_that_was_canceled_while_queued_is_alerted_once(world: World) -> None:
    run = create_run_for_test(
        world.instance,
        job_name="convert_manifests",
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=ORIGIN,
        tags={"dagster/partition": day()},
    )
    world.tick()
    assert world.published == []
    # What the queue does with a run that nobody has started yet.
    world.instance.report_run_canceled(run)
    alert = the_one_alert(world, run.run_id)
    assert alert["Error"]["Error"] == "DagsterRunCanceled"
    assert (alert["DatePrefix"], alert["ManifestPath"], alert["GlueJobRunId"]) == (day(), None, None)


class BrokenPipeline(dg.ConfigurableResource[None]):
    """A resource that can't be made."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        raise RuntimeError("no credentials")


def test_a_run_that_failed_before_its_step_is_alerted_once(world: World) -> None:
    waiting = world.manifests.commit(1, day())
    job = build_defs(resource_overrides={"pipeline": BrokenPipeline()}).resolve_job_def("convert_manifests")
    result = job.execute_in_process(instance=world.instance, partition_key=day(), raise_on_error=False)
    assert not [event for event in result.all_events if event.is_step_start]
    alert = the_one_alert(world, result.run_id)
    assert alert["Error"]["Error"] == "DagsterRunFailed"
    assert (alert["DatePrefix"], alert["ManifestPath"]) == (day(), None)
    assert world.manifests.item(waiting)["status"] == "pending"


def test_a_run_that_was_canceled_in_the_middle_is_alerted_once_with_its_manifests(
    world: World, runner: Runner
) -> None:
    names = [world.manifests.commit(sequence) for sequence in (1, 2)]
    glue = FakeGlue(["RUNNING"])

    def terminate(_seconds: float) -> None:
        (going,) = world.instance.get_runs()
        world.instance.report_run_canceling(going)
        raise dg.DagsterExecutionInterruptedError

    runner.on_sleep = terminate
    runner.run(glue, names)
    assert glue.stopped == ["jr_1"]
    (run,) = world.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.CANCELED]))
    # A run that only stands for the date's failed manifests makes its partition red, and no alert.
    assert bar(world.instance) == {names[0].date_prefix: "failed"}
    alert = the_one_alert(world, run.run_id)
    assert alert["Error"]["Error"] == "DagsterRunCanceled"
    assert "terminated" in alert["Error"]["Cause"]
    assert alert["ManifestPaths"] == [world.manifests.path(name) for name in names]
    assert (alert["DatePrefix"], alert["GlueJobRunId"]) == (names[0].date_prefix, "jr_1")
    assert alert["WillRetry"] is False


@pytest.mark.parametrize("job_name", ["sweep_now", "reprocess_failed_manifests", "audit_input_listing"])
def test_a_job_of_an_operator_that_failed_is_no_failure_of_glue(world: World, job_name: str) -> None:
    create_run_for_test(world.instance, job_name=job_name, status=dg.DagsterRunStatus.FAILURE)
    world.tick()
    assert world.published == []


@pytest.mark.parametrize(
    ("job_name", "selection", "is_alerted"),
    [
        ("convert_manifests", None, True),
        # What the asset's page and a backfill launch.
        ("__ASSET_JOB", {dg.AssetKey("merged_parquet")}, True),
        ("__ASSET_JOB", None, True),
        ("__ASSET_JOB", {dg.AssetKey("another_asset")}, False),
        ("another_job", None, False),
    ],
)
def test_a_failed_run_is_alerted_where_it_was_for_the_parquet(
    world: World, job_name: str, selection: set[dg.AssetKey] | None, is_alerted: bool
) -> None:
    create_run_for_test(
        world.instance,
        job_name=job_name,
        status=dg.DagsterRunStatus.FAILURE,
        asset_selection=None if selection is None else frozenset(selection),
    )
    world.tick()
    assert len(world.published) == is_alerted


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.STARTED])
def test_other_runs_are_not_alerted(world: World, status: dg.DagsterRunStatus) -> None:
    world.run(status)
    world.tick()
    assert world.published == []


def test_a_run_that_still_writes_how_its_manifests_ended_is_waited_for(world: World) -> None:
    run_id = world.run(dg.DagsterRunStatus.STARTED)
    world.failed(1, run_id)
    world.tick()
    assert world.published == []


def test_a_failure_outlives_dagsters_storage(world: World) -> None:
    name = world.failed(1, "a-run-of-another-storage")
    world.tick()
    world.tick()
    (alert,) = world.published
    assert alert["Error"]["Cause"] == "the disk is full"
    assert "alert_pending" not in world.manifests.item(name)


def test_what_a_sensor_failed_is_alerted_as_never_launched_and_without_a_link(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NDJSON_DAGSTER_URL", "https://dagster.example.com")
    world.failed(1, "sensor:manifest_sensor", glue_job_run_id=None)
    world.tick()
    world.tick()
    (alert,) = world.published
    assert alert["Error"] == {"Error": "ManifestNotLaunched", "Cause": "the disk is full"}
    assert (alert["DagsterRunUrl"], alert["GlueJobRunId"]) == (None, None)


def test_an_alert_that_sns_refused_stays_due(world: World) -> None:
    run_id = world.run(dg.DagsterRunStatus.FAILURE)
    name = world.failed(1, run_id)
    world.errors = [client_error("InternalError", "Publish")]
    world.tick()
    assert world.published == []
    assert world.manifests.item(name)["alert_pending"] == run_id
    world.tick()
    assert len(world.published) == 1
    world.tick()
    assert len(world.published) == 1


@pytest.mark.parametrize("has_manifests", [True, False])
def test_an_alert_that_sns_never_takes_holds_up_no_other_and_is_tried_again(
    world: World, has_manifests: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [world.failed_run() for _ in range(4)]
    world.refused = {runs[1]}
    if has_manifests:
        for sequence, run_id in enumerate(runs, start=1):
            world.failed(sequence, run_id)
    for _ in range(2):
        world.tick()
        assert {alert["DagsterRunId"] for alert in world.published} == set(runs) - world.refused
        assert len(world.published) == 3
        assert f"Could not alert, and try again, 1 runs: {runs[1]}" in world.skip_reason
    # However far the look at Dagster's runs goes on meanwhile.
    later = [world.failed_run() for _ in range(2)]
    monkeypatch.setattr(module, "RUNS_PER_TICK", 2)
    monkeypatch.setattr(module, "SETTLE_TIME", timedelta(0))
    for _ in range(6):
        world.tick()
    assert {alert["DagsterRunId"] for alert in world.published} == {*runs, *later} - world.refused
    world.refused = set()
    world.tick()
    world.tick()
    assert len(world.published) == 6
    assert world.published[-1]["DagsterRunId"] == runs[1]


def test_no_more_runs_are_looked_for_than_can_be_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNSENT", 2)
    monkeypatch.setattr(module, "RUNS_PER_TICK", 1)
    monkeypatch.setattr(module, "SETTLE_TIME", timedelta(0))
    runs = [world.failed_run() for _ in range(5)]
    world.refused = set(runs)
    for _ in range(6):
        world.tick()
    assert len(json.loads(world.cursor or "")["unsent"]) == 2
    world.refused = set()
    for _ in range(8):
        world.tick()
    assert sorted(alert["DagsterRunId"] for alert in world.published) == sorted(runs)


def test_what_is_left_when_the_time_of_a_tick_is_over_comes_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [world.run(dg.DagsterRunStatus.FAILURE) for _ in range(2)]
    world.failed(1, runs[0])
    monkeypatch.setattr(module, "SECONDS_PER_TICK", -1.0)
    world.tick()
    assert world.published == []
    monkeypatch.setattr(module, "SECONDS_PER_TICK", 30.0)
    world.tick()
    assert {alert["DagsterRunId"] for alert in world.published} == set(runs)


def test_a_note_that_can_not_be_written_leaves_the_other_manifests_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [world.failed(sequence, "a-run-of-another-storage") for sequence in (1, 2, 3)]
    original = ManifestRecordStore.alerted

    def alerted(self: ManifestRecordStore, record: ManifestRecord, *values: Any) -> None:
        if record.name == names[0]:
            raise client_error("ProvisionedThroughputExceededException", "UpdateItem")
        original(self, record, *values)

    monkeypatch.setattr(ManifestRecordStore, "alerted", alerted)
    world.tick()
    assert ["alerts_due" in world.manifests.item(name) for name in names] == [True, False, False]


def test_a_failure_that_was_retried_before_it_was_alerted_is_alerted_with_its_run_and_its_manifest(
    world: World,
) -> None:
    store = world.manifests.store()
    name = world.manifests.commit(1, day())
    runs = [world.run(dg.DagsterRunStatus.FAILURE) for _ in range(2)]
    for number, run_id in enumerate(runs, start=1):
        record = store.read(name)
        assert record is not None
        claim = store.claim(record, run_id, Move.RETRY)
        assert claim is not None
        store.fail(claim, f"reason {number}", FailureKind.CRASHED, glue_job_run_id=f"jr_{number}")
    record = store.read(name)
    assert record is not None
    claim = store.claim(record, world.run(dg.DagsterRunStatus.STARTED), Move.RETRY)
    assert claim is not None
    world.tick()
    by_run = {alert["DagsterRunId"]: alert for alert in world.published}
    assert set(by_run) == set(runs)
    for number, run_id in enumerate(runs, start=1):
        alert = by_run[run_id]
        assert (alert["ManifestPath"], alert["GlueJobRunId"]) == (world.manifests.path(name), f"jr_{number}")
        assert alert["Error"]["Cause"] == f"reason {number}"
        assert alert["WillRetry"] is True
    assert not {"alerts_due", "alert_pending"} & set(world.manifests.item(name))
    store.complete(claim, None)
    world.tick()
    assert len(world.published) == 2


def test_a_run_that_is_executed_again_is_alerted_itself(world: World) -> None:
    first = world.run(dg.DagsterRunStatus.FAILURE)
    world.tick()
    tags = world.instance.get_run_by_id(first).tags  # type: ignore[union-attr]
    again = create_run_for_test(
        world.instance,
        job_name="convert_manifests",
        status=dg.DagsterRunStatus.FAILURE,
        tags={**tags, "dagster/parent_run_id": first, "dagster/root_run_id": first},
    )
    world.tick()
    world.tick()
    assert [alert["DagsterRunId"] for alert in world.published] == [first, again.run_id]


def test_a_run_that_a_deployment_interrupted_is_no_alert_and_its_manifests_failures_are(world: World) -> None:
    quiet, with_a_failure = (world.run(dg.DagsterRunStatus.FAILURE) for _ in range(2))
    for run_id in (quiet, with_a_failure):
        world.instance.add_run_tags(run_id, handed_over_tags(run_id))
    world.failed(1, with_a_failure)
    world.tick()
    assert [alert["DagsterRunId"] for alert in world.published] == [with_a_failure]


def test_a_tick_says_what_it_did(world: World) -> None:
    world.tick()
    assert world.skip_reason == "No failure to alert"
    run_id = world.run(dg.DagsterRunStatus.FAILURE)
    world.tick()
    assert world.skip_reason == f"Alerted 1 runs: {run_id}"


def test_more_than_a_tick_reads_is_read_by_the_next_ones(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECORDS_PER_TICK", 2)
    names = [world.failed(sequence, f"run-{sequence}") for sequence in range(1, 6)]
    # What is refused fills a page, and stays.
    world.refused = {"run-1", "run-2"}
    for _ in range(4):
        world.tick()
    assert {alert["DagsterRunId"] for alert in world.published} == {"run-3", "run-4", "run-5"}
    assert {name.sequence for name in names if "alerts_due" in world.manifests.item(name)} == {1, 2}


def test_4000_settled_failures_cost_a_tick_nothing(world: World) -> None:
    deployment = world.manifests.deployment
    settled = {"status": "failed", "attempt": 3, "failed_date": day(), "file_count": 1, "crashes": 3}
    items = [
        to_item(
            {
                "date_prefix": day(),
                "file_key": manifest_record_key(make_name(sequence, day()).filename),
                "manifest_path": world.manifests.path(make_name(sequence, day())),
                **settled,
            }
        )
        for sequence in range(1, 4001)
    ]
    for start in range(0, len(items), 25):
        requests: Any = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        deployment.dynamodb.batch_write_item(RequestItems={deployment.names.tracking_table: requests})
    scanned: list[int] = []

    def note(parsed: dict[str, Any], **_: Any) -> None:
        scanned.append(parsed.get("ScannedCount", 1))

    events = deployment.dynamodb.meta.events
    events.register("after-call.dynamodb", note)
    try:
        world.tick()
    finally:
        events.unregister("after-call.dynamodb", note)
    assert scanned == [0]


def test_a_later_failure_of_the_same_manifest_is_alerted_too(world: World) -> None:
    first = world.run(dg.DagsterRunStatus.FAILURE)
    world.failed(1, first)
    world.tick()
    second = world.run(dg.DagsterRunStatus.FAILURE)
    world.failed(1, second, attempt=2)
    world.tick()
    assert [alert["DagsterRunId"] for alert in world.published] == [first, second]


def test_a_link_leads_to_the_run_where_the_address_is_known(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NDJSON_DAGSTER_URL", "https://dagster.example.com/")
    run_id = world.run(dg.DagsterRunStatus.FAILURE)
    world.tick()
    assert world.published[0]["DagsterRunUrl"] == f"https://dagster.example.com/runs/{run_id}"
