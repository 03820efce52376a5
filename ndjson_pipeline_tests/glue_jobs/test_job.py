import gzip
import json
import logging
import threading
from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from glue_jobs.errors import GlueJobError, ManifestsFailedError, SchemaContractError, SparkRunError
from glue_jobs.job import run_job
from glue_jobs.manifests import commit
from lambda_ingest.contract.manifest import ManifestFile
from ndjson_pipeline_tests.glue_jobs.conftest import (
    DATE,
    InProcessRunner,
    RecordingAnnouncer,
    make_environment,
)
from ndjson_pipeline_tests.glue_jobs.records import record_of


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
    arguments = {"MAX_REJECTED_FRACTION": "0.1", "QUARANTINE_BUCKET": lake.quarantine}
    no_input = lake.manifest([ManifestFile(f"s3://{lake.input}/gone", 1, "e")], 3)
    absent = f"s3://{lake.manifests}/manifests/absent.json"
    lake.client.put_object(Bucket=lake.manifests, Key="broken.json", Body=b"[]")
    broken = f"s3://{lake.manifests}/broken.json"
    with pytest.raises(ManifestsFailedError) as caught:
        run(bad_line, good, no_input, absent, broken, **arguments)
    message = str(caught.value)
    assert message.startswith("4 of 5 manifests failed")
    assert all(uri in message for uri in (bad_line, no_input, absent, broken))
    assert good not in message
    assert "secret" not in message
    assert "1 of 7 records rejected" in message
    assert [record["raw"] for record in lake.rejects()] == ["secret"]
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


def test_parts_of_a_manifest_have_the_same_types_and_read_as_one_though_some_lack_columns(
    lake, run, runner, announcer, tmp_path
):
    files = [
        lake.put("a", [{"i": 1, "n": None, "s": {"x": 1}, "e": {}}]),
        lake.put("b", [{"i": 1.5, "n": 5, "s": {"y": "t"}, "e": {"z": [1]}}]),
        lake.put("c", [{"only": "2020-01-01"}]),
    ]
    run(lake.manifest(files), TARGET_FILE_MB="0.00000001")
    tables = lake.tables()
    assert len(tables) == 3
    # The first has another type for one of them, so it alone is converted again.
    assert len(runner.tasks) == 4
    assert tables[2].column_names[0] == "only"
    lake.download(tmp_path)
    dataset = ds.dataset(tmp_path, format="parquet", schema=tables[0].schema)
    rows = dataset.to_table().sort_by("_source_file").to_pylist()
    assert [{name: row[name] for name in ("i", "n", "s", "e", "only")} for row in rows] == [
        {"i": 1.0, "n": None, "s": {"x": 1, "y": None}, "e": {"z": None}, "only": None},
        {"i": 1.5, "n": 5, "s": {"x": None, "y": "t"}, "e": {"z": [1]}, "only": None},
        {"i": None, "n": None, "s": None, "e": None, "only": "2020-01-01"},
    ]
    assert any("converting them again" in line for line in announcer.lines)


def test_equal_parts_are_converted_once(lake, run, runner):
    files = [lake.put(str(index), [{"a": index, "b": None}]) for index in range(3)]
    run(lake.manifest(files), TARGET_FILE_MB="0.00000001")
    assert len(runner.tasks) == 3


def test_parts_that_disagree_follow_most_values(lake, run):
    files = [lake.put("a", [{"i": 1}]), lake.put("b", [{"i": "x"}] * 2)]
    for number, ordered in enumerate((files, files[::-1]), start=1):
        run(lake.manifest(ordered, number), TARGET_FILE_MB="0.00000001", OUTPUT_PREFIX=str(number))
    assert {str(table.schema.field("i").type) for table in lake.tables()} == {"string"}
    assert Counter(json.dumps(record_of(row)) for row in lake.rows()) == {'{"i": 1}': 2, '{"i": "x"}': 4}


