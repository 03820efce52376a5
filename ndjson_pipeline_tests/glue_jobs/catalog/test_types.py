"""The contract's columns as Hive says them."""

import gzip
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.catalog.types import CatalogColumn, catalog_columns
from glue_jobs.schema.column_names import fold, is_storable_name
from glue_jobs.schema.paths import member_path
from glue_jobs.schema.types import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT64,
    JSON,
    STRING,
    Kind,
    TimestampSource,
    decimal,
    list_of,
    map_of,
    struct_of,
    timestamp,
)
from ndjson_pipeline_tests.glue_jobs.catalog.hive import parse_hive_type

OWN = [("_processing_timestamp", "timestamp"), ("_source_file", "string")]


def said(types, **more):
    """Return the columns without the job's own, and what is left out, each as pairs."""
    found = catalog_columns(types, more.pop("has_rescued", False), more.pop("partition_keys", ["dt"]))
    pairs = [(column.name, column.type) for column in found.columns]
    assert pairs[-len(OWN) :] == OWN
    return pairs[: -len(OWN)], [(each.path, each.reason) for each in found.left_out]


@pytest.mark.parametrize(
    ("data_type", "hive_type"),
    [
        (BOOLEAN, "boolean"),
        (INT64, "bigint"),
        (FLOAT64, "double"),
        (STRING, "string"),
        (list_of(INT64), "array<bigint>"),
        (list_of(list_of(STRING)), "array<array<string>>"),
        (
            struct_of({"x": INT64, "Y.z": list_of(struct_of({"_b": BOOLEAN}))}),
            "struct<x:bigint,y.z:array<struct<_b:boolean>>>",
        ),
        (JSON, "string"),
        (DATE, "date"),
        (timestamp(TimestampSource.ISO8601), "timestamp"),
        (decimal(12, 2), "decimal(12,2)"),
        (map_of(list_of(decimal(9, 0))), "map<string,array<decimal(9,0)>>"),
        # Words of the type language are names as well as any.
        (struct_of({"struct": INT64, "array": STRING}), "struct<struct:bigint,array:string>"),
        (struct_of({"größe": INT64, "名前": STRING}), "struct<größe:bigint,名前:string>"),
    ],
    ids=str,
)
def test_types(data_type, hive_type):
    assert said({"c": data_type}) == ([("c", hive_type)], [])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a", "a"),
        ("userId", "userid"),
        ("GRÖSSE", "grösse"),
        ("id.orig_h", "id.orig_h"),
        ("cs(User-Agent)", "cs(user-agent)"),
        ("two words", "two words"),
        ("<y>", "<y>"),
        ("select", "select"),
        ("date", "date"),
        ('"', '"'),
        ("\N{GRINNING FACE}", "\N{GRINNING FACE}"),
        ("a" * 255, "a" * 255),
    ],
    ids=ascii,
)
def test_a_column_keeps_its_name_in_lower_case(name, shown):
    assert said({name: INT64}) == ([(shown, "bigint")], [])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a,b", "has one of , : ;"),
        ("a:b", "has one of , : ;"),
        ("a;b", "has one of , : ;"),
        ("a\nb", "control characters"),
        ("a\tb", "control characters"),
        ("\x85", "control characters"),
        ("\uffff", "control characters"),
        (" a", "white space at an end"),
        ("a ", "white space at an end"),
        ("a" * 256, "longer than 255 bytes"),
        ("ö" * 128, "longer than 255 bytes"),
        ("İ", "readers don't find it by its lower case"),
        ("dt", "a partition key has this name"),
        ("DT", "a partition key has this name"),
    ],
    ids=ascii,
)
def test_a_column_that_hive_or_glue_cannot_name_is_left_out(name, reason):
    assert said({name: INT64, "b": STRING}) == ([("b", "string")], [(member_path("", name), reason)])


@pytest.mark.parametrize(
    "name",
    [
        "a:b",
        "a,b",
        "a<b",
        "a>b",
        "two words",
        "a-b",
        "cs(x)",
        "\N{GRINNING FACE}",
        "e\u0301",
        "²",
        "$ref",
        "`",
    ],
    ids=ascii,
)
def test_a_member_that_no_type_can_name_is_left_out_alone(name):
    types = {"s": list_of(struct_of({name: INT64, "ok": INT64})), "b": STRING}
    assert said(types) == (
        [("s", "array<struct<ok:bigint>>"), ("b", "string")],
        [(f"s[].{name}", "has other signs than letters, digits, _ and .")],
    )


