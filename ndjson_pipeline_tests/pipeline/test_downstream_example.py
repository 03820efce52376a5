"""The documented recipe for an asset downstream of merged_parquet."""

import importlib.util
from datetime import date
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest

from ndjson_pipeline.assets import feed_assets
from ndjson_pipeline.claims.dagster_runs import CONVERSION_JOB
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline_tests.pipeline.harness import day

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "downstream.py"
UPSTREAM = dg.AssetKey("merged_parquet")


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("downstream_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Automation:
    """The daemon's evaluations of the example, beside the feed's own assets."""

    def __init__(self, example: ModuleType, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self._summary = example.daily_summary
        partitions = daily_partitions(PipelineSettings().partition_start_date)
        feed = feed_assets(Feed(), partitions)
        self._defs = dg.Definitions(
            assets=[*feed, self._summary], resources={"pipeline": dg.ResourceDefinition.none_resource()}
        )
        self._cursor: dg.AutomationConditionCursor | None = None

    def convert(self, date_prefix: str, rows: int = 1) -> None:
        """Let a date be materialized upstream."""
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(UPSTREAM, partition=date_prefix, metadata={"dagster/row_count": rows})
        )

    def fail(self, date_prefix: str) -> None:
        """Let a run of a date fail upstream: it had meant to materialize it, and only observed it."""
        run = dg.DagsterRun(
            job_name=CONVERSION_JOB,
            tags={"dagster/partition": date_prefix},
            asset_selection=frozenset({UPSTREAM}),
        )
        self.instance.add_run(run)
        self.instance.report_runless_asset_event(dg.AssetObservation(UPSTREAM, partition=date_prefix))
        self.instance.report_run_failed(run)

    def requested(self) -> list[str]:
        """Evaluate once, and return the dates that are to be run."""
        result = dg.evaluate_automation_conditions(self._defs, self.instance, cursor=self._cursor)
        self._cursor = result.cursor
        return sorted(result.get_requested_partitions(self._summary.key))

    def run(self, date_prefix: str) -> dict[str, object]:
        """Run a date of the example, and return what it says."""
        result = dg.materialize(
            [self._summary], instance=self.instance, partition_key=date_prefix, raise_on_error=True
        )
        (event,) = result.get_asset_materialization_events()
        return {name: value.value for name, value in event.materialization.metadata.items()}


@pytest.fixture
def automation(example: ModuleType, instance: dg.DagsterInstance) -> Automation:
    return Automation(example, instance)


def test_a_past_date_that_is_flushed_after_midnight_runs_once(automation: Automation) -> None:
    automation.convert(day(-40))
    # What was there before the asset is left to a backfill.
    assert automation.requested() == []
    automation.convert(day(-1), rows=7)
    automation.convert(day())
    assert automation.requested() == [day(-1), day()]
    assert automation.requested() == []
    assert automation.run(day(-1)) == {"rows": 7}
    assert automation.requested() == []


def test_a_date_that_is_materialized_again_runs_again(automation: Automation) -> None:
    assert automation.requested() == []
    for rows in (3, 5):
        automation.convert(day(-9), rows)
        assert automation.requested() == [day(-9)]
        assert automation.run(day(-9)) == {"rows": rows}
        assert automation.requested() == []


def test_a_date_that_failed_upstream_runs_nothing_until_it_is_mended(automation: Automation) -> None:
    assert automation.requested() == []
    automation.fail(day(-2))
    assert automation.requested() == []
    automation.convert(day(-2))
    assert automation.requested() == [day(-2)]


def test_eager_alone_passes_past_dates_over(instance: dg.DagsterInstance) -> None:
    """Why the recipe is there; where Dagster changes this, the recipe may go."""

    @dg.asset(
        deps=[UPSTREAM],
        partitions_def=daily_partitions(date(2026, 1, 1)),
        automation_condition=dg.AutomationCondition.eager(),
    )
    def follower() -> None: ...

    upstream = dg.AssetSpec(UPSTREAM, partitions_def=daily_partitions(date(2026, 1, 1)))
    defs = dg.Definitions(assets=[upstream, follower])
    first = dg.evaluate_automation_conditions(defs, instance)
    for date_prefix in (day(-1), day()):
        instance.report_runless_asset_event(dg.AssetMaterialization(UPSTREAM, partition=date_prefix))
    second = dg.evaluate_automation_conditions(defs, instance, cursor=first.cursor)
    assert set(second.get_requested_partitions(follower.key)) == {day()}


def test_its_dates_are_those_of_upstream_and_its_sensor_is_on(example: ModuleType) -> None:
    assert daily_partitions(PipelineSettings().partition_start_date) == example.DATES
    (sensor,) = example.defs.sensors
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert dg.Definitions.validate_loadable(example.defs) is None
