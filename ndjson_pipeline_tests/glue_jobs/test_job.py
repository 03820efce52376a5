import logging
from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from glue_jobs import job
from glue_jobs.errors import ManifestsFailedError, SparkRunError
from glue_jobs.job import run_job
from lambda_ingest.contract.manifest import ManifestFile
from ndjson_pipeline_tests.glue_jobs.conftest import DATE, InProcessRunner, make_environment


def numbers(lake, name, start, count):
    return lake.put(name, [{"n": number, "text": f"t{number}"} for number in range(start, start + count)])


def test_rows_out_are_records_in(lake, run, announcer):
    files = [numbers(lake, f"{index:02}", index * 100, 10 + index) for index in range(25)]
    uris = [lake.manifest(files[:15], 1), lake.manifest(files[15:], 2)]
    run(*uris)
    rows = lake.rows()
    assert Counter(row["n"] for row in rows) == Counter(
        index * 100 + offset for index in range(25) for offset in range(10 + index)
    )
    assert Counter(row["_source_file"] for row in rows) == {
        file.uri: 10 + index for index, file in enumerate(files)
    }
    assert len({row["_processing_timestamp"] for row in rows}) == 1
    (report,) = lake.reports()
    assert report["processing_summary"]["status"] == "completed"
    assert report["processing_summary"]["records_processed"] == len(rows)
    assert [entry["file_count"] for entry in report["manifests"]] == [15, 10]
    assert announcer.reports[0][1] == report
    assert announcer.reports[0][0].startswith(f"s3://{lake.manifests}/logs/glue/")


def test_again_gives_the_same_names_and_rows_once(lake, run):
    uri = lake.manifest([numbers(lake, "a", 0, 5), numbers(lake, "b", 5, 5)])
    run(uri)
    keys = lake.output_keys()
    run(uri, uri)
    assert lake.output_keys() == keys
    assert len(lake.rows()) == 10
    run(uri, COMPRESSION_TYPE="zstd")
    assert lake.output_keys() == [keys[0].replace("snappy", "zstd")]
    assert len(lake.rows()) == 10


def test_fewer_parts_than_before_leave_none_behind(lake, run):
    files = [numbers(lake, str(index), index * 10, 10) for index in range(4)]
    uri, other = lake.manifest(files, 1), lake.manifest(files[:1], 2)
    run(uri, other, TARGET_FILE_MB="0.00002")
    assert len(lake.output_keys()) == 5
    run(uri)
    assert len(lake.output_keys()) == 2
    assert Counter(row["n"] for row in lake.rows()) == Counter([*range(40), *range(10)])


def test_a_prefix_and_dates_make_the_folder(lake, run):
    uri = lake.manifest([numbers(lake, "a", 0, 1)])
    run(uri, lake.manifest([numbers(lake, "b", 0, 1)], 3, "2026-01-29"), OUTPUT_PREFIX="lake/x")
    assert [key.rpartition("/")[0] for key in lake.output_keys()] == [
        "lake/x/merged-parquet-2026-01-29",
        f"lake/x/merged-parquet-{DATE}",
    ]


def test_one_bad_manifest_fails_alone(lake, run, announcer):
    good = lake.manifest([numbers(lake, "a", 0, 5)], 1)
    bad_line = lake.manifest([numbers(lake, "b", 0, 5), lake.put("c", b'{"n":1}\nsecret\n')], 2)
    no_input = lake.manifest([ManifestFile(f"s3://{lake.input}/gone", 1, "e")], 3)
    absent = f"s3://{lake.manifests}/manifests/absent.json"
    lake.client.put_object(Bucket=lake.manifests, Key="broken.json", Body=b"[]")
    broken = f"s3://{lake.manifests}/broken.json"
    with pytest.raises(ManifestsFailedError) as caught:
        run(bad_line, good, no_input, absent, broken)
    message = str(caught.value)
    assert message.startswith("4 of 5 manifests failed")
    assert all(uri in message for uri in (bad_line, no_input, absent, broken))
    assert good not in message
    assert "secret" not in message
    assert len(lake.rows()) == 5
    (report,) = lake.reports()
    assert [entry["status"] for entry in report["manifests"]] == [
        "failed",
        "completed",
        "failed",
        "failed",
        "failed",
    ]
    assert report["processing_summary"]["status"] == "failed"
    assert report["processing_summary"]["error_message"] == message
    assert report["processing_summary"]["records_processed"] == 5
    assert announcer.reports[0][1] == report


def test_a_copy_of_a_manifest_would_write_the_same_files(lake, run):
    uri = lake.manifest([numbers(lake, "a", 0, 5)])
    key = uri.removeprefix(f"s3://{lake.manifests}/")
    lake.client.copy_object(
        Bucket=lake.manifests, Key="copy.json", CopySource={"Bucket": lake.manifests, "Key": key}
    )
    with pytest.raises(ManifestsFailedError, match=r"copy\.json has the name of"):
        run(uri, f"s3://{lake.manifests}/copy.json")
    assert len(lake.rows()) == 5


