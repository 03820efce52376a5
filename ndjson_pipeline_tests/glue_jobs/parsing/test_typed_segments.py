"""Segments under columns of every type, and under none: each record comes back."""

import json
import random
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glue_jobs.parsing.arrow_json import has_inexact, read_fitting
from glue_jobs.parsing.arrow_rows import parse_segment
from glue_jobs.parsing.judging import judge
from glue_jobs.parsing.records import dump, load_record
from glue_jobs.parsing.rows import rows_of
from glue_jobs.reading.lines import Segment
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.fit import conform
from glue_jobs.schema.learning import Learning
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
from ndjson_pipeline_tests.glue_jobs.typed_records import normal_record, normal_row

ISO = timestamp(TimestampSource.ISO8601)
MILLIS = timestamp(TimestampSource.MILLISECONDS)


def parse(lines, types=None, accepts_new=True):
    learning = Learning(Columns(types or {}, accepts_new))
    return parse_segment(Segment(b"\n".join(lines), 1, 0), learning), learning


def rows(parsed, columns):
    table = conform(parsed.table, columns)
    found = table.to_pylist() if table.num_columns else [{} for _ in range(table.num_rows)]
    texts = [None] * len(found) if parsed.rescued is None else parsed.rescued.to_pylist()
    return [
        normal_row({**row, "_rescued": text}, columns.types) for row, text in zip(found, texts, strict=True)
    ]


TYPES = st.recursive(
    st.sampled_from(
        [BOOLEAN, INT64, FLOAT64, STRING, JSON, DATE, ISO, MILLIS, decimal(9, 2), decimal(38, 10)]
    ),
    lambda inner: (
        inner.map(list_of)
        | inner.map(map_of)
        | st.dictionaries(st.sampled_from(["a", "b", "c.d"]), inner, min_size=1, max_size=3).map(struct_of)
    ),
    max_leaves=5,
)
COLUMNS = st.dictionaries(st.sampled_from(["a", "b", "c"]), TYPES, max_size=3)
NUMBERS = st.sampled_from(
    [
        *("0", "-0", "0.0", "1", "1.0", "1.10", "1e2", "-1.5", "19.99", "1e-400", "1e999", "123456789.01"),
        *("0.1234567890123456789", "9007199254740993", "9007199254740993.0", "18446744073709551616"),
        *("1769776200123.25", "5.960464477539063e-08", "NaN", "Infinity"),
    ]
)
TEXTS = st.sampled_from(
    [
        *('""', '"x"', '"1"', '"2026-01-30"', '"2026-02-30"', '"2026-01-30T12:30:00Z"', '"é\\u0000"'),
        *('"2026-01-30T12:30:00.1234567Z"', '"2026-01-30 12:30+01:00"', '"\\ud800"'),
    ]
)
NAMES = st.sampled_from(["a", "b", "c", "c.d", "A", "", "\\ud800", "new"])


def objects(inner):
    return st.dictionaries(NAMES, inner, max_size=4).map(
        lambda members: "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"
    )


VALUES = st.recursive(
    NUMBERS | TEXTS | st.sampled_from(["null", "true", "false"]),
    lambda inner: objects(inner) | st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]"),
    max_leaves=8,
)


@settings(max_examples=250, deadline=None)
@example(['{"\\ud800":"\\ud800"}', '{"\\ud800":null,"\\u0000":null}', "{}"], {}, False)
@given(st.lists(objects(VALUES), min_size=1, max_size=5), COLUMNS, st.booleans())
def test_every_record_is_its_row_with_what_was_rescued(lines, types, accepts_new):
    parsed, learning = parse([line.encode() for line in lines], types, accepts_new)
    assert parsed.rejected == ()
    assert parsed.table.num_rows == len(lines)
    types = learning.columns.types
    expected = [normal_record(load_record(line.encode()), types) for line in lines]
    assert rows(parsed, learning.columns) == expected
    counted = sum(parsed.tallies.counts.values())
    assert (counted > 0) == (parsed.records_rescued > 0)
    assert parsed.records_rescued <= (0 if parsed.rescued is None else len(lines) - parsed.rescued.null_count)


@settings(max_examples=100, deadline=None)
@given(st.lists(objects(VALUES), min_size=1, max_size=4), COLUMNS)
def test_what_is_kept_is_json_that_fits_and_keeps_the_same_again(lines, types):
    """Another parser may take what was kept, as text."""
    for line in lines:
        judged = judge(load_record(line.encode()), types)
        again = judge(load_record(dump(judged.kept).encode()), types)
        assert (again.rest, again.rescued) == (None, frozenset())
        assert rows_of([again.kept], types) == rows_of([judged.kept], types)


