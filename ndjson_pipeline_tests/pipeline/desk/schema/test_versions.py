"""Former versions of a contract by its history, and what differs between two."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from glue_jobs.schema.change import Author, clear_hint, drop, keep_out, set_type, to_map
from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.limits import SchemaLimits
from glue_jobs.schema.types import INT64, STRING, ColumnType, list_of, struct_of
from ndjson_pipeline.desk.schema.contract import column_rows, room_of, waiting_hints
from ndjson_pipeline.desk.schema.differences import differences
from ndjson_pipeline.desk.schema.versions import before
from ndjson_pipeline_tests.pipeline.harness import NOW

AUTHOR = Author("a test", "because", NOW)
ITEMS = list_of(struct_of({"sku": STRING, "qty": INT64}))


def grown(
    contract: SchemaContract, types: dict[str, ColumnType], has_rescued: bool = False
) -> SchemaContract:
    return contract.extended({**contract.types, **types}, has_rescued, ["s3://m/1"], NOW, "jr_1")


def versions() -> list[SchemaContract]:
    """Return each version of a contract that was changed in every way that can be taken back."""
    found = [SchemaContract()]
    changes: list[Callable[[SchemaContract], SchemaContract]] = [
        lambda now: set_type(now, "at", "timestamp(ms)", AUTHOR),
        lambda now: grown(now, {"id": INT64, "odd to name": struct_of({"a to b": INT64})}),
        lambda now: grown(now, {"items": ITEMS, "user": struct_of({"a": INT64, "b": STRING})}, True),
        lambda now: set_type(now, "items[].qty", "decimal(9,2)", AUTHOR),
        lambda now: set_type(now, "odd to name", "string", AUTHOR),
        lambda now: keep_out(now, "debug", AUTHOR),
        lambda now: clear_hint(now, "at", AUTHOR),
        lambda now: drop(now, "user.b", AUTHOR),
        lambda now: drop(now, "user", AUTHOR),
    ]
    for change in changes:
        found.append(change(found[-1]))
    return found


def test_each_version_is_had_back_from_the_one_after_it() -> None:
    chain = versions()
    for earlier, later in pairwise(chain):
        former = before(later)
        assert former is not None
        assert (former.version, former.generation, former.has_rescued) == (
            earlier.version,
            earlier.generation,
            earlier.has_rescued,
        )
        assert dict(former.types) == dict(earlier.types)
        assert former.hints == earlier.hints


def test_an_object_that_became_a_map_is_not_had_back() -> None:
    contract = to_map(grown(SchemaContract(), {"room": struct_of({"a": INT64})}), "room", AUTHOR)
    assert before(contract) is None


def test_differences_name_the_innermost_place() -> None:
    chain = versions()
    one, other = chain[3], chain[-1]
    assert [(each.what.value, each.path, each.before, each.after) for each in differences(one, other)] == [
        ("changed", "odd to name", 'struct<"a to b":bigint>', "string"),
        ("changed", "items[].qty", "bigint", "decimal(9,2)"),
        ("dropped", "user", "struct<a:bigint,b:string>", None),
        *[
            ("hint", each.path, each.before, each.after)
            for each in differences(one, other)
            if each.what.value == "hint"
        ],
    ]
    hints = {each.path: (each.before, each.after) for each in differences(one, other) if each.what == "hint"}
    assert hints == {
        "at": ("timestamp(ms)", None),
        "items[].qty": (None, "decimal(9,2)"),
        "odd to name": (None, "string"),
        "debug": (None, "none"),
        "user": (None, "none"),
    }
    assert differences(one, one) == []
    assert [each.path for each in differences(chain[0], chain[2]) if each.what == "added"] == [
        "id",
        "odd to name",
    ]


def test_columns_are_told_at_their_leaves_with_what_brought_and_changed_them() -> None:
    contract = versions()[6]
    rows = {row.path: row for row in column_rows(contract)}
    assert list(rows) == [
        "id",
        "odd to name",
        "items[].sku",
        "items[].qty",
        "user.a",
        "user.b",
        "_processing_timestamp",
        "_source_file",
        "_rescued",
    ]
    assert (rows["items[].qty"].type, rows["items[].qty"].since_version) == ("decimal(9,2)", 3)
    assert rows["items[].qty"].changed == "version 4: bigint to decimal(9,2)"
    assert (rows["_rescued"].since_version, rows["_source_file"].since_version) == (3, None)
    assert waiting_hints(contract) == {"at": "timestamp(ms)", "debug": "none"}


@pytest.mark.parametrize(
    ("limits", "warns"),
    [(SchemaLimits(6000, 10_000), None), (SchemaLimits(6000, 10), "half"), (SchemaLimits(4, 100), "full")],
)
def test_a_schema_says_how_full_it_is(limits: SchemaLimits, warns: str | None) -> None:
    room = room_of(versions()[3], limits)
    assert (room.columns, room.widest, room.members) == (6, "", 4)
    assert (warns is None) == (room.warning is None)
    assert (warns or "") in (room.warning or "")
