"""A date with failed manifests is failed in the UI, whatever else of it is converted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from ndjson_pipeline.claims.dagster_runs import SHOWS_FAILED_TAG
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.conversion.failed_dates import show_failed
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.jobs import converts
from ndjson_pipeline_tests.pipeline.asset_runner import ASSET, Runner, converted
from ndjson_pipeline_tests.pipeline.harness import (
    DATE,
    FakeGlue,
    ManifestTable,
    glue_report_document,
    make_record,
    outcome,
)
from ndjson_pipeline_tests.pipeline.partition_bar import bar, checks


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """The storage of files, as a deployment's: it keeps what the bar has found."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as found:
        yield found


def failing(runner: Runner) -> FakeGlue:
    """Return a Glue in which every manifest fails by its data."""
    return runner.glue(
        lambda paths: glue_report_document(*(outcome(path, rows=0, error="bad") for path in paths)),
        ["FAILED"],
    )


def runs_of(instance: dg.DagsterInstance) -> list[dg.DagsterRunStatus]:
    """Return how the runs ended, in order."""
    return [run.status for run in reversed(instance.get_runs())]


FAILURE, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


def test_a_date_with_a_failed_manifest_stays_failed_while_others_are_converted(
    runner: Runner, manifests: ManifestTable, instance: dg.DagsterInstance
) -> None:
    assert not runner.run(failing(runner), [manifests.commit(1)]).success
    assert bar(instance) == {DATE: "failed"}
    for later in (2, 3):
        assert runner.run(runner.glue_that_converts(), [manifests.commit(later)]).success
        assert bar(instance) == {DATE: "failed"}
    # The runs' list is honest: one real failure, and the others did their work.
    assert runs_of(instance) == [FAILURE, SUCCESS, SUCCESS]
    assert runner.materializations() == []
    newest, *_ = runner.observations()
    assert (newest["manifests_completed"], newest["manifests_failed"]) == (2, 1)
    assert (newest["records_processed"], newest["run_records_processed"]) == (14, 7)
    assert set(checks(instance, "all_manifests_completed")[DATE]) == {"FAILED"}


def test_a_date_that_was_materialized_turns_failed_and_stays_so(
    runner: Runner, manifests: ManifestTable, instance: dg.DagsterInstance
) -> None:
    assert runner.run(runner.glue_that_converts(), [manifests.commit(1)]).success
    assert bar(instance) == {DATE: "materialized"}
    assert not runner.run(failing(runner), [manifests.commit(2)]).success
    assert bar(instance) == {DATE: "failed"}
    assert runner.run(runner.glue_that_converts(), [manifests.commit(3)]).success
    assert bar(instance) == {DATE: "failed"}


def test_the_date_is_materialized_with_its_totals_when_the_last_failed_manifest_is_mended(
    runner: Runner, manifests: ManifestTable, instance: dg.DagsterInstance
) -> None:
    names = [manifests.commit(sequence) for sequence in (1, 2)]
    assert not runner.run(failing(runner), names).success
    assert runner.run(runner.glue_that_converts(), [manifests.commit(3)]).success
    for name in names:
        assert bar(instance) == {DATE: "failed"}
        record = manifests.store().read(name)
        assert record is not None
        assert manifests.store().retry_later(record)
        assert runner.run(runner.glue_that_converts(), [name]).success
    assert bar(instance) == {DATE: "materialized"}
    (metadata,) = runner.materializations()
    assert (metadata["manifests_completed"], metadata["manifests_failed"]) == (3, 0)
    assert (metadata["records_processed"], metadata["run_records_processed"]) == (21, 7)
    assert checks(instance, "all_manifests_completed")[DATE][0] == "SUCCEEDED"


def test_a_backfill_mends_a_failed_date(
    runner: Runner, manifests: ManifestTable, instance: dg.DagsterInstance
) -> None:
    names = [manifests.commit(sequence) for sequence in (1, 2)]
    assert not runner.run(failing(runner), names).success
    assert runner.run(runner.glue_that_converts(), None).success
    assert bar(instance) == {DATE: "materialized"}


def test_a_date_s_numbers_do_not_double_by_a_backfill(runner: Runner, manifests: ManifestTable) -> None:
    names = [manifests.commit(sequence) for sequence in (1, 2)]
    glue = runner.glue_that_converts()
    assert runner.run(glue, names).success
    assert runner.run(glue, None).success
    newest, first = runner.materializations()
    for metadata in (newest, first):
        assert (metadata["records_read"], metadata["manifests_completed"]) == (16, 2)
    assert (newest["glue_runs"], newest["execution_time_seconds"]) == (2, 25.0)


