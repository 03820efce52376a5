"""Types and paths as people write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.schema.column_names import fold, is_storable_name
from glue_jobs.schema.hints import parse_hints, parse_type, type_text
from glue_jobs.schema.paths import member_path, path_of, steps_of
from glue_jobs.schema.types import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT64,
    JSON,
    STRING,
    TimestampSource,
    decimal,
    list_of,
    map_of,
    struct_of,
    timestamp,
)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("boolean", BOOLEAN),
        ("BigInt", INT64),
        (" double ", FLOAT64),
        ("string", STRING),
        ("json", JSON),
        ("date", DATE),
        ("decimal(12,2)", decimal(12, 2)),
        ("decimal( 38 , 38 )", decimal(38, 38)),
        ("timestamp", timestamp(TimestampSource.ISO8601)),
        ("timestamp(iso8601)", timestamp(TimestampSource.ISO8601)),
        ("timestamp(ms)", timestamp(TimestampSource.MILLISECONDS)),
        ("map<string,double>", map_of(FLOAT64)),
        ("map<string, list<decimal(9,0)>>", map_of(list_of(decimal(9, 0)))),
        ("array<date>", list_of(DATE)),
        ('struct<a:bigint,"b:c":string>', struct_of({"a": INT64, "b:c": STRING})),
    ],
)
def test_types_are_read(text, column):
    assert parse_type(text) == column
    assert parse_type(type_text(column)) == column


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the end at character 1, expected boolean"),
        ("varchar", "'varchar' at character 1, expected boolean"),
        ("decimal", r"the end at character 8, expected '\('"),
        ("decimal(0,0)", "expected the number of digits from 1 to 38"),
        ("decimal(39,0)", "from 1 to 38"),
        ("decimal(5,6)", "after the point from 0 to 5"),
        ("decimal(5;6)", "expected ','|from 1 to 38"),
        ("timestamp(ns)", "expected s, ms, us or iso8601"),
        ("map<bigint,string>", "'string', which is the type of all keys"),
        ("list<", "the end at character 6"),
        ("list<date> x", "'x' at character 12, expected the end"),
        ("struct<>", "a member's name"),
        ("struct<a:date,A:date>", "twice there or no name"),
        ('struct<"":date>', "twice there or no name"),
        ('"', "expected boolean"),
        ("list<" * 100 + "date" + ">" * 100, "nested deeper"),
    ],
)
def test_what_is_no_type_says_where_and_what_was_expected(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse_type(text)


NAMES = st.text(max_size=5) | st.sampled_from(["a.b", "[]", "{}", '"', "\\", "*", "a b", "\ud800", "\n"])
STEPS = st.tuples(NAMES.map(".".__add__)) | st.tuples(
    NAMES.map(".".__add__), st.sampled_from(["[]", "{}"]) | NAMES.map(".".__add__), NAMES.map(".".__add__)
)


@settings(deadline=None)
@given(STEPS)
def test_paths_are_read_as_they_are_written(steps):
    assert steps_of(path_of(steps)) == steps


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", (".a",)),
        ("user.tags[].price", (".user", ".tags", "[]", ".price")),
        ('"id.orig_h"', (".id.orig_h",)),
        ("labels{}[].x", (".labels", "{}", "[]", ".x")),
        ("two words.a-b:c", (".two words", ".a-b:c")),
    ],
)
def test_paths(path, steps):
    assert steps_of(path) == steps
    assert path_of(steps) == path


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "[]", "a[", "a[0]", 'a"b"', '"a', "a[]b", "a.[]", "*"]
)
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="expected"):
        steps_of(path)


def test_a_member_of_the_record_has_its_name_as_path():
    assert member_path("", "a") == "a"
    assert member_path("a", "b.c") == 'a."b.c"'


def test_hints_are_read():
    hints = parse_hints({"a.b": "date", "c": "none"})
    assert hints.types == {(".a", ".b"): DATE, (".c",): None}
    assert hints.has_below((".a",))
    assert not hints.has_below((".c",))
    with pytest.raises(ValueError, match="two hints"):
        parse_hints({"a": "date", '"a"': "date"})


MEMBER_NAMES = st.text(min_size=1, max_size=5).filter(is_storable_name)
TYPES = st.recursive(
    st.sampled_from([BOOLEAN, INT64, FLOAT64, STRING, JSON, DATE, decimal(5, 5)]),
    lambda inner: (
        inner.map(list_of)
        | inner.map(map_of)
        | st.lists(
            st.tuples(MEMBER_NAMES, inner), min_size=1, max_size=3, unique_by=lambda pair: fold(pair[0])
        ).map(lambda pairs: struct_of(dict(pairs)))
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(TYPES)
def test_any_type_is_read_as_it_is_written(column):
    assert parse_type(type_text(column)) == column
