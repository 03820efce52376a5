import gzip
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import dagster_pipes
import duckdb
import pyarrow.dataset as ds
import pytest

from glue_jobs.convert import PartTask
from glue_jobs.errors import ManifestsFailedError, SparkRunError
from glue_jobs.job import run_job
from glue_jobs.schema import LearnedSchema
from glue_jobs.spark import SparkPartRunner
from lambda_ingest.contract.manifest import ManifestFile
from ndjson_pipeline_tests.glue_jobs.conftest import DATE, NOW, make_environment

pytestmark = pytest.mark.spark
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

    bad = lake.manifest([lake.put("bad", b'{"n":1}\nsecret\n')], 3)
    with pytest.raises(ManifestsFailedError, match="1 of 3 manifests failed") as caught:
        run(uris[0], bad, uris[1], TARGET_FILE_MB="0.0005")
    assert bad in str(caught.value)
    assert lake.output_keys() == keys
    assert len(lake.rows()) == len(rows)


def test_readers_agree_on_parts_of_one_manifest(lake, run, spark_session, tmp_path):
    files = [
        lake.put("a", [{"i": 1, "n": None, "s": {"x": 1}, "e": {}, "l": []}]),
        lake.put("b", [{"i": 1.5, "n": 5, "s": {"y": "t"}, "e": {"z": [1]}, "l": [{"a": 1}]}]),
        lake.put("c", [{"only": "2020-01-01", "l": [None]}]),
    ]
    run(lake.manifest(files), TARGET_FILE_MB="0.00000001")
    lake.download(tmp_path)
    arrow = ds.dataset(tmp_path, format="parquet").to_table().sort_by("_source_file").to_pylist()
    spark = [
        row.asDict(recursive=True)
        for row in spark_session.read.option("mergeSchema", "true")
        .parquet(f"{tmp_path}/merged-parquet-{DATE}")
        .orderBy("_source_file")
        .collect()
    ]
    with duckdb.connect() as connection:
        cursor = connection.execute(
            "select * exclude (_processing_timestamp) "
            f"from read_parquet('{tmp_path}/*/*.parquet', union_by_name=true) order by _source_file"
        )
        names = [column[0] for column in cursor.description]
        duck = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    for row in [*arrow, *spark]:
        del row["_processing_timestamp"]
    assert arrow == duck == spark
    assert [row["i"] for row in arrow] == [1.0, 1.5, None]


def test_lost_tasks_are_an_error_of_the_run(spark_context, announcer):
    class Unreadable(PartTask):
        def __reduce__(self):
            return (int, ("no task",))

    task = Unreadable(
        "s3://m/1", 0, (ManifestFile("s3://b/1", 1, "e"),), "o", "k", "snappy", NOW, LearnedSchema(), None
    )
    with pytest.raises(SparkRunError, match="Spark lost the job"):
        SparkPartRunner(spark_context, announcer.line).run([task])


@pytest.mark.skipif(REAL_DATA is None, reason="no shared/data folder beside the repository")
@pytest.mark.parametrize("kind", ["rdp", "weird", "dns"])
def test_real_logs_come_back(kind, lake, run, spark_session, tmp_path):
    lines = gzip.decompress((REAL_DATA / f"{kind}.json.gz").read_bytes()).splitlines(keepends=True)
    share = len(lines) // 6 + 1
    files = [
        lake.put(str(start), b"".join(lines[start : start + share])) for start in range(0, len(lines), share)
    ]
    run(lake.manifest(files), TARGET_FILE_MB="1")
    lake.download(tmp_path)
    records = [json.loads(line) for line in lines]
    names = set().union(*records)
    assert "id.orig_h" in names
    table = ds.dataset(tmp_path, format="parquet").to_table()
    assert set(table.column_names) == names | {"_processing_timestamp", "_source_file"}
    expected = Counter(json.dumps(record, sort_keys=True) for record in records)
    found = Counter(
        json.dumps({name: row[name] for name in names if row[name] is not None}, sort_keys=True)
        for row in table.to_pylist()
    )
    assert found == expected

    with duckdb.connect() as connection:
        (count, sources, hosts) = connection.execute(
            'select count(*), count(distinct _source_file), count(distinct "id.orig_h") '
            f"from read_parquet('{tmp_path}/*/*.parquet', union_by_name=true)"
        ).fetchone()
    distinct = len({record["id.orig_h"] for record in records if "id.orig_h" in record})
    assert (count, sources, hosts) == (len(lines), len(files), distinct)
    frame = spark_session.read.option("mergeSchema", "true").parquet(f"{tmp_path}/merged-parquet-{DATE}")
    assert frame.count() == len(lines)
    assert frame.where("`id.orig_h` is not null").select("`id.orig_h`").distinct().count() == distinct
    assert dict(frame.dtypes)["_processing_timestamp"] == "timestamp"


@pytest.fixture
def deployed(tmp_path):
    """The script in a folder of its own and the packages in one zip, as on Glue."""
    shutil.copy(ROOT / "glue_jobs" / "ndjson_to_parquet.py", tmp_path / "ndjson_to_parquet.py")
    sources = [
        *(ROOT / "glue_jobs").glob("*.py"),
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
        timeout=100,
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


def test_missing_arguments_end_it_at_once(deployed, aws_environment):
    environment = {**os.environ, "PYTHONPATH": str(deployed / "job.zip")}
    done = start(deployed / "ndjson_to_parquet.py", ["--JOB_NAME", "x"], environment)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "glue_jobs.errors.ArgumentsError: missing required arguments: --MANIFEST_PATH, --MANIFEST_BUCKET, "
        "--OUTPUT_BUCKET, --COMPRESSION_TYPE; pass each as --NAME value"
    )
