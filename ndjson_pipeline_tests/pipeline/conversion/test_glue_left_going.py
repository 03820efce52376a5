"""Errors after Glue was asked for a run: none makes a second run, and none throws away what Glue does."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pytest
from botocore.exceptions import ReadTimeoutError
from dagster._core.test_utils import create_run_for_test

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import ManifestName
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.completion import Completion, Refused
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.conversion import date as date_module
from ndjson_pipeline.deployment.deadlines import Deadlines
from ndjson_pipeline.glue import session as session_module
from ndjson_pipeline.sensors.reconcile_sensor import Done, Reconciliation
from ndjson_pipeline_tests.pipeline.asset_runner import Runner, StubPipeline, statuses
from ndjson_pipeline_tests.pipeline.harness import FakeGlue, ManifestTable, client_error

LOST = ReadTimeoutError(endpoint_url="https://glue")


class BrokenStore(ManifestRecordStore):
    """DynamoDB refuses one kind of write, for the first of the manifests."""

    def __init__(self, manifests: ManifestTable, broken: str) -> None:
        deployment = manifests.deployment
        super().__init__(deployment.dynamodb, table=deployment.names.tracking_table, clock=utc_now)
        self._broken = broken

    def _break(self, write: str, claim: Claim) -> None:
        if write == self._broken and claim.record.name.sequence == 1:
            raise client_error("ProvisionedThroughputExceededException", "UpdateItem")

    def started(self, claim: Claim, glue_job_run_id: str) -> None:
        self._break("started", claim)
        super().started(claim, glue_job_run_id)

    def complete_all(self, completions: Sequence[Completion]) -> list[Refused]:
        for completion in completions:
            self._break("complete", completion.claim)
        return super().complete_all(completions)

    def note_left(self, claim: Claim, reason: str) -> None:
        self._break("note_left", claim)
        super().note_left(claim, reason)


class World:
    """Two manifests, a Glue that converts, and the reconcile sensor's work on what is left."""

    def __init__(self, runner: Runner, manifests: ManifestTable) -> None:
        self.runner = runner
        self.manifests = manifests
        self.names = [manifests.commit(sequence) for sequence in (1, 2)]
        self.glue = runner.glue_that_converts()

    def run(self, broken: str = "") -> dg.ExecuteInProcessResult:
        return self.runner.run(self.glue, self.names, BrokenStore(self.manifests, broken))

    def reconcile(self) -> Done:
        self.glue.states = ["SUCCEEDED"]
        for run in self.glue.runs:
            run["JobRunState"] = "SUCCEEDED"
        pipeline: Any = StubPipeline(self.manifests, self.glue)
        records = [
            record
            for record in self.manifests.store().of_date(self.names[0].date_prefix)
            if record.status.value == "processing"
        ]
        later = utc_now() + Deadlines().start_grace
        with dg.build_sensor_context(instance=self.runner.instance) as context:
            return Reconciliation(context, pipeline, later).settle_all(records)

    def assert_left_and_settled_without_a_second_run(self, result: dg.ExecuteInProcessResult) -> None:
        assert not result.success
        assert len(self.glue.runs) == 1
        assert self.glue.stopped == []
        left = [name for name in self.names if self.manifests.item(name)["status"] != "completed"]
        assert left
        for name in left:
            item = self.manifests.item(name)
            assert (item["status"], item["attempt"]) == ("processing", 1)
            assert not {"alerts_due", "retry_at"} & set(item)
        assert self.reconcile().completed == len(left)
        assert statuses(self.manifests, self.names) == [("completed", 1)] * 2
        assert {int(self.manifests.item(name)["records_processed"]) for name in self.names} == {7}
        assert len(self.glue.runs) == 1


@pytest.fixture
def world(runner: Runner, manifests: ManifestTable) -> World:
    return World(runner, manifests)


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    failure = result.failure_data_for_node("merged_parquet")
    assert failure is not None
    return str(failure.user_failure_data) + str(failure.error)


@pytest.mark.parametrize(
    "error",
    [client_error("AccessDeniedException"), client_error("ExpiredTokenException"), RuntimeError("a bug")],
    ids=repr,
)
def test_an_error_while_watching_leaves_the_claims_and_ends_the_run_with_it(
    world: World, error: Exception
) -> None:
    world.glue.states = ["RUNNING", error]
    result = world.run()
    assert str(error) in failure_of(result)
    assert {world.manifests.item(name)["error_message"] for name in world.names} == {
        f"{type(error).__name__}: {error}"
    }
    world.assert_left_and_settled_without_a_second_run(result)


def test_the_reason_that_could_not_be_noted_changes_nothing(world: World) -> None:
    world.glue.states = ["RUNNING", client_error("AccessDeniedException")]
    world.assert_left_and_settled_without_a_second_run(world.run("note_left"))


def test_a_run_that_glue_does_not_know_any_more_is_left_to_the_reconciler(world: World) -> None:
    world.glue.states = [client_error("EntityNotFoundException")]
    world.assert_left_and_settled_without_a_second_run(world.run())


def test_an_id_that_could_not_be_stored_ends_nothing(world: World) -> None:
    assert world.run("started").success
    assert len(world.glue.runs) == 1
    assert statuses(world.manifests, world.names) == [("completed", 1)] * 2
    assert "glue_job_run_id" not in world.manifests.item(world.names[0])


def test_ends_that_could_not_be_recorded_are_left_to_the_reconciler(world: World) -> None:
    result = world.run("complete")
    assert statuses(world.manifests, world.names) == [("processing", 1)] * 2
    world.assert_left_and_settled_without_a_second_run(result)


