"""SIGKILL of what runs, at the worst moments: every manifest ends completed, its rows once."""

import json
import os
import random
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import IN_FLIGHT, PARTITION_TAG
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline_tests.end_to_end.conftest import past
from ndjson_pipeline_tests.end_to_end.deaths import GLUE, RUN, death_of
from ndjson_pipeline_tests.end_to_end.killable import STORAGES, Killable, killable_platform_on
from ndjson_pipeline_tests.end_to_end.light_dagster import RELOAD_VARIABLE
from ndjson_pipeline_tests.end_to_end.processes import await_true

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(420)]

# Where a run's process dies, and the attempts that may complete its manifest. The run that Dagster launches
# after a crash takes the attempt over; where Glue had not begun, the reconciler may have given it up before.
WORKER_DEATHS = {
    "before UpdateItem 1": {1},  # the claim
    "after UpdateItem 1": {1, 2},
    "before StartJobRun 1": {1, 2},
    "after StartJobRun 1": {1},
    "after UpdateItem 2": {1},  # the Glue run's id
    "after GetJobRun 2": {1},
    "before TransactWriteItems 1": {1},  # the Glue run's time, in the date's totals
    "after TransactWriteItems 1": {1},
    "before TransactWriteItems 2": {1},  # the end
    "after TransactWriteItems 2": {1},
}
# Where the process of a Glue run dies. Only the last has made its output visible; none has reported.
GLUE_DEATHS = [
    "after GetObject 1",  # the manifest
    "after CreateMultipartUpload 1",
    "after UploadPart 1",
    "before CompleteMultipartUpload 1",
    "after CompleteMultipartUpload 1",
]
# What a manifest may be at when something dies.
MOMENTS = ["waiting", "queued", "processing", "converting"]


def in_soak(value: str) -> Any:
    return pytest.param(value, marks=pytest.mark.soak)


@pytest.fixture(scope="module", params=STORAGES)
def running(request: pytest.FixtureRequest, scratch: Path, restored_environment: None) -> Iterator[Killable]:
    with killable_platform_on(request.param, scratch, glue_seconds=2.0) as killable:
        yield killable


def lines(count: int, tag: str) -> bytes:
    return b"".join(json.dumps({"tag": tag, "n": n}).encode() + b"\n" for n in range(count))


def converted_through_deaths(
    running: Killable, who: str, dates: Sequence[str], deaths: Iterable[str]
) -> dict[str, ManifestRecord]:
    """Let one process of each date die where it is told; return the dates' records once all are converted."""
    for date, death in zip(dates, deaths, strict=True):
        death_of(running.deaths, who, date).write_text(death)
    sources = {running.put(f"{date}-a.ndjson", lines(5, date)): 5 for date in dates}
    records = {record.date_prefix: record for record in running.await_calm(dates, len(dates), 300)}
    assert list(running.deaths.iterdir()) == [], "each process died where it should"
    assert running.rows_by_source(*dates) == sources
    running.assert_no_attempt_has_two_glue_runs()
    return records


def test_a_run_that_dies_at_any_of_its_calls_is_finished_and_no_attempt_is_converted_twice(
    running: Killable, now: datetime
) -> None:
    dates = [past(now, 100 + number) for number in range(len(WORKER_DEATHS))]
    records = converted_through_deaths(running, RUN, dates, WORKER_DEATHS)
    for date, (death, attempts) in zip(dates, WORKER_DEATHS.items(), strict=True):
        assert records[date].attempt in attempts, death
    running.await_no_run(120)
    await_true(
        lambda: set(dates) <= running.instance.get_materialized_partitions(dg.AssetKey("merged_parquet")), 60
    )


def test_a_glue_run_whose_process_dies_at_any_of_its_calls_is_followed_by_the_next_attempt(
    running: Killable, now: datetime
) -> None:
    dates = [past(now, 110 + number) for number in range(len(GLUE_DEATHS))]
    records = converted_through_deaths(running, GLUE, dates, GLUE_DEATHS)
    assert {record.attempt for record in records.values()} == {2}


@pytest.mark.parametrize("moment", ["waiting", in_soak("queued"), in_soak("processing"), "converting"])
def test_a_daemon_that_is_killed_is_followed_by_another_that_goes_on(
    running: Killable, now: datetime, moment: str
) -> None:
    date = past(now, 130 + MOMENTS.index(moment))
    source = running.put(f"{date}-a.ndjson", lines(4, moment))
    await_moment(running, date, moment)
    running.kill_daemon()
    (record,) = running.await_calm([date], 1, 120)
    assert running.rows_by_source(date) == {source: 4}
    running.assert_no_attempt_has_two_glue_runs()
    # Its run went on without it, or had not begun.
    assert record.attempt == 1


