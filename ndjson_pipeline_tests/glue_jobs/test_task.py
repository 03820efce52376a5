import gzip
from dataclasses import replace

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from glue_jobs.reading.reader import Reading, RecordFormat
from glue_jobs.reading.record_path import parse_record_path
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.types import FLOAT64, INT64, STRING, list_of
from glue_jobs.task import PartTask, convert_part
from glue_jobs.writing.encode import ParquetEncoder
from lambda_ingest.contract.manifest import ManifestFile
from ndjson_pipeline_tests.glue_jobs.conftest import NOW
from ndjson_pipeline_tests.glue_jobs.generated import ANY_RECORD, RECORDS
from ndjson_pipeline_tests.glue_jobs.records import canonical, record_of


def task_of(lake, files, codec="snappy", known=None, accepts_new=True):
    return PartTask(
        manifest_uri="s3://m/1",
        part=0,
        files=tuple(files),
        output_bucket=lake.output,
        output_key="folder/part.parquet",
        codec=codec,
        processed_at=NOW,
        settled=Columns(known or {}, accepts_new),
        has_rescued=False,
        quarantine_bucket=lake.quarantine,
        rejects_key="rejected/part.ndjson.gz",
        region=None,
    )


def convert_visibly(task, client):
    result = convert_part(task, client)
    if result.upload is not None:
        result.upload.complete(client)
    return result


def test_a_task_reads_by_format_and_path(lake):
    files = [
        lake.put("a", b'[{"x":[{"n":1},{"n":2}],"y":{"z":1}}]'),
        lake.put("b", b'{"y":{"z":2},"x":[{"n":3}]}{"x":[{"n":4},5]}'),
    ]
    reading = Reading(RecordFormat.AUTO, parse_record_path("x[*]"), keeps_envelope=True)
    result = convert_visibly(replace(task_of(lake, files), reading=reading), lake.client)
    assert (result.records_read, result.records_written, result.records_rejected) == (5, 4, 1)
    assert result.rejected_bytes == 1
    (table,) = lake.tables()
    assert [(row["n"], row["_envelope"]) for row in table.to_pylist()] == [
        (1, {"y": {"z": 1}}),
        (2, {"y": {"z": 1}}),
        (3, {"y": {"z": 2}}),
        (4, None),
    ]
    (reject,) = lake.rejects()
    assert (reject["line_number"], reject["byte_offset"], reject["raw"]) == (1, 41, "5")


def test_a_lost_file_weighs_as_a_file(lake):
    whole = b"".join(b'{"n":%d}\n' % number for number in range(1000))
    files = [
        lake.put("lines", whole),
        lake.put("array", b"[" + b",".join(whole.splitlines()) + b"]"),
        lake.put("zip", b"PK\x03\x04" + whole),
        lake.put("damaged", gzip.compress(whole, mtime=0)[:-1] + b"\1"),
        lake.put("bad lines", gzip.compress(b"[]\n" * 500 + b"{}\n" * 500, mtime=0)),
    ]
    result = convert_visibly(task_of(lake, files), lake.client)
    assert [note.uri for note in result.unreadable] == [file.uri for file in files[1:4]]
    # Of the damaged one that is its only step; of bad lines, what they take of the packed file.
    wanted = sum(file.size_bytes for file in files[1:4]) + files[4].size_bytes / 2
    assert abs(result.rejected_bytes - wanted) < 30
    assert result.records_written > 1000 + 500 + 500


def test_a_file_of_which_nothing_is_a_record_is_named(lake):
    files = [lake.put("a", b"a,b\n1,2\n"), lake.put("b", b'a,b\n{"n":1}\n'), lake.put("c", b"\n\n")]
    result = convert_visibly(task_of(lake, files), lake.client)
    assert [(note.uri, note.reason) for note in result.unreadable] == [
        (files[0].uri, "none of its lines is a record")
    ]