def test_a_column_keeps_the_type_it_has_in_the_contract(lake, run):
    run(lake.manifest([lake.put("a", [{"i": 1, "t": "x"}])], 1))
    run(lake.manifest([lake.put("b", [{"i": 1.5, "t": 5, "new": True}, {"i": 2.0}])], 2))
    run(lake.manifest([lake.put("c", [{"i": "x"}] * 5)], 3))
    assert [str(table.schema.field("i").type) for table in lake.tables()] == ["int64"] * 3
    assert [record_of(row) for row in lake.rows()] == [
        {"i": 1, "t": "x"},
        {"i": 1.5, "t": 5, "new": True},
        {"i": 2},
        *[{"i": "x"}] * 5,
    ]
    schema = lake.schema()
    assert [(entry["added"], entry["adds_rescued"]) for entry in schema["history"]] == [
        (["i", "t"], False),
        (["new"], True),
    ]
    report = max(lake.reports(), key=lambda report: report["schema"]["version"])
    assert report["schema"]["version"] == 2


def test_a_frozen_dataset_gains_no_columns(lake, run):
    one = lake.manifest([lake.put("a", [{"i": 1}])], 1)
    with pytest.raises(SchemaContractError, match="no columns yet"):
        run(one, SCHEMA_MODE="freeze")
    run(one)
    run(lake.manifest([lake.put("b", [{"i": 2, "new": 1}])], 2), SCHEMA_MODE="freeze")
    assert [record_of(row) for row in lake.rows()] == [{"i": 1}, {"i": 2, "new": 1}]
    assert [column["name"] for column in lake.schema()["columns"]] == ["i"]


def test_again_gives_the_same_bytes(lake, run):
    files = [
        lake.put("a", [{"a": 1, "b": "x"}, {"b": 5}]),
        lake.put("b", [{"b": "y", "c": [1]}, {"a": 2.5}]),
        lake.put("c", b'secret\n{"d":{}}\n{"d":{"e":1}}\n'),
    ]
    uris = [lake.manifest(files, 1), lake.manifest(files[1:], 2)]
    more = {"TARGET_FILE_MB": "0.00000001", "QUARANTINE_BUCKET": lake.quarantine}
    run(*uris, **more)
    # What comes later in a run may bring columns that its first files lack; from then on they have them.
    run(*uris, **more)
    first = {key: lake.get(lake.output, key) for key in lake.output_keys()}
    rejects = {key: lake.get(lake.quarantine, key) for key in lake.keys(lake.quarantine)}
    assert (len(first), len(rejects)) == (5, 2)
    run(*uris, **more)
    assert {key: lake.get(lake.output, key) for key in lake.output_keys()} == first
    assert {key: lake.get(lake.quarantine, key) for key in lake.keys(lake.quarantine)} == rejects


def test_too_many_rejected_records_fail_the_manifest_and_are_kept(lake, run):
    mixed = lake.manifest([lake.put("a", b'{"n":1}\nbad\n{"n":2}\nbad\n')], 1)
    garbage = lake.manifest([lake.put("b", b'{"junk":1}\nbad\nbad\n')], 2)
    with pytest.raises(ManifestsFailedError, match="1 of 2 manifests failed") as caught:
        run(mixed, garbage, QUARANTINE_BUCKET=lake.quarantine)
    assert "2 of 3 records rejected, more than the 0.5 of all" in str(caught.value)
    assert len(lake.rejects()) == 4
    assert [row["n"] for row in lake.rows()] == [1, 2]
    assert [column["name"] for column in lake.schema()["columns"]] == ["n"]
    done, failed = lake.reports()[0]["manifests"]
    assert (done["records_read"], done["records_processed"], done["records_rejected"]) == (4, 2, 2)
    assert (failed["records_processed"], failed["records_rejected"]) == (0, 2)
    assert len(failed["rejected_files"]) == 1


def test_rejected_records_of_an_earlier_attempt_go(lake, run):
    file = lake.put("a", b'{"n":1}\nbad\n')
    uri = lake.manifest([file, numbers(lake, "b", 0, 5)], 1)
    run(uri, QUARANTINE_BUCKET=lake.quarantine)
    assert len(lake.rejects()) == 1
    lake.client.delete_object(Bucket=lake.input, Key=file.uri.split("/", 3)[3])
    run(uri, QUARANTINE_BUCKET=lake.quarantine, ON_MISSING="skip")
    assert lake.rejects() == []
    assert len(lake.rows()) == 5


