"""What a purge takes of a PostgreSQL, and what it leaves."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from lambda_ingest.contract.clock import utc_now
from ndjson_pipeline.deployment.instance.home import PRODUCTION, prepare_home
from ndjson_pipeline.errors import SettingsError
from ndjson_pipeline.history import (
    History,
    Purged,
    is_purged,
    purge_history,
    purge_history_daily,
    retention_of,
)
from ndjson_pipeline_tests.postgresql import PostgresServer, postgres_server

DATES = ["2026-01-01", "2026-01-02", "2026-01-03"]
LONG_AGO = "now() at time zone 'utc' - interval '60 days'"


@dg.asset(
    partitions_def=dg.StaticPartitionsDefinition(DATES),
    check_specs=[dg.AssetCheckSpec("rows", asset="converted")],
)
def converted(context: dg.AssetExecutionContext):  # type: ignore[no-untyped-def]
    """Stands for a date's conversion; a run tagged so fails."""
    for number in range(20):
        context.log.info(f"line {number}")
    if "fails" in context.run.tags:
        raise ValueError("broken data")
    return dg.MaterializeResult(
        metadata={"rows": 5}, check_results=[dg.AssetCheckResult(passed=True, check_name="rows")]
    )


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def instance(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    postgres.empty()
    for name, value in postgres.environment.items():
        monkeypatch.setenv(name, value)
    prepare_home(tmp_path, PRODUCTION)
    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        yield opened


def run(instance: dg.DagsterInstance, date: str, *, fails: bool = False) -> str:
    """Run the asset for a date; return the run's id."""
    done = dg.materialize(
        [converted],
        instance=instance,
        partition_key=date,
        tags={"fails": "yes"} if fails else None,
        raise_on_error=False,
    )
    assert done.success is not fails
    return done.run_id


def make_old(postgres: PostgresServer) -> None:
    """Let all that is there have been written long ago."""
    postgres.execute(
        f"update runs set update_timestamp = {LONG_AGO}",
        f"update event_logs set timestamp = {LONG_AGO}",
        f"update asset_check_executions set create_timestamp = {LONG_AGO}",
    )


def purge(instance: dg.DagsterInstance, now: datetime | None = None) -> Purged:
    return History(instance, (now or utc_now()) - timedelta(days=30)).purge()


def statuses(instance: dg.DagsterInstance) -> tuple[set[str], set[str]]:
    """Return the dates that are shown as converted and as failed, as the bar of the partitions is made."""
    definition = dg.StaticPartitionsDefinition(DATES)
    instance.event_log_storage.wipe_asset_cached_status(dg.AssetKey("converted"))
    value = get_and_update_asset_status_cache_value(instance, dg.AssetKey("converted"), definition)
    assert value is not None
    done = value.deserialize_materialized_partition_subsets(definition).get_partition_keys()
    failed = value.deserialize_failed_partition_subsets(definition).get_partition_keys()
    return set(done), set(failed)


def test_of_each_date_the_newest_stays_and_the_bar_is_as_it_was(
    instance: dg.DagsterInstance, postgres: PostgresServer
) -> None:
    replaced, kept = run(instance, DATES[0]), run(instance, DATES[0])
    was_good, is_bad = run(instance, DATES[1]), run(instance, DATES[1], fails=True)
    was_bad, is_good = run(instance, DATES[2], fails=True), run(instance, DATES[2])
    make_old(postgres)
    before = statuses(instance)
    assert before[1] == {DATES[1]}
    purged = purge(instance)
    assert {one.run_id for one in instance.get_runs()} == {kept, was_good, is_bad, is_good}
    assert (purged.runs, purged.kept, purged.is_all) == (2, 4, True)
    assert instance.get_run_by_id(replaced) is None
    assert instance.get_run_by_id(was_bad) is None
    assert statuses(instance) == before
    newest = instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey("converted"), asset_partitions=[DATES[0]]), limit=5
    ).records
    assert [record.run_id for record in newest] == [kept]
    assert newest[0].asset_materialization is not None
    assert newest[0].asset_materialization.metadata["rows"].value == 5
    reasons = instance.get_records_for_run(is_bad, of_type=dg.DagsterEventType.STEP_FAILURE).records
    assert "broken data" in str(reasons[0].event_log_entry.dagster_event)
    assert postgres.count("select count(*) from event_logs where event like '%line 7%'") == 0
    # The check is of the asset as a whole.
    assert postgres.count("select count(*) from asset_check_executions") == 1
    assert purge(instance) == Purged(kept=4)


