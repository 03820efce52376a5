"""Files of all types, old ones that lack columns and members beside new ones, read as one dataset."""

import json
from collections import Counter

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from glue_jobs.parsing.records import load_record
from glue_jobs.schema.change import Author, set_type
from glue_jobs.schema.contract import SchemaContractStore
from ndjson_pipeline_tests.glue_jobs.conftest import NOW
from ndjson_pipeline_tests.glue_jobs.typed_records import normal_record, normal_row

HINTS = {"at": "timestamp", "ms": "timestamp(ms)", "day": "date", "price": "decimal(12,2)", "any": "json"}
BATCHES = [
    [b'{"id":1,"price":1.10,"at":"2026-01-30T12:30:00+01:00","s":{"x":1},"l":[{"a":1}]}'],
    [
        b'{"id":2,"ms":1769776200123,"day":"2026-01-30","s":{"y":"t"},"l":[{"b":null,"a":2}],"any":[1,{"z":2.50}]}',
        b'{"id":3,"price":1e2,"at":"never","s":{"x":null},"l":[],"any":"text"}',
        b'{"id":4.0,"price":1.234,"day":null,"l":[{"a":"odd"},{"a":3}],"nan":NaN}',
    ],
    [
        b'{"id":%d,"m":{"%x":%d.5,"":null},"ids":{"k%d":{"n":%d}}}' % (n, n * 7919, n, n * 31, n)
        for n in range(90)
    ],
    [b'{"id":5,"m":{"k":"odd","j":1},"ids":{"x":{"n":1,"new":"t"}},"s":{"z":[true]},"ms":null}'],
]


class Dataset:
    """The files of a few runs, the later of which brought columns and members."""

    def __init__(self, lake, run, folder):
        store = SchemaContractStore(lake.client, lake.manifests, lake.output, "", lambda _: None)
        for path, text in HINTS.items():
            store.extend(
                lambda current, path=path, text=text: set_type(current, path, text, Author("a", "b", NOW))
            )
        for number, lines in enumerate(BATCHES, start=1):
            run(lake.manifest([lake.put(str(number), b"\n".join(lines))], number))
        self.types = store.read().types
        self.paths = lake.download(folder)
        self.folder = folder

    def expected(self):
        records = [load_record(line) for lines in BATCHES for line in lines]
        return self.counted(normal_record(record, self.types) for record in records)

    def read(self, rows):
        return self.counted(normal_row(row, self.types) for row in rows)

    @staticmethod
    def counted(records):
        return Counter(json.dumps(record, sort_keys=True, default=str) for record in records)


@pytest.fixture
def dataset(lake, run, tmp_path):
    return Dataset(lake, run, tmp_path / "output")


def test_duckdb_pyarrow_and_polars_read_all_files_as_one_dataset(dataset):
    expected = dataset.expected()
    assert {str(column.kind) for column in dataset.types.values()} >= {
        *("Kind.MAP", "Kind.DECIMAL", "Kind.TIMESTAMP", "Kind.DATE", "Kind.JSON", "Kind.STRUCT", "Kind.LIST"),
    }
    newest = pq.read_schema(dataset.paths[-1])
    arrow = ds.dataset(dataset.paths, schema=newest, format="parquet").to_table().to_pylist()
    assert dataset.read(arrow) == expected
    with duckdb.connect() as connection:
        cursor = connection.execute(
            "select * exclude (_processing_timestamp) from read_parquet(?, union_by_name=true)",
            [[str(path) for path in dataset.paths]],
        )
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    assert dataset.read(rows) == expected
    frame = pl.scan_parquet(
        dataset.paths,
        schema=pl.read_parquet_schema(dataset.paths[-1]),
        missing_columns="insert",
        cast_options=pl.ScanCastOptions(missing_struct_fields="insert"),
    ).collect()
    assert dataset.read(frame.rows(named=True)) == expected


def test_spark_reads_all_files_as_one_dataset(dataset, spark_session):
    frame = spark_session.read.option("mergeSchema", "true").parquet(f"{dataset.folder}/*/*.parquet")
    rows = [row.asDict(recursive=True) for row in frame.drop("_processing_timestamp").collect()]
    assert dataset.read(rows) == dataset.expected()
