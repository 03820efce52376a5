"""Runs that are executed again: they attach to what was begun, take it over, or convert anew."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from dagster_pipes import encode_param

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.keys import ManifestName
from ndjson_pipeline.claims.dagster_runs import PARENT_RUN_TAG, RETRY_NUMBER_TAG, ROOT_RUN_TAG
from ndjson_pipeline.glue.messages import messages_prefix
from ndjson_pipeline.glue.runs import ATTEMPTS_ARGUMENT, IDENTITY_ARGUMENT, LIST_LAG, NONCE_ARGUMENT
from ndjson_pipeline_tests.pipeline.asset_runner import Runner, converted, statuses
from ndjson_pipeline_tests.pipeline.harness import (
    NONCE,
    FakeGlue,
    ManifestTable,
    PipesScript,
    client_error,
)

ENDED, GOING = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED
LONG_AGO = utc_timestamp(utc_now() - timedelta(minutes=10))


class Former:
    """A run that died, and what it left."""

    def __init__(self, runner: Runner, status: dg.DagsterRunStatus = ENDED) -> None:
        self._runner = runner
        run = create_run_for_test(runner.instance, job_name="convert_manifests", status=status)
        self.run_id = run.run_id

    def held(self, sequence: int, **attributes: Any) -> ManifestName:
        return self._runner.manifests.commit(
            sequence,
            **{
                "status": "processing",
                "attempt": 1,
                "dagster_run_id": self.run_id,
                "processing_start_time": LONG_AGO,
                **attributes,
            },
        )

    def began(self, glue: FakeGlue, names: Sequence[ManifestName], identity: str = "identity") -> None:
        """Note the Glue run that it started, with the messages that this run left."""
        arguments = {
            IDENTITY_ARGUMENT: identity,
            NONCE_ARGUMENT: NONCE,
            ATTEMPTS_ARGUMENT: ",".join(f"{name.filename}@1" for name in names),
            "--MANIFEST_PATH": ",".join(self._runner.manifests.path(name) for name in names),
            "--dagster-pipes-messages": encode_param(
                {
                    "bucket": self._runner.manifests.deployment.names.manifest_bucket,
                    "key_prefix": messages_prefix(identity),
                }
            ),
        }
        glue.runs.append({"Id": f"jr_{len(glue.runs) + 1}", "Arguments": arguments})
        PipesScript(self._runner.manifests.deployment.s3, converted)(arguments)

    def again(self, *, is_automatic: bool = False) -> dict[str, str]:
        """Return the tags of a run in its place."""
        retry = {RETRY_NUMBER_TAG: "1"} if is_automatic else {}
        return {PARENT_RUN_TAG: self.run_id, ROOT_RUN_TAG: self.run_id, **retry}


@pytest.fixture
def former(runner: Runner) -> Former:
    return Former(runner)


@pytest.mark.parametrize("is_automatic", [False, True])
@pytest.mark.parametrize("states", [("RUNNING", "RUNNING", "SUCCEEDED"), ("SUCCEEDED",)])
def test_a_run_in_the_place_of_a_dead_one_attaches_to_its_glue_run(
    runner: Runner, manifests: ManifestTable, former: Former, states: tuple[str, ...], is_automatic: bool
) -> None:
    names = [former.held(sequence, glue_job_run_id="jr_1") for sequence in (1, 2)]
    glue = FakeGlue(states)
    former.began(glue, names)
    result = runner.run(glue, names, **former.again(is_automatic=is_automatic))
    assert result.success
    assert len(glue.runs) == 1
    assert statuses(manifests, names) == [("completed", 1), ("completed", 1)]
    for name in names:
        item = manifests.item(name)
        assert (item["dagster_run_id"], item["glue_job_run_id"]) == (result.run_id, "jr_1")
        # The report was read below the identity of the run that was attached to.
        assert item["records_processed"] == 7
    (metadata,) = runner.materializations()
    assert (metadata["records_processed"], metadata["glue_job_run_ids"]) == (14, "jr_1")


def test_a_glue_run_whose_id_was_not_stored_is_found_by_the_attempt(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    names = [former.held(1), former.held(2, glue_job_run_id="jr_1")]
    glue = FakeGlue()
    former.began(glue, names)
    assert runner.run(glue, names, **former.again()).success
    assert len(glue.runs) == 1
    assert statuses(manifests, names) == [("completed", 1), ("completed", 1)]
    (metadata,) = runner.materializations()
    assert metadata["glue_job_run_ids"] == "jr_1"


def test_without_a_glue_run_one_is_started_for_the_same_attempt(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    name = former.held(1)
    glue = runner.glue_that_converts()
    assert runner.run(glue, [name], **former.again()).success
    (started,) = glue.runs
    assert started["Arguments"][ATTEMPTS_ARGUMENT] == f"{name.filename}@1"
    assert statuses(manifests, [name]) == [("completed", 1)]
    # Its attempt is ten minutes old, so Glue's list must show whatever was started.
    assert max(runner.pipeline.clock.sleeps, default=0) < LIST_LAG.total_seconds() / 2


def test_a_glue_run_that_the_list_shows_late_is_waited_for_and_not_doubled(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    name = former.held(1, processing_start_time=utc_timestamp(utc_now()))
    glue = runner.glue_that_converts()

    def appear(seconds: float) -> None:
        if seconds > LIST_LAG.total_seconds() / 2 and not glue.runs:
            former.began(glue, [name])

    runner.on_sleep = appear
    assert runner.run(glue, [name], **former.again()).success
    assert [run["Id"] for run in glue.runs] == ["jr_1"]
    assert glue.runs[0]["Arguments"][IDENTITY_ARGUMENT] == "identity"
    assert statuses(manifests, [name]) == [("completed", 1)]


def test_a_glue_run_that_glue_forgot_is_started_anew(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    name = former.held(1, glue_job_run_id="jr_gone")
    gone = client_error("EntityNotFoundException")
    glue = runner.glue(converted, [gone, gone, "SUCCEEDED"])
    assert runner.run(glue, [name], **former.again()).success
    assert manifests.item(name)["glue_job_run_id"] == "jr_1"


def test_a_glue_that_does_not_answer_is_asked_again_before_another_run_is_started(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    name = former.held(1, glue_job_run_id="jr_1")
    busy = client_error("ThrottlingException")
    glue = FakeGlue([busy, busy, busy, "SUCCEEDED"])
    former.began(glue, [name])
    assert runner.run(glue, [name], **former.again()).success
    assert len(glue.runs) == 1


def test_what_an_ancestor_still_converts_is_left_to_it(runner: Runner, manifests: ManifestTable) -> None:
    going = Former(runner, GOING)
    name = going.held(1, glue_job_run_id="jr_1")
    before = manifests.item(name)
    glue = runner.glue_that_converts()
    assert runner.run(glue, [name], **going.again()).success
    assert manifests.item(name) == before
    assert glue.runs == []


def test_a_strangers_manifest_is_not_taken_over(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    stranger = Former(runner)
    name = stranger.held(1, glue_job_run_id="jr_1")
    before = manifests.item(name)
    assert runner.run(runner.glue_that_converts(), [name], **former.again()).success
    assert manifests.item(name) == before


def test_what_was_begun_and_what_waits_are_conversions_of_their_own(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    begun, waiting = former.held(1, glue_job_run_id="jr_1"), manifests.commit(2)
    glue = runner.glue_that_converts()
    former.began(glue, [begun])
    assert runner.run(glue, [begun, waiting], **former.again(is_automatic=True)).success
    assert [run["Arguments"]["--MANIFEST_PATH"] for run in glue.runs] == [
        manifests.path(begun),
        manifests.path(waiting),
    ]
    assert statuses(manifests, [begun, waiting]) == [("completed", 1), ("completed", 1)]
    (metadata,) = runner.materializations()
    assert (metadata["records_processed"], metadata["glue_job_run_ids"]) == (14, "jr_1, jr_2")


def test_a_person_who_executes_a_run_again_converts_again_what_has_ended(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    names = [
        former.held(1, status="failed", error_message="bad file"),
        former.held(2, status="completed"),
        former.held(3, status="failed", retry_at=LONG_AGO),
    ]
    others = manifests.commit(4, status="completed", attempt=1)
    assert runner.run(runner.glue_that_converts(), names, **former.again()).success
    assert statuses(manifests, [*names, others]) == [("completed", 2)] * 3 + [("completed", 1)]


def test_a_retry_by_dagster_converts_nothing_again_that_has_ended(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    names = [
        former.held(1, status="failed", error_message="bad file"),
        former.held(2, status="completed"),
        former.held(3, status="failed", retry_at=LONG_AGO),
        manifests.commit(4),
    ]
    assert runner.run(runner.glue_that_converts(), names, **former.again(is_automatic=True)).success
    assert statuses(manifests, names) == [
        ("failed", 1),
        ("completed", 1),
        ("completed", 2),
        ("completed", 1),
    ]


def test_a_retry_that_finds_all_done_materializes_the_numbers_of_what_was_done_and_no_zeros(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    # The second's Glue run was found by its arguments, and its id never stored.
    names = [former.held(1, status="completed", glue_job_run_id="jr_1"), former.held(2, status="completed")]
    glue = FakeGlue(["SUCCEEDED"])
    former.began(glue, names)
    glue.runs[0]["JobRunState"] = "SUCCEEDED"
    assert runner.run(glue, names, **former.again(is_automatic=True)).success
    assert len(glue.runs) == 1
    assert statuses(manifests, names) == [("completed", 1), ("completed", 1)]
    (metadata,) = runner.materializations()
    wanted = {
        "run_records_processed": 14,
        "run_manifests_completed": 2,
        "run_manifests_completed_before": 2,
        "run_manifests_skipped": 0,
        "glue_job_run_ids": "jr_1",
    }
    assert {name: metadata[name] for name in wanted} == wanted


def test_a_retry_counts_what_was_done_before_it_together_with_what_it_does(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    done, waiting = former.held(1, status="completed", glue_job_run_id="jr_1"), manifests.commit(2)
    glue = runner.glue(converted, ["SUCCEEDED"])
    former.began(glue, [done])
    assert runner.run(glue, [done, waiting], **former.again(is_automatic=True)).success
    (metadata,) = runner.materializations()
    numbers = ("run_records_processed", "run_manifests_completed", "run_manifests_completed_before")
    assert [metadata[name] for name in numbers] == [14, 2, 1]
    assert metadata["glue_job_run_ids"] == "jr_1, jr_2"


def test_a_glue_run_that_had_completed_one_manifest_and_is_taken_over_for_another_counts_once(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    done = former.held(1, status="completed", glue_job_run_id="jr_1")
    going = former.held(2, glue_job_run_id="jr_1")
    glue = FakeGlue(["SUCCEEDED"])
    former.began(glue, [done, going])
    result = runner.run(glue, [done, going], **former.again(is_automatic=True))
    assert result.success
    assert len(glue.runs) == 1
    (metadata,) = runner.materializations()
    assert (metadata["run_records_processed"], metadata["run_manifests_completed"]) == (14, 2)
    (conservation,) = [
        check for check in result.get_asset_check_evaluations() if check.check_name == "row_conservation"
    ]
    assert conservation.metadata["records_processed"].value == 14


@pytest.mark.parametrize("answer", [client_error("EntityNotFoundException"), client_error("AccessDenied")])
def test_what_was_done_before_and_glue_tells_nothing_of_is_skipped(
    runner: Runner, manifests: ManifestTable, former: Former, answer: Exception
) -> None:
    name = former.held(1, status="completed", glue_job_run_id="jr_1")
    assert runner.run(FakeGlue([answer]), [name], **former.again(is_automatic=True)).success
    assert statuses(manifests, [name]) == [("completed", 1)]
    (metadata,) = runner.materializations()
    assert (metadata["run_manifests_completed_before"], metadata["run_manifests_skipped"]) == (0, 1)


def test_a_retry_of_a_backfills_run_converts_what_that_run_had_not_reached(
    runner: Runner, manifests: ManifestTable, former: Former
) -> None:
    done = former.held(1, status="completed", attempt=2)
    reached = former.held(2, glue_job_run_id="jr_1", attempt=1)
    not_reached = manifests.commit(3, status="completed", attempt=1, dagster_run_id="an-earlier-run")
    glue = runner.glue_that_converts()
    former.began(glue, [reached])
    assert runner.run(glue, None, **former.again(is_automatic=True)).success
    assert statuses(manifests, [done, reached, not_reached]) == [
        ("completed", 2),
        ("completed", 1),
        ("completed", 2),
    ]


def interrupt(_seconds: float) -> None:
    raise dg.DagsterExecutionInterruptedError


def test_a_process_that_its_host_ends_leaves_glue_going_and_a_retry_attaches_to_it(
    runner: Runner, manifests: ManifestTable
) -> None:
    names = [manifests.commit(sequence) for sequence in (1, 2)]
    glue = runner.glue(converted, ["RUNNING", "RUNNING", "SUCCEEDED"])
    runner.on_sleep = interrupt
    ended = runner.run(glue, names)
    assert not ended.success
    assert glue.stopped == []
    assert statuses(manifests, names) == [("processing", 1), ("processing", 1)]
    runner.on_sleep = lambda _seconds: None
    again = {PARENT_RUN_TAG: ended.run_id, ROOT_RUN_TAG: ended.run_id, RETRY_NUMBER_TAG: "1"}
    assert runner.run(glue, names, **again).success
    assert len(glue.runs) == 1
    assert statuses(manifests, names) == [("completed", 1), ("completed", 1)]


def test_a_run_that_is_terminated_after_another_took_over_leaves_that_ones_glue_run_alone(
    runner: Runner, manifests: ManifestTable
) -> None:
    name = manifests.commit(1)
    glue = runner.glue(None, ["RUNNING"])

    def take_over_and_interrupt(seconds: float) -> None:
        (run,) = runner.instance.get_runs()
        runner.instance.report_run_canceling(run)
        record = manifests.store().read(name)
        assert record is not None
        assert manifests.store().take_over(record, "successor") is not None
        interrupt(seconds)

    runner.on_sleep = take_over_and_interrupt
    runner.run(glue, [name])
    assert glue.stopped == []
    item = manifests.item(name)
    assert (item["status"], item["dagster_run_id"]) == ("processing", "successor")