def test_columns_hold_real_values():
    types = {"t": ISO, "d": DATE, "p": decimal(9, 2), "m": map_of(list_of(INT64)), "j": JSON}
    line = (
        b'{"t":"2026-01-30T12:30:00+01:00","d":"2026-01-30","p":1.10,"m":{"x":[1,null]},"j":[1,{"a":2.50}]}'
    )
    parsed, _ = parse([line], types)
    assert parsed.table.to_pylist() == [
        {
            "t": datetime(2026, 1, 30, 11, 30, tzinfo=UTC),
            "d": date(2026, 1, 30),
            "p": Decimal("1.10"),
            "m": [("x", [1, None])],
            "j": '[1,{"a":2.50}]',
        }
    ]


def test_one_odd_member_hides_no_list():
    good = b'{"items":[{"sku":"a","qty":1},{"sku":"b","qty":2}]}'
    odd = b'{"items":[{"sku":"a","qty":"1"},{"sku":"b","qty":2}]}'
    parsed, _ = parse([good] * 99 + [odd])
    items = parsed.table["items"].to_pylist()
    assert items[99] == [{"qty": None, "sku": "a"}, {"qty": 2, "sku": "b"}]
    assert parsed.rescued.to_pylist()[99] == odd.decode()
    assert parsed.tallies.counts == {("items[].qty", "other kind"): 1}
    assert parsed.records_rescued == 1


def test_empty_objects_and_lists_without_a_type_are_kept_but_not_counted():
    parsed, _ = parse([b'{"a":1,"e":{},"l":[[],null]}'] * 3)
    assert parsed.rescued.to_pylist() == ['{"e":{},"l":[[],null]}'] * 3
    assert (parsed.records_rescued, parsed.tallies.counts) == (0, {})


def test_records_are_counted_once_a_place_and_reason():
    parsed, _ = parse([b'{"a":[1,"x","y",true],"b":{"c":"x"}}', b'{"a":[1]}'], {"a": list_of(INT64)}, False)
    assert parsed.tallies.counts == {("a[]", "other kind"): 1, ("b", "no column"): 1}
    assert parsed.records_rescued == 1


def test_always_null_names_do_not_keep_a_segment_from_arrow(monkeypatch):
    lines = [b'{"a":1,"n":null,"s":{"x":1,"m":null}}'] * 5000
    judged = []
    monkeypatch.setattr("glue_jobs.parsing.arrow_rows.judge", lambda *each: judged.append(each))
    parsed, learning = parse(lines)
    assert judged == []
    assert learning.columns.types == {"a": INT64, "s": struct_of({"x": INT64})}
    assert parsed.table.num_rows == 5000


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":0.1,"b":[19.99,1e5]}', False),
        (b'{"a":0.30000000000000004}', False),
        (b'{"a":0.12345678901234567890}', True),
        (b'{"a":1e-400}', True),
        (b'{"a":-123456789012345678.9 }', True),
        (b'{"a":[1, 9007199254740993.5]}', True),
        (b'{"a":1.10000000000000000000}', False),
        (b'{"a":1234567890123456789}', False),
        (b'{"a":1.5E+3}', False),
        (b'{"a":"0.12345678901234567890"}', False),
        (b'{"a":' + b"1" * 400 + b".5}", True),
    ],
)
def test_numbers_that_no_double_gives_back_are_seen_in_the_bytes(data, expected):
    assert has_inexact(data) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1), min_size=1
    )
)
def test_arrow_takes_doubles_as_python_prints_them(values):
    data = "\n".join(json.dumps({"a": value}) for value in values).encode()
    table = read_fitting(data, Columns({"a": FLOAT64}).schema)
    if max(map(abs, values)) < 2**53:
        assert table is not None
    assert table is None or table["a"].to_pylist() == values


def test_the_types_of_a_segment_follow_from_all_of_it():
    made = random.Random(5)
    lines = [
        json.dumps(
            {"id": n, "m": {f"{made.getrandbits(48):x}": n}, "amount": n if n < 500 else n + 0.5}
        ).encode()
        for n in range(9000)
    ]
    parsed, learning = parse(lines)
    types = learning.columns.types
    assert (types["m"], types["amount"]) == (map_of(INT64), FLOAT64)
    assert parsed.rescued is None
    assert conform(parsed.table, learning.columns).num_rows == 9000
    assert learning.columns.types["m"].kind is Kind.MAP
