import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import dagster_pipes
import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glue_jobs.errors import ManifestsFailedError, SparkRunError
from glue_jobs.job import run_job
from glue_jobs.schema.columns import Columns
from glue_jobs.spark import SparkPartRunner
from glue_jobs.task import PartTask
from lambda_ingest.contract.manifest import ManifestFile
from ndjson_pipeline_tests.glue_jobs.conftest import DATE, NOW, make_environment
from ndjson_pipeline_tests.glue_jobs.generated import ANY_RECORD
from ndjson_pipeline_tests.glue_jobs.records import canonical, record_of
from ndjson_pipeline_tests.patience import PATIENCE

pytestmark = pytest.mark.spark
# Of the job's log; a run is killed within 300 ms of the first sight of each.
KILL_MOMENTS = (*["Spark is up"] * 4, *["files "] * 3, *["converted in"] * 3)
ROOT = Path(__file__).resolve().parents[2]
REAL_DATA = next(
    (folder / "shared" / "data" for folder in ROOT.parents if (folder / "shared" / "data").is_dir()), None
)


@pytest.fixture
def run(lake, spark_context, announcer):
    def run_on_spark(*uris, **more):
        runner = SparkPartRunner(spark_context, announcer.line)
        run_job(lake.arguments(*uris, **more), make_environment(lake, lambda: nullcontext(runner), announcer))

    return run_on_spark


def numbers(lake, name, start, count):
    return lake.put(name, [{"n": number, "text": f"t{number}"} for number in range(start, start + count)])


def test_two_manifests_again_and_one_bad_among_them(lake, run, announcer):
    files = [numbers(lake, f"{index:02}", index * 100, 10 + index) for index in range(25)]
    uris = [lake.manifest(files[:15], 1), lake.manifest(files[15:], 2)]
    run(*uris, TARGET_FILE_MB="0.0005")
    keys = lake.output_keys()
    rows = lake.rows()
    assert len(keys) > 2
    assert Counter(row["n"] for row in rows) == Counter(
        index * 100 + offset for index in range(25) for offset in range(10 + index)
    )
    assert {row["_source_file"] for row in rows} == {file.uri for file in files}
    assert any(line.startswith("files 25 of 25") for line in announcer.lines)

    bad = lake.manifest([lake.put("bad", b'{"n":1}\nsecret\nsecret\n')], 3)
    with pytest.raises(ManifestsFailedError, match="1 of 3 manifests failed") as caught:
        run(uris[0], bad, uris[1], TARGET_FILE_MB="0.0005")
    assert bad in str(caught.value)
    assert lake.output_keys() == keys
    assert len(lake.rows()) == len(rows)


class Readers:
    """The output, read as one dataset by each reader."""

    def __init__(self, lake, spark_session, folder):
        lake.download(folder)
        self.folder = folder
        self.spark_session = spark_session

    def arrow(self):
        schema = pa.unify_schemas([pq.read_schema(path) for path in self.folder.rglob("*.parquet")])
        return ds.dataset(self.folder, schema=schema, format="parquet").to_table().to_pylist()

    def spark(self):
        frame = self.spark_session.read.option("mergeSchema", "true").parquet(f"{self.folder}/*/*.parquet")
        return [row.asDict(recursive=True) for row in frame.collect()]

    def duckdb(self):
        with duckdb.connect() as connection:
            cursor = connection.execute(
                "select * exclude (_processing_timestamp) "
                f"from read_parquet('{self.folder}/*/*.parquet', union_by_name=true)"
            )
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def all(self):
        return {
            reader.__name__: Counter(canonical(record_of(row)) for row in reader())
            for reader in (self.arrow, self.spark, self.duckdb)
        }


@pytest.fixture
def read_all(lake, spark_session, tmp_path):
    return lambda: Readers(lake, spark_session, tmp_path / "output").all()


def test_readers_agree_on_a_dataset_that_grows_and_disagrees(lake, run, read_all):
    records = [
        [{"i": 1, "n": None, "s": {"x": 1}, "e": {}, "l": []}, {"i": 2}],
        [{"i": 1.5, "n": 5, "s": {"y": "t"}, "e": {"z": [1]}, "l": [{"a": 1}]}],
        [{"only": "2020-01-01", "l": [None]}, {"l": [{"a": 2, "b": "x"}]}, {"I": 4, "s": {"X": 1}}],
        [{"i": "text", "s": {"x": 1, "z": {"q": [True]}}, "n": 6.0}, {"i": 2**63 - 1}, {"i": 2**64}],
        [{"_rescued": "mine", "s": None, "i": 7, "e": {"z": [], "w": {}}, "a.b": 1, "a b,;{}()=": "odd"}],
    ]
    for number, batch in enumerate(records, start=1):
        files = [lake.put(f"{number}-{index}", [record]) for index, record in enumerate(batch)]
        run(lake.manifest(files, number), TARGET_FILE_MB="0.00000001")
    expected = Counter(canonical(record) for batch in records for record in batch)
    assert read_all() == dict.fromkeys(("arrow", "spark", "duckdb"), expected)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(st.lists(ANY_RECORD, min_size=1, max_size=5), min_size=1, max_size=3))
