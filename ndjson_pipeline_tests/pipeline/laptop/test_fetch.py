"""The rows of a date in a folder, and the query that reads them."""

import io
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.laptop.fetch import FetchError, day_of, fetch_date, fetch_dates, write_query

DAY = "2026-01-30"


def put(deployment: Deployment, key: str, table: pa.Table) -> None:
    content = io.BytesIO()
    pq.write_table(table, content)
    deployment.s3.put_object(Bucket=deployment.names.output_bucket, Key=key, Body=content.getvalue())


@pytest.fixture
def rows(deployment: Deployment) -> Deployment:
    """A deployment with three rows in two files of a date, and one of the next."""
    put(deployment, f"merged-parquet-{DAY}/part-a.snappy.parquet", pa.table({"a": [1, 2]}))
    put(deployment, f"merged-parquet-{DAY}/part-b.snappy.parquet", pa.table({"a": [3], "b": ["x"]}))
    put(deployment, "merged-parquet-2026-01-31/part-c.snappy.parquet", pa.table({"a": [4]}))
    return deployment


def queried(path: Path) -> list[tuple[object, ...]]:
    return duckdb.sql(path.read_text()).order("a").fetchall()


def test_the_query_beside_the_files_gives_their_rows(rows: Deployment, tmp_path: Path) -> None:
    folder = tmp_path / "it's mine"
    told: list[tuple[int, int]] = []
    fetched = fetch_date(rows, DAY, folder, lambda done, total: told.append((done, total)))
    assert (fetched.files, fetched.rows) == (2, 3)
    assert told == [(1, 2), (2, 2)]
    path, _ = write_query(folder / "*.parquet", folder)
    assert queried(path) == [(1, None), (2, None), (3, "x")]


def test_again_replaces_what_was_fetched(rows: Deployment, tmp_path: Path) -> None:
    fetch_date(rows, DAY, tmp_path)
    put(rows, f"merged-parquet-{DAY}/part-a.snappy.parquet", pa.table({"a": [1]}))
    assert fetch_date(rows, DAY, tmp_path).rows == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_other_parquet_in_the_folder_would_be_counted(rows: Deployment, tmp_path: Path) -> None:
    fetch_date(rows, "2026-01-31", tmp_path)
    with pytest.raises(FetchError, match=r"part-c\.snappy\.parquet; empty the folder"):
        fetch_date(rows, DAY, tmp_path)


def test_a_date_without_rows_is_one_sentence(rows: Deployment, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="2026-02-01 has no Parquet"):
        fetch_date(rows, "2026-02-01", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_several_dates_lie_in_folders_of_their_own(rows: Deployment, tmp_path: Path) -> None:
    fetched = fetch_dates(rows, [DAY, "2026-01-31"], tmp_path)
    assert (fetched.files, fetched.rows) == (3, 4)
    path, _ = write_query(tmp_path / "*" / "*.parquet", tmp_path)
    assert [row[0] for row in queried(path)] == [1, 2, 3, 4]


def test_days_are_named_as_persons_do() -> None:
    today = date(2026, 1, 31)
    assert [day_of(text, today) for text in ("today", "yesterday", DAY)] == ["2026-01-31", DAY, DAY]
    with pytest.raises(FetchError, match=r"got '30\.1\.2026'"):
        day_of("30.1.2026", today)
