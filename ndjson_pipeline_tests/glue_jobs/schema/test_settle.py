import pyarrow as pa
import pytest

from glue_jobs.parsing.records import load_record
from glue_jobs.schema.columns import MAX_DEPTH
from glue_jobs.schema.observed import Observed
from glue_jobs.schema.settle import MAX_MEMBERS, settle_columns


def seen(*lines):
    observed = Observed()
    for line in lines:
        for name, value in load_record(line.encode()).items():
            observed.member(name).add_value(value)
    return observed


def settled(*lines, known=None):
    return settle_columns(known or {}, seen(*lines))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", '"x"', '"y"'], pa.string()),
        (["1", "2", '"y"'], pa.int64()),
        (["1", '"x"'], pa.string()),
        (["1", "true"], pa.int64()),
        (["[1]", "1"], pa.list_(pa.int64())),
        (['{"a":1}', "[1]"], pa.struct([("a", pa.int64())])),
        (["[]", "{}", "[]", "1"], pa.int64()),
        (["[1, true, true]"], pa.list_(pa.bool_())),
        (['{"b":1}', '{"c":"x"}'], pa.struct([("b", pa.int64()), ("c", pa.string())])),
        (["[[]]", "[[null]]", "[[1.5]]"], pa.list_(pa.list_(pa.float64()))),
        (["false"], pa.bool_()),
    ],
)
def test_the_type_of_most_values(values, expected):
    lines = [f'{{"a":{value}}}' for value in values]
    assert settled(*lines)["a"] == expected
    if not pa.types.is_struct(expected):
        assert settled(*reversed(lines))["a"] == expected


@pytest.mark.parametrize("value", ["null", "[]", "{}", "[null]", "[[]]", "[{}]", '{"b":[]}', "1e999"])
def test_what_says_no_type_makes_no_column(value):
    assert settled(f'{{"a":{value}}}') == {}


def test_settled_types_stay_while_objects_gain_members():
    known = {
        "a": pa.int64(),
        "s": pa.struct([("x", pa.int64())]),
        "l": pa.list_(pa.struct([("y", pa.int64())])),
    }
    found = settled('{"a":"x","s":{"x":"x","z":1},"l":[{"y":"x","z":true}],"new":1}', known=known)
    assert found == {
        "a": pa.int64(),
        "s": pa.struct([("x", pa.int64()), ("z", pa.int64())]),
        "l": pa.list_(pa.struct([("y", pa.int64()), ("z", pa.bool_())])),
        "new": pa.int64(),
    }


def test_of_spellings_that_readers_take_for_one_that_of_most_values_is_the_column():
    assert list(settled('{"Id":1}', '{"id":1}', '{"id":1}')) == ["id"]
    assert list(settled('{"id":1}', '{"Id":1}')) == ["Id"]
    assert list(settled('{"ID":1}', known={"id": pa.int64()})) == ["id"]
    assert list(settled('{"_Rescued":1,"_source_FILE":1}')) == []
    assert settled('{"s":{"K":1}}', '{"s":{"k":1,"K":2}}')["s"] == pa.struct([("K", pa.int64())])


def test_what_is_too_deep_or_too_much_makes_no_column():
    deep = '{"a":' + "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH + "}"
    assert settled(deep) == {}
    fits = '{"a":' + "[" * (MAX_DEPTH - 2) + "1" + "]" * (MAX_DEPTH - 2) + "}"
    assert list(settled(fits)) == ["a"]
    lines = [f'{{"k{number}":1}}' for number in range(MAX_MEMBERS + 5)]
    found = settled(*lines, lines[-1], lines[-2])
    assert len(found) == MAX_MEMBERS
    assert {f"k{MAX_MEMBERS + 4}", f"k{MAX_MEMBERS + 3}"} <= found.keys()