def test_any_records_come_back_through_all_readers(lake, run, spark_session, tmp_path, batches):
    prefix = uuid.uuid4().hex
    for number, batch in enumerate(batches, start=1):
        run(lake.manifest([lake.put(f"{prefix}-{number}", batch)], number), OUTPUT_PREFIX=prefix)
    found = Readers(lake, spark_session, tmp_path)
    found.folder = tmp_path / prefix
    expected = Counter(canonical(record) for batch in batches for record in batch)
    assert found.all() == dict.fromkeys(("arrow", "spark", "duckdb"), expected)


def test_lost_tasks_are_an_error_of_the_run(spark_context, announcer):
    class Unreadable(PartTask):
        def __reduce__(self):
            return (int, ("no task",))

    task = Unreadable(
        *("s3://m/1", 0, (ManifestFile("s3://b/1", 1, "e"),), "o", "k", "snappy", NOW, Columns(), False),
        *(None, "r", None),
    )
    with pytest.raises(SparkRunError, match="Spark lost the job"):
        SparkPartRunner(spark_context, announcer.line).run([task])


def test_a_worker_that_ran_a_task_is_ready_for_the_next_one(lake, run, spark_context):
    run(lake.manifest([numbers(lake, f"{index}", 0, 5) for index in range(4)]), TARGET_FILE_MB="0.00001")

    def state(_number):
        import gc  # noqa: PLC0415 - a worker's
        import sys  # noqa: PLC0415
        import zipimport  # noqa: PLC0415

        finders = sys.path_importer_cache.values()
        return gc.get_freeze_count(), sum(isinstance(each, zipimport.zipimporter) for each in finders)

    # One of them may be another worker, which ran none.
    states = spark_context.parallelize(range(2), 2).map(state).collect()
    assert any(frozen > 10_000 and not archives for frozen, archives in states), states


def put_real_logs(lake, run, only=slice(None)):
    """Convert logs of three kinds, each with columns that the others lack, in manifests of their own."""
    expected = Counter()
    for number, kind in enumerate(("rdp", "weird", "dns"), start=1):
        lines = gzip.decompress((REAL_DATA / f"{kind}.json.gz").read_bytes()).splitlines(keepends=True)[only]
        expected.update(canonical(json.loads(line)) for line in lines)
        share = len(lines) // 6 + 1
        files = [
            lake.put(f"{kind}-{start}", b"".join(lines[start : start + share]))
            for start in range(0, len(lines), share)
        ]
        run(lake.manifest(files, number), TARGET_FILE_MB="1")
    return expected


@pytest.mark.skipif(REAL_DATA is None, reason="no shared/data folder beside the repository")
def test_real_logs_come_back_as_one_dataset(lake, run, read_all):
    expected = put_real_logs(lake, run, slice(None, None, 25))
    assert read_all() == dict.fromkeys(("arrow", "spark", "duckdb"), expected)
    columns = {column["name"]: column["type"] for column in lake.schema()["columns"]}
    assert (columns["id.orig_h"], columns["ts"], columns["id.orig_p"]) == ("string", "string", "int64")
    assert not lake.schema()["has_rescued"]


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.skipif(REAL_DATA is None, reason="no shared/data folder beside the repository")
def test_all_real_logs_come_back_as_one_dataset(lake, run, read_all):
    expected = put_real_logs(lake, run)
    assert sum(expected.values()) == 81_939
    assert read_all() == dict.fromkeys(("arrow", "spark", "duckdb"), expected)


@pytest.fixture
def deployed(tmp_path):
    """The script in a folder of its own and the packages in one zip, as on Glue."""
    shutil.copy(ROOT / "glue_jobs" / "ndjson_to_parquet.py", tmp_path / "ndjson_to_parquet.py")
    sources = [
        *(ROOT / "glue_jobs").rglob("*.py"),
        ROOT / "lambda_ingest" / "__init__.py",
        *(ROOT / "lambda_ingest" / "contract").glob("*.py"),
    ]
    with zipfile.ZipFile(tmp_path / "job.zip", "w") as archive:
        for source in sources:
            archive.write(source, source.relative_to(ROOT))
    return tmp_path


