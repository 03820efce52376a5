"""A deployment's three services on PostgreSQL: they are replaced, and their password changes, under work."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import HANDED_OVER_TAG, PARENT_RUN_TAG, PARTITION_TAG
from ndjson_pipeline.deployment.services.__main__ import main
from ndjson_pipeline_tests.end_to_end.conftest import past
from ndjson_pipeline_tests.end_to_end.deployed import LOCATION, Deployed, deployed_platform
from ndjson_pipeline_tests.end_to_end.light_glue import hold_of
from ndjson_pipeline_tests.end_to_end.processes import await_true
from ndjson_pipeline_tests.end_to_end.released_definitions import RELEASE_VARIABLE
from ndjson_pipeline_tests.lambda_ingest.proofs.figures import FIGURE

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(420)]

JOBS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } jobs { name } } } } }"


@pytest.fixture(scope="module")
def running(scratch: Path, restored_environment: None) -> Iterator[Deployed]:
    with deployed_platform(scratch) as deployed:
        yield deployed


@pytest.fixture(scope="module", autouse=True)
def alerts(running: Deployed) -> Callable[[], list[dict[str, object]]]:
    """Reads what was alerted since the beginning."""
    return running.subscribe_to_alerts()


def lines(count: int) -> bytes:
    return b"".join(b'{"n": %d}\n' % number for number in range(count))


def let_go(running: Deployed) -> None:
    """Let Glue runs come to their end."""
    hold_of(running.deaths).unlink()


def await_converting(running: Deployed, date: str) -> str:
    """Return the Glue run of a date's only manifest, once it is going; it goes on until it is let go."""
    hold_of(running.deaths).touch()

    def going() -> str:
        (record,) = running.records(date) or [None]
        is_going = record is not None and running.glue_process(record) is not None
        return str(record.glue_job_run_id) if record is not None and is_going else ""

    return await_true(going, 60)


def runs_of(running: Deployed, date: str) -> list[dg.DagsterRun]:
    """Return the runs of a date, the oldest first."""
    return list(reversed(running.instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: date}))))


def jobs_in_ui(running: Deployed) -> set[str]:
    answer = running.platform.ask(JOBS) or {}
    nodes = answer.get("repositoriesOrError", {}).get("nodes", [])
    return {job["name"] for node in nodes for job in node["jobs"] if node["location"]["name"] == LOCATION}


def test_a_deployment_in_the_middle_of_a_glue_run_loses_nothing_and_repeats_nothing(
    running: Deployed,
    now: datetime,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, str], None],
) -> None:
    date, meanwhile = past(now, 20), past(now, 21)
    sources = {running.put(f"{date}-a.ndjson", lines(5)): 5}
    glue_run = await_converting(running, date)
    began = time.monotonic()
    # Long before ECS would kill it.
    running.code.end(25)
    ended_after = time.monotonic() - began
    (interrupted,) = runs_of(running, date)
    assert interrupted.status is dg.DagsterRunStatus.FAILURE
    assert interrupted.tags[HANDED_OVER_TAG] == interrupted.run_id
    (record,) = running.records(date)
    assert record.status is ManifestStatus.PROCESSING
    assert running.glue_process(record) is not None
    sources[running.put(f"{meanwhile}-a.ndjson", lines(7))] = 7

    running.code.environment[RELEASE_VARIABLE] = "second"
    running.code.start()
    assert main(["reload", "--url", running.platform.ui, "--seconds", "240"], {}) == 0
    assert LOCATION in capsys.readouterr().out
    assert "job_of_second" in jobs_in_ui(running)
    await_true(lambda: running.records(date)[0].dagster_run_id != interrupted.run_id, 90)
    assert running.glue_process(record) is not None
    let_go(running)
    records = running.await_calm([date, meanwhile], 2, 150)
    assert {record.attempt for record in records} == {1}
    running.await_no_run(60)
    assert running.rows_by_source(date, meanwhile) == sources
    running.assert_no_attempt_has_two_glue_runs()
    (taken_over,) = [record for record in running.records(date) if record.glue_job_run_id == glue_run]
    _, follower = runs_of(running, date)
    assert follower.status is dg.DagsterRunStatus.SUCCESS
    assert follower.tags[PARENT_RUN_TAG] == interrupted.run_id
    assert taken_over.dagster_run_id == follower.run_id
    record_property(FIGURE, f"a code server that ran a run ended {ended_after:.1f} s after SIGTERM")


