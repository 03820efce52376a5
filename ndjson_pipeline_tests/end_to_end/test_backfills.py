"""Backfills through the real backfill daemon: every manifest of the dates again, its rows once."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import PARTITION_TAG
from ndjson_pipeline.definitions import defs
from ndjson_pipeline_tests.end_to_end.conftest import past
from ndjson_pipeline_tests.end_to_end.killable import STORAGES, Killable, killable_platform_on
from ndjson_pipeline_tests.end_to_end.processes import await_true

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(600)]

ASSET = dg.AssetKey("merged_parquet")
BACKFILL_TAG = "dagster/backfill"


@pytest.fixture(scope="module", params=STORAGES)
def running(request: pytest.FixtureRequest, scratch: Path, restored_environment: None) -> Iterator[Killable]:
    with killable_platform_on(request.param, scratch, glue_seconds=0.0) as killable:
        yield killable


def lines(count: int, tag: str) -> bytes:
    return b"".join(json.dumps({"tag": tag, "n": n}).encode() + b"\n" for n in range(count))


def launch(running: Killable, backfill_id: str, dates: Sequence[str]) -> None:
    """Store a backfill as the UI does; the daemon takes it from there."""
    running.instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id=backfill_id,
            asset_graph=defs.get_repository_def().asset_graph,
            partition_names=list(dates),
            asset_selection=[ASSET],
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=running.instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
    )


def await_backfill(running: Killable, backfill_id: str, seconds: float) -> None:
    """Return once a backfill has completed; none of its runs may have failed."""

    def is_done() -> bool:
        running.platform.check_alive()
        backfill = running.instance.get_backfill(backfill_id)
        assert backfill is not None
        assert backfill.status is not BulkActionStatus.COMPLETED_FAILED, backfill.error
        return backfill.status is BulkActionStatus.COMPLETED_SUCCESS

    await_true(is_done, seconds, every=0.5)


@pytest.mark.parametrize(
    "days", [6, pytest.param(30, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])], ids=["6", "30"]
)
def test_a_backfill_during_live_arrivals_converts_all_of_its_dates_and_each_row_is_there_once(
    running: Killable, now: datetime, days: int
) -> None:
    dates = [past(now, 300 + 10 * days + number) for number in range(days)]
    empty, live = dates[-1], dates[:2]
    sources = {running.put(f"{date}-a.ndjson", lines(3, date)): 3 for date in dates[:-1]}
    before = running.await_calm(dates, days - 1, 60 + 10 * days)

    backfill = f"backfill{days}"
    launch(running, backfill, dates)
    filters = dg.RunsFilter(tags={BACKFILL_TAG: backfill})
    await_true(lambda: running.instance.get_runs_count(filters) > 0, 120, every=0.2)
    # Files go on to arrive for dates that the backfill is converting again.
    for date in live:
        sources[running.put(f"{date}-late.ndjson", lines(2, "late"))] = 2
    await_backfill(running, backfill, 120 + 15 * days)

    after = running.await_calm(dates, days - 1 + len(live), 60)
    running.await_no_run(60)
    assert running.rows_by_source(*dates) == sources
    running.assert_no_attempt_has_two_glue_runs()
    runs = running.instance.get_runs(filters)
    assert sorted(run.tags[PARTITION_TAG] for run in runs) == sorted(dates)
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    attempts = {record.name: record.attempt for record in after}
    assert [attempts[record.name] for record in before] == [record.attempt + 1 for record in before]
    assert {record.status for record in after} == {ManifestStatus.COMPLETED}
    assert set(dates) <= running.instance.get_materialized_partitions(ASSET)
    assert running.records(empty) == []


@pytest.mark.soak
@pytest.mark.timeout(2400)
def test_a_thousand_manifests_over_fifty_dates_drain(running: Killable, now: datetime) -> None:
    dates = [past(now, 500 + number) for number in range(50)]
    names = [f"{date}-{number:03d}.ndjson" for date in dates for number in range(20)]
    with running.platform.stopped_dagster():
        sources = {running.put(name, lines(2, name)): 2 for name in names}
        await_true(lambda: len(running.tracked(*dates).manifests) == len(names), 600, every=1.0)
    began = time.monotonic()
    running.await_calm(dates, len(names), 2000)
    running.await_no_run(120)
    assert running.rows_by_source(*dates) == sources
    running.assert_no_attempt_has_two_glue_runs()
    filters = dg.RunsFilter(tags={PARTITION_TAG: dates[0]})
    print(  # noqa: T201 - the figure of an exploration
        f"{len(names)} manifests drained in {time.monotonic() - began:.0f} s; "
        f"{running.instance.get_runs_count(filters)} runs for the first date"
    )