def test_what_is_young_goes_on_or_belongs_to_an_open_backfill_stays(
    instance: dg.DagsterInstance, postgres: PostgresServer
) -> None:
    for _ in range(2):
        run(instance, DATES[0])
    assert purge(instance) == Purged()
    going, of_backfill, old = (run(instance, DATES[0]) for _ in range(3))
    run(instance, DATES[0])
    make_old(postgres)
    postgres.execute(
        f"update runs set status = 'STARTED' where run_id = '{going}'",
        f"update runs set backfill_id = 'open' where run_id = '{of_backfill}'",
        "insert into bulk_actions (key, status, timestamp) values ('open', 'REQUESTED', now())",
    )
    purge(instance)
    left = {one.run_id for one in instance.get_runs()}
    assert {going, of_backfill} <= left
    assert old not in left
    assert len(left) == 3


def test_events_of_no_run_are_purged_but_the_newest_of_each_date(
    instance: dg.DagsterInstance, postgres: PostgresServer
) -> None:
    for number in range(4):
        for date in DATES:
            instance.report_runless_asset_event(
                dg.AssetMaterialization("manifests", partition=date, metadata={"n": number})
            )
    make_old(postgres)
    purge(instance)
    left = instance.fetch_materializations(dg.AssetKey("manifests"), limit=100).records
    found = [record.asset_materialization for record in left]
    assert sorted((one.partition, one.metadata["n"].value) for one in found if one) == [
        (date, 3) for date in DATES
    ]


def test_a_purge_ends_in_time_and_the_next_one_goes_on(
    instance: dg.DagsterInstance, postgres: PostgresServer
) -> None:
    for _ in range(4):
        run(instance, DATES[0])
    make_old(postgres)
    ticks = iter(range(100))
    limited = History(
        instance, utc_now() - timedelta(days=30), seconds=2, monotonic=lambda: float(next(ticks))
    ).purge()
    assert not limited.is_all
    assert 0 < limited.runs < 3
    rest = purge(instance)
    assert rest.is_all
    assert limited.runs + rest.runs == 3


def test_the_job_purges_and_tells(
    instance: dg.DagsterInstance, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        run(instance, DATES[0])
    make_old(postgres)
    monkeypatch.setenv("DAGSTER_RETENTION_DAYS", "0")
    assert purge_history.execute_in_process(instance=instance).success
    assert len(instance.get_runs()) == 3
    monkeypatch.setenv("DAGSTER_RETENTION_DAYS", "14")
    done = purge_history.execute_in_process(instance=instance)
    assert done.success
    assert len(instance.get_runs()) == 3
    (output,) = [event for event in done.all_node_events if event.is_successful_output]
    assert output.step_output_data.metadata["runs_deleted"].value == 1


def test_the_schedule_launches_it_where_there_is_something_to_purge(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.local_temp() as laptop:
        assert not is_purged(laptop)
        with dg.build_schedule_context(laptop) as context:
            assert isinstance(purge_history_daily(context), dg.SkipReason)
    with dg.build_schedule_context(instance) as context:
        assert isinstance(purge_history_daily(context), dg.RunRequest)
        monkeypatch.setenv("DAGSTER_RETENTION_DAYS", "0")
        assert isinstance(purge_history_daily(context), dg.SkipReason)


def test_days_are_checked() -> None:
    assert retention_of({}) == timedelta(days=30)
    assert retention_of({"DAGSTER_RETENTION_DAYS": "0"}) is None
    assert retention_of({"DAGSTER_RETENTION_DAYS": "7"}) == timedelta(days=7)
    for wrong in ("6", "-1", "many"):
        with pytest.raises(SettingsError, match="DAGSTER_RETENTION_DAYS"):
            retention_of({"DAGSTER_RETENTION_DAYS": wrong})
