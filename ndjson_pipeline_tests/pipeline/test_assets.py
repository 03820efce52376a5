"""The asset, run in this process with a Glue that does what it is told."""

import logging
from typing import Any

import dagster as dg
import pytest

from glue_jobs.errors import ManifestReadError
from glue_jobs.manifests.reading import read_manifest
from glue_jobs.manifests.trust import TrustRules
from lambda_ingest.contract.clock import utc_now
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.dagster_runs import MANIFESTS_TAG, has_claimed, manifests_tag
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.glue.begun_runs import BegunRuns
from ndjson_pipeline.glue.capacity import Capacity
from ndjson_pipeline_tests.pipeline.asset_runner import Runner, converted, statuses
from ndjson_pipeline_tests.pipeline.harness import (
    ManifestTable,
    client_error,
    glue_report_document,
    make_name,
    outcome,
)


def test_all_manifests_of_a_run_are_converted_by_one_glue_run(
    runner: Runner, manifests: ManifestTable
) -> None:
    names = [manifests.commit(sequence) for sequence in (1, 2)]
    glue = runner.glue_that_converts()
    result = runner.run(glue, names)
    assert result.success
    (started,) = glue.runs
    assert started["Arguments"]["--MANIFEST_PATH"] == ",".join(manifests.path(name) for name in names)
    assert statuses(manifests, names) == [("completed", 1), ("completed", 1)]
    for name in names:
        item = manifests.item(name)
        assert (item["glue_job_run_id"], item["records_processed"]) == ("jr_1", 7)
        assert item["dagster_run_id"] == result.run_id
        assert "error_message" not in item
    (metadata,) = runner.materializations()
    assert (metadata["manifests_completed"], metadata["manifests_failed"]) == (2, 0)
    assert (metadata["records_read"], metadata["records_processed"]) == (16, 14)
    assert (metadata["records_rejected"], metadata["glue_job_run_ids"]) == (2, "jr_1")


def test_a_run_takes_what_waits_when_it_starts_and_says_so(runner: Runner, manifests: ManifestTable) -> None:
    names = [manifests.commit(sequence) for sequence in (1, 2, 3)]
    other_date = manifests.commit(1, "2026-01-29")
    glue = runner.glue_that_converts()
    result = runner.run(glue, names[:1])
    assert statuses(manifests, names) == [("completed", 1)] * 3
    assert statuses(manifests, [other_date]) == [("pending", 0)]
    run = runner.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert has_claimed(run)
    assert run.tags[MANIFESTS_TAG] == manifests_tag(names)


def test_a_run_takes_what_one_glue_run_is_given_and_leaves_the_rest_to_the_next(
    runner: Runner, manifests: ManifestTable
) -> None:
    most = Capacity().most_mb
    names = [manifests.commit(n, total_size_mb=int(most / 2)) for n in (1, 2, 3)]
    glue = runner.glue_that_converts()
    assert runner.run(glue, names).success
    assert statuses(manifests, names) == [("completed", 1), ("completed", 1), ("pending", 0)]
    (started,) = glue.runs
    assert (started["WorkerType"], started["NumberOfWorkers"]) == ("G.1X", 10)


def test_a_run_for_a_date_converts_all_of_it_in_glue_runs_within_the_bound(
    runner: Runner, manifests: ManifestTable
) -> None:
    most = Capacity().most_mb
    names = [manifests.commit(n, total_size_mb=int(most / 2)) for n in (1, 2, 3)]
    glue = runner.glue_that_converts()
    assert runner.run(glue, None).success
    assert statuses(manifests, names) == [("completed", 1)] * 3
    assert [run["Arguments"]["--MANIFEST_PATH"].count("s3://") for run in glue.runs] == [2, 1]