def test_an_object_without_any_member_left_is_no_column():
    types = {"s": struct_of({"a-b": struct_of({"c": INT64}), "d": struct_of({"İ": INT64})})}
    assert said(types) == (
        [],
        [
            ("s.a-b", "has other signs than letters, digits, _ and ."),
            ("s.d.İ", "has other signs than letters, digits, _ and ."),
        ],
    )


def test_the_jobs_own_columns_come_last():
    found = catalog_columns({"a": INT64}, has_rescued=True)
    assert found.columns == (
        CatalogColumn("a", "bigint"),
        *(CatalogColumn(*pair) for pair in OWN),
        CatalogColumn("_rescued", "string"),
    )


def test_members_that_a_types_length_has_no_room_for_are_left_out():
    """The first stay, as they are there already when more come."""
    few = struct_of({f"member_{number:05}": INT64 for number in range(4_000)})
    more = struct_of({f"member_{number:05}": INT64 for number in range(8_000)})
    ((_, text),), left_out = said({"s": more})
    assert len(text) <= 131_072
    assert len(text) > 131_000
    members = parse_hive_type(text)
    assert [*members, *(path.removeprefix("s.") for path, _ in left_out)] == list(more.by_name)
    assert text.startswith(said({"s": few})[0][0][1].removesuffix(">"))
    assert "longer than 131072 bytes" in left_out[0][1]


def test_columns_that_the_tables_metadata_has_no_room_for_are_left_out(monkeypatch):
    monkeypatch.setattr("glue_jobs.catalog.types.MOST_METADATA_BYTES", 50_000)
    noise = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(3_000)]
    columns, left_out = said(dict.fromkeys(noise, INT64))
    assert [name for name, _ in columns] + [name for name, _ in left_out] == noise
    assert left_out[0][1] == "the table's metadata is at its limit"
    packed = len(gzip.compress(json.dumps(columns).encode()))
    assert 45_000 < packed < 51_000
    # What is large but packs well is no trouble.
    alike = {f"measurement_of_the_sensor_{number}": INT64 for number in range(3_000)}
    assert said(alike)[1] == []


SPECIAL = "aB_.:,<>; -\u0130\u0131\u017f\u212a"
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from(SPECIAL)
NAMES = st.text(LETTERS, min_size=1, max_size=6).filter(is_storable_name)


def members_of(inner):
    return st.lists(st.tuples(NAMES, inner), min_size=1, max_size=4, unique_by=lambda pair: fold(pair[0]))


EPOCH = timestamp(TimestampSource.MILLISECONDS)
TYPES = st.recursive(
    st.sampled_from([BOOLEAN, INT64, FLOAT64, STRING, JSON, DATE, decimal(12, 2), EPOCH]),
    lambda inner: inner.map(list_of) | inner.map(map_of) | members_of(inner).map(dict).map(struct_of),
    max_leaves=8,
)


def leaves(path, data_type):
    """Yield the path of each scalar with all paths above it."""
    if data_type.kind is Kind.STRUCT:
        below = [each for name, inner in data_type.members for each in leaves(member_path(path, name), inner)]
    elif data_type.item is not None:
        below = leaves(path + ("[]" if data_type.kind is Kind.LIST else "{}"), data_type.item)
    else:
        return [(path,)]
    return [(path, *each) for each in below]


def shown_leaves(path, parsed):
    if isinstance(parsed, list):
        return shown_leaves(f"{path}[]", parsed[0])
    if isinstance(parsed, dict):
        below = ((member_path(path, name), inner) for name, inner in parsed.items())
        return [each for place in below for each in shown_leaves(*place)]
    if isinstance(parsed, tuple):
        return shown_leaves(path + "{}", parsed[0])
    return [path]


@settings(deadline=None, max_examples=150)
@given(members_of(TYPES))
def test_of_any_contract_hive_reads_all_that_is_not_said_to_be_left_out(columns):
    types = dict(columns)
    found = catalog_columns(types, has_rescued=True, partition_keys=["dt"])
    assert len({column.name for column in found.columns}) == len(found.columns)
    assert all(column.name == column.name.lower() for column in found.columns)
    shown = [
        each
        for column in found.columns[:-3]
        for each in shown_leaves(member_path("", column.name), parse_hive_type(column.type))
    ]
    left_out = {each.path for each in found.left_out}
    kept = [
        each[-1].lower()
        for name, data_type in types.items()
        for each in leaves(member_path("", name), data_type)
        if left_out.isdisjoint(each)
    ]
    assert shown == kept
