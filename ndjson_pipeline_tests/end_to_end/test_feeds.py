"""Two feeds on one Dagster and one AWS: while the Glue job of one fails, the other does not notice."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import IN_FLIGHT
from ndjson_pipeline.deployment.feed import FEED_TAG, Feed
from ndjson_pipeline.deployment.names import location_name
from ndjson_pipeline.laptop.dagster_process import daemon_command
from ndjson_pipeline.laptop.demo.input_files import InputFile
from ndjson_pipeline.laptop.demo.run import DEMO_SETTINGS
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline.laptop.workspace import definitions_of
from ndjson_pipeline_tests.end_to_end.conftest import Running, past
from ndjson_pipeline_tests.end_to_end.light_dagster import use_light_dagster
from ndjson_pipeline_tests.end_to_end.light_glue import install_light_glue
from ndjson_pipeline_tests.end_to_end.processes import await_true, processes_with_variable
from ndjson_pipeline_tests.local_aws.glue_script import replace_script
from ndjson_pipeline_tests.pipeline.harness import ManifestTable

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(300)]

FEEDS = ("", "orders")
PLACES = 2
RECORDS = 5
# It holds its place until it is let go: the healthy feed converts meanwhile.
FAILING_SCRIPT = """
import sys, time
from pathlib import Path
while not Path({let_go!r}).exists():
    time.sleep(0.1)
sys.exit("no space left on the device")
"""


@dataclass
class Both:
    """Both feeds of one platform.

    Attributes:
        healthy: the one without a name.
        failing: the one whose Glue job fails.
        healthy_alerts: reads what came to its topic.
        failing_alerts: reads what came to the other's.
    """

    healthy: Running
    failing: Running
    healthy_alerts: Callable[[], list[dict[str, Any]]]
    failing_alerts: Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def starting(scratch: Path, restored_environment: None) -> Iterator[LocalPlatform]:
    folder = scratch / "platform"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(scratch))
        use_light_dagster(patch)
        command = daemon_command(definitions_of(folder, FEEDS))
        with LocalPlatform(folder, command, settings=DEMO_SETTINGS, feeds=FEEDS, places=PLACES) as platform:
            yield platform
        await_true(lambda: not processes_with_variable("TMPDIR", str(scratch)), 10)


@pytest.fixture(scope="module")
def both(starting: LocalPlatform, scratch: Path) -> Iterator[Both]:
    with starting.instance() as instance:
        healthy, failing = (Running(starting, starting.deployment(feed), instance) for feed in FEEDS)
        (scratch / "deaths").mkdir()
        install_light_glue(healthy.deployment, scratch / "deaths")
        of_failing = failing.deployment
        script = FAILING_SCRIPT.format(let_go=str(scratch / "let-go")).encode()
        replace_script(of_failing.s3, of_failing.glue, of_failing.names.glue_job, script)
        starting.await_sensors(instance)
        yield Both(healthy, failing, healthy.subscribe_to_alerts(), failing.subscribe_to_alerts())


def files_of(dates: list[str]) -> list[InputFile]:
    content = b"".join(b'{"n": %d}\n' % number for number in range(RECORDS))
    return [InputFile(f"{date}-{name}.ndjson", content, RECORDS) for date in dates for name in ("a", "b")]


@pytest.fixture(scope="module")
def dates(now: datetime) -> list[str]:
    """Three dates, one more than a pool has places; the healthy feed has files of the first two."""
    return [past(now, days) for days in (3, 4, 5)]


@pytest.fixture(scope="module")
def after(both: Both, dates: list[str], scratch: Path) -> Both:
    """Both feeds, after all files of the one came out and the other's manifests failed."""
    failing, healthy = files_of(dates), files_of(dates[:2])
    both.failing.upload(failing)
    # Its places are taken and a run of it waits before the other feed has anything to do.
    await_true(lambda: len(runs_of(both, "orders", dg.DagsterRunStatus.STARTED)) == PLACES, 60)
    await_true(lambda: runs_of(both, "orders", dg.DagsterRunStatus.QUEUED), 30)
    both.healthy.upload(healthy)
    both.healthy.await_converted(healthy, 120)
    # A run ends a moment after its manifests.
    await_true(lambda: not runs_of(both, "", *IN_FLIGHT), 30)
    (scratch / "let-go").touch()

    def failed() -> bool:
        records = both.failing.tracked(*dates).manifests
        return {record.date_prefix for record in records if record.status is ManifestStatus.FAILED} == {
            *dates
        }

    await_true(failed, 120)
    return both


def runs_of(both: Both, feed: str, *statuses: dg.DagsterRunStatus) -> list[dg.RunRecord]:
    filters = dg.RunsFilter(statuses=list(statuses)) if statuses else None
    records = both.healthy.instance.get_run_records(filters)
    return [record for record in records if Feed(feed).owns(record.dagster_run, location_name(feed))]