def test_without_a_quarantine_bucket_rejected_records_are_counted(lake, run, caplog):
    run(lake.manifest([lake.put("a", b'{"n":1}\nbad\n')], 1))
    (entry,) = lake.reports()[0]["manifests"]
    assert (entry["records_rejected"], entry["rejected_files"], entry["status"]) == (1, [], "completed")
    assert "only counted" in caplog.text


def forget(lake, file):
    lake.client.delete_object(Bucket=lake.input, Key=file.uri.split("/", 3)[3])


def test_a_missing_file_fails_the_manifest_whose_others_are_converted(lake, run):
    files = [numbers(lake, "a", 0, 5), numbers(lake, "b", 5, 5), numbers(lake, "c", 10, 5)]
    uri = lake.manifest(files, 1)
    forget(lake, files[1])
    lake.put("c", [{"n": 99}])
    with pytest.raises(ManifestsFailedError, match="2 of 3 files missing") as caught:
        run(uri)
    assert files[1].uri in str(caught.value)
    assert files[2].uri in str(caught.value)
    assert sorted(row["n"] for row in lake.rows()) == list(range(5))
    (entry,) = lake.reports()[0]["manifests"]
    assert (entry["status"], entry["records_read"], entry["records_processed"]) == ("failed", 5, 5)
    assert [note["uri"] for note in entry["missing_files"]] == [files[1].uri, files[2].uri]

    numbers(lake, "b", 5, 5)
    numbers(lake, "c", 10, 5)
    run(uri)
    assert sorted(row["n"] for row in lake.rows()) == list(range(15))


def test_a_missing_file_is_skipped_where_that_is_asked(lake, run):
    files = [numbers(lake, "a", 0, 5), numbers(lake, "b", 5, 5)]
    uri = lake.manifest(files, 1)
    forget(lake, files[1])
    run(uri, ON_MISSING="skip")
    assert sorted(row["n"] for row in lake.rows()) == list(range(5))
    (entry,) = lake.reports()[0]["manifests"]
    assert entry["status"] == "completed"
    assert [note["uri"] for note in entry["missing_files"]] == [files[1].uri]


@pytest.mark.parametrize("more", [{}, {"TARGET_FILE_MB": "0.00000001"}, {"COMPRESSION_TYPE": "zstd"}])
def test_rows_of_a_file_that_is_gone_by_now_are_not_taken_away(lake, run, more):
    files = [numbers(lake, "a", 0, 5), numbers(lake, "b", 5, 5)]
    uri = lake.manifest(files, 1)
    run(uri)
    forget(lake, files[1])
    with pytest.raises(ManifestsFailedError, match="1 of 2 files missing"):
        run(uri, **more)
    assert sorted(row["n"] for row in lake.rows()) == list(range(10))
    run(uri, ON_MISSING="skip", **more)
    assert sorted(row["n"] for row in lake.rows()) == list(range(5))


def test_packed_files_and_unreadable_ones(lake, run):
    whole = b'{"n":1}\n' * 50
    files = []
    array = b"[" + b",".join([b'{"n":1}'] * 50) + b"]"
    for name, content in (
        ("a", gzip.compress(whole)),
        ("b", gzip.compress(whole)[:-12]),
        ("c", b"PK\x03\x04" + whole),
        ("d", gzip.compress(gzip.compress(whole))),
        ("e", array),
        ("f", '{"n":1}'.encode("utf-16")),
    ):
        files.append(lake.put(name, content))
    # By bytes nearly all of it is lost.
    run(lake.manifest(files, 1), QUARANTINE_BUCKET=lake.quarantine, MAX_REJECTED_FRACTION="1")
    (entry,) = lake.reports()[0]["manifests"]
    assert entry["records_read"] == entry["records_processed"] + entry["records_rejected"]
    assert [note["reason"] for note in entry["unreadable_files"]] == [
        "gzip cut short",
        "a zip archive, expected plain text, gzip, zstd, bzip2, xz, lz4 frames or snappy frames",
        "packed twice: gzip within gzip; pack it once",
        "none of its lines is a record; it looks like one array of objects, which RECORD_FORMAT auto reads",
    ]
    assert len(lake.rows()) >= 51
    assert [record["source_file"] for record in lake.rejects()] == [file.uri for file in files[1:5]]


