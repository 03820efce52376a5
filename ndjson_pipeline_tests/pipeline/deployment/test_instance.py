"""The Dagster instances' settings, as Dagster reads them."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.config import PoolGranularity
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.deployment.instance.__main__ import main
from ndjson_pipeline.deployment.instance.home import LOCAL, PRODUCTION, prepare_home, room_for
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline_tests.postgresql import PostgresServer, postgres_server

POOL = "glue"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def instances(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, dg.DagsterInstance]]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in postgres.environment.items():
            patch.setenv(name, value)
        opened = {}
        for name in (LOCAL, PRODUCTION):
            home = tmp_path_factory.mktemp("home")
            prepare_home(home, name, places={POOL: 2})
            opened[name] = dg.DagsterInstance.from_config(str(home))
        yield opened
        for instance in opened.values():
            instance.dispose()


@pytest.fixture(params=[LOCAL, PRODUCTION])
def instance(request: pytest.FixtureRequest, instances: dict[str, dg.DagsterInstance]) -> dg.DagsterInstance:
    return instances[request.param]


@pytest.fixture
def production(instances: dict[str, dg.DagsterInstance]) -> dg.DagsterInstance:
    return instances[PRODUCTION]


def test_as_many_runs_hold_the_pool_as_the_glue_job_allows(
    instance: dg.DagsterInstance, deployment: Deployment
) -> None:
    job = deployment.glue.get_job(JobName=deployment.names.glue_job)["Job"]
    pools = instance.get_concurrency_config().pool_config
    assert pools.default_pool_limit == job["ExecutionProperty"]["MaxConcurrentRuns"]
    assert pools.pool_granularity is PoolGranularity.RUN


def test_the_pool_has_its_places_before_the_first_run_asks(instance: dg.DagsterInstance) -> None:
    (asset,) = [found for found in build_defs().assets or [] if isinstance(found, dg.AssetsDefinition)]
    (limit,) = instance.event_log_storage.get_pool_limits()
    assert asset.op.pool == limit.name == POOL
    assert (limit.limit, limit.from_default) == (2, False)


def test_runs_without_glue_find_room_beside_those_of_the_pool(instance: dg.DagsterInstance) -> None:
    concurrency = instance.get_concurrency_config()
    assert concurrency.run_queue_config is not None
    assert concurrency.pool_config.default_pool_limit is not None
    assert concurrency.run_queue_config.max_concurrent_runs > concurrency.pool_config.default_pool_limit
    assert concurrency.run_queue_config.max_concurrent_runs >= room_for({POOL: 2})


@pytest.mark.parametrize(
    ("places", "room"), [({"glue": 2}, 4), ({"glue": 2, "orders": 2}, 8), ({"glue": 20, "orders": 1}, 25)]
)
def test_no_feed_fills_the_room_of_the_others(places: dict[str, int], room: int, tmp_path: Path) -> None:
    assert room_for(places) == room
    prepare_home(tmp_path, LOCAL, max_concurrent_runs=room_for(places))
    with dg.DagsterInstance.from_config(str(tmp_path)) as raised:
        queue = raised.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == room


def test_room_is_never_taken_away(tmp_path: Path) -> None:
    prepare_home(tmp_path / "plain", LOCAL)
    prepare_home(tmp_path / "less", LOCAL, max_concurrent_runs=1)
    plain, less = ((tmp_path / name / "dagster.yaml").read_text() for name in ("plain", "less"))
    assert less == plain


def test_a_requested_run_waits_for_a_second_at_most_and_survives_a_code_server_that_is_away(
    instance: dg.DagsterInstance,
) -> None:
    coordinator = instance.run_coordinator
    assert isinstance(coordinator, QueuedRunCoordinator)
    assert coordinator.dequeue_interval_seconds == 1
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_user_code_failure_retries * queue.user_code_failure_retry_delay >= 30


def test_a_run_has_recorded_its_own_deadline_before_dagster_ends_it(instance: dg.DagsterInstance) -> None:
    pipeline = PipelineResource()
    waits = sum(pipeline.concurrency_wait_seconds * 2**retry for retry in range(pipeline.concurrency_retries))
    slowest = waits + pipeline.deadline_seconds + 10 * pipeline.longest_poll_seconds
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds > slowest
    assert instance.run_monitoring_max_resume_run_attempts == 0


def test_crashes_are_retried_and_failures_of_the_asset_are_not(instance: dg.DagsterInstance) -> None:
    assert instance.run_retries_enabled
    assert instance.run_retries_max_retries > 0
    assert not instance.run_retries_retry_on_asset_or_op_failure


def test_the_daemon_evaluates_freshness_monitors_and_retries(instance: dg.DagsterInstance) -> None:
    wanted = {"SENSOR", "BACKFILL", "QUEUED_RUN_COORDINATOR", "MONITORING", "EVENT_LOG_CONSUMER"}
    assert wanted | {"FRESHNESS_DAEMON"} <= set(instance.get_required_daemon_types())


def test_ticks_do_not_pile_up(instance: dg.DagsterInstance) -> None:
    days = instance.get_tick_retention_settings(InstigatorType.SENSOR)
    assert all(days[status] > 0 for status in TickStatus), days
    assert days[TickStatus.SKIPPED] <= min(days[TickStatus.SUCCESS], days[TickStatus.FAILURE])


def test_sensors_do_not_hold_each_other_up(instance: dg.DagsterInstance) -> None:
    settings = instance.get_settings("sensors")
    assert settings["use_threads"]
    assert settings["num_workers"] >= len(list(build_defs().sensors or []))


def test_nothing_is_told_to_others(instance: dg.DagsterInstance) -> None:
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled


def test_production_keeps_everything_in_postgresql(
    production: dg.DagsterInstance, postgres: PostgresServer
) -> None:
    assert isinstance(production.run_storage, PostgresRunStorage)
    assert isinstance(production.event_log_storage, PostgresEventLogStorage)
    assert isinstance(production.schedule_storage, PostgresScheduleStorage)
    for table in ("runs", "event_logs", "job_ticks"):
        assert postgres.count(f"select count(*) from {table}") == 0
    production.add_dynamic_partitions("of_this_test", ["a", "b"])
    assert postgres.count("select count(*) from dynamic_partitions") == 2


def test_production_runs_beside_the_code_server_and_leaves_output_to_the_container(
    production: dg.DagsterInstance,
) -> None:
    assert isinstance(production.run_launcher, DefaultRunLauncher)
    assert isinstance(production.compute_log_manager, NoOpComputeLogManager)


@pytest.mark.parametrize("missing", ["DAGSTER_POSTGRES_HOST", "DAGSTER_POSTGRES_PASSWORD"])
def test_production_without_its_environment_says_what_is_missing(
    missing: str, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in postgres.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    with pytest.raises(Exception, match=missing):
        prepare_home(tmp_path, PRODUCTION)


def test_a_deployment_prepares_the_home_that_its_environment_names(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**postgres.environment, "DAGSTER_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)
    assert main(["--max-concurrent-runs", "12"]) == 0
    settings = (tmp_path / "home" / "dagster.yaml").read_text()
    assert "max_concurrent_runs: 12" in settings
    assert "PooledPostgresStorage" in settings
    assert postgres.environment["DAGSTER_POSTGRES_PASSWORD"] not in settings


def test_a_code_server_gives_the_pool_of_its_feed_its_places_and_no_other(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = {"NDJSON_FEED": "orders", "GLUE_MAX_CONCURRENT_RUNS": "5"}
    for name, value in {**postgres.environment, **feed, "DAGSTER_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)

    def limits() -> dict[str, int]:
        with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
            return {limit.name: limit.limit for limit in instance.event_log_storage.get_pool_limits()}

    # The daemon's process, which is of no feed.
    assert main([]) == 0
    assert limits() == {POOL: 2}
    assert main(["--places"]) == 0
    assert limits() == {POOL: 2, "orders": 5}
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        instance.event_log_storage.delete_concurrency_limit("orders")


def test_a_feed_whose_name_makes_no_sense_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NDJSON_FEED", "Orders!")
    with pytest.raises(SystemExit):
        main(["--home", str(tmp_path), "--settings", LOCAL, "--places"])
    assert "NDJSON_FEED must be a small letter" in capsys.readouterr().err


def test_a_home_that_nothing_names_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(SystemExit):
        main([])
