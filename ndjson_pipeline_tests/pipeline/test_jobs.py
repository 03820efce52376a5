"""Jobs that an operator launches from the UI."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.runtime import Clients, make_runtime
from lambda_ingest.settings import Settings
from lambda_ingest.sweeper import sweep
from ndjson_pipeline.claims.dagster_runs import MANIFESTS_TAG, manifests_tag
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.local_aws import lambda_environment
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors.manifest_sensor import manifest_sensor
from ndjson_pipeline_tests.lambda_ingest.harness import FakeContext
from ndjson_pipeline_tests.pipeline.harness import ManifestTable, day

Answer = Callable[[dict[str, Any]], Any]


def real_sweep(event: dict[str, Any]) -> Any:
    """Sweep as the function does, with a clock twenty minutes ahead, when events are late."""
    runtime = make_runtime(
        Settings.from_environment(lambda_environment()),
        Clients.from_boto3(),
        clock=lambda: utc_now() + timedelta(minutes=20),
    )
    context: Any = FakeContext()
    return sweep(event, context, runtime)


class FunctionFailedError(Exception):
    """The function raises; the service answers with what it raised."""


@dataclass
class Functions:
    """A Lambda client whose sweeper runs in this process."""

    answer: Answer = real_sweep
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> Mapping[str, Any]:  # noqa: N803
        assert InvocationType == "RequestResponse"
        event = json.loads(Payload)
        self.calls.append((FunctionName, event))
        try:
            answer, error = self.answer(event), {}
        except FunctionFailedError as raised:
            answer, error = {"errorMessage": str(raised)}, {"FunctionError": "Unhandled"}
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode()), **error}


class OperatorsPipeline:
    """The `pipeline` resource with another Lambda client."""

    def __init__(self, manifests: ManifestTable, functions: Functions) -> None:
        self._manifests = manifests
        self._functions: Any = functions

    @property
    def deployment(self) -> Deployment:
        return replace(self._manifests.deployment, functions=self._functions)

    def records(self) -> ManifestRecordStore:
        return self._manifests.store()


@dataclass
class Operator:
    """Somebody who launches jobs and reads their runs."""

    manifests: ManifestTable
    instance: dg.DagsterInstance
    functions: Functions = field(default_factory=Functions)

    def launch(self, job_name: str, date_prefix: str | None = None) -> dg.ExecuteInProcessResult:
        pipeline = OperatorsPipeline(self.manifests, self.functions)
        job = build_defs(resource_overrides={"pipeline": pipeline}).resolve_job_def(job_name)
        return job.execute_in_process(instance=self.instance, partition_key=date_prefix, raise_on_error=False)

    def put(self, name: str) -> None:
        names = self.manifests.deployment.names
        self.manifests.deployment.s3.put_object(
            Bucket=names.input_bucket, Key=f"pipeline/input/{name}", Body=b'{"a": 1}\n'
        )

    def events(self) -> int:
        """Take the events queue's messages, and return how many there were."""
        return len(self._receive())

    def _receive(self) -> list[Any]:
        clients = Clients.from_boto3()
        url = lambda_environment()["QUEUE_URL"]
        received: list[Any] = []
        while found := clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                if "Records" in json.loads(message["Body"]):
                    received.append(message)
        return received


@pytest.fixture
def operator(manifests: ManifestTable, instance: dg.DagsterInstance) -> Operator:
    return Operator(manifests, instance)


def metadata_of(result: dg.ExecuteInProcessResult, op_name: str) -> dict[str, Any]:
    """Return what the op's output shows, or its failure."""
    for event in result.events_for_node(op_name):
        if event.is_successful_output:
            return {name: value.value for name, value in event.step_output_data.metadata.items()}
        if event.is_step_failure:
            failure: Any = event.step_failure_data.user_failure_data
            return {name: value.value for name, value in failure.metadata.items()}
    raise AssertionError(f"{op_name} has no output")


