"""The Columns tab of merged_parquet."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from glue_jobs.schema.change import Author, set_type
from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.hints import parse_type
from ndjson_pipeline.conversion import columns as module
from ndjson_pipeline.conversion.columns import first_columns, table_schema

NOW = datetime(2026, 1, 30, 12, tzinfo=UTC)
OWN = ["_processing_timestamp", "_source_file", "dt"]


def contract(**types: str) -> SchemaContract:
    return SchemaContract().extended({name: parse_type(text) for name, text in types.items()}, False, [], NOW)


def rows(of: SchemaContract) -> dict[str, dg.TableColumn]:
    return {column.name: column for column in table_schema(of).columns}


@pytest.mark.parametrize(
    ("text", "shown", "notes"),
    [
        ("bigint", "bigint", []),
        ("double", "double", []),
        ("string", "string", []),
        ("boolean", "boolean", []),
        ("date", "date", []),
        ("decimal(12,2)", "decimal(12,2)", []),
        ("json", "string", ["JSON text"]),
        ("timestamp", "timestamp", ["UTC"]),
        ("timestamp(ms)", "timestamp", ["UTC"]),
        ("list<double>", "list<double>", []),
        ("map<string,list<bigint>>", "map<string,list<bigint>>", []),
    ],
)
def test_a_type_is_named_as_a_query_names_it(text: str, shown: str, notes: list[str]) -> None:
    column = rows(contract(a=text))["a"]
    assert (column.type, list(column.constraints.other)) == (shown, notes)
    assert column.constraints.nullable


def test_members_of_objects_are_rows_of_their_own_below_them() -> None:
    nested = contract(
        user='struct<name:string,"odd.name":bigint,tags:list<struct<price:double>>>',
        labels="map<string,struct<n:bigint>>",
        deep="list<list<struct<x:string>>>",
    )
    assert [(name, column.type) for name, column in rows(nested).items()][:-3] == [
        ("user", "struct"),
        ("user.name", "string"),
        ('user."odd.name"', "bigint"),
        ("user.tags", "list<struct>"),
        ("user.tags[].price", "double"),
        ("labels", "map<string,struct>"),
        ("labels{}.n", "bigint"),
        ("deep", "list<list<struct>>"),
        ("deep[][].x", "string"),
    ]


def test_the_columns_that_the_job_adds_come_last_with_what_they_are() -> None:
    found = rows(contract(a="bigint"))
    assert list(found)[-3:] == OWN
    assert not any(found[name].constraints.nullable for name in OWN)
    assert list(found["dt"].constraints.other) == ["partition key"]
    rescued = SchemaContract().extended({"a": parse_type("bigint")}, True, [], NOW)
    assert list(rows(rescued)) == ["a", *OWN[:2], "_rescued", "dt"]
    assert rows(rescued)["_rescued"].constraints.nullable
    # A column of that name is the dataset's own, and the catalog's key is left out for it nowhere.
    assert [column.name for column in table_schema(contract(DT="string")).columns] == ["DT", *OWN[:2]]


def test_a_description_says_what_was_declared_changed_and_when_it_came() -> None:
    author = Author("ann", "cents, *not* euros", NOW)
    declared = set_type(SchemaContract(), "price", "decimal(12,2)", author)
    first = declared.extended({"price": parse_type("decimal(12,2)")}, False, [], NOW)
    later = first.extended(
        {**first.types, "at": parse_type("timestamp(ms)"), "user": parse_type("struct<a:list<bigint>>")},
        False,
        [],
        NOW,
    )
    changed = set_type(later, "user.a[]", "double", author)
    found = rows(changed)
    assert found["price"].description == (
        r"Changed by hand on 2026-01-30, decimal(12,2) when it gets a column: cents, \*not\* euros (ann)."
    )
    assert found["at"].description == ("Since 2026-01-30 (version 3). The input has milliseconds since 1970.")
    assert found["user.a"].type == "list<double>"
    assert r"Changed by hand on 2026-01-30, bigint to double" in (found["user.a"].description or "")
    assert first_columns(changed) == {"price"}


def test_a_first_column_has_nothing_to_tell() -> None:
    assert rows(contract(a="bigint"))["a"].description is None
    assert first_columns(contract(a="struct<b:bigint>")) == {"a"}
    assert first_columns(SchemaContract()) == frozenset()


def test_of_a_wide_dataset_the_first_columns_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_COLUMNS", 3)
    wide = table_schema(contract(**{f"c{number}": "bigint" for number in range(5)}))
    assert [column.name for column in wide.columns] == ["c0", "c1", "c2", *OWN]
    assert list(wide.constraints.other) == ["and 2 more columns and members, in the schema contract"]


def test_names_from_the_data_show_as_what_they_are() -> None:
    names: dict[str, Any] = {"a\u202eb": parse_type("bigint"), "x" * 400: parse_type("bigint")}
    shown = [column.name for column in table_schema(SchemaContract(types=names)).columns]
    assert shown[0] == r"a\u202eb"
    assert len(shown[1]) == 200