def test_a_date_of_many_manifests_is_handed_over_by_a_list_in_s3(
    runner: Runner, manifests: ManifestTable
) -> None:
    names = [manifests.commit(sequence) for sequence in range(1, 301)]
    glue = runner.glue_that_converts()
    result = runner.run(glue, None)
    assert result.success
    (started,) = glue.runs
    assert all(len(value) < 128 * 1024 for value in started["Arguments"].values())
    assert set(statuses(manifests, names)) == {("completed", 1)}
    # A later process finds the Glue run by any of its manifests.
    begun = BegunRuns(runner.pipeline.glue_runs(logging.getLogger()))
    found = begun.find(names[150].filename, 1, None)
    assert found is not None
    assert found.run_id == "jr_1"


def test_of_two_manifests_one_that_fails_does_not_undo_the_other(
    runner: Runner, manifests: ManifestTable
) -> None:
    good, bad = names = [manifests.commit(sequence) for sequence in (1, 2)]

    def report(paths: list[str]) -> dict[str, Any]:
        return glue_report_document(outcome(paths[0]), outcome(paths[1], rows=0, error="line 3 is broken"))

    result = runner.run(runner.glue(report, ["RUNNING", {"JobRunState": "FAILED"}]), names)
    assert not result.success
    failure = result.failure_data_for_node("merged_parquet")
    assert failure is not None
    assert "line 3 is broken" in str(failure.user_failure_data)
    assert manifests.path(bad) in str(failure.user_failure_data)
    assert statuses(manifests, names) == [("completed", 1), ("failed", 1)]
    assert manifests.item(bad)["error_message"] == "line 3 is broken"
    assert manifests.item(good)["records_processed"] == 7
    assert runner.materializations() == []
    (metadata,) = runner.observations()
    assert (metadata["manifests_completed"], metadata["manifests_failed"]) == (1, 1)
    assert (metadata["records_processed"], metadata["run_records_processed"]) == (7, 7)


def test_a_run_whose_manifests_all_fail_materializes_nothing(
    runner: Runner, manifests: ManifestTable
) -> None:
    name = manifests.commit(1)
    glue = runner.glue(None, [{"JobRunState": "FAILED", "ErrorMessage": "out of memory"}])
    assert not runner.run(glue, [name]).success
    assert statuses(manifests, [name]) == [("failed", 1)]
    assert "out of memory" in manifests.item(name)["error_message"]
    assert runner.materializations() == []


def test_a_start_that_glue_refuses_fails_the_claims_with_the_reason(
    runner: Runner, manifests: ManifestTable
) -> None:
    names = [manifests.commit(sequence) for sequence in (1, 2)]
    glue = runner.glue_that_converts()
    glue.start_errors = [client_error("AccessDeniedException")]
    assert not runner.run(glue, names).success
    assert statuses(manifests, names) == [("failed", 1), ("failed", 1)]
    for name in names:
        item = manifests.item(name)
        assert "AccessDeniedException" in item["error_message"]
        assert "glue_job_run_id" not in item
        # It is tried again, however often, for nothing was tried.
        assert (item["crashes"], item["refused_starts"], "retry_at" in item) == (0, 1, True)


def test_a_glue_run_past_its_deadline_fails_the_claims_with_the_reason(
    runner: Runner, manifests: ManifestTable
) -> None:
    name = manifests.commit(1)
    glue = runner.glue(None, ["RUNNING"])
    assert not runner.run(glue, [name]).success
    assert glue.stopped == ["jr_1"]
    item = manifests.item(name)
    assert (item["status"], item["glue_job_run_id"]) == ("failed", "jr_1")
    assert "was stopped" in item["error_message"]


def test_a_lost_report_of_a_run_that_succeeded_counts_as_completed(
    runner: Runner, manifests: ManifestTable
) -> None:
    name = manifests.commit(1)
    assert runner.run(runner.glue(None), [name]).success
    assert statuses(manifests, [name]) == [("completed", 1)]
    assert "records_processed" not in manifests.item(name)
    (metadata,) = runner.materializations()
    assert (metadata["manifests_completed"], metadata["records_read"]) == (1, 0)


def test_a_report_of_another_shape_counts_as_lost(runner: Runner, manifests: ManifestTable) -> None:
    name = manifests.commit(1)
    assert runner.run(runner.glue(lambda _paths: {"manifests": 7}), [name]).success
    assert statuses(manifests, [name]) == [("completed", 1)]