def test_an_error_after_glue_has_ended_leaves_the_claims(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_messages: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(session_module, "find_report", fail)
    world.assert_left_and_settled_without_a_second_run(world.run())


def test_a_lost_answer_is_followed_by_the_run_that_was_started(world: World) -> None:
    world.glue.lost_answers = [LOST]
    assert world.run().success
    assert len(world.glue.runs) == 1
    assert statuses(world.manifests, world.names) == [("completed", 1)] * 2


def test_an_unclear_start_leaves_the_claims_until_glue_shows_the_run(world: World) -> None:
    world.glue.lost_answers = [LOST]
    world.glue.list_errors = [client_error("AccessDeniedException")] * 2
    # The look before the start is the first to read the list.
    original = world.glue.paginate
    looks = iter([False, True])

    def paginate(**arguments: str) -> Any:
        return original(**arguments) if next(looks, False) else iter([{"JobRuns": []}])

    world.glue.paginate = paginate  # type: ignore[method-assign]
    result = world.run()
    world.glue.paginate = original  # type: ignore[method-assign]
    world.glue.list_errors = []
    world.assert_left_and_settled_without_a_second_run(result)


def test_an_unclear_start_that_came_to_nothing_costs_no_attempt(world: World) -> None:
    world.glue.start_errors = [LOST]
    assert not world.run().success
    assert statuses(world.manifests, world.names) == [("processing", 1)] * 2
    assert world.reconcile().failed == 2
    for name in world.names:
        item = world.manifests.item(name)
        assert (item["status"], item["crashes"], item["refused_starts"]) == ("failed", 0, 1)
        assert "retry_at" in item
        assert "may have started" in item["error_message"]
        assert len(item["alerts_due"]) == 1


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_run_that_a_person_ends_fails_only_once_glue_takes_the_stop(world: World, is_stopped: bool) -> None:
    world.glue.states = ["RUNNING"]
    world.glue.refusals = [] if is_stopped else [{"JobRunId": "jr_1"}]
    world.runner.on_sleep = terminate(world)
    world.run()
    assert world.glue.stopped == ["jr_1"]
    expected = "failed" if is_stopped else "processing"
    assert statuses(world.manifests, world.names) == [(expected, 1)] * 2
    if is_stopped:
        (alert,) = world.manifests.item(world.names[0])["alerts_due"]
        assert alert["glue_job_run_id"] == "jr_1"


def test_a_run_that_a_person_ends_before_the_answer_came_has_the_started_one_stopped(world: World) -> None:
    world.glue.lost_answers = [dg.DagsterExecutionInterruptedError()]  # type: ignore[list-item]
    start = world.glue.start_job_run

    def start_and_end(**arguments: Any) -> Any:
        (run,) = world.runner.instance.get_runs()
        world.runner.instance.report_run_canceling(run)
        return start(**arguments)

    world.glue.start_job_run = start_and_end  # type: ignore[method-assign]
    world.run()
    assert world.glue.stopped == ["jr_1"]
    assert statuses(world.manifests, world.names) == [("failed", 1)] * 2


def test_a_run_that_a_person_ends_while_it_waits_for_a_place_fails_its_claims(world: World) -> None:
    world.glue.start_errors = [client_error("ConcurrentRunsExceededException")]
    world.runner.on_sleep = terminate(world)
    world.run()
    assert world.glue.runs == []
    assert statuses(world.manifests, world.names) == [("failed", 1)] * 2
    assert "retry_at" not in world.manifests.item(world.names[0])


def terminate(world: World) -> Callable[[float], None]:
    def on_sleep(_seconds: float) -> None:
        (run,) = world.runner.instance.get_runs()
        world.runner.instance.report_run_canceling(run)
        raise dg.DagsterExecutionInterruptedError

    return on_sleep


def test_a_begun_run_of_which_glue_would_not_say_is_not_failed_by_who_takes_it_over(
    runner: Runner, manifests: ManifestTable
) -> None:
    former = create_run_for_test(runner.instance, status=dg.DagsterRunStatus.FAILURE)
    name = manifests.commit(
        1, status="processing", attempt=1, dagster_run_id=former.run_id, glue_job_run_id="jr_1"
    )
    glue = FakeGlue([client_error("ThrottlingException")])
    glue.add_run("jr_1", "identity")
    tags = {"dagster/parent_run_id": former.run_id, "dagster/root_run_id": former.run_id}
    assert not runner.run(glue, [name], **tags).success
    assert statuses(manifests, [name]) == [("processing", 1)]
    assert len(glue.runs) == 1


def test_a_crash_of_several_splits_them_and_the_next_runs_groups_pass(
    runner: Runner, manifests: ManifestTable
) -> None:
    names = [manifests.commit(sequence) for sequence in range(1, 4)]
    assert not runner.run(runner.glue(None, ("FAILED",)), names).success
    assert [item_of(manifests, name, "group_size") for name in names] == [1, 1, 1]
    # A run that died with one manifest alone says nothing of company.
    single = manifests.commit(9)
    assert not runner.run(runner.glue(None, ("FAILED",)), [single]).success
    assert "group_size" not in manifests.item(single)


def item_of(manifests: ManifestTable, name: ManifestName, attribute: str) -> Any:
    return manifests.item(name)[attribute]


def test_a_run_that_is_old_begins_no_other_glue_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    later = utc_now() + Deadlines().begin_within * 1.1
    monkeypatch.setattr(date_module, "utc_now", lambda: later)
    assert world.run().success
    assert world.glue.runs == []
    assert statuses(world.manifests, world.names) == [("pending", 0)] * 2
