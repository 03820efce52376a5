"""What must hold from a file's arrival to its rows, on one platform; each test has dates of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.laptop.demo.input_files import InputFile, files_of_folder, generated_files
from ndjson_pipeline.laptop.demo.result import DemoResult
from ndjson_pipeline.laptop.demo.run import run_demo
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline_tests.end_to_end.conftest import Running, past
from ndjson_pipeline_tests.end_to_end.processes import await_true
from ndjson_pipeline_tests.patience import PATIENCE
from ndjson_pipeline_tests.pipeline.harness import ManifestTable

pytestmark = [pytest.mark.daemon, pytest.mark.spark, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def files(now: datetime) -> list[InputFile]:
    """25 files: two full batches of today, and a rest of yesterday."""
    return list(generated_files(25, 20_000, now, seed=7))


@pytest.fixture(scope="module")
def result(starting: LocalPlatform, files: list[InputFile], now: datetime) -> DemoResult:
    """What the demonstration found; it comes first, as it counts everything that the platform did."""
    return run_demo(starting, files, began=now, timeout_seconds=150 * PATIENCE, tell=lambda _progress: None)


@pytest.fixture(scope="module")
def done(running: Running, result: DemoResult) -> Iterator[Running]:
    """The platform after the demonstration, with nothing going on."""
    running.await_no_run(60)
    return running


def lines(count: int, tag: str) -> bytes:
    return b"".join(json.dumps({"tag": tag, "n": n}).encode() + b"\n" for n in range(count))


def test_full_batches_and_the_past_dates_rest_are_converted_once(
    done: Running, result: DemoResult, files: list[InputFile]
) -> None:
    yesterday, today = sorted({file.date_prefix for file in files})
    tracked = done.tracked(yesterday, today)
    assert tracked.manifested_files == 25
    assert {record.status for record in tracked.manifests} == {ManifestStatus.COMPLETED}
    assert [record.file_count for record in done.records(today)] == [10, 10]
    assert sum(record.file_count for record in done.records(yesterday)) == 5
    assert {record.attempt for record in tracked.manifests} == {1}
    assert done.rows_by_source(yesterday, today) == done.expected_rows(files)
    assert sum(record.records_processed or 0 for record in tracked.manifests) == result.records_in
    assert result.rows_out == result.records_in == sum(file.record_count for file in files)
    assert (result.files, result.manifests) == (25, len(tracked.manifests))


def test_the_demonstration_counts_the_runs_that_converted(done: Running, result: DemoResult) -> None:
    filters = dg.RunsFilter(job_name="convert_manifests", statuses=[dg.DagsterRunStatus.SUCCESS])
    assert result.runs == done.instance.get_runs_count(filters)


def test_both_kinds_of_report_are_materializations(done: Running, files: list[InputFile]) -> None:
    assert done.materialized("manifests", "files_processed") == 25
    assert done.materialized("manifests", "manifests_created") == len(
        done.tracked(*{file.date_prefix for file in files}).manifests
    )
    assert done.materialized("merged_parquet", "run_records_processed") == sum(
        file.record_count for file in files
    )
    assert done.materialized("merged_parquet", "run_records_rejected") == 0
    for asset in ("manifests", "merged_parquet"):
        partitions = done.instance.get_materialized_partitions(dg.AssetKey(asset))
        assert {file.date_prefix for file in files} <= partitions


def test_the_catalogs_table_has_the_contracts_columns(done: Running) -> None:
    names, s3, glue = done.deployment.names, done.deployment.s3, done.deployment.glue
    key = f"schemas/{names.output_bucket}/schema.json"
    contract = json.loads(s3.get_object(Bucket=names.manifest_bucket, Key=key)["Body"].read())
    table = glue.get_table(DatabaseName=names.catalog_database, Name=names.catalog_table)["Table"]
    assert table["Parameters"]["schema_version"] == str(contract["version"])
    assert [column["Name"] for column in table["StorageDescriptor"]["Columns"]] == [
        *(column["name"].lower() for column in contract["columns"]),
        *("_processing_timestamp", "_source_file"),
    ]


def test_a_message_delivered_twice_changes_nothing(done: Running, files: list[InputFile]) -> None:
    date = files[0].date_prefix
    before = (done.items(date), done.output_keys(date))
    for uri in list(done.expected_rows(files))[:2]:
        done.send_event_again(uri)
    done.await_empty_queue(30)
    done.await_no_run(60)
    assert (done.items(date), done.output_keys(date)) == before


def test_manifests_run_again_keep_their_output_at_a_higher_attempt(
    done: Running, files: list[InputFile]
) -> None:
    date = files[-1].date_prefix
    before, keys, rows = done.records(date), done.output_keys(date), done.rows_by_source(date)
    assert keys
    again = done.dagster(
        *("asset", "materialize", "--select", "merged_parquet", "--partition", date),
        *("-m", "ndjson_pipeline.definitions"),
    )
    assert again.returncode == 0, again.stderr[-3000:]
    after = done.records(date)
    assert [record.name for record in after] == [record.name for record in before]
    assert {record.status for record in after} == {ManifestStatus.COMPLETED}
    assert [record.attempt for record in after] == [record.attempt + 1 for record in before]
    assert done.output_keys(date) == keys
    assert done.rows_by_source(date) == rows


def test_of_runs_that_claim_at_once_one_wins(done: Running, now: datetime) -> None:
    manifests = ManifestTable(done.deployment)
    # A date without a partition, so that no sensor takes it first.
    name = manifests.commit(1, "2024-12-31")
    store = ManifestRecordStore(
        done.deployment.dynamodb,
        table=done.deployment.names.tracking_table,
        manifest_bucket=done.deployment.names.manifest_bucket,
        clock=utc_now,
    )
    record = store.read(name)
    assert record is not None
    with ThreadPoolExecutor(max_workers=8) as pool:
        claims = list(pool.map(lambda number: store.claim(record, f"run-{number}"), range(8)))
    (winner,) = [claim for claim in claims if claim is not None]
    claimed = store.read(name)
    assert claimed is not None
    assert (claimed.dagster_run_id, claimed.attempt) == (winner.run_id, 1)
    # No such run exists, and the alert of its end would come to a later test.
    manifests.put_item(**{**manifests.item(name), "status": "completed"})


def test_a_manifest_that_fails_keeps_its_error_and_holds_up_no_other(done: Running, now: datetime) -> None:
    date = past(now, 10)
    alerts = done.subscribe_to_alerts()
    lost, kept = f"{date}-lost.ndjson", f"{date}-kept.ndjson"
    done.put(lost, lines(5, "lost"))
    (committed,) = await_true(lambda: done.records(date), 30, every=0.02)
    # A run takes seconds to reach the file.
    done.delete(lost)
    (failed,) = done.await_records(date, ManifestStatus.FAILED, 1, 100)
    assert failed.name == committed.name
    assert f"{lost}" in (failed.error_message or "")
    assert failed.attempt == 1

    source = done.put(kept, lines(7, "kept"))
    (completed,) = done.await_records(date, ManifestStatus.COMPLETED, 1, 100)
    assert completed.name.sequence == failed.name.sequence + 1
    assert completed.records_processed == 7
    assert done.rows_by_source(date) == {source: 7}
    unchanged = done.records(date)[0]
    assert (unchanged.status, unchanged.attempt) == (ManifestStatus.FAILED, 1)
    received = await_true(alerts, 60)
    assert len(received) == 1, received
    (alert,) = received
    assert alert["ManifestPath"] == failed.manifest_path
    assert alert["DagsterRunId"] == failed.dagster_run_id
    assert lost in alert["Error"]["Cause"]
    await_true(lambda: done.records(date)[0].alert_pending is None, 30)


def test_a_killed_glue_process_is_followed_by_another_attempt_and_the_rows_are_there_once(
    done: Running, now: datetime
) -> None:
    date = past(now, 12)
    source = done.put(f"{date}-a.ndjson", lines(9, "killed"))
    run_id = await_true(lambda: [r.glue_job_run_id for r in done.records(date) if r.glue_job_run_id], 60)[0]
    pid_path = done.platform.directory / "aws" / "glue" / str(run_id) / "pid"
    os.kill(int(await_true(lambda: pid_path.exists() and pid_path.read_text().strip(), 30)), signal.SIGKILL)
    # The next attempt waits for a minute.
    (completed,) = done.await_records(date, ManifestStatus.COMPLETED, 1, 200)
    assert completed.attempt == 2
    assert completed.glue_job_run_id != run_id
    assert done.rows_by_source(date) == {source: 9}


def folder_of_real_data() -> Path:
    for ancestor in Path(__file__).resolve().parents:
        if (ancestor / "shared" / "data").is_dir():
            return ancestor / "shared" / "data"
    pytest.skip("no folder shared/data beside the project's folder, or above")


def test_real_data_comes_out_row_for_row(done: Running, now: datetime) -> None:
    files = files_of_folder(folder_of_real_data(), now - timedelta(days=20)).files
    done.upload(files)
    records = done.await_converted(files, 120)
    dates = sorted({file.date_prefix for file in files})
    assert done.rows_by_source(*dates) == done.expected_rows(files)
    assert sum(record.records_processed or 0 for record in records) == sum(f.record_count for f in files)


@pytest.mark.timeout(200)
def test_a_smoke_test_sends_one_batch_through_one_run(done: Running) -> None:
    done.await_no_run(60)
    before = {record.name for record in done.records(f"{utc_now():%Y-%m-%d}")}
    smoke = subprocess.run(
        [str(Path(sys.executable).parent / "ndjson-pipeline"), "smoke", "--env", "dev", "--timeout", "150"],
        env={**os.environ, **done.platform.environment, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=190 * PATIENCE,
        check=False,
    )
    assert smoke.returncode == 0, smoke.stdout + smoke.stderr
    (record,) = [one for one in done.records(f"{utc_now():%Y-%m-%d}") if one.name not in before]
    assert (record.file_count, record.attempt) == (10, 1)
    assert "10 manifested" in smoke.stdout
    assert "1 completed" in smoke.stdout
    assert str(record.dagster_run_id) in smoke.stdout
    assert f"{record.records_processed:,}" in smoke.stdout
    assert "all is well" in smoke.stdout
    # It says what it leaves, for it takes nothing away.
    assert f"Left there: 10 files in {done.deployment.names.input_bucket}" in smoke.stdout