@pytest.mark.parametrize("is_for_the_date", [False, True])
def test_a_manifest_that_another_run_holds_is_left_alone(
    runner: Runner, manifests: ManifestTable, is_for_the_date: bool
) -> None:
    held = manifests.commit(
        1, status="processing", attempt=1, dagster_run_id="another", glue_job_run_id="jr_9"
    )
    free = manifests.commit(3)
    before = manifests.item(held)
    glue = runner.glue_that_converts()
    assert runner.run(glue, None if is_for_the_date else [free]).success
    assert manifests.item(held) == before
    assert statuses(manifests, [free]) == [("completed", 1)]
    assert glue.runs[0]["Arguments"]["--MANIFEST_PATH"] == manifests.path(free)
    (metadata,) = runner.materializations()
    # A run of the sensor is for what waits; one for the date says what it leaves out.
    assert (metadata["run_manifests_completed"], metadata["run_manifests_skipped"]) == (
        1,
        int(is_for_the_date),
    )


def test_a_run_whose_manifests_others_hold_starts_no_glue_run(
    runner: Runner, manifests: ManifestTable
) -> None:
    held = manifests.commit(1, status="processing", attempt=1, dagster_run_id="another")
    glue = runner.glue_that_converts()
    assert runner.run(glue, [held]).success
    assert glue.runs == []


def test_a_claim_lost_while_glue_ran_is_not_ended_by_its_old_holder(
    runner: Runner, manifests: ManifestTable
) -> None:
    lost, kept = names = [manifests.commit(sequence) for sequence in (1, 2)]

    def report(paths: list[str]) -> dict[str, Any]:
        # Another attempt takes over while this one's Glue run is going.
        manifests.put_item(**{**manifests.item(lost), "attempt": 2, "dagster_run_id": "another"})
        return converted(paths)

    assert runner.run(runner.glue(report), names).success
    item = manifests.item(lost)
    assert (item["status"], item["attempt"], item["dagster_run_id"]) == ("processing", 2, "another")
    assert statuses(manifests, [kept]) == [("completed", 1)]


def test_a_run_that_lost_all_of_its_claims_before_glue_began_tells_that_run_to_stop(
    runner: Runner, manifests: ManifestTable
) -> None:
    name = manifests.commit(1)

    def report(paths: list[str]) -> dict[str, Any]:
        manifests.put_item(**{**manifests.item(name), "attempt": 2, "dagster_run_id": "another"})
        return converted(paths)

    glue = runner.glue(report)
    assert runner.run(glue, [name]).success
    assert glue.stopped == ["jr_1"]
    item = manifests.item(name)
    assert (item["status"], item["attempt"], item["dagster_run_id"]) == ("processing", 2, "another")
    assert "glue_job_run_id" not in item


@pytest.mark.parametrize("waits", [0, 1])
def test_a_run_that_lost_all_of_its_claims_before_it_could_start_glue_starts_none(
    runner: Runner, manifests: ManifestTable, waits: int
) -> None:
    """Its process stood still after the claim, or while it waited for a place in Glue."""
    name = manifests.commit(1)

    def lose(_seconds: float = 0.0) -> None:
        manifests.put_item(**{**manifests.item(name), "dagster_run_id": "successor"})

    class StoreAfterWhichItStoodStill(ManifestRecordStore):
        def claim(self, record: ManifestRecord, run_id: str, move: Move = Move.CLAIM) -> Claim | None:
            claim = super().claim(record, run_id, move)
            if not waits:
                lose()
            return claim

    deployment = manifests.deployment
    records = StoreAfterWhichItStoodStill(
        deployment.dynamodb, table=deployment.names.tracking_table, clock=utc_now
    )
    glue = runner.glue_that_converts()
    glue.start_errors += [client_error("ConcurrentRunsExceededException")] * waits
    runner.on_sleep = lose
    assert runner.run(glue, [name], records).success
    assert glue.runs == []
    item = manifests.item(name)
    assert (item["status"], item["attempt"], item["dagster_run_id"]) == ("processing", 1, "successor")


