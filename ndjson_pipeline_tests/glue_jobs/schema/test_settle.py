import pytest

from glue_jobs.parsing.records import load_record
from glue_jobs.schema.limits import MAX_DEPTH
from glue_jobs.schema.observed import Observed, Room
from glue_jobs.schema.settle import settle_columns
from glue_jobs.schema.types import BOOLEAN, FLOAT64, INT64, STRING, Kind, list_of, struct_of


def seen(*lines):
    observed = Observed()
    for line in lines:
        observed.add_record(load_record(line.encode()), {}, Room())
    return observed


def settled(*lines, known=None):
    return settle_columns(known or {}, seen(*lines)).types


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", '"x"', '"y"'], STRING),
        (["1", "2", '"y"'], INT64),
        (["1", '"x"'], STRING),
        (["1", "true"], INT64),
        (["[1]", "1"], list_of(INT64)),
        (['{"a":1}', "[1]"], struct_of({"a": INT64})),
        (["[]", "{}", "[]", "1"], INT64),
        (["[1, true, true]"], list_of(BOOLEAN)),
        (['{"b":1}', '{"c":"x"}'], struct_of({"b": INT64, "c": STRING})),
        (["[[]]", "[[null]]", "[[1.5]]"], list_of(list_of(FLOAT64))),
        (["false"], BOOLEAN),
    ],
)
def test_the_type_of_most_values(values, expected):
    lines = [f'{{"a":{value}}}' for value in values]
    assert settled(*lines)["a"] == expected
    if expected.kind is not Kind.STRUCT:
        assert settled(*reversed(lines))["a"] == expected


@pytest.mark.parametrize("value", ["null", "[]", "{}", "[null]", "[[]]", "[{}]", '{"b":[]}', "1e999"])
def test_what_says_no_type_makes_no_column(value):
    assert settled(f'{{"a":{value}}}') == {}


def test_settled_types_stay_while_objects_gain_members():
    known = {
        "a": INT64,
        "s": struct_of({"x": INT64}),
        "l": list_of(struct_of({"y": INT64})),
    }
    found = settled('{"a":"x","s":{"x":"x","z":1},"l":[{"y":"x","z":true}],"new":1}', known=known)
    assert found == {
        "a": INT64,
        "s": struct_of({"x": INT64, "z": INT64}),
        "l": list_of(struct_of({"y": INT64, "z": BOOLEAN})),
        "new": INT64,
    }


def test_of_spellings_that_readers_take_for_one_that_of_most_values_is_the_column():
    assert list(settled('{"Id":1}', '{"id":1}', '{"id":1}')) == ["id"]
    assert list(settled('{"id":1}', '{"Id":1}')) == ["Id"]
    assert list(settled('{"ID":1}', known={"id": INT64})) == ["id"]
    assert list(settled('{"_Rescued":1,"_source_FILE":1}')) == []
    assert settled('{"s":{"K":1}}', '{"s":{"k":1,"K":2}}')["s"] == struct_of({"K": INT64})


def test_what_is_too_deep_makes_no_column():
    deep = '{"a":' + "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH + "}"
    assert settled(deep) == {}
    fits = '{"a":' + "[" * (MAX_DEPTH - 2) + "1" + "]" * (MAX_DEPTH - 2) + "}"
    assert list(settled(fits)) == ["a"]
