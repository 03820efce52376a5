"""A run of several dates: each date has its own numbers, once."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline_tests.pipeline.asset_runner import ASSET, Runner, StubPipeline, converted
from ndjson_pipeline_tests.pipeline.harness import (
    FakeGlue,
    ManifestTable,
    client_error,
    glue_report_document,
    outcome,
)
from ndjson_pipeline_tests.pipeline.partition_bar import bar, checks

FIRST, SECOND, THIRD = "2026-01-28", "2026-01-29", "2026-01-30"


def run_range(runner: Runner, glue: FakeGlue) -> dg.ExecuteInProcessResult:
    """Run three dates as one run, as the range of a backfill that takes one run does."""
    defs = build_defs(resource_overrides={"pipeline": StubPipeline(runner.manifests, glue)})
    return defs.resolve_job_def("convert_manifests").execute_in_process(
        instance=runner.instance,
        tags={ASSET_PARTITION_RANGE_START_TAG: FIRST, ASSET_PARTITION_RANGE_END_TAG: THIRD},
        raise_on_error=False,
    )


def by_date(runner: Runner, *, is_observed: bool = False) -> Mapping[str | None, list[tuple[Any, ...]]]:
    """Return completed, read, output MB and Glue run of each materialization, or observation."""
    names = ("manifests_completed", "records_read", "output_size_mb")
    found: dict[str | None, list[tuple[Any, ...]]] = {}
    instance = runner.instance
    records = instance.fetch_observations if is_observed else instance.fetch_materializations
    for record in records(ASSET, limit=100).records:
        event = record.asset_observation if is_observed else record.asset_materialization
        assert event is not None
        runs = event.metadata.get("glue_job_run_ids")
        values = tuple(event.metadata[name].value for name in names)
        found.setdefault(event.partition, []).append((*values, runs.value if runs else None))
    return found


def test_each_date_of_a_run_has_its_own_numbers(runner: Runner, manifests: ManifestTable) -> None:
    for sequence, date_prefix in ((1, FIRST), (2, FIRST), (1, THIRD)):
        manifests.commit(sequence, date_prefix)
    assert run_range(runner, runner.glue_that_converts()).success
    assert by_date(runner) == {
        FIRST: [(2, 16, 0.5, "jr_1")],
        SECOND: [(0, 0, 0.0, None)],
        THIRD: [(1, 8, 0.25, "jr_2")],
    }


def test_where_dates_fail_the_others_have_their_numbers(runner: Runner, manifests: ManifestTable) -> None:
    manifests.commit(1, FIRST)
    for sequence in (1, 2):
        manifests.commit(sequence, SECOND)
    manifests.commit(1, THIRD)

    def report(paths: list[str]) -> dict[str, Any]:
        # All of the first date fails, and one of the second date's two.
        return glue_report_document(
            *(
                outcome(path, rows=0, error="bad")
                if FIRST in path or (SECOND in path and "000002" in path)
                else outcome(path)
                for path in paths
            )
        )

    assert not run_range(runner, runner.glue(report, ["FAILED", "FAILED", "SUCCEEDED"])).success
    assert by_date(runner) == {THIRD: [(1, 8, 0.25, "jr_3")]}
    assert by_date(runner, is_observed=True) == {
        FIRST: [(0, 0, 0.0, "jr_1")],
        SECOND: [(1, 8, 0.25, "jr_2")],
    }
    assert bar(runner.instance) == {FIRST: "failed", SECOND: "failed", THIRD: "materialized"}


def test_each_date_of_a_run_has_its_own_check_results_and_no_other_beside_them(
    runner: Runner, manifests: ManifestTable
) -> None:
    for date_prefix in (FIRST, SECOND, THIRD):
        manifests.commit(1, date_prefix)

    def report(paths: list[str]) -> dict[str, Any]:
        return glue_report_document(
            *(outcome(path, rows=0, error="bad") if SECOND in path else outcome(path) for path in paths)
        )

    assert not run_range(runner, runner.glue(report, ["SUCCEEDED", "FAILED", "SUCCEEDED"])).success
    assert checks(runner.instance, "all_manifests_completed") == {
        FIRST: ["SUCCEEDED"],
        SECOND: ["FAILED"],
        THIRD: ["SUCCEEDED"],
    }
    assert set(checks(runner.instance, "row_conservation")) == {FIRST, SECOND, THIRD}


def test_a_date_that_ends_in_an_error_keeps_no_other_from_its_materialization(
    runner: Runner, manifests: ManifestTable
) -> None:
    for date_prefix in (FIRST, SECOND, THIRD):
        manifests.commit(1, date_prefix)
    glue = runner.glue(converted, ["SUCCEEDED", client_error("AccessDeniedException"), "SUCCEEDED"])
    result = run_range(runner, glue)
    assert not result.success
    assert "AccessDeniedException" in str(result.failure_data_for_node("merged_parquet"))
    assert bar(runner.instance) == {FIRST: "materialized", SECOND: "failed", THIRD: "materialized"}