def test_a_storage_that_is_lost_in_the_middle_of_work_loses_none_and_repeats_none(
    running: Killable, now: datetime
) -> None:
    dates = [past(now, 170 + number) for number in range(4)]
    done, going, *waiting = dates
    sources = {running.put(f"{done}-a.ndjson", lines(3, done)): 3}
    running.await_calm([done], 1, 60)
    running.await_no_run(60)
    sources[running.put(f"{going}-a.ndjson", lines(3, going))] = 3
    await_moment(running, going, "converting")
    running.kill_dagster()
    for date in waiting:
        sources[running.put(f"{date}-a.ndjson", lines(3, date))] = 3
    running.lose_storage()
    with running.platform.instance() as instance:
        running.instance = instance
        records = running.await_calm(dates, len(dates), 150)
        assert {record.date_prefix: record.attempt for record in records} == dict.fromkeys(dates, 1)
        assert running.rows_by_source(*dates) == sources
        running.assert_no_attempt_has_two_glue_runs()
        running.await_no_run(60)
        runs = instance.get_runs()
        assert {run.tags[PARTITION_TAG] for run in runs} == set(waiting)


# The last of a normal run: the daemon looks once a minute whether it has to start another server, and only a
# manifest that waits has to wait for it.
@pytest.mark.parametrize("moment", [in_soak("waiting"), "converting"])
def test_a_code_server_that_is_killed_is_followed_by_another(
    running: Killable, now: datetime, moment: str
) -> None:
    date = past(now, 150 + MOMENTS.index(moment))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RELOAD_VARIABLE, "60")
        running.kill_daemon()
    source = running.put(f"{date}-a.ndjson", lines(4, moment))
    await_moment(running, date, moment)
    os.kill(running.code_server(), signal.SIGKILL)
    running.await_calm([date], 1, 180)
    assert running.rows_by_source(date) == {source: 4}
    running.assert_no_attempt_has_two_glue_runs()


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_storm_of_kills_leaves_every_manifest_completed_and_its_rows_once(
    running: Killable, now: datetime
) -> None:
    seed = int(os.environ.get("STORM_SEED", "1"))
    kills = int(os.environ.get("STORM_KILLS", "6"))
    source, hit = random.Random(seed), set[str]()
    with running.platform.instance() as running.instance:
        dates = [past(now, 200 + number) for number in range(kills * 2)]
        sources = {}
        for number, date in enumerate(dates):
            sources[running.put(f"{date}-a.ndjson", lines(6, date))] = 6
            if number % 2:
                strike(running, dates, source, hit)
        # A second crash of one manifest waits for five minutes.
        running.await_calm(dates, len(dates), 700)
        assert running.rows_by_source(*dates) == sources
        running.assert_no_attempt_has_two_glue_runs()
        running.await_no_run(180)


def strike(running: Killable, dates: list[str], source: random.Random, hit: set[str]) -> None:
    """Kill one process, some moment after now; of each date one run or Glue run, as three crashes fail it."""
    time.sleep(source.uniform(0.5, 5))
    victim = source.choice(["daemon", "code server", "run", "glue"])
    if victim == "daemon":
        running.kill_daemon()
        return
    if victim == "code server":
        os.kill(running.code_server(), signal.SIGKILL)
        return
    for record in running.tracked(*dates).manifests:
        if record.status is not ManifestStatus.PROCESSING or record.date_prefix in hit:
            continue
        is_run = victim == "run"
        process = running.run_worker(str(record.dagster_run_id)) if is_run else running.glue_process(record)
        if process is not None:
            hit.add(record.date_prefix)
            os.kill(process, signal.SIGKILL)
            return


def await_moment(running: Killable, date: str, moment: str) -> None:
    """Return once a date's only manifest is where a test wants it."""

    def is_there() -> bool:
        (record,) = running.records(date) or [None]
        if record is None:
            return False
        if moment == "waiting":
            return record.status is ManifestStatus.PENDING
        if moment == "queued":
            filters = dg.RunsFilter(statuses=IN_FLIGHT, tags={PARTITION_TAG: date})
            return running.instance.get_runs_count(filters) > 0
        if moment == "processing":
            return record.status is ManifestStatus.PROCESSING
        return record.glue_job_run_id is not None and running.glue_process(record) is not None

    await_true(is_there, 90, every=0.05)