def start(script, argv, environment):
    return subprocess.run(
        [sys.executable, str(script), *argv],
        env=environment,
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=100 * PATIENCE,
        check=False,
    )


def test_as_glue_starts_it_with_dagster(lake, deployed, aws_environment):
    context = {
        "asset_keys": ["merged_parquet"],
        "code_version_by_asset_key": {},
        "provenance_by_asset_key": {},
        "partition_key": DATE,
        "partition_key_range": None,
        "partition_time_window": None,
        "run_id": "run",
        "job_name": None,
        "retry_number": 0,
        "extras": {},
    }
    lake.client.put_object(Bucket=lake.manifests, Key="pipes/context.json", Body=json.dumps(context))
    good = lake.manifest([numbers(lake, "a", 0, 5)], 1)
    bad = lake.manifest([lake.put("bad", b"secret\n")], 2)
    pipes_context = dagster_pipes.encode_param({"bucket": lake.manifests, "key": "pipes/context.json"})
    pipes_messages = dagster_pipes.encode_param({"bucket": lake.manifests, "key_prefix": "pipes"})
    added = [
        *("--JOB_RUN_ID", "jr_1", "--extra-py-files", "s3://scripts/job.zip", "--enable-metrics=true"),
        *("--dagster-pipes-context", pipes_context, "--dagster-pipes-messages", pipes_messages),
    ]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYSPARK_")},
        "PYTHONPATH": str(deployed / "job.zip"),
        "PYSPARK_SUBMIT_ARGS": "--master local[1] --driver-memory 512m pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    done = start(deployed / "ndjson_to_parquet.py", [*added, *lake.argv(good, bad)], environment)
    assert done.returncode == 1
    assert f"ManifestsFailedError: 1 of 2 manifests failed: {bad}: " in done.stderr
    assert "secret" not in done.stderr
    assert len(lake.rows()) == 5
    (report,) = lake.reports()
    assert [entry["status"] for entry in report["manifests"]] == ["completed", "failed"]
    assert report["job_info"]["job_run_id"] == "jr_1"
    listed = lake.client.list_objects_v2(Bucket=lake.manifests, Prefix="pipes/")["Contents"]
    bodies = [
        lake.client.get_object(Bucket=lake.manifests, Key=item["Key"])["Body"].read().decode()
        for item in listed
        if not item["Key"].endswith("context.json")
    ]
    messages = [json.loads(line) for body in bodies for line in body.splitlines()]
    (payload,) = [
        message["params"]["payload"] for message in messages if message["method"] == "report_custom_message"
    ]
    assert payload["report"] == report
    assert payload["report_uri"].startswith(f"s3://{lake.manifests}/logs/glue/")
    (closed,) = [message["params"] for message in messages if message["method"] == "closed"]
    assert "manifests failed" in closed["exception"]["message"]


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_killed_at_any_moment_and_done_again(lake, deployed, aws_environment, tmp_path):
    """Rows are there once after the retry, and no part of a file is ever visible."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(deployed / "job.zip"),
        "PYSPARK_SUBMIT_ARGS": "--master local[1] --driver-memory 512m pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    files = [numbers(lake, str(index), index * 1000, 1000) for index in range(8)]
    uri = lake.manifest(files, 1)
    command = [
        sys.executable,
        str(deployed / "ndjson_to_parquet.py"),
        *lake.argv(uri, TARGET_FILE_MB="0.002"),
    ]

    def run_for(kill_after):
        process = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            for line in process.stderr:
                if kill_after is not None and kill_after[0] in line:
                    time.sleep(kill_after[1])
                    os.killpg(process.pid, signal.SIGKILL)
                    break
        finally:
            process.stderr.close()
            process.wait(timeout=100 * PATIENCE)

    moments = random.Random(NOW.second)
    for moment in KILL_MOMENTS:
        run_for((moment, moments.uniform(0, 0.3)))
        numbers_found = Counter(row["n"] for row in lake.rows())
        assert set(numbers_found.values()) <= {1}
    run_for(None)
    assert Counter(row["n"] for row in lake.rows()) == Counter(range(8000))


def test_missing_arguments_end_it_at_once(deployed, aws_environment):
    environment = {**os.environ, "PYTHONPATH": str(deployed / "job.zip")}
    done = start(deployed / "ndjson_to_parquet.py", ["--JOB_NAME", "x"], environment)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "glue_jobs.errors.ArgumentsError: missing required arguments: --MANIFEST_PATH, --MANIFEST_BUCKET, "
        "--OUTPUT_BUCKET, --COMPRESSION_TYPE; pass each as --NAME value"
    )