class TestReprocessFailedManifests:
    def commit(self, manifests: ManifestTable) -> tuple[list[ManifestName], list[ManifestName]]:
        failed = [
            manifests.commit(sequence, day(), status="failed", attempt=3, error_message="bad")
            for sequence in (1, 2)
        ]
        others = [
            manifests.commit(3, day(), status="completed", attempt=1),
            manifests.commit(4, day(), status="processing", attempt=1, dagster_run_id="run"),
            manifests.commit(5, day()),
            manifests.commit(1, day(-1), status="failed", attempt=1),
        ]
        return failed, others

    def test_the_failed_manifests_of_the_date_are_launched_again_and_no_other_is_touched(
        self, operator: Operator, manifests: ManifestTable
    ) -> None:
        failed, others = self.commit(manifests)
        before = [manifests.item(name) for name in others]
        result = operator.launch("reprocess_failed_manifests", day())
        assert result.success
        shown = metadata_of(result, "retry_failed")
        assert (shown["manifests_marked"], shown["manifests_untouched"]) == (2, 3)
        assert shown["manifests"] == [name.filename for name in failed]
        assert [manifests.item(name) for name in others] == before
        with dg.build_sensor_context(
            instance=operator.instance,
            sensor_name="manifest_sensor",
            resources={"pipeline": PipelineResource()},
            definitions=build_defs(),
        ) as context:
            tick = manifest_sensor(context)
        assert isinstance(tick, dg.SensorResult)
        (request,) = tick.run_requests or []
        assert request.tags[MANIFESTS_TAG] == manifests_tag([*failed, others[2]])

    def test_launched_twice_it_does_the_same(self, operator: Operator, manifests: ManifestTable) -> None:
        failed, _ = self.commit(manifests)
        for _ in range(2):
            assert operator.launch("reprocess_failed_manifests", day()).success
        assert {manifests.item(name)["attempt"] for name in failed} == {3}

    def test_a_date_without_a_failure_succeeds_with_nothing(
        self, operator: Operator, manifests: ManifestTable
    ) -> None:
        manifests.commit(1, day(), status="completed", attempt=1)
        result = operator.launch("reprocess_failed_manifests", day())
        assert result.success
        assert metadata_of(result, "retry_failed")["manifests_marked"] == 0

    def test_a_manifest_that_moved_on_meanwhile_is_left_alone(self, manifests: ManifestTable) -> None:
        store = manifests.store()
        name = manifests.commit(1, day(), status="failed", attempt=3)
        read = store.read(name)
        assert read is not None
        for moved in ({"attempt": 4}, {"status": "processing"}, {"status": "completed"}):
            manifests.commit(1, day(), **{"status": "failed", "attempt": 3, **moved})
            before = manifests.item(name)
            assert store.retry_later(read) is False
            assert manifests.item(name) == before


class TestSweepNow:
    def test_the_answer_is_shown(self, operator: Operator) -> None:
        result = operator.launch("sweep_now")
        assert result.success
        assert operator.functions.calls == [("ndjson-parquet-sweeper-dev", {})]
        shown = metadata_of(result, "sweep")
        assert shown["answer"]["failed"] == []
        assert shown["files_flushed"] == 0
        assert day() in shown["answer"]["audited"]

    def test_a_part_that_failed_fails_the_run_with_the_answer(self, operator: Operator) -> None:
        answer = {"failed": ["flush", "events of 2026-01-30"], "events_resent": {day(): 3}}
        operator.functions.answer = lambda _event: answer
        result = operator.launch("sweep_now")
        assert not result.success
        shown = metadata_of(result, "sweep")
        assert (shown["answer"], shown["events_resent"]) == (answer, 3)
        failure = result.failure_data_for_node("sweep")
        assert failure is not None
        assert "2 parts of the sweep failed: flush, events of 2026-01-30" in str(failure.user_failure_data)

    @pytest.mark.parametrize("answer", [None, [], {}, {"failed": 3}, "swept"], ids=json.dumps)
    def test_an_answer_of_another_shape_fails_the_run(self, operator: Operator, answer: object) -> None:
        operator.functions.answer = lambda _event: answer
        result = operator.launch("sweep_now")
        assert not result.success
        failure = result.failure_data_for_node("sweep")
        assert failure is not None
        assert "answered in another shape" in str(failure.error)

    def test_a_function_that_failed_fails_the_run_with_what_it_says(self, operator: Operator) -> None:
        def fail(_event: dict[str, Any]) -> Any:
            raise FunctionFailedError("MANIFEST_BUCKET is required and missing")

        operator.functions.answer = fail
        result = operator.launch("sweep_now")
        assert not result.success
        failure = result.failure_data_for_node("sweep")
        assert failure is not None
        assert "MANIFEST_BUCKET is required and missing" in str(failure.error)


class TestReconcileInputListing:
    def test_the_lost_events_of_the_date_are_sent_again_and_no_others(self, operator: Operator) -> None:
        operator.put(f"{day(-100)}-lost.ndjson")
        operator.put(f"{day(-101)}-other.ndjson")
        operator.events()
        result = operator.launch("audit_input_listing", day(-100))
        assert result.success
        assert operator.functions.calls == [("ndjson-parquet-sweeper-dev", {"dates": [day(-100)]})]
        shown = metadata_of(result, "audit_listing")
        assert shown["answer"]["events_resent"] == {day(-100): 1}
        assert shown["events_resent"] == 1
        assert operator.events() == 1

    def test_a_part_that_failed_fails_the_run(self, operator: Operator) -> None:
        operator.functions.answer = lambda _event: {"failed": ["events of 2026-01-30"]}
        assert not operator.launch("audit_input_listing", day()).success

    def test_a_date_that_the_time_did_not_reach_is_said(
        self, operator: Operator, capsys: pytest.CaptureFixture[str]
    ) -> None:
        operator.functions.answer = lambda _event: {"failed": [], "events_incomplete": [day()]}
        assert operator.launch("audit_input_listing", day()).success
        assert "did not reach" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["reprocess_failed_manifests", "sweep_now", "audit_input_listing"])
def test_each_job_tells_an_operator_what_it_does(name: str) -> None:
    job = build_defs().resolve_job_def(name)
    assert len(job.description or "") > 100
    assert job.executor_def.executor_creation_fn is dg.in_process_executor.executor_creation_fn
    assert (job.partitions_def is None) is (name == "sweep_now")