def test_a_manifest_whose_record_is_gone_is_skipped(runner: Runner, manifests: ManifestTable) -> None:
    name = manifests.commit(1)
    assert runner.run(runner.glue_that_converts(), [make_name(9), name]).success
    assert statuses(manifests, [name]) == [("completed", 1)]


def test_a_manifest_whose_record_has_another_shape_by_now_harms_no_other(
    runner: Runner, manifests: ManifestTable
) -> None:
    good, strange = manifests.commit(1), manifests.commit(2, status="unknown")
    before = manifests.item(strange)
    runner.run(runner.glue_that_converts(), [strange, good])
    assert statuses(manifests, [good]) == [("completed", 1)]
    assert manifests.item(strange) == before


class StoreThatFailsAtTheSecondClaim(ManifestRecordStore):
    """DynamoDB goes away between two claims."""

    claims = 0

    def claim(self, record: ManifestRecord, run_id: str, move: Move = Move.CLAIM) -> Claim | None:
        self.claims += 1
        if self.claims == 2:
            raise client_error("ProvisionedThroughputExceededException")
        return super().claim(record, run_id, move)


def test_a_claim_that_cannot_be_made_leaves_no_earlier_one_in_work(
    runner: Runner, manifests: ManifestTable
) -> None:
    names = [manifests.commit(sequence) for sequence in (1, 2)]
    deployment = manifests.deployment
    records = StoreThatFailsAtTheSecondClaim(
        deployment.dynamodb, table=deployment.names.tracking_table, clock=utc_now
    )
    glue = runner.glue_that_converts()
    assert not runner.run(glue, names, records).success
    assert glue.runs == []
    assert statuses(manifests, names) == [("failed", 1), ("pending", 0)]
    assert "ProvisionedThroughputExceededException" in manifests.item(names[0])["error_message"]


def test_a_run_of_a_person_converts_every_manifest_of_its_date_again(
    runner: Runner, manifests: ManifestTable
) -> None:
    completed = manifests.commit(1, status="completed", attempt=1, records_processed=99)
    failed = manifests.commit(2, status="failed", attempt=3, error_message="broken")
    waiting = manifests.commit(3)
    held = manifests.commit(4, status="processing", attempt=1, dagster_run_id="another")
    other_date = manifests.commit(1, "2026-01-29", status="completed", attempt=1)
    assert runner.run(runner.glue_that_converts(), None).success
    assert statuses(manifests, [completed, failed, waiting]) == [
        ("completed", 2),
        ("completed", 4),
        ("completed", 1),
    ]
    assert manifests.item(completed)["records_processed"] == 7
    assert "error_message" not in manifests.item(failed)
    assert statuses(manifests, [held, other_date]) == [("processing", 1), ("completed", 1)]


def test_each_explicit_run_is_a_glue_run_of_its_own(runner: Runner, manifests: ManifestTable) -> None:
    name = manifests.commit(1)
    glue = runner.glue_that_converts()
    for attempt in (1, 2, 3):
        assert runner.run(glue, None).success
        assert statuses(manifests, [name]) == [("completed", attempt)]
        assert len(glue.runs) == attempt


def test_a_date_without_manifests_succeeds_with_nothing(runner: Runner) -> None:
    glue = runner.glue_that_converts()
    assert runner.run(glue, None).success
    assert glue.runs == []
    (metadata,) = runner.materializations()
    assert (metadata["manifests_completed"], metadata["records_read"]) == (0, 0)


def test_an_attempt_that_began_a_glue_run_attaches_to_it(runner: Runner, manifests: ManifestTable) -> None:
    name = manifests.commit(1)
    glue = runner.glue_that_converts()
    assert runner.run(glue, [name]).success
    # The same attempt once more, as a step that is repeated after its process died.
    item = manifests.item(name)
    manifests.put_item(**{**item, "status": "pending", "attempt": 0})
    assert runner.run(glue, [name]).success
    assert len(glue.runs) == 1
    assert manifests.item(name)["glue_job_run_id"] == "jr_1"


