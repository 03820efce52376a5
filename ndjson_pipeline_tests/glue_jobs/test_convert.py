import re
from dataclasses import replace

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from glue_jobs import convert
from glue_jobs.convert import PartTask, convert_part
from glue_jobs.encode import ParquetEncoder
from glue_jobs.schema import LearnedSchema
from ndjson_pipeline_tests.glue_jobs.conftest import NOW
from ndjson_pipeline_tests.glue_jobs.test_parse import RECORDS


def task_of(lake, files, codec="snappy", known=None):
    return PartTask(
        manifest_uri="s3://m/1",
        part=0,
        files=tuple(files),
        output_bucket=lake.output,
        output_key="folder/part.parquet",
        codec=codec,
        processed_at=NOW,
        known=known or LearnedSchema(),
        region=None,
    )


def test_one_file_with_added_columns(lake):
    files = [lake.put("a", [{"i": 1, "t": "2020-01-01"}]), lake.put("b", [{"i": 2.5}, {"x": None}])]
    result = convert_part(task_of(lake, files), lake.client)
    assert result.error_message is None
    assert (result.records_read, result.records_written, result.records_rejected) == (3, 3, 0)
    assert result.input_bytes == sum(file.size_bytes for file in files)
    (table,) = lake.tables()
    assert table.schema == pa.schema(
        [
            ("i", pa.float64()),
            ("t", pa.string()),
            ("x", pa.string()),
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
    convert_part(task_of(lake, files, codec), lake.client)
    (path,) = lake.download(tmp_path)
    group = pq.ParquetFile(path).metadata.row_group(0)
    assert group.column(0).compression == stored
    source = group.column(group.num_columns - 1)
    assert "RLE_DICTIONARY" in source.encodings
    assert source.total_uncompressed_size < 1000


def test_row_groups_are_bounded_and_later_columns_are_in_all_of_them(lake, monkeypatch):
    monkeypatch.setattr(convert, "ROW_GROUP_BYTES", 1000)
    files = [lake.put(str(index), [{f"c{index}": index}] * 100) for index in range(6)]
    result = convert_part(task_of(lake, files), lake.client)
    assert result.error_message is None
    assert result.records_written == 600
    (table,) = lake.tables()
    assert table.column_names[:6] == [f"c{index}" for index in range(6)]
    assert [table[f"c{index}"].null_count for index in range(6)] == [500] * 6


def test_known_columns_are_in_the_file_even_where_its_share_lacks_them(lake):
    known = LearnedSchema()
    known.learn(pa.schema([("k", pa.float64()), ("i", pa.float64())]), "s3://b/other")
    result = convert_part(task_of(lake, [lake.put("a", [{"i": 1}])], known=known), lake.client)
    assert result.learned.schema == known.schema
    assert lake.rows()[0]["i"] == 1.0
    assert lake.rows()[0]["k"] is None


def test_no_rows_no_file(lake):
    result = convert_part(task_of(lake, [lake.put("a", b"\n\n"), lake.put("b", b"")]), lake.client)
    assert (result.error_message, result.records_read, result.output_bytes) == (None, 0, 0)
    assert lake.output_keys() == []


def test_empty_objects_are_rows(lake):
    result = convert_part(task_of(lake, [lake.put("a", [{}, {}])]), lake.client)
    assert result.records_written == 2
    assert [set(row) for row in lake.rows()] == [{"_processing_timestamp", "_source_file"}] * 2


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([b'{"a":1}\n', b'{"a":1}\nsecret\n'], r"-1\.ndjson line 2: invalid JSON"),
        ([b'{"a":1}\n', b'{"a":"secret"}\n'], r"'a' is int64 in s3://\S+-0\.ndjson but string in s3://\S+-1"),
        ([b'{"a":{"b":1}}\n{"a":{"b":"secret"}}\n'], r"'a\.b' is int64 in \S+ but string in"),
        ([b'{"_source_file":"secret"}\n'], "_source_file.*rename it"),
        ([b'{"a":9007199254740993}\n', b'{"a":0.5}\n'], r"'a' has fractions, and whole numbers past 2\^53"),
        ([b'{"a":9007199254740993}\n{"a":0.5}\n'], r"line 1: column 'a' has a whole number"),
    ],
)
def test_what_fails_is_named_without_content(lake, contents, message):
    files = [lake.put(str(index), content) for index, content in enumerate(contents)]
    result = convert_part(task_of(lake, files), lake.client)
    assert result.error_message is not None
    assert re.search(message, result.error_message)
    assert "secret" not in result.error_message
    assert lake.output_keys() == []


def test_an_unwritable_output_is_an_error_of_the_part(lake):
    task = replace(task_of(lake, [lake.put("a", [{"i": 1}])]), output_bucket=f"absent-{lake.tag}")
    result = convert_part(task, lake.client)
    assert "can't be written" in (result.error_message or "")


def test_what_nobody_expected_is_an_error_of_the_part_without_its_text(lake, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(convert, "parse_segment", fail)
    result = convert_part(task_of(lake, [lake.put("a", [{"i": 1}])]), lake.client)
    assert result.error_message == "RuntimeError while converting to folder/part.parquet; see executor's log"


def test_rows_lost_on_the_way_are_found(lake, monkeypatch):
    finish = ParquetEncoder.finish
    monkeypatch.setattr(ParquetEncoder, "finish", lambda self: (finish(self)[0], 1))
    result = convert_part(task_of(lake, [lake.put("a", [{"i": 1}, {"i": 2}])]), lake.client)
    assert "2 lines in, but 1 rows out and 0 rejected" in (result.error_message or "")
    assert lake.output_keys() == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RECORDS)
def test_values_come_back_through_parquet(lake, tmp_path, records):
    result = convert_part(task_of(lake, [lake.put("a", records)]), lake.client)
    assert result.error_message is None
    (path,) = lake.download(tmp_path)
    by_arrow = pq.read_table(path).to_pylist()
    with duckdb.connect() as connection:
        cursor = connection.execute("select * from read_parquet(?)", [str(path)])
        names = [column[0] for column in cursor.description]
        by_duckdb = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    for record, first, second in zip(records, by_arrow, by_duckdb, strict=True):
        expected = {name: value for name, value in record.items() if value is not None}
        for row in (first, second):
            found = {name: value for name, value in row.items() if value is not None and name[0] != "_"}
            assert found == expected