def test_one_file_with_added_columns(lake):
    files = [lake.put("a", [{"i": 1, "t": "2020-01-01"}]), lake.put("b", [{"i": 2.5}, {"x": None}])]
    result = convert_visibly(task_of(lake, files), lake.client)
    assert result.error_message is None
    assert (result.records_read, result.records_written, result.records_rejected) == (3, 3, 0)
    assert result.input_bytes == sum(file.size_bytes for file in files)
    (table,) = lake.tables()
    assert table.schema == pa.schema(
        [
            ("i", pa.float64()),
            ("t", pa.string()),
            ("_processing_timestamp", pa.timestamp("us", tz="UTC")),
            ("_source_file", pa.string()),
        ]
    )
    assert [(row["i"], row["t"], row["_source_file"]) for row in table.to_pylist()] == [
        (1.0, "2020-01-01", files[0].uri),
        (2.5, None, files[1].uri),
        (None, None, files[1].uri),
    ]
    assert set(table["_processing_timestamp"].to_pylist()) == {NOW}


@pytest.mark.parametrize(
    ("codec", "stored"), [("snappy", "SNAPPY"), ("zstd", "ZSTD"), ("gzip", "GZIP"), ("none", "UNCOMPRESSED")]
)
def test_codecs_and_dictionary_of_sources(lake, tmp_path, codec, stored):
    files = [lake.put(str(index), [{"i": index}] * 50) for index in range(5)]
    convert_visibly(task_of(lake, files, codec), lake.client)
    (path,) = lake.download(tmp_path)
    group = pq.ParquetFile(path).metadata.row_group(0)
    assert group.column(0).compression == stored
    source = group.column(group.num_columns - 1)
    assert "RLE_DICTIONARY" in source.encodings
    assert source.total_uncompressed_size < 1000


def test_row_groups_are_bounded_and_later_columns_are_in_all_of_them(lake, monkeypatch):
    monkeypatch.setattr("glue_jobs.task.ROW_GROUP_BYTES", 1000)
    files = [lake.put(str(index), [{f"c{index}": index}] * 100) for index in range(6)]
    result = convert_visibly(task_of(lake, files), lake.client)
    assert result.error_message is None
    assert result.records_written == 600
    (table,) = lake.tables()
    assert table.column_names[:6] == [f"c{index}" for index in range(6)]
    assert [table[f"c{index}"].null_count for index in range(6)] == [500] * 6


def test_known_columns_are_in_the_file_even_where_its_share_lacks_them(lake):
    known = {"k": FLOAT64, "i": FLOAT64}
    result = convert_visibly(task_of(lake, [lake.put("a", [{"i": 1}])], known=known), lake.client)
    assert dict(result.columns.types) == known
    assert lake.rows()[0]["i"] == 1.0
    assert lake.rows()[0]["k"] is None


def test_no_rows_no_file(lake):
    result = convert_visibly(task_of(lake, [lake.put("a", b"\n\n"), lake.put("b", b"")]), lake.client)
    assert (result.error_message, result.records_read, result.upload) == (None, 0, None)
    assert lake.output_keys() == []


def test_empty_objects_are_rows(lake):
    result = convert_visibly(task_of(lake, [lake.put("a", [{}, {}])]), lake.client)
    assert result.records_written == 2
    assert [set(row) for row in lake.rows()] == [{"_processing_timestamp", "_source_file"}] * 2


def test_nothing_is_visible_before_it_is_completed(lake):
    result = convert_part(task_of(lake, [lake.put("a", [{"i": 1}])]), lake.client)
    assert lake.output_keys() == []
    result.upload.complete(lake.client)
    assert lake.output_keys() == ["folder/part.parquet"]


def test_rejected_records_are_kept(lake):
    files = [lake.put("a", b'{"a":1}\n\n\xff\n'), lake.put("b", b'{"a":2}\nsecret')]
    task = task_of(lake, files)
    for _ in range(2):
        result = convert_visibly(task, lake.client)
        assert (result.records_read, result.records_written, result.records_rejected) == (4, 2, 2)
        assert result.rejects_key == "rejected/part.ndjson.gz"
        assert lake.rejects() == [
            {
                "source_file": files[0].uri,
                "line_number": 3,
                "byte_offset": 9,
                "reason": "invalid UTF-8 at byte 0 of the line",
                "raw_base64": "/w==",
                "manifest_path": "s3://m/1",
            },
            {
                "source_file": files[1].uri,
                "line_number": 2,
                "byte_offset": 8,
                "reason": "invalid JSON: Expecting value at character 1 of the line",
                "raw": "secret",
                "manifest_path": "s3://m/1",
            },
        ]