def test_a_crashed_attempt_is_followed_by_the_next_but_a_failed_one_is_not(
    runner: Runner, manifests: ManifestTable
) -> None:
    crashed = manifests.commit(1, status="failed", attempt=1, retry_at="2026-01-30T00:01:00.000000Z")
    failed = manifests.commit(2, status="failed", attempt=1)
    assert runner.run(runner.glue_that_converts(), [crashed, failed]).success
    assert statuses(manifests, [crashed, failed]) == [("completed", 2), ("failed", 1)]
    assert "retry_at" not in manifests.item(crashed)


def test_a_glue_run_that_dies_without_a_word_makes_a_retry_due_until_the_last_attempt(
    runner: Runner, manifests: ManifestTable
) -> None:
    name = manifests.commit(1)
    for attempt in (1, 2, 3):
        assert not runner.run(runner.glue(None, ("FAILED",)), [name]).success
        item = manifests.item(name)
        assert (item["status"], item["attempt"]) == ("failed", attempt)
        assert ("retry_at" in item) is (attempt < 3)
        manifests.put_item(**{**item, **({"retry_at": item["failed_time"]} if attempt < 3 else {})})
        assert item["alert_pending"] == item["dagster_run_id"]


def test_a_run_leaves_its_checks_whether_it_succeeds_or_fails(
    runner: Runner, manifests: ManifestTable, instance: dg.DagsterInstance
) -> None:
    names = [manifests.commit(sequence) for sequence in (1, 2)]

    def report(paths: list[str]) -> dict[str, Any]:
        return glue_report_document(outcome(paths[0]), outcome(paths[1], error="broken"))

    assert not runner.run(runner.glue(report, ("FAILED",)), names).success
    checks = checks_of(instance)
    assert checks == {
        "row_conservation": True,
        "rejected_fraction": False,
        "all_manifests_completed": False,
        "schema_changed": False,
        "rescued_share": True,
        "schema_has_room": True,
        "catalog_follows_contract": True,
    }
    assert runner.run(runner.glue_that_converts(), None).success
    assert checks_of(instance)["all_manifests_completed"] is True


def checks_of(instance: dg.DagsterInstance) -> dict[str, bool]:
    """Return the newest result of each check."""
    found: dict[str, bool] = {}
    for run in reversed(instance.get_runs()):
        for record in instance.all_logs(run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            evaluation: Any = record.get_dagster_event().event_specific_data
            found[evaluation.check_name] = evaluation.passed
    return found


def test_a_manifest_that_glue_cannot_use_fails_by_its_name_and_its_neighbours_complete(
    runner: Runner, manifests: ManifestTable
) -> None:
    names = [manifests.commit(sequence) for sequence in (1, 2, 3, 4)]
    _, gone, foreign, _ = names
    s3, bucket = manifests.deployment.s3, manifests.deployment.names.manifest_bucket
    s3.delete_object(Bucket=bucket, Key=gone.key)
    other_date = make_name(3, "2026-01-29")
    manifests.put_object(other_date)
    content = s3.get_object(Bucket=bucket, Key=other_date.key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=foreign.key, Body=content)

    def report(paths: list[str]) -> dict[str, Any]:
        """Read each manifest as the script does."""
        outcomes = []
        for path in paths:
            try:
                read_manifest(s3, path, None, TrustRules(bucket, None, "pipeline/input/"))
            except ManifestReadError as error:
                outcomes.append(outcome(path, rows=0, rejected=0, error=str(error)))
            else:
                outcomes.append(outcome(path))
        return glue_report_document(*outcomes)

    result = runner.run(runner.glue(report, ("RUNNING", "FAILED")), names)
    assert not result.success
    assert statuses(manifests, names) == [("completed", 1), ("failed", 1), ("failed", 1), ("completed", 1)]
    for name, reason in ((gone, "can't be read"), (foreign, other_date.filename)):
        item = manifests.item(name)
        assert manifests.path(name) in item["error_message"]
        assert reason in item["error_message"]
        # What failed by its data is not tried again by itself.
        assert (item.get("retry_at"), item["alert_pending"]) == (None, result.run_id)
    (metadata,) = runner.observations()
    assert (metadata["manifests_completed"], metadata["manifests_failed"]) == (2, 2)