def test_a_failure_that_a_later_success_of_another_run_overtakes_is_not_painted_green(
    runner: Runner, manifests: ManifestTable, instance: dg.DagsterInstance
) -> None:
    """Two runs of a date at once: the one that began first fails after the other has materialized."""
    first, second = manifests.commit(1), manifests.commit(2)

    def report(paths: list[str]) -> dict[str, Any]:
        assert runner.run(runner.glue_that_converts(), [second]).success
        assert bar(instance)[DATE] != "failed"
        return glue_report_document(outcome(paths[0], rows=0, error="bad"))

    assert not runner.run(runner.glue(report, ["FAILED"]), [first]).success
    assert bar(instance) == {DATE: "failed"}


class StoreThatMendsBetween(ManifestRecordStore):
    """Another run mends the date's last failed manifest after this one has read that it failed."""

    def failed_of(self, *arguments: Any, **named: Any) -> list[ManifestRecord]:
        found = super().failed_of(*arguments, **named)
        for record in found:
            claim = self.claim(record, "another", Move.RECLAIM)
            assert claim is not None
            self.complete(claim, None)
        return found


def test_a_date_that_another_run_mends_at_the_same_moment_is_not_left_failed(
    runner: Runner, manifests: ManifestTable, instance: dg.DagsterInstance
) -> None:
    failed, good = manifests.commit(1), manifests.commit(2)
    assert not runner.run(failing(runner), [failed]).success
    deployment = manifests.deployment
    records = StoreThatMendsBetween(
        deployment.dynamodb, table=deployment.names.tracking_table, clock=manifests.store()._clock
    )
    assert runner.run(runner.glue_that_converts(), [good], records).success
    assert bar(instance) == {DATE: "materialized"}


def test_after_a_termination_a_run_that_stands_for_the_date_shows_it_failed_and_is_no_conversion(
    instance: dg.DagsterInstance,
) -> None:
    canceled = create_run_for_test(instance, status=dg.DagsterRunStatus.CANCELED)
    record = make_record(dagster_run_id=canceled.run_id, error_message="terminated by a person")
    for _ in range(2):
        show_failed(instance, Feed(), DATE, [record])
        assert bar(instance) == {DATE: "failed"}
    (stand_in,) = instance.get_runs(dg.RunsFilter(statuses=[FAILURE]))
    assert stand_in.tags[SHOWS_FAILED_TAG] == DATE
    assert not converts(stand_in, Feed())
    (ended,) = instance.all_logs(stand_in.run_id, dg.DagsterEventType.RUN_FAILURE)
    assert "terminated by a person" in ended.message


def test_a_failed_date_leads_to_the_run_that_failed_for_the_newest_of_its_manifests(
    instance: dg.DagsterInstance,
) -> None:
    runs = [create_run_for_test(instance, status=FAILURE).run_id for _ in range(2)]
    gone = make_record(3, dagster_run_id="unknown", processing_start_time="2026-01-30T09:00:00.000000Z")
    records = [
        make_record(1, dagster_run_id=runs[0], processing_start_time="2026-01-30T08:00:00.000000Z"),
        make_record(2, dagster_run_id=runs[1], processing_start_time="2026-01-30T07:00:00.000000Z"),
    ]
    show_failed(instance, Feed(), DATE, [*records, gone])
    planned = instance.get_latest_planned_materialization_info(ASSET, partition=DATE)
    assert planned is not None
    assert planned.run_id == runs[0]
    assert len(instance.get_runs()) == 2


def test_failed_manifests_are_found_at_the_cost_of_what_is_failed_of_the_date(
    manifests: ManifestTable,
) -> None:
    failed = manifests.commit(1, status="failed", failed_date=DATE)
    # The index may still show what was mended, and not yet show what failed just now.
    manifests.commit(2, status="completed", failed_date=DATE)
    late = manifests.commit(3, status="failed")
    manifests.commit(4, status="failed")
    manifests.commit(1, "2026-01-29", status="failed", failed_date="2026-01-29")
    store = manifests.store()
    assert [record.name for record in store.failed_of(DATE, 10)] == [failed]
    assert [record.name for record in store.failed_of(DATE, 10, [late])] == [failed, late]
    assert [record.name for record in store.failed_of(DATE, 1, [late])] == [late]


def test_a_claim_takes_a_manifest_out_of_the_failed_ones_of_its_date(
    runner: Runner, manifests: ManifestTable
) -> None:
    name = manifests.commit(1)
    assert not runner.run(failing(runner), [name]).success
    assert manifests.item(name)["failed_date"] == DATE
    assert runner.run(runner.glue(converted), None).success
    assert "failed_date" not in manifests.item(name)
