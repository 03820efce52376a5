"""Manifests whose run is gone are settled by asking Glue."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from glue_jobs.reporting.seal import sealed, unsealed
from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.keys import ManifestName
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.glue import reported
from ndjson_pipeline.glue.messages import messages_prefix, read_custom_messages
from ndjson_pipeline.glue.reconciliation import ReconcileRules
from ndjson_pipeline.glue.runs import ATTEMPTS_ARGUMENT, IDENTITY_ARGUMENT, NONCE_ARGUMENT
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors import reconcile_sensor as module
from ndjson_pipeline.sensors.reconcile_sensor import reconcile_sensor
from ndjson_pipeline_tests.pipeline.code_location import shared_defs
from ndjson_pipeline_tests.pipeline.harness import (
    NONCE,
    ManifestTable,
    client_error,
    day,
    glue_report_document,
    outcome,
    write_outputs,
)
from ndjson_pipeline_tests.pipeline.partition_bar import bar


class GlueRunsSeen:
    """A Glue client that shows the runs it is given, newest last."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.stopped: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.looks: list[str] = []

    def show(self, run_id: str, state: str, *, ended_minutes: float = 5, **arguments: str) -> None:
        now = utc_now()
        self.runs[run_id] = {
            "Id": run_id,
            "JobName": "job",
            "JobRunState": state,
            "StartedOn": now - timedelta(minutes=30),
            "CompletedOn": now - timedelta(minutes=ended_minutes),
            "Arguments": {
                NONCE_ARGUMENT: NONCE,
                **{f"--{name}": value for name, value in arguments.items()},
            },
        }

    def get_job_run(self, *, JobName: str, RunId: str) -> dict[str, Any]:  # noqa: N803
        self.looks.append(RunId)
        if RunId in self.errors:
            raise self.errors[RunId]
        if RunId not in self.runs:
            raise client_error("EntityNotFoundException", "GetJobRun")
        return {"JobRun": self.runs[RunId]}

    def get_paginator(self, _: str) -> "GlueRunsSeen":
        return self

    def paginate(self, *, JobName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        self.looks.append("list")
        yield {"JobRuns": list(self.runs.values())[::-1]}

    def batch_stop_job_run(self, *, JobName: str, JobRunIds: list[str]) -> dict[str, Any]:  # noqa: N803
        self.stopped += JobRunIds
        return {"Errors": []}


@dataclass
class World:
    """The sensor, with what it sees."""

    manifests: ManifestTable
    instance: dg.DagsterInstance
    glue: GlueRunsSeen
    cursor: str | None = None
    skip_reason: str | None = None

    def processing(
        self, sequence: int, run_id: str, *, minutes: float = 30, **attributes: Any
    ) -> ManifestName:
        return self.manifests.commit(
            sequence,
            day(),
            **{
                "status": "processing",
                "attempt": 1,
                "dagster_run_id": run_id,
                "processing_start_time": utc_timestamp(utc_now() - timedelta(minutes=minutes)),
                **attributes,
            },
        )

    def run(self, status: dg.DagsterRunStatus) -> str:
        return create_run_for_test(self.instance, job_name="convert_manifests", status=status).run_id

    def report(self, identity: str, *names: ManifestName, error: str | None = None) -> None:
        """Lay down what the Glue script sent before its reader died."""
        document = glue_report_document(*(outcome(self.manifests.path(name), error=error) for name in names))
        document["job_info"]["job_run_id"] = None
        write_outputs(self.manifests.deployment.s3, document)
        payload = {"kind": "glue_report", "report_uri": "s3://m/logs/glue/r.json", "report": document}
        line = json.dumps({"method": "report_custom_message", "params": {"payload": payload}})
        self.manifests.deployment.s3.put_object(
            Bucket=self.manifests.deployment.names.manifest_bucket,
            Key=f"{messages_prefix(identity)}/1.json",
            Body=sealed(line.encode(), NONCE, 1),
        )

    def tick(self) -> list[Any]:
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            sensor_name="reconcile_sensor",
            resources={"pipeline": PipelineResource()},
            definitions=shared_defs(),
        ) as context:
            result = reconcile_sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        self.skip_reason = result.skip_reason.skip_message if result.skip_reason else None
        return list(result.asset_events)


