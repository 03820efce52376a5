"""Tables to a Parquet file: which columns get a dictionary, whose rows are whose."""

import io
import random
from datetime import UTC, datetime
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.parsing.results import Rows
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.types import (
    BOOLEAN,
    FLOAT64,
    INT64,
    STRING,
    ColumnType,
    list_of,
    map_of,
    struct_of,
)
from glue_jobs.writing.dictionaries import estimated_distinct, leaves_with_dictionary
from glue_jobs.writing.encode import ParquetEncoder

ROWS = 20_000
SOURCE = random.Random(1)
COLUMNS: dict[str, tuple[ColumnType, list[Any]]] = {
    "id": (INT64, [SOURCE.randrange(2**40) for _ in range(ROWS)]),
    "kind": (STRING, [SOURCE.choice(["one", "two", "three"]) for _ in range(ROWS)]),
    "user": (STRING, [f"user-{SOURCE.randrange(2000)}" for _ in range(ROWS)]),
    "half": (INT64, [SOURCE.randrange(ROWS // 2) for _ in range(ROWS)]),
    "ok": (BOOLEAN, [SOURCE.random() < 0.5 for _ in range(ROWS)]),
    "none": (STRING, [None] * ROWS),
    "id.orig_h": (STRING, [f"10.0.0.{SOURCE.randrange(9)}" for _ in range(ROWS)]),
    "place": (
        struct_of({"city": STRING, "lat": FLOAT64}),
        [{"city": SOURCE.choice("ab"), "lat": SOURCE.random()} for _ in range(ROWS)],
    ),
    "tags": (list_of(STRING), [SOURCE.choices("abc", k=2) for _ in range(ROWS)]),
    "labels": (map_of(FLOAT64), [[(SOURCE.choice("xy"), SOURCE.random())] for _ in range(ROWS)]),
}
TYPES = {name: column for name, (column, _) in COLUMNS.items()}


def table(names: list[str], rows: int = ROWS) -> pa.Table:
    arrays = [pa.array(COLUMNS[name][1][:rows], TYPES[name].arrow) for name in names]
    return pa.Table.from_arrays(arrays, names=names)


def encoded(tables: list[tuple[pa.Table, pa.Array | None, list[tuple[int, int]]]], uris: list[str]) -> bytes:
    buffer = io.BytesIO()
    names = tables[0][0].column_names
    columns = Columns({name: TYPES[name] for name in names})
    encoder = ParquetEncoder(
        cast(Any, buffer), columns, True, "snappy", datetime(2026, 1, 30, tzinfo=UTC), uris
    )
    for one, rescued, sources in tables:
        encoder.write([Rows(one, rescued, columns, tuple(sources))])
    buffer.close = lambda: None  # type: ignore[method-assign]
    assert encoder.finish() == sum(one.num_rows for one, _, _ in tables)
    return buffer.getvalue()


def test_what_repeats_gets_a_dictionary_and_nothing_else() -> None:
    found = leaves_with_dictionary(table(list(COLUMNS)))
    assert found == [
        "kind",
        "user",
        "id.orig_h",
        "place.city",
        "tags.list.element",
        "labels.key_value.key",
    ]


def test_the_paths_are_those_of_parquet_and_statistics_stay() -> None:
    content = encoded([(table(list(COLUMNS)), None, [(0, ROWS)])], ["s3://a"])
    group = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0)
    leaves = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}
    with_dictionary = [path for path, leaf in leaves.items() if leaf.has_dictionary_page]
    expected = [*leaves_with_dictionary(table(list(COLUMNS))), "_processing_timestamp", "_source_file"]
    assert sorted(with_dictionary) == sorted(expected)
    assert all(leaf.is_stats_set for leaf in leaves.values())


def test_the_choice_follows_from_the_rows_alone() -> None:
    whole = table(["id", "kind", "user"])
    pieces = pa.concat_tables([whole.slice(start, 700) for start in range(0, ROWS, 700)])
    assert leaves_with_dictionary(pieces) == leaves_with_dictionary(whole) == ["kind", "user"]


def test_what_comes_again_far_behind_repeats() -> None:
    instants = [f"2018-03-24T17:15:20.{number:06}Z" for number in range(20_000)]
    rows = 3 * len(instants)
    repeated = pa.table({"at": pa.array(instants * 3), "number": pa.array(list(range(20_000)) * 3)})
    single = pa.table({"at": pa.array([f"{place}-{place * 7}" for place in range(rows)])})
    # Numbers have too few bytes to save.
    assert leaves_with_dictionary(repeated) == ["at"]
    assert leaves_with_dictionary(single) == []


@pytest.mark.parametrize("rows", [0, 1, 2, 100])
def test_few_rows_are_looked_at_as_they_are(rows: int) -> None:
    assert leaves_with_dictionary(table(["id", "kind"], rows)) == (["kind"] if rows > 20 else [])


@pytest.mark.parametrize("distinct", [1, 10, 1_000, 10_000, 100_000])
def test_the_estimate_is_near(distinct: int) -> None:
    source = random.Random(distinct)
    found = len({source.randrange(distinct) for _ in range(4096)})
    assert estimated_distinct(4096, found) == pytest.approx(distinct, rel=0.25)
    assert estimated_distinct(4096, 4096) == float("inf")


def test_each_row_names_its_file() -> None:
    first, second = table(["kind"], 5), table(["kind"], 4)
    content = encoded(
        [(first, None, [(1, 2), (0, 3)]), (second, pa.array(["{}"] * 4), [(2, 4)])], ["a", "b", "c"]
    )
    read = pq.read_table(io.BytesIO(content))
    assert read.column("_source_file").to_pylist() == [*"bbaaacccc"]
    assert read.column("_rescued").to_pylist() == [None] * 5 + ["{}"] * 4


def test_a_file_without_rows_is_a_file() -> None:
    buffer = io.BytesIO()
    encoder = ParquetEncoder(
        cast(Any, buffer), Columns({"a": INT64}), False, "none", datetime(2026, 1, 30, tzinfo=UTC), []
    )
    assert encoder.finish() == 0