def test_ui_and_daemon_see_the_new_code_by_themselves(
    running: Deployed, record_property: Callable[[str, str], None]
) -> None:
    running.code.end(25)
    running.code.environment[RELEASE_VARIABLE] = "third"
    running.code.start()
    await_true(running.platform.is_serving, 60)
    began = time.monotonic()
    await_true(lambda: "job_of_third" in jobs_in_ui(running), 30)
    in_ui = time.monotonic() - began
    await_true(
        lambda: any(
            state.instigator_name == "sensor_of_third" for state in running.instance.all_instigator_state()
        ),
        90,
    )
    in_daemon = time.monotonic() - began
    record_property(
        FIGURE, f"new code seen by the UI {in_ui:.1f} s, by the daemon {in_daemon:.1f} s after it served"
    )


def test_a_daemon_that_is_replaced_goes_on(running: Deployed, now: datetime) -> None:
    date = past(now, 30)
    source = running.put(f"{date}-a.ndjson", lines(4))
    await_converting(running, date)
    running.daemon_service.end(60)
    running.daemon_service.start()
    let_go(running)
    (record,) = running.await_calm([date], 1, 120)
    assert record.attempt == 1
    assert running.rows_by_source(date) == {source: 4}
    running.assert_no_attempt_has_two_glue_runs()
    (run,) = runs_of(running, date)
    await_true(lambda: runs_of(running, date)[0].status is dg.DagsterRunStatus.SUCCESS, 30)
    assert run.run_id == record.dagster_run_id


def test_a_password_that_changes_under_running_processes_stops_nothing(
    running: Deployed, now: datetime
) -> None:
    date, after = past(now, 40), past(now, 41)
    sources = {running.put(f"{date}-a.ndjson", lines(3)): 3}
    await_converting(running, date)
    # RDS changes the database first and the secret a moment later; here nobody is connected in between.
    assert running.postgres is not None
    running.postgres.set_password("another-one")
    running.postgres.cut_connections()
    time.sleep(3)
    running.platform.put_secret("another-one")
    let_go(running)
    sources[running.put(f"{after}-a.ndjson", lines(6))] = 6
    records = running.await_calm([date, after], 2, 150)
    running.await_no_run(60)
    assert {record.attempt for record in records} == {1}
    assert running.rows_by_source(date, after) == sources
    running.assert_no_attempt_has_two_glue_runs()
    assert await_true(lambda: jobs_in_ui(running), 30)
    for service in running.platform.services.values():
        log = service.log_path.read_text()
        assert "another-one" not in log
        assert running.postgres.environment["DAGSTER_POSTGRES_PASSWORD"] not in log


def test_none_of_it_was_alerted(running: Deployed, alerts: Callable[[], list[dict[str, object]]]) -> None:
    """Runs were interrupted, and others went on with their work."""
    interrupted = running.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert interrupted
    assert all(run.tags[HANDED_OVER_TAG] == run.run_id for run in interrupted)
    await_looks_of_the_alert_sensor(running, 2)
    assert alerts() == []


def await_looks_of_the_alert_sensor(running: Deployed, count: int) -> None:
    (state,) = [
        one
        for one in running.instance.all_instigator_state()
        if one.instigator_name == "failure_alert_sensor"
    ]
    began = time.time()
    await_true(
        lambda: (
            len(
                running.instance.get_ticks(
                    state.instigator_origin_id, state.selector_id, after=began, limit=count
                )
            )
            >= count
        ),
        60,
    )