@pytest.fixture
def world(manifests: ManifestTable, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> World:
    glue = GlueRunsSeen()
    # A deployment is frozen; only the client that the resource hands on is another.
    original = PipelineResource.glue_runs

    def glue_runs(self: PipelineResource, log: Any) -> Any:
        runs = original(self, log)
        runs._glue = glue
        return runs

    monkeypatch.setattr(PipelineResource, "glue_runs", glue_runs)
    return World(manifests, instance, glue)


def test_what_a_glue_run_reported_is_read_once_however_many_manifests_it_had(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = world.run(dg.DagsterRunStatus.FAILURE)
    names = [world.processing(sequence, run_id, glue_job_run_id="jr_1") for sequence in range(1, 6)]
    world.glue.show("jr_1", "SUCCEEDED", RUN_IDENTITY="identity")
    world.report("identity", *names)
    reads: list[str] = []
    monkeypatch.setattr(
        reported,
        "read_custom_messages",
        lambda s3, bucket, identity, nonce: (
            reads.append(identity) or read_custom_messages(s3, bucket, identity, nonce)
        ),
    )
    (event,) = world.tick()
    assert event.metadata["records_processed"].value == 35
    assert reads == ["identity"]


def test_a_run_that_was_killed_after_glue_succeeded_is_completed_with_its_numbers(world: World) -> None:
    run_id = world.run(dg.DagsterRunStatus.STARTED)
    name = world.processing(1, run_id, glue_job_run_id="jr_1")
    world.glue.show("jr_1", "SUCCEEDED", RUN_IDENTITY="identity")
    world.report("identity", name)
    (event,) = world.tick()
    item = world.manifests.item(name)
    assert (item["status"], item["records_processed"], item["attempt"]) == ("completed", 7, 1)
    assert event.partition == day()
    assert event.metadata["records_processed"].value == 7
    run = world.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert world.tick() == []


def test_manifests_of_one_glue_run_are_one_materialization_whose_time_counts_once(world: World) -> None:
    names = [world.processing(sequence, "unknown-run", glue_job_run_id="jr_1") for sequence in (1, 2)]
    other = world.processing(3, "unknown-run", glue_job_run_id="jr_2")
    for run_id, held in (("jr_1", names), ("jr_2", [other])):
        world.glue.show(run_id, "SUCCEEDED", RUN_IDENTITY=run_id)
        world.glue.runs[run_id] |= {"ExecutionTime": 90, "WorkerType": "G.1X", "NumberOfWorkers": 2}
        world.report(run_id, *held)
    first, second = world.tick()
    numbers = [
        tuple(
            event.metadata[f"run_{key}"].value for key in ("manifests_completed", "records_read", "dpu_hours")
        )
        for event in (first, second)
    ]
    assert numbers == [(2, 16, 0.05), (1, 8, 0.05)]
    assert first.metadata["run_cost_usd"].value == pytest.approx(0.05 * 0.44)
    # The date's own numbers are the same in both.
    for event in (first, second):
        assert (event.metadata["manifests_completed"].value, event.metadata["records_read"].value) == (3, 24)
        assert (event.metadata["glue_runs"].value, event.metadata["dpu_hours"].value) == (2, 0.1)
    assert first.metadata["settled_by"].value == "reconcile_sensor"
    assert first.metadata["glue_job_run_ids"].value == "jr_1"


def test_a_date_that_has_failed_manifests_is_observed_and_shown_as_failed(world: World) -> None:
    run_id = world.run(dg.DagsterRunStatus.STARTED)
    names = [world.processing(sequence, run_id, glue_job_run_id=f"jr_{sequence}") for sequence in (1, 2)]
    for sequence, error in ((1, "a file is gone"), (2, None)):
        world.glue.show(f"jr_{sequence}", "FAILED" if error else "SUCCEEDED", RUN_IDENTITY=f"jr_{sequence}")
        world.report(f"jr_{sequence}", names[sequence - 1], error=error)
    (event,) = world.tick()
    assert isinstance(event, dg.AssetObservation)
    numbers = [event.metadata[key].value for key in ("manifests_completed", "manifests_failed")]
    assert (event.partition, numbers) == (day(), [1, 1])
    assert bar(world.instance) == {day(): "failed"}


def test_the_last_failed_manifest_that_is_mended_materializes_its_date(world: World) -> None:
    failed = world.processing(1, world.run(dg.DagsterRunStatus.FAILURE))
    assert world.tick() == []
    assert world.manifests.item(failed)["status"] == "failed"
    assert bar(world.instance) == {day(): "failed"}
    record = world.manifests.store().read(failed)
    assert record is not None
    world.manifests.store().claim(record, "unknown-run", Move.RETRY)
    item = world.manifests.item(failed)
    world.manifests.put_item(
        **{
            **item,
            "glue_job_run_id": "jr_1",
            "processing_start_time": utc_timestamp(utc_now() - timedelta(minutes=30)),
        }
    )
    world.glue.show("jr_1", "SUCCEEDED", RUN_IDENTITY="identity")
    world.report("identity", failed)
    (event,) = world.tick()
    assert isinstance(event, dg.AssetMaterialization)
    world.instance.report_runless_asset_event(event)
    assert bar(world.instance) == {day(): "materialized"}


def test_without_a_report_glues_state_counts(world: World) -> None:
    name = world.processing(1, "unknown-run", glue_job_run_id="jr_1")
    world.glue.show("jr_1", "SUCCEEDED")
    assert len(world.tick()) == 1
    assert world.manifests.item(name)["status"] == "completed"


def test_a_failed_glue_run_that_reported_is_failed_without_a_retry(world: World) -> None:
    name = world.processing(1, world.run(dg.DagsterRunStatus.FAILURE), glue_job_run_id="jr_1")
    world.glue.show("jr_1", "FAILED", RUN_IDENTITY="identity")
    world.report("identity", name, error="a file is gone")
    assert world.tick() == []
    item = world.manifests.item(name)
    assert (item["status"], item["error_message"], item.get("retry_at")) == ("failed", "a file is gone", None)


def test_a_glue_run_that_died_without_a_word_is_tried_again(world: World) -> None:
    name = world.processing(1, world.run(dg.DagsterRunStatus.FAILURE), glue_job_run_id="jr_1")
    world.glue.show("jr_1", "FAILED")
    world.tick()
    item = world.manifests.item(name)
    assert (item["status"], "retry_at" in item) == ("failed", True)
    assert item["alert_pending"] == item["dagster_run_id"]


def test_the_last_attempt_is_not_tried_again(world: World) -> None:
    name = world.processing(
        1, world.run(dg.DagsterRunStatus.FAILURE), glue_job_run_id="jr_1", attempt=3, crashes=2
    )
    world.glue.show("jr_1", "FAILED")
    world.tick()
    assert "retry_at" not in world.manifests.item(name)


def test_a_run_that_died_before_it_stored_its_glue_run_is_found_by_the_attempt(world: World) -> None:
    name = world.processing(1, "unknown-run")
    world.glue.show("jr_other", "SUCCEEDED", MANIFEST_ATTEMPTS=f"{name.filename}@2")
    world.glue.show("jr_1", "SUCCEEDED", MANIFEST_ATTEMPTS=f"manifest-x.json@1,{name.filename}@1")
    world.tick()
    assert world.manifests.item(name)["status"] == "completed"
    assert {IDENTITY_ARGUMENT, ATTEMPTS_ARGUMENT} == {"--RUN_IDENTITY", "--MANIFEST_ATTEMPTS"}


def test_a_run_that_died_before_it_started_glue_is_tried_again(world: World) -> None:
    name = world.processing(1, world.run(dg.DagsterRunStatus.CANCELED))
    world.tick()
    item = world.manifests.item(name)
    assert (item["status"], "retry_at" in item) == ("failed", True)
    assert "left no Glue run" in item["error_message"]


def test_what_is_being_worked_on_is_left_alone(world: World) -> None:
    live = world.processing(1, world.run(dg.DagsterRunStatus.STARTED), glue_job_run_id="jr_1")
    orphan = world.processing(2, "unknown-run", glue_job_run_id="jr_1")
    fresh = world.processing(3, "unknown-run", minutes=0)
    world.glue.show("jr_1", "RUNNING")
    assert world.tick() == []
    assert {world.manifests.item(name)["status"] for name in (live, orphan, fresh)} == {"processing"}
    assert world.glue.stopped == []


def test_a_glue_run_past_its_deadline_is_stopped(world: World) -> None:
    name = world.processing(1, "unknown-run", glue_job_run_id="jr_1")
    world.glue.show("jr_1", "RUNNING")
    world.glue.runs["jr_1"]["StartedOn"] = utc_now() - timedelta(hours=4)
    world.tick()
    assert world.glue.stopped == ["jr_1"]
    assert world.manifests.item(name)["status"] == "processing"


def test_a_record_that_glue_will_not_tell_of_leaves_the_others_alone(world: World) -> None:
    busy = world.processing(1, "unknown-run", glue_job_run_id="jr_1")
    denied = world.processing(2, "unknown-run", glue_job_run_id="jr_2")
    settled = world.processing(3, "unknown-run", glue_job_run_id="jr_3")
    world.glue.errors = {
        "jr_1": client_error("ThrottlingException", "GetJobRun"),
        "jr_2": client_error("AccessDeniedException", "GetJobRun"),
    }
    world.glue.show("jr_3", "SUCCEEDED")
    world.tick()
    statuses = [world.manifests.item(name)["status"] for name in (busy, denied, settled)]
    assert statuses == ["processing", "processing", "completed"]


def test_a_started_run_that_holds_nothing_for_long_is_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = world.run(dg.DagsterRunStatus.STARTED)
    world.tick()
    assert world.instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.STARTED  # type: ignore[union-attr]
    later = utc_now() + ReconcileRules().idle_run + timedelta(minutes=1)
    monkeypatch.setattr(module, "utc_now", lambda: later)
    world.tick()
    world.tick()
    assert world.instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]


def test_a_run_that_holds_nothing_for_a_moment_between_two_dates_is_not_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = world.run(dg.DagsterRunStatus.STARTED)
    later = utc_now() + ReconcileRules().idle_run + timedelta(minutes=1)
    monkeypatch.setattr(module, "utc_now", lambda: later)
    world.glue.show("jr_1", "RUNNING")
    world.tick()
    name = world.processing(1, run_id, glue_job_run_id="jr_1")
    world.tick()
    world.manifests.commit(1, day(), status="completed", attempt=1, dagster_run_id=run_id)
    world.tick()
    run = world.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.STARTED, name


def test_a_job_of_an_operator_is_not_ended_however_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run_for_test(world.instance, job_name="sweep_now", status=dg.DagsterRunStatus.STARTED)
    later = utc_now() + ReconcileRules().idle_run + timedelta(minutes=1)
    monkeypatch.setattr(module, "utc_now", lambda: later)
    world.tick()
    world.tick()
    found = world.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.STARTED


def test_a_started_run_that_holds_a_manifest_is_left_alone_however_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = world.run(dg.DagsterRunStatus.STARTED)
    world.processing(1, run_id, glue_job_run_id="jr_1")
    world.glue.show("jr_1", "RUNNING")
    later = utc_now() + ReconcileRules().idle_run + timedelta(minutes=1)
    monkeypatch.setattr(module, "utc_now", lambda: later)
    world.tick()
    assert world.instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.STARTED  # type: ignore[union-attr]


def test_glue_is_asked_once_a_run_and_once_for_all_without_an_id(world: World) -> None:
    world.glue.show("jr_1", "RUNNING")
    world.glue.errors = {"jr_2": client_error("ThrottlingException", "GetJobRun")}
    for sequence in range(1, 31):
        run = {0: "jr_1", 1: "jr_2"}.get(sequence % 3)
        world.processing(sequence, "unknown-run", **({"glue_job_run_id": run} if run else {}))
    world.tick()
    assert sorted(world.glue.looks) == ["jr_1", "jr_2", "list"]


def test_dagster_is_asked_once_a_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = world.run(dg.DagsterRunStatus.FAILURE)
    for sequence in range(1, 11):
        world.processing(sequence, run_id, glue_job_run_id="jr_1")
    world.glue.show("jr_1", "SUCCEEDED")
    asked: list[str] = []
    original = dg.DagsterInstance.get_run_by_id

    def get_run_by_id(self: dg.DagsterInstance, run_id: str) -> dg.DagsterRun | None:
        asked.append(run_id)
        return original(self, run_id)

    monkeypatch.setattr(dg.DagsterInstance, "get_run_by_id", get_run_by_id)
    world.tick()
    assert asked == [run_id]


@pytest.mark.parametrize("garbage", [b"{", b"\xff\xfe", b"[]", b"7", b'{"method": "report_custom_message"}'])
def test_a_line_that_is_no_message_harms_no_other(
    world: World, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    name = world.processing(1, "unknown-run", glue_job_run_id="jr_1")
    world.glue.show("jr_1", "SUCCEEDED", RUN_IDENTITY="identity")
    world.report("identity", name)
    s3, bucket = world.manifests.deployment.s3, world.manifests.deployment.names.manifest_bucket
    key = f"{messages_prefix('identity')}/1.json"
    line = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    content = unsealed(line, NONCE, 1)
    assert content is not None
    s3.put_object(Bucket=bucket, Key=key, Body=sealed(b"\n".join([garbage, content, garbage]), NONCE, 1))
    (event,) = world.tick()
    assert event.metadata["records_processed"].value == 7
    assert key in caplog.text


def test_messages_that_can_not_be_read_leave_the_other_runs_alone_and_are_read_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = [world.processing(sequence, "unknown-run", glue_job_run_id="jr_1") for sequence in (1, 2, 3)]
    settled = world.processing(4, "unknown-run", glue_job_run_id="jr_2")
    for run_id in ("jr_1", "jr_2"):
        world.glue.show(run_id, "SUCCEEDED", RUN_IDENTITY=run_id)
    world.report("jr_2", settled)
    reads: list[str] = []

    def read(s3: Any, bucket: str, identity: str, nonce: str) -> Any:
        reads.append(identity)
        if identity == "jr_1":
            raise client_error("AccessDenied", "GetObject")
        return read_custom_messages(s3, bucket, identity, nonce)

    monkeypatch.setattr(reported, "read_custom_messages", read)
    world.tick()
    assert {world.manifests.item(name)["status"] for name in denied} == {"processing"}
    assert world.manifests.item(settled)["status"] == "completed"
    assert sorted(reads) == ["jr_1", "jr_2"]
    assert "could not settle 3 manifests" in (world.skip_reason or "")


@pytest.mark.parametrize(
    "error", [client_error("ProvisionedThroughputExceededException"), RuntimeError("bug")]
)
def test_a_record_whose_end_can_not_be_written_leaves_the_others_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    names = [world.processing(sequence, "unknown-run", glue_job_run_id="jr_1") for sequence in (1, 2, 3)]
    world.glue.show("jr_1", "SUCCEEDED")
    original = ManifestRecordStore.complete

    def complete(self: ManifestRecordStore, claim: Claim, *values: Any) -> Any:
        if claim.record.name == names[1]:
            raise error
        return original(self, claim, *values)

    monkeypatch.setattr(ManifestRecordStore, "complete", complete)
    world.tick()
    assert [world.manifests.item(name)["status"] for name in names] == [
        "completed",
        "processing",
        "completed",
    ]


def test_a_record_with_a_time_of_another_shape_leaves_the_others_alone(world: World) -> None:
    strange = world.processing(1, "unknown-run", glue_job_run_id="jr_1", processing_start_time="noon")
    settled = world.processing(2, "unknown-run", glue_job_run_id="jr_1")
    world.glue.show("jr_1", "SUCCEEDED")
    world.tick()
    statuses = [world.manifests.item(name)["status"] for name in (strange, settled)]
    assert statuses == ["processing", "completed"]


def test_what_is_left_when_the_time_of_a_tick_is_over_comes_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sequence in (1, 2):
        world.processing(sequence, "unknown-run", glue_job_run_id="jr_1")
    world.glue.show("jr_1", "SUCCEEDED")
    monkeypatch.setattr(module, "SECONDS_PER_TICK", -1.0)
    assert world.tick() == []
    assert "could not settle 2 manifests" in (world.skip_reason or "")


def test_a_crash_of_several_leaves_the_size_of_the_next_groups(world: World) -> None:
    run_id = world.run(dg.DagsterRunStatus.FAILURE)
    names = [world.processing(sequence, run_id, glue_job_run_id="jr_1") for sequence in range(1, 4)]
    # The run had more manifests than are left to settle.
    attempts = ",".join(f"manifest-{number}.json@1" for number in range(60))
    world.glue.show("jr_1", "FAILED", MANIFEST_ATTEMPTS=attempts)
    world.tick()
    assert {int(world.manifests.item(name)["group_size"]) for name in names} == {3}
    assert "settled 3 manifests as failed" in (world.skip_reason or "")


def test_a_tick_says_what_it_did(world: World) -> None:
    world.tick()
    assert world.skip_reason == "0 manifests are being converted; none was left behind"
    run_id = world.run(dg.DagsterRunStatus.STARTED)
    world.processing(1, run_id, glue_job_run_id="jr_1")
    world.processing(2, "unknown-run", glue_job_run_id="jr_2")
    world.glue.show("jr_1", "SUCCEEDED")
    world.glue.show("jr_2", "RUNNING")
    world.glue.runs["jr_2"]["StartedOn"] = utc_now() - timedelta(hours=4)
    world.tick()
    assert world.skip_reason == (
        "Of 2 manifests in work: settled 1 manifests as completed, told 1 Glue runs to stop, ended 1 runs "
        "without a process"
    )


def test_a_run_is_not_ended_for_holding_nothing_where_not_all_was_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = world.run(dg.DagsterRunStatus.STARTED)
    world.processing(1, "unknown-run", glue_job_run_id="jr_1")
    world.glue.show("jr_1", "RUNNING")
    later = utc_now() + ReconcileRules().idle_run + timedelta(minutes=1)
    monkeypatch.setattr(module, "utc_now", lambda: later)
    monkeypatch.setattr(module, "RECORDS_PER_TICK", 1)
    world.tick()
    world.tick()
    assert world.instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.STARTED  # type: ignore[union-attr]


def test_a_message_that_the_run_did_not_seal_completes_nothing_and_stops_no_other(world: World) -> None:
    """Whoever can write the bucket can write below a run's identity, which follows from its manifests."""
    forged, garbage, genuine = (
        world.processing(sequence, "unknown-run", glue_job_run_id=f"jr_{sequence}") for sequence in (1, 2, 3)
    )
    for number, state in ((1, "FAILED"), (2, "FAILED"), (3, "FAILED")):
        world.glue.show(f"jr_{number}", state, RUN_IDENTITY=f"identity-{number}")
    world.report("identity-1", forged)
    s3, bucket = world.manifests.deployment.s3, world.manifests.deployment.names.manifest_bucket
    sealed_chunk = s3.get_object(Bucket=bucket, Key=f"{messages_prefix('identity-1')}/1.json")["Body"].read()
    content = sealed_chunk.rpartition(b"\n")[0]
    s3.put_object(
        Bucket=bucket, Key=f"{messages_prefix('identity-1')}/1.json", Body=sealed(content, "b" * 64, 1)
    )
    s3.put_object(Bucket=bucket, Key=f"{messages_prefix('identity-2')}/1.json", Body=b"\xff\x00[" * 10_000)
    world.report("identity-3", genuine)
    world.tick()
    found = [world.manifests.item(name)["status"] for name in (forged, garbage, genuine)]
    assert found == ["failed", "failed", "completed"]


def test_a_record_whose_attempt_is_none_stops_no_other(world: World) -> None:
    other = world.processing(2, "unknown-run")
    odd = world.processing(3, "unknown-run", attempt="1")
    world.tick()
    assert [world.manifests.item(name)["status"] for name in (odd, other)] == ["processing", "failed"]
