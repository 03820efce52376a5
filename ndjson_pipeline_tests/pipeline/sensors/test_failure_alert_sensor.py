"""One alert for each failed or canceled run, once SNS accepts it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.test_utils import create_run_for_test

from lambda_ingest.contract.keys import ManifestName
from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors import failure_alert_sensor as module
from ndjson_pipeline.sensors.failure_alert_sensor import ALERTED_TAG, WILL_RETRY_TAG, failure_alert_sensor
from ndjson_pipeline_tests.pipeline.asset_runner import Runner
from ndjson_pipeline_tests.pipeline.harness import FakeGlue, ManifestTable, client_error, day
from ndjson_pipeline_tests.pipeline.partition_bar import bar


@dataclass
class World:
    """The sensor, with what it published."""

    manifests: ManifestTable
    instance: dg.DagsterInstance
    published: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    cursor: str | None = None

    def publish(self, _sns: Any, topic_arn: str, document: dict[str, Any]) -> None:
        if self.errors:
            raise self.errors.pop(0)
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

    def tick(self) -> None:
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            sensor_name="failure_alert_sensor",
            resources={"pipeline": PipelineResource()},
            definitions=build_defs(),
        ) as context:
            result = failure_alert_sensor(context)
        if isinstance(result, dg.SensorResult):
            self.cursor = result.cursor


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
        "Error": {"Error": "DagsterRunFailed", "Cause": "the disk is full"},
        "WillRetry": False,
        "DagsterRunId": run_id,
        "DagsterRunUrl": None,
        "GlueJobRunId": "jr_1",
        "JobName": "ndjson-parquet-batch-job-dev",
    }
    assert "alert_pending" not in world.manifests.item(name)
    assert ALERTED_TAG in world.instance.get_run_by_id(run_id).tags  # type: ignore[union-attr]


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
    with pytest.raises(Exception, match="InternalError"):
        world.tick()
    assert world.manifests.item(name)["alert_pending"] == run_id
    world.tick()
    assert len(world.published) == 1


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
