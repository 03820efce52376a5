"""The whole path on the instance of a deployment: its settings, and a real PostgreSQL."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.deployment.instance.home import PRODUCTION
from ndjson_pipeline.laptop.dagster_process import daemon_command
from ndjson_pipeline.laptop.demo.input_files import InputFile
from ndjson_pipeline.laptop.demo.run import DEMO_SETTINGS
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline.local_aws import LocalAwsSettings
from ndjson_pipeline.local_aws.resources import ResourceSettings
from ndjson_pipeline_tests.end_to_end.conftest import Running, past
from ndjson_pipeline_tests.end_to_end.processes import await_true, processes_with_variable
from ndjson_pipeline_tests.postgresql import PostgresServer, postgres_server

pytestmark = [pytest.mark.daemon, pytest.mark.spark, pytest.mark.timeout(240)]

# Glue would take more runs at once than the pool lets go, so that the pool alone holds them back.
SETTINGS = LocalAwsSettings(
    lambda_variables=DEMO_SETTINGS.lambda_variables, resources=ResourceSettings(max_concurrent_glue_runs=8)
)
PLACES = 2
RECORDS = 5


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def starting(scratch: Path, restored_environment: None, postgres: PostgresServer) -> Iterator[LocalPlatform]:
    """The platform as a deployment sets its Dagster up."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**postgres.environment, "TMPDIR": str(scratch)}.items():
            patch.setenv(name, value)
        with LocalPlatform(
            scratch / "platform", daemon_command(), settings=SETTINGS, instance=PRODUCTION, places=PLACES
        ) as platform:
            yield platform
        await_true(lambda: not processes_with_variable("TMPDIR", str(scratch)), 10)


def files_of(date: str) -> list[InputFile]:
    content = b"".join(b'{"n": %d}\n' % number for number in range(RECORDS))
    return [InputFile(f"{date}-{name}.ndjson", content, RECORDS) for name in ("a", "b")]


@pytest.fixture(scope="module")
def first(running: Running, now: datetime) -> list[InputFile]:
    """The files of three dates, converted: one more than the pool has places."""
    files = [file for days in (3, 4, 5) for file in files_of(past(now, days))]
    # The sensor finds all of them at once, so that their runs meet.
    with running.platform.stopped_dagster():
        running.upload(files)
        running.await_empty_queue(60)
    running.await_converted(files, 150)
    running.await_no_run(60)
    return files


def completed_runs(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    return list(instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])))


def cursor_of(instance: dg.DagsterInstance, sensor: str) -> str:
    (state,) = [found for found in instance.all_instigator_state() if found.instigator_name == sensor]
    return str(state.instigator_data.cursor or "")


def test_every_file_is_in_the_output_once(running: Running, first: list[InputFile]) -> None:
    dates = sorted({file.date_prefix for file in first})
    assert running.rows_by_source(*dates) == running.expected_rows(first)
    for date in dates:
        assert {record.status for record in running.records(date)} == {ManifestStatus.COMPLETED}
        assert {record.attempt for record in running.records(date)} == {1}


def test_runs_events_and_ticks_are_in_postgresql(
    running: Running, first: list[InputFile], postgres: PostgresServer
) -> None:
    runs = completed_runs(running.instance)
    assert runs
    assert postgres.count("select count(*) from runs where status = 'SUCCESS'") == len(runs)
    materializations = (
        "select count(distinct partition) from event_logs "
        "where dagster_event_type = 'ASSET_MATERIALIZATION' and asset_key = '[\"merged_parquet\"]'"
    )
    assert postgres.count(materializations) == 3
    assert postgres.count("select count(*) from job_ticks where status = 'SUCCESS'") >= 1
    assert not list(running.platform.dagster_home.rglob("*.db"))


def test_no_more_runs_go_at_once_than_the_pool_has_places(running: Running, first: list[InputFile]) -> None:
    (pool,) = running.instance.event_log_storage.get_pool_limits()
    limit = pool.limit
    assert limit == PLACES
    spans = [
        (record.start_time, record.end_time)
        for record in completed_runs(running.instance)
        if record.start_time is not None and record.end_time is not None
    ]
    assert len(spans) > limit
    at_once = [sum(1 for began, ended in spans if began <= start < ended) for start, _ in spans]
    # They met, or the limit was not tried.
    assert max(at_once) == limit, spans


def test_a_daemon_that_is_started_again_goes_on_where_it_was(
    running: Running, first: list[InputFile], now: datetime
) -> None:
    await_true(lambda: running.materialized("manifests", "files_processed") == len(first), 60)
    cursor, runs = cursor_of(running.instance, "lambda_report_sensor"), completed_runs(running.instance)
    assert cursor
    more = files_of(past(now, 6))
    with running.platform.stopped_dagster():
        assert cursor_of(running.instance, "lambda_report_sensor") == cursor
        running.upload(more)
        running.await_empty_queue(60)
    running.await_converted(more, 100)
    running.await_no_run(60)
    await_true(lambda: running.materialized("manifests", "files_processed") >= len(first) + len(more), 60)
    # Each report once, and nothing converted again.
    assert running.materialized("manifests", "files_processed") == len(first) + len(more)
    assert running.rows_by_source(past(now, 6)) == running.expected_rows(more)
    known = {record.dagster_run.run_id for record in runs}
    new = [r for r in completed_runs(running.instance) if r.dagster_run.run_id not in known]
    assert {record.dagster_run.tags["dagster/partition"] for record in new} == {past(now, 6)}