def test_every_file_of_the_healthy_feed_becomes_parquet_at_the_first_attempt(
    after: Both, dates: list[str]
) -> None:
    assert after.healthy.rows_by_source(*dates) == after.healthy.expected_rows(files_of(dates[:2]))
    records = after.healthy.tracked(*dates).manifests
    assert {(record.status, record.attempt) for record in records} == {(ManifestStatus.COMPLETED, 1)}
    assert {record.dagster_run.status for record in runs_of(after, "")} == {dg.DagsterRunStatus.SUCCESS}


def test_what_failed_is_alerted_on_the_topic_of_its_own_feed_alone(after: Both, dates: list[str]) -> None:
    alerts = await_true(
        lambda: [found for found in [after.failing_alerts()] if len({a["DatePrefix"] for a in found}) == 3],
        60,
    )[0]
    names = after.failing.deployment.names
    assert {(alert["JobName"], alert["Feed"]) for alert in alerts} == {(names.glue_job, "orders")}
    failed_runs = {record.dagster_run.run_id for record in runs_of(after, "orders")}
    assert {alert["DagsterRunId"] for alert in alerts} <= failed_runs
    # Its own sensor has looked since then: it ticks every nine seconds at most.
    ticks = len(alert_ticks(after, ""))
    await_true(lambda: len(alert_ticks(after, "")) > ticks, 60)
    assert after.healthy_alerts() == []


def alert_ticks(both: Both, feed: str) -> list[Any]:
    instance = both.healthy.instance
    (state,) = [
        state
        for state in instance.all_instigator_state()
        if state.instigator_name == "failure_alert_sensor"
        and state.origin.repository_origin.code_location_origin.location_name == location_name(feed)
    ]
    return list(instance.get_ticks(state.instigator_origin_id, state.selector_id))


def test_each_feeds_runs_hold_the_places_of_its_own_pool(after: Both) -> None:
    limits = {limit.name: limit.limit for limit in after.healthy.instance.event_log_storage.get_pool_limits()}
    assert limits == {"glue": PLACES, "orders": PLACES}
    for feed, pool in (("", "glue"), ("orders", "orders")):
        runs = [record.dagster_run for record in runs_of(after, feed)]
        pools = {name for run in runs for name in getattr(run.run_op_concurrency, "all_pools", ())}
        assert pools == {pool}
        origins = {run.remote_job_origin for run in runs}
        locations = {origin.repository_origin.code_location_origin.location_name for origin in origins}
        assert locations == {location_name(feed)}
        assert {run.tags.get(FEED_TAG) for run in runs} == {feed or None}


def test_the_healthy_feed_did_not_wait_for_a_place_of_the_other(after: Both) -> None:
    def spans(feed: str) -> list[tuple[float, float]]:
        return [
            (record.start_time, record.end_time)
            for record in runs_of(after, feed)
            if record.start_time is not None and record.end_time is not None
        ]

    def at_once(moment: float, feed: str) -> int:
        return sum(began <= moment < ended for began, ended in spans(feed))

    starts = [began for began, _ in spans("")]
    # They met, or nothing was tried: all places of the other were taken, and one of its runs waited.
    assert max(at_once(start, "orders") for start in starts) == PLACES
    for feed in FEEDS:
        assert max(at_once(began, feed) for began, _ in spans(feed)) <= PLACES


def test_each_assets_events_are_of_its_own_feed(after: Both, dates: list[str]) -> None:
    instance = after.healthy.instance
    materialized = instance.get_materialized_partitions
    assert materialized(Feed().merged_parquet) == set(dates[:2])
    assert materialized(Feed("orders").merged_parquet) == set()
    for feed, expected in (("", dates[:2]), ("orders", dates)):
        key = Feed(feed).manifests
        await_true(lambda key=key, expected=expected: materialized(key) == set(expected), 60)
        records = instance.fetch_materializations(key, limit=100).records
        counts = Counter[str]()
        for record in records:
            counts[record.partition_key] += int(
                record.asset_materialization.metadata["files_processed"].value
            )
        assert counts == dict.fromkeys(expected, 2)


def test_once_its_cause_is_mended_the_other_feed_is_converted_into_its_own_buckets(
    after: Both, dates: list[str], scratch: Path
) -> None:
    before = after.healthy.output_keys(dates[0])
    install_light_glue(after.failing.deployment, scratch / "deaths")
    store = ManifestTable(after.failing.deployment).store()

    def is_done() -> bool:
        records = after.failing.tracked(*dates).manifests
        for record in records:
            if record.status is ManifestStatus.FAILED:
                # As `reprocess_failed_manifests` does, for those, too, that a retry had in hand meanwhile.
                store.retry_later(record)
        return {record.status for record in records} == {ManifestStatus.COMPLETED}

    await_true(is_done, 150, every=1.0)
    assert after.failing.rows_by_source(*dates) == after.failing.expected_rows(files_of(dates))
    assert after.healthy.output_keys(dates[0]) == before
    await_true(
        lambda: (
            after.healthy.instance.get_materialized_partitions(Feed("orders").merged_parquet) == set(dates)
        ),
        30,
    )