def test_two_runs_at_once_that_bring_a_column_with_different_types(lake, announcer):
    """The second reads the contract before the first writes it, and ends after it."""
    uris = [
        lake.manifest([lake.put("a", [{"c": 1, "one": True}] * 3)], 1),
        lake.manifest([lake.put("b", [{"c": "x", "two": 1}, {"c": 5}] * 3)], 2),
    ]

    class Overtaken(InProcessRunner):
        def run(self, tasks):
            if not self.tasks:
                first = make_environment(lake, lambda: nullcontext(InProcessRunner(lake.client)), announcer)
                run_job(lake.arguments(uris[0]), first)
            return super().run(tasks)

    runner = Overtaken(lake.client)
    run_job(lake.arguments(uris[1]), make_environment(lake, lambda: nullcontext(runner), announcer))
    assert {str(table.schema.field("c").type) for table in lake.tables()} == {"int64"}
    assert Counter(json.dumps(record_of(row), sort_keys=True) for row in lake.rows()) == {
        '{"c": 1, "one": true}': 3,
        '{"c": "x", "two": 1}': 3,
        '{"c": 5}': 3,
    }
    assert [column["name"] for column in lake.schema()["columns"]] == ["c", "one", "two"]


def test_two_runs_of_one_manifest_at_once(lake):
    uri = lake.manifest([numbers(lake, str(index), index * 10, 10) for index in range(6)], 1)
    errors = []

    def convert():
        environment = make_environment(
            lake, lambda: nullcontext(InProcessRunner(lake.client)), RecordingAnnouncer()
        )
        try:
            run_job(lake.arguments(uri, TARGET_FILE_MB="0.00002"), environment)
        except GlueJobError as error:
            errors.append(error)

    threads = [threading.Thread(target=convert) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(row["n"] for row in lake.rows()) == list(range(60))


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


def test_a_report_that_can_not_be_written_fails_nothing(lake, run, announcer, caplog, monkeypatch):
    uri = lake.manifest([numbers(lake, "a", 0, 5)])
    put = lake.client.put_object

    def refuse_reports(**request):
        if request["Key"].startswith("logs/"):
            raise RuntimeError("no reports today")
        return put(**request)

    monkeypatch.setattr(lake.client, "put_object", refuse_reports)
    run(uri)
    assert len(lake.rows()) == 5
    assert announcer.reports[0][0] is None
    assert "can't be written" in caplog.text


def test_a_contract_out_of_reach_fails_the_run(lake, run):
    uri = lake.manifest([numbers(lake, "a", 0, 5)])
    with pytest.raises(SchemaContractError, match="can't be read"):
        run(uri, MANIFEST_BUCKET=f"absent-{lake.tag}")
    assert lake.output_keys() == []


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
    def fail(client, bucket, stem):
        if "000001" in stem:
            raise RuntimeError(f"secret {stem}"[:6])
        return {}

    monkeypatch.setattr(commit, "list_objects", fail)
    uris = [lake.manifest([numbers(lake, "a", 0, 1)], 1), lake.manifest([numbers(lake, "b", 0, 1)], 2)]
    with caplog.at_level(logging.INFO), pytest.raises(ManifestsFailedError, match="1 of 2 manifests failed"):
        run(*uris)
    assert "RuntimeError: secret" not in caplog.text


def test_types_are_real(lake, run, tmp_path):
    run(
        lake.manifest([lake.put("a", [{"i": 1, "f": 1.5, "b": True, "t": "1", "l": [1], "s": {"a.b": "x"}}])])
    )
    schema = pq.read_schema(lake.download(tmp_path)[0])
    assert {field.name: str(field.type) for field in schema if not field.name.startswith("_")} == {
        "i": "int64",
        "f": "double",
        "b": "bool",
        "t": "string",
        "l": "list<element: int64>",
        "s": "struct<a.b: string>",
    }
