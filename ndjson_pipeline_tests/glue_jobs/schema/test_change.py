"""A contract changed by hand."""

import pytest

from glue_jobs.errors import SchemaChangeError
from glue_jobs.schema.change import Author, clear_hint, drop, set_type, to_map
from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.types import (
    DATE,
    FLOAT64,
    INT64,
    JSON,
    STRING,
    decimal,
    list_of,
    map_of,
    struct_of,
)
from ndjson_pipeline_tests.glue_jobs.conftest import NOW

AUTHOR = Author("ann", "cents came later", NOW)
TAG = struct_of({"price": INT64, "name": STRING})
TYPES = {
    "amount": INT64,
    "user": struct_of({"tags": list_of(TAG), "id.x": INT64}),
    "room": struct_of({"a1": struct_of({"n": INT64}), "b2": struct_of({"n": FLOAT64, "m": STRING})}),
    "odd": struct_of({"a": INT64, "b": STRING}),
    "labels": map_of(INT64),
}
CONTRACT = SchemaContract(TYPES, True, 3, (), {"user.tags[].when": "date"}, 1)


def test_another_type_is_a_new_generation_and_a_hint():
    found = set_type(CONTRACT, "amount", "decimal(12,2)", AUTHOR)
    assert (found.version, found.generation) == (4, 2)
    assert dict(found.types) == {**TYPES, "amount": decimal(12, 2)}
    assert list(found.types) == list(TYPES)
    assert found.hints == {"user.tags[].when": "date", "amount": "decimal(12,2)"}
    assert found.history == (
        {
            "version": 4,
            "kind": "changed by hand",
            "written_at": "2026-01-31T01:02:03.456789Z",
            "path": "amount",
            "change": "bigint to decimal(12,2)",
            "by": "ann",
            "reason": "cents came later",
        },
    )
    assert SchemaContract.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("user.tags[].price", "double", list_of(struct_of({"price": FLOAT64, "name": STRING}))),
        ("user.tags[]", "json", list_of(JSON)),
        ("user.tags", "json", JSON),
    ],
)
def test_a_place_inside_is_changed_there(path, text, wanted):
    found = set_type(CONTRACT, path, text, AUTHOR)
    assert found.types["user"] == struct_of({"tags": wanted, "id.x": INT64})


def test_hints_below_a_changed_place_go():
    assert set_type(CONTRACT, "user.tags[].price", "double", AUTHOR).hints.keys() == {
        "user.tags[].when",
        "user.tags[].price",
    }
    assert set_type(CONTRACT, "user", "json", AUTHOR).hints == {"user": "json"}


def test_a_place_without_a_column_gets_a_hint_and_no_new_generation():
    found = set_type(CONTRACT, 'new."a.b"', "date", AUTHOR)
    assert (found.version, found.generation, found.types) == (4, 1, TYPES)
    assert found.hints['new."a.b"'] == "date"
    with pytest.raises(SchemaChangeError, match="date already"):
        set_type(found, 'new."a.b"', "date", AUTHOR)
    assert 'new."a.b"' not in clear_hint(found, 'new."a.b"', AUTHOR).hints


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("room", None, map_of(struct_of({"n": FLOAT64, "m": STRING}))),
        ("odd", None, map_of(JSON)),
        ("odd", "string", map_of(STRING)),
        ("user", "date", map_of(DATE)),
    ],
)
def test_an_object_becomes_a_map(path, value, wanted):
    found = to_map(CONTRACT, path, AUTHOR, value)
    assert found.types[path] == wanted
    assert found.generation == 2


def test_a_dropped_column_does_not_come_back_by_itself():
    found = drop(CONTRACT, "amount", AUTHOR)
    assert "amount" not in found.types
    assert found.hints["amount"] == "none"
    inner = drop(CONTRACT, 'user."id.x"', AUTHOR)
    assert inner.types["user"] == struct_of({"tags": list_of(TAG)})
    assert (inner.generation, inner.history[-1]["change"]) == (2, "bigint dropped")
    assert SchemaContract.from_json(inner.to_json()) == inner


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda: set_type(CONTRACT, "amount", "bigint", AUTHOR), "amount is bigint already"),
        (lambda: set_type(CONTRACT, "amount", "money", AUTHOR), "'money' is no type.*expected boolean"),
        (lambda: set_type(CONTRACT, "amount..x", "date", AUTHOR), "a name was expected"),
        (
            lambda: set_type(CONTRACT, "amount.x", "date", AUTHOR),
            "amount is bigint, and amount.x needs it to be",
        ),
        (lambda: set_type(CONTRACT, "user[]", "date", AUTHOR), "needs it to be a list"),
        (lambda: set_type(CONTRACT, "_Rescued", "date", AUTHOR), "the job itself adds"),
        (lambda: set_type(CONTRACT, '""', "date", AUTHOR), "no column can bear"),
        (lambda: set_type(CONTRACT, "amount", "date", Author(" ", "x", NOW)), "needs 'by'"),
        (lambda: set_type(CONTRACT, "amount", "date", Author("x", "", NOW)), "needs 'reason'"),
        (lambda: to_map(CONTRACT, "amount", AUTHOR), "amount is bigint, expected an object"),
        (lambda: to_map(CONTRACT, "gone", AUTHOR), "gone has no column, expected an object"),
        (lambda: to_map(CONTRACT, "room", AUTHOR, "x"), "is no type"),
        (lambda: drop(CONTRACT, "gone", AUTHOR), "gone has no column, expected one to drop"),
        (lambda: drop(CONTRACT, "labels{}", AUTHOR), "drop labels as a whole"),
        (lambda: drop(CONTRACT, "room.a1.n", AUTHOR), "the only member of room.a1"),
        (lambda: clear_hint(CONTRACT, "amount", AUTHOR), r"expected one of user.tags\[\].when"),
    ],
)
def test_what_can_not_be_changed_says_what_was_expected(change, problem):
    with pytest.raises(SchemaChangeError, match=problem):
        change()