def test_without_a_bucket_rejected_records_are_counted(lake):
    task = replace(task_of(lake, [lake.put("a", b"secret\n{}")]), quarantine_bucket=None)
    result = convert_visibly(task, lake.client)
    assert (result.records_rejected, result.rejects_key) == (1, None)
    assert lake.rejects() == []


def test_missing_files_are_named_while_others_are_converted(lake):
    files = [
        ManifestFile(f"s3://{lake.input}/gone.ndjson", 1, "e"),
        lake.put("a", [{"i": 1}]),
        replace(lake.put("b", [{"i": 2}]), etag="0" * 32),
    ]
    result = convert_visibly(task_of(lake, files), lake.client)
    assert [row["i"] for row in lake.rows()] == [1]
    assert [note.uri for note in result.missing] == [files[0].uri, files[2].uri]
    assert result.missing[0].reason == "gone"
    assert result.missing[1].reason.startswith("other content than listed")


@pytest.mark.parametrize("group_bytes", [1, 10**9])
def test_what_is_rescued_by_types_of_the_first_lines_is_taken_back(lake, monkeypatch, group_bytes):
    monkeypatch.setattr("glue_jobs.task.ROW_GROUP_BYTES", group_bytes)
    files = [
        lake.put("a", [{"a": 1, "e": []}, {"a": "x"}]),
        lake.put("b", [{"a": text, "e": [text]} for text in ("y", "z")]),
    ]
    result = convert_visibly(task_of(lake, files), lake.client)
    assert result.records_rescued == 1
    assert [record_of(row) for row in lake.rows()] == [
        {"a": 1, "e": []},
        {"a": "x"},
        {"a": "y", "e": ["y"]},
        {"a": "z", "e": ["z"]},
    ]
    assert dict(result.columns.types) == {"a": STRING, "e": list_of(STRING)}
    assert [row["_rescued"] for row in lake.rows()] == ['{"a":1}', None, None, None]


def test_a_first_misfit_after_rows_are_encoded(lake, monkeypatch):
    monkeypatch.setattr("glue_jobs.task.ROW_GROUP_BYTES", 1)
    files = [lake.put("a", [{"a": 1}] * 5), lake.put("b", [{"a": "x"}])]
    result = convert_visibly(task_of(lake, files, known={"a": INT64}), lake.client)
    assert (result.records_written, result.records_rescued, result.has_rescued) == (6, 1, True)


def test_an_unwritable_output_is_an_error_of_the_part(lake):
    task = replace(task_of(lake, [lake.put("a", [{"i": 1}])]), output_bucket=f"absent-{lake.tag}")
    result = convert_visibly(task, lake.client)
    assert "can't be written" in (result.error_message or "")


def test_what_nobody_expected_is_an_error_of_the_part_without_its_text(lake, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr("glue_jobs.task.row_reader", fail)
    result = convert_visibly(task_of(lake, [lake.put("a", [{"i": 1}])]), lake.client)
    assert result.error_message == "RuntimeError while converting to folder/part.parquet; see executor's log"


def test_rows_lost_on_the_way_are_found(lake, monkeypatch):
    finish = ParquetEncoder.finish
    monkeypatch.setattr(ParquetEncoder, "finish", lambda self: finish(self) - 1)
    result = convert_visibly(task_of(lake, [lake.put("a", [{"i": 1}, {"i": 2}])]), lake.client)
    assert "2 lines in, but 1 rows out and 0 rejected" in (result.error_message or "")
    assert lake.output_keys() == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RECORDS | st.lists(ANY_RECORD, min_size=1, max_size=6))
@example([{"a": {"\0": False}}])
@example([{"\0": 1, "a\0b": 2, "a": 3}])
def test_values_come_back_through_parquet(lake, tmp_path, records):
    result = convert_visibly(task_of(lake, [lake.put("a", records)]), lake.client)
    assert result.error_message is None
    (path,) = lake.download(tmp_path)
    by_arrow = pq.read_table(path).to_pylist()
    with duckdb.connect() as connection:
        cursor = connection.execute("select * from read_parquet(?)", [str(path)])
        names = [column[0] for column in cursor.description]
        by_duckdb = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    expected = [canonical(record) for record in records]
    assert [canonical(record_of(row)) for row in by_arrow] == expected
    assert [canonical(record_of(row)) for row in by_duckdb] == expected