def test_parts_of_a_manifest_have_the_same_columns(lake, run, announcer, tmp_path):
    files = [
        lake.put("a", [{"i": 1, "n": None, "s": {"x": 1}, "e": {}}]),
        lake.put("b", [{"i": 1.5, "n": 5, "s": {"y": "t"}, "e": {"z": [1]}}]),
        lake.put("c", [{"only": "2020-01-01"}]),
    ]
    run(lake.manifest(files), TARGET_FILE_MB="0.00000001")
    tables = lake.tables()
    assert len(tables) == 3
    assert {table.schema for table in tables} == {tables[0].schema}
    lake.download(tmp_path)
    rows = ds.dataset(tmp_path, format="parquet").to_table().sort_by("_source_file").to_pylist()
    assert [{name: row[name] for name in ("i", "n", "s", "e", "only")} for row in rows] == [
        {"i": 1.0, "n": None, "s": {"x": 1, "y": None}, "e": {"z": None}, "only": None},
        {"i": 1.5, "n": 5, "s": {"x": None, "y": "t"}, "e": {"z": [1]}, "only": None},
        {"i": None, "n": None, "s": None, "e": None, "only": "2020-01-01"},
    ]
    assert any("converting again" in line for line in announcer.lines)


def test_equal_parts_are_converted_once(lake, run, runner):
    files = [lake.put(str(index), [{"a": index, "b": None}]) for index in range(3)]
    run(lake.manifest(files), TARGET_FILE_MB="0.00000001")
    assert len(runner.tasks) == 3


def test_a_conflict_between_parts_names_column_types_and_files(lake, run):
    files = [lake.put("a", [{"i": 1}]), lake.put("b", [{"i": "secret"}])]
    with pytest.raises(
        ManifestsFailedError, match=r"'i' is int64 in \S+-a.ndjson but string in \S+-b.ndjson"
    ):
        run(lake.manifest(files), TARGET_FILE_MB="0.00000001")


def test_blank_files_are_done_without_output(lake, run):
    run(lake.manifest([lake.put("a", b"\n")]))
    assert lake.output_keys() == []
    assert lake.reports()[0]["manifests"][0]["status"] == "completed"


def test_a_spark_that_does_not_start_is_reported(lake, announcer):
    @contextmanager
    def no_spark():
        raise SparkRunError("Spark does not start (no Java)")
        yield

    uri = lake.manifest([numbers(lake, "a", 0, 5)])
    with pytest.raises(SparkRunError):
        run_job(lake.arguments(uri), make_environment(lake, no_spark, announcer))
    (report,) = lake.reports()
    assert report["processing_summary"]["error_message"] == "Spark does not start (no Java)"
    assert report["manifests"][0]["error_message"] == "not converted: Spark does not start (no Java)"
    assert len(announcer.reports) == 1


def test_a_report_that_can_not_be_written_fails_nothing(lake, run, announcer, caplog):
    uri = lake.manifest([numbers(lake, "a", 0, 5)])
    run(uri, MANIFEST_BUCKET="absent-bucket")
    assert len(lake.rows()) == 5
    assert announcer.reports[0][0] is None
    assert "can't be written" in caplog.text


def test_no_readable_manifest_needs_no_spark(lake, announcer):
    def no_spark():
        raise AssertionError

    with pytest.raises(ManifestsFailedError):
        run_job(lake.arguments(f"s3://{lake.manifests}/absent"), make_environment(lake, no_spark, announcer))
    assert len(lake.reports()) == 1


def test_results_that_lack_files_fail_the_manifest(lake, announcer):
    class Forgetful(InProcessRunner):
        def run(self, tasks):
            return super().run([replace(task, files=task.files[1:]) for task in tasks])

    uri = lake.manifest([numbers(lake, "a", 0, 5), numbers(lake, "b", 5, 5)])
    environment = make_environment(lake, lambda: nullcontext(Forgetful(lake.client)), announcer)
    with pytest.raises(ManifestsFailedError, match="1 of 2 files: 5 lines in"):
        run_job(lake.arguments(uri), environment)


def test_what_nobody_expected_after_converting_harms_one_manifest(lake, run, monkeypatch, caplog):
    def fail(client, bucket, stem, written):
        if "000001" in stem:
            raise RuntimeError(f"secret {stem}"[:6])
        return []

    monkeypatch.setattr(job, "remove_stale_parts", fail)
    uris = [lake.manifest([numbers(lake, "a", 0, 1)], 1), lake.manifest([numbers(lake, "b", 0, 1)], 2)]
    with caplog.at_level(logging.INFO), pytest.raises(ManifestsFailedError, match="1 of 2 manifests failed"):
        run(*uris)
    assert "RuntimeError: secret" not in caplog.text


def test_types_are_real(lake, run, tmp_path):
    run(
        lake.manifest([lake.put("a", [{"i": 1, "f": 1.5, "b": True, "t": "1", "l": [1], "s": {"a.b": "x"}}])])
    )
    schema = pq.read_schema(lake.download(tmp_path)[0])
    assert [str(field.type) for field in schema][:6] == [
        "int64",
        "double",
        "bool",
        "string",
        "list<element: int64>",
        "struct<a.b: string>",
    ]
