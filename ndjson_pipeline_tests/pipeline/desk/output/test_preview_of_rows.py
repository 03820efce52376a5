"""Queries over Parquet by DuckDB, which reaches nothing else."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ndjson_pipeline.cli.preview import plain
from ndjson_pipeline.desk.output.files import ParquetFile
from ndjson_pipeline.desk.output.preview import Database, QueryError, opened
from ndjson_pipeline.desk.output.preview_files import within

ODD = 'a"b; DROP\x1b[31m'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of different columns, in a folder whose name wants to be quoted."""
    folder = tmp_path / "it's a=1"
    folder.mkdir()
    cents = pa.array([Decimal("1.10"), Decimal("2.20")], pa.decimal128(12, 2))
    pq.write_table(pa.table({"amount": cents, ODD: ["x", None]}), folder / "a.parquet")
    at = pa.array([datetime(2026, 1, 30, 23, 30, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"amount": pa.array([3]), "at": at}), folder / "b.parquet")
    return folder


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    with opened(sorted(folder.glob("*.parquet")), folder, 60) as database:
        yield database


def test_files_of_other_columns_are_one_table(database: Database) -> None:
    found = database.overview(2)
    assert found.rows == 3
    assert [(name, count) for name, _, count in found.columns] == [("amount", 3), (ODD, 1), ("at", 1)]
    assert (len(found.first.rows), found.first.is_cut) == (2, True)


@pytest.mark.parametrize("view", ["merged_parquet", "rows"])
def test_a_query_is_answered_exactly(database: Database, view: str) -> None:
    answer = database.query(f'SELECT sum(amount) AS s, max("at")::DATE FROM {view}', 10)
    assert answer.rows == ((Decimal("6.30"), date(2026, 1, 30)),)
    assert answer.columns[0][0] == "s"


def test_more_rows_than_the_limit_are_told(database: Database) -> None:
    assert database.query("SELECT 1 FROM rows", 3).is_cut is False
    assert database.query("SELECT 1 FROM rows", 2).is_cut is True


@pytest.mark.parametrize(
    "sql",
    [
        "COPY rows TO '{folder}/out.csv'",
        "COPY rows TO '{folder}/a.parquet'",
        "EXPORT DATABASE '{folder}/out'",
        "ATTACH '{folder}/out.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW rows",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('{folder}/../other.csv')",
        "SELECT * FROM '{folder}/../*.parquet'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_parquet('https://example.com/a.parquet')",
        "SELECT * FROM nosuch",
        "SELECT 1; SELECT 2",
        "SELEC",
        "",
        ";",
    ],
)
def test_what_writes_reaches_out_or_makes_no_sense_is_one_line(
    database: Database, folder: Path, sql: str
) -> None:
    before = sorted(path.name for path in folder.rglob("*"))
    with pytest.raises(QueryError) as raised:
        database.query(sql.format(folder=str(folder).replace("'", "''")), 10)
    assert "\n" not in str(raised.value)
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_query_without_an_end_is_ended(folder: Path) -> None:
    with (
        opened([folder / "a.parquet"], folder, 0.3) as database,
        pytest.raises(QueryError, match="more than 0 seconds"),
    ):
        database.query("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a, b) = 1", 1)


def test_files_of_types_that_are_no_one_table_are_one_line(folder: Path) -> None:
    pq.write_table(pa.table({"amount": [{"a": 1}]}), folder / "c.parquet")
    with (
        pytest.raises(QueryError, match="schema rebuild") as raised,
        opened(sorted(folder.glob("*.parquet")), folder, 60) as database,
    ):
        database.overview(1)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "document"),
    [
        (Decimal("1.10"), 1.1),
        (Decimal("12345678901234567890.12"), "12345678901234567890.12"),
        (2**70, 2**70),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (b"\x00\xff", "00ff"),
        (datetime(2026, 1, 30, 1, tzinfo=UTC), "2026-01-30T01:00:00.000000Z"),
        ({"a": [Decimal("0.5"), None]}, {"a": [0.5, None]}),
        (("a", True), ["a", True]),
    ],
)
def test_values_are_what_json_gives_back(value: object, document: object) -> None:
    assert plain(value) == document
    json.dumps(plain(value), allow_nan=False)


def test_what_fits_a_bound_is_taken_in_order_and_what_does_not_is_passed_over() -> None:
    files = [ParquetFile(f"k/{number}.parquet", size, "e") for number, size in enumerate([4, 9, 3, 3])]
    assert [file.name for file in within(files, 8)] == ["0.parquet", "2.parquet"]
    assert within(files, 2) == []
