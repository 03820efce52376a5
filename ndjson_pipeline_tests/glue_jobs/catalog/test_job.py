"""Runs of the job, and what a reader of the table then gets of its files."""

from contextlib import nullcontext

import duckdb
import pytest

from glue_jobs.errors import ManifestsFailedError
from glue_jobs.job import run_job
from ndjson_pipeline_tests.glue_jobs.catalog.conftest import TABLE
from ndjson_pipeline_tests.glue_jobs.catalog.hive import parse_hive_type
from ndjson_pipeline_tests.glue_jobs.conftest import make_environment

OWN = {"_processing_timestamp": "timestamp", "_source_file": "string"}
HIVE_OF = {
    "BOOLEAN": "boolean",
    "BIGINT": "bigint",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}


@pytest.fixture
def convert(lake, runner, announcer, catalog):
    """Run the job with the table; arguments as `Lake.arguments` takes them."""

    def convert(*uris, make_catalog=lambda: catalog.client, **more):
        environment = make_environment(
            lake, lambda: nullcontext(runner), announcer, make_catalog=make_catalog
        )
        run_job(lake.arguments(*uris, **{**catalog.arguments, **more}), environment)

    return convert


def newest_report(announcer):
    return announcer.reports[-1][1]


def test_the_table_has_the_contracts_columns_after_each_new_one(lake, convert, catalog, announcer):
    convert(lake.manifest([lake.put("a", [{"id": 1, "User": {"Name": "x"}}])], 1))
    assert catalog.columns() == {"user": "struct<name:string>", "id": "bigint", **OWN}
    more = {"id": 2, "User": {"Name": "y", "tags": [{"k": "v"}]}, "price": 1.5, "ok": True}
    convert(lake.manifest([lake.put("b", [more])], 2))
    expected = {
        "user": "struct<name:string,tags:array<struct<k:string>>>",
        "id": "bigint",
        "ok": "boolean",
        "price": "double",
        **OWN,
    }
    assert catalog.columns() == expected
    convert(lake.manifest([lake.put("c", [{"id": "no number"}])], 3))
    assert catalog.columns() == {**expected, "_rescued": "string"}
    assert catalog.version() == lake.schema()["version"] == 3
    assert newest_report(announcer)["catalog"] == {
        "database": catalog.database,
        "table": TABLE,
        "schema_version": 3,
        "updated": True,
        "left_out": [],
        "error_message": None,
    }
    convert(lake.manifest([lake.put("d", [{"id": 4}])], 4))
    assert newest_report(announcer)["catalog"]["updated"] is False


def test_without_its_arguments_no_catalog_is_asked(lake, run, announcer):
    run(lake.manifest([lake.put("a", [{"id": 1}])]))
    assert newest_report(announcer)["catalog"] is None


def test_a_catalog_that_fails_fails_no_rows_and_is_made_good_by_the_next_run(
    lake, convert, catalog, announcer, caplog
):
    catalog.client.delete_table(DatabaseName=catalog.database, Name=TABLE)
    convert(lake.manifest([lake.put("a", [{"id": 1}])], 1))
    report = newest_report(announcer)
    assert report["processing_summary"]["status"] == "completed"
    assert "can't be read" in report["catalog"]["error_message"]
    assert report["catalog"]["schema_version"] is None
    assert "the Data Catalog is behind: table" in caplog.text
    assert any(line.startswith("the Data Catalog is behind: table") for line in announcer.lines)
    assert len(lake.rows()) == 1
    catalog.make(lake.output)
    convert(lake.manifest([lake.put("b", [{"id": 2}])], 2))
    assert catalog.columns() == {"id": "bigint", **OWN}
    assert newest_report(announcer)["catalog"]["error_message"] is None


def test_what_nobody_expected_of_the_catalog_fails_no_rows(lake, convert, announcer):
    def no_client():
        raise RuntimeError("no client")

    convert(lake.manifest([lake.put("a", [{"id": 1}])]), make_catalog=no_client)
    report = newest_report(announcer)
    assert report["processing_summary"]["status"] == "completed"
    assert report["catalog"]["error_message"].startswith("RuntimeError while bringing table")


def test_a_contract_that_a_dead_run_extended_is_followed_by_the_next(lake, run, convert, catalog):
    run(lake.manifest([lake.put("a", [{"id": 1, "new": "x"}])], 1))
    assert catalog.columns() == OWN
    convert(lake.manifest([lake.put("b", [{"id": 2}])], 2))
    assert catalog.columns() == {"id": "bigint", "new": "string", **OWN}


def test_output_that_fails_to_become_visible_leaves_the_table_right(lake, convert, catalog, monkeypatch):
    def refuse(*arguments):
        raise OSError("no")

    monkeypatch.setattr("glue_jobs.job.commit", refuse)
    with pytest.raises(ManifestsFailedError):
        convert(lake.manifest([lake.put("a", [{"id": 1}])]))
    assert catalog.version() == lake.schema()["version"] == 1
    assert catalog.columns() == {"id": "bigint", **OWN}


def fits(hive, found):
    """Return whether a file's type has what the table promises; found is DuckDB's."""
    if isinstance(hive, list):
        return found.id == "list" and fits(hive[0], found.child)
    if isinstance(hive, dict):
        members = {name.lower(): inner for name, inner in found.children} if found.id == "struct" else {}
        return all(name in members and fits(inner, members[name]) for name, inner in hive.items())
    return HIVE_OF.get(str(found)) == hive


def test_another_reader_finds_what_the_table_promises(lake, convert, catalog, tmp_path):
    """DuckDB looks columns and members up as Athena does: by name, without case."""
    rows = [
        {"Id": 1, "select": "x", "cs(User-Agent)": "y", "dt": "mine", "a:b": 1, "flag": True, "f": 0.5},
        {"Id": 2, "Deep": [{"X": [1, 2], "un sayable": 1, "Größe": {"z.z": "t"}}], "only": {"a-b": 1}},
        {"Id": "text"},
        {"Id": "text"},
        {"Id": 3},
    ]
    convert(lake.manifest([lake.put("a", rows[:1])], 1))
    convert(lake.manifest([lake.put("b", rows)], 2))
    lake.download(tmp_path)
    relation = duckdb.sql(f"SELECT * FROM read_parquet('{tmp_path}/**/*.parquet', union_by_name=true)")
    found = dict(zip((name.lower() for name in relation.columns), relation.types, strict=True))
    columns = catalog.columns()
    assert set(columns) == {
        *("id", "select", "cs(user-agent)", "flag", "f", "deep"),
        *("_processing_timestamp", "_source_file", "_rescued"),
    }
    assert {
        name: hive for name, hive in columns.items() if not fits(parse_hive_type(hive), found[name])
    } == {}
    assert columns["deep"] == "array<struct<größe:struct<z.z:string>,x:array<bigint>>>"
    answer = duckdb.sql(
        'SELECT id, "cs(user-agent)", deep[1].x[2], deep[1]."größe"."z.z" FROM relation WHERE id = 2'
    ).fetchall()
    assert answer == [(2, None, 2, "t")]
    left_out = catalog.table()["Parameters"]["left_out"]
    assert all(f'"{path}"' in left_out for path in ("a:b", "dt", "Deep[].un sayable", "only.a-b"))
