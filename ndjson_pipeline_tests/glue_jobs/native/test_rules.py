"""What the native parser makes of lines: right values by hand, and the same as the Python rules."""

import json
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glue_jobs.native.builder import MANY, Fault, NativeBuilder, Refused, Why
from glue_jobs.native.library import Library
from glue_jobs.parsing.records import dump, load_record
from glue_jobs.schema.scalars import Fraction, double_problem
from glue_jobs.schema.types import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT64,
    JSON,
    STRING,
    ColumnType,
    TimestampSource,
    decimal,
    list_of,
    map_of,
    struct_of,
    timestamp,
)
from ndjson_pipeline_tests.glue_jobs.native.oracle import Setting, compare

ISO = timestamp(TimestampSource.ISO8601)
SECONDS = timestamp(TimestampSource.SECONDS)
MILLIS = timestamp(TimestampSource.MILLISECONDS)
MICROS = timestamp(TimestampSource.MICROSECONDS)
POINT = struct_of({"x": INT64, "y": STRING})


def final(types: dict[str, ColumnType]) -> Setting:
    return Setting(types, types)


def converted(library: Library, line: str, types: dict[str, ColumnType]) -> tuple[Any, Any, Any]:
    """Return row, rest and tallies of one line that is taken."""
    setting = final(types)
    compare(line.encode(), setting, library)
    with setting.open(library) as builder:
        fed = builder.feed(line.encode())
        assert fed.left is None, fed.left
        taken = builder.take()
    (row,) = taken.table.to_pylist()
    return row, None if taken.rescued is None else taken.rescued.to_pylist()[0], taken.tallies


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("1.0", INT64, 1),
        ("1e2", INT64, 100),
        ("-0.0", INT64, 0),
        ("9007199254740993.0", INT64, 9007199254740993),
        ("9223372036854775807", INT64, 2**63 - 1),
        ("-9.223372036854775808e18", INT64, -(2**63)),
        ("0.1", FLOAT64, 0.1),
        ("19.99", FLOAT64, 19.99),
        ("0.30000000000000004", FLOAT64, 0.1 + 0.2),
        ("0.0008699893951416016", FLOAT64, 0.0008699893951416016),
        ("36893488147419103232", FLOAT64, 2.0**65),
        (str(2**1023), FLOAT64, 2.0**1023),
        ("0e5", FLOAT64, 0.0),
        ('"\\ud83d\\ude00\\/"', STRING, "\U0001f600/"),
        ('{"a": [1, 2.0, "\\u00e9\\/"]}', JSON, '{"a":[1,2.0,"é/"]}'),
        ('"\\ud800é"', JSON, '"\\ud800\\u00e9"'),
        ("1.10", decimal(5, 2), Decimal("1.10")),
        ("1e2", decimal(5, 2), Decimal("100.00")),
        ("99999999999999999999999999999999999999", decimal(38, 0), Decimal("9" * 38)),
        ('"2026-01-30T01:00:00.5+01:00"', ISO, datetime(2026, 1, 30, 0, 0, 0, 500_000, UTC)),
        ('"2026-01-30 01:00"', ISO, datetime(2026, 1, 30, 1, tzinfo=UTC)),
        ("1700000000.25", SECONDS, datetime(2023, 11, 14, 22, 13, 20, 250_000, UTC)),
        ("1700000000250.5", MILLIS, datetime(2023, 11, 14, 22, 13, 20, 250_500, UTC)),
        ("-1", MICROS, datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)),
        ('"2024-02-29"', DATE, date(2024, 2, 29)),
        ("[1, null, 2.0]", list_of(INT64), [1, None, 2]),
        ('{"é": 1, "": null}', map_of(INT64), [("é", 1), ("", None)]),
        ('{"y": "t", "z": null}', POINT, {"x": None, "y": "t"}),
    ],
)
def test_takes_what_fits_exactly(native: Library, text: str, column: ColumnType, value: Any) -> None:
    row, rest, tallies = converted(native, f'{{"v":{text}}}', {"v": column})
    assert (row["v"], rest, tallies) == (value, None, {})
    assert type(row["v"]) is type(value)


@pytest.mark.parametrize(
    ("text", "column", "kept", "rest", "tallies"),
    [
        ("1.5", INT64, None, "1.5", {("v", "not exact"): 1}),
        ("9223372036854775808", INT64, None, "9223372036854775808", {("v", "out of range"): 1}),
        ("true", INT64, None, "true", {("v", "other kind"): 1}),
        ("NaN", FLOAT64, None, '"NaN"', {("v", "not a number"): 1}),
        ("1e-400", FLOAT64, None, "1e-400", {("v", "not exact"): 1}),
        ("1e999", FLOAT64, None, "1e999", {("v", "out of range"): 1}),
        ("0.1000000000000000055", FLOAT64, None, "0.1000000000000000055", {("v", "not exact"): 1}),
        ("9007199254740993", FLOAT64, None, "9007199254740993", {("v", "not exact"): 1}),
        ('"\\ud800"', STRING, None, '"\\ud800"', {("v", "not storable"): 1}),
        ("[1, NaN]", JSON, None, '[1,"NaN"]', {("v", "not a number"): 1}),
        ("1.001", decimal(5, 2), None, "1.001", {("v", "not exact"): 1}),
        ("1000", decimal(5, 2), None, "1000", {("v", "out of range"): 1}),
        ('"1"', decimal(5, 2), None, '"1"', {("v", "other kind"): 1}),
        ('"2026-02-30T00:00:00Z"', ISO, None, '"2026-02-30T00:00:00Z"', {("v", "out of range"): 1}),
        ('"yesterday"', DATE, None, '"yesterday"', {("v", "other kind"): 1}),
        ('[1, "x", 3]', list_of(INT64), [1, None, 3], '[1,"x",3]', {("v[]", "other kind"): 1}),
        (
            '[{"x": 1, "y": "a"}, {"x": "odd", "y": "b"}]',
            list_of(POINT),
            [{"x": 1, "y": "a"}, {"x": None, "y": "b"}],
            '[{"x":1,"y":"a"},{"x":"odd","y":"b"}]',
            {("v[].x", "other kind"): 1},
        ),
        (
            '{"a": 1, "b": "x", "c": 2, "d": {}}',
            map_of(INT64),
            [("a", 1), ("b", None), ("c", 2), ("d", None)],
            '{"b":"x","d":{}}',
            {("v{}", "other kind"): 1},
        ),
        (
            '{"x": 1, "zz": {"k": [1 , 2]}, "y": 5}',
            POINT,
            {"x": 1, "y": None},
            '{"zz":{"k":[1,2]},"y":5}',
            {("v.zz", "no column"): 1, ("v.y", "other kind"): 1},
        ),
        ('{"x": 1, "zz": []}', POINT, {"x": 1, "y": None}, '{"zz":[]}', {}),
        (
            "[[1], [true]]",
            list_of(list_of(INT64)),
            [[1], [None]],
            "[[1],[true]]",
            {("v[][]", "other kind"): 1},
        ),
        ("7", POINT, None, "7", {("v", "other kind"): 1}),
    ],
)
def test_rescues_the_rest(
    native: Library, text: str, column: ColumnType, kept: Any, rest: str, tallies: dict[tuple[str, str], int]
) -> None:
    row, found, counted = converted(native, f'{{"v":{text}}}', {"v": column})
    assert (row["v"], found, counted) == (kept, f'{{"v":{rest}}}', tallies)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"garbage", Why.SYNTAX),
        (b"[1]", Why.SYNTAX),
        (b'{"v":1', Why.SYNTAX),
        (b'{"v":01}', Why.SYNTAX),
        (b'{"v":1}}', Why.SYNTAX),
        (b'{"v":1}\0', Why.SYNTAX),
        (b'{"v":1,"v":2}', Why.DUPLICATE),
        (b'{"v":1,"w":{"a":1,"\\u0061":2}}', Why.DUPLICATE),
        (b'{"w":null,"w":null}', Why.DUPLICATE),
        (b'{"w":"\xff"}', Why.UTF8),
        (b'{"\xff":1}', Why.UTF8),
        (b'{"w":' + b"[" * 200 + b"]" * 200 + b"}", Why.DEPTH),
        (b'{"\\ud800":1}', Why.SURROGATE),
        (b'{"":1}', Why.UNKNOWN),
    ],
)
def test_leaves_what_is_no_record_and_names_it(native: Library, line: bytes, why: Why) -> None:
    block = b'{"v":1}\n\n ' + line + b'\r\n{"v":3}'
    setting = final({"v": INT64})
    with setting.open(native) as builder:
        fed = builder.feed(block)
        assert fed.left is not None
        assert (fed.left.why, fed.left.line, fed.rows, fed.lines, fed.blank) == (why, 2, 1, 2, 1)
        assert block[fed.left.start : fed.left.end] == b" " + line + b"\r"
        rest = builder.feed(block, fed.next)
        assert (rest.rows, rest.lines, rest.next, rest.left) == (1, 1, len(block), None)
        assert builder.take().table.to_pylist() == [{"v": 1}, {"v": 3}]
    compare(block, setting, native)


def test_leaves_what_may_find_another_place_later(native: Library) -> None:
    types = {"v": INT64, "o": POINT}
    settled = {"o": struct_of({"x": INT64})}
    setting = Setting(types, settled, True, frozenset({("", "no"), ("o", "never")}))
    for line, why in [
        (b'{"v":"x"}', Why.TYPE),
        (b'{"v":1.5}', Why.RANGE),
        (b'{"w":1}', Why.UNKNOWN),
        (b'{"w":[0]}', Why.UNKNOWN),
        (b'{"o":{"y":1}}', Why.TYPE),
        (b'{"o":{"no":1}}', Why.UNKNOWN),
    ]:
        with setting.open(native) as builder:
            fed = builder.feed(line)
            assert fed.left is not None and fed.left.why is why, line
            assert builder.rows == 0
        compare(line, setting, native)
    taken = b'{"w":null}\n{"w":[]}\n{"w":{"x":[null,{}]},"v":2}\n'
    taken += b'{"o":{"x":"odd","never":1},"no":2}\n{"o":5,"v":1}'
    with setting.open(native) as builder:
        assert builder.feed(taken).left is None
        assert builder.take().tallies == {
            ("o.x", "other kind"): 1,
            ("o.never", "no column"): 1,
            ("no", "no column"): 1,
            ("o", "other kind"): 1,
        }
    compare(taken, setting, native)


def test_a_record_counts_once_and_a_left_one_not_at_all(native: Library) -> None:
    setting = final({"l": list_of(INT64)})
    block = b'{"l":["a","b"],"x":1}\n{"l":["a"],"x":2\n{"l":[1.5]}\n{"x":[],"y":1}'
    with setting.open(native) as builder:
        at = 0
        while at < len(block):
            at = builder.feed(block, at).next
        taken = builder.take()
    assert taken.tallies == {
        ("l[]", "other kind"): 1,
        ("l[]", "not exact"): 1,
        ("x", "no column"): 1,
        ("y", "no column"): 1,
    }
    assert taken.rescued_rows == 3
    assert taken.rescued_names == {"l", "x", "y"}


def test_unknown_names_are_counted_up_to_a_bound(native: Library) -> None:
    block = b"\n".join(b'{"a":1,"k%d":1}' % number for number in range(5000))
    with final({"a": INT64}).open(native) as builder:
        builder.feed(block)
        taken = builder.take()
    assert len(taken.tallies) == 4097
    assert taken.tallies["k0", "no column"] == 1
    assert taken.tallies[MANY, "no column"] == 5000 - 4096
    assert taken.rescued_rows == 5000


def test_many_names_in_one_object_are_compared_in_bounded_time(native: Library) -> None:
    names = [f'"k{number}":{number}' for number in range(50_000)]
    for column in (map_of(INT64), JSON, STRING):
        setting = final({"v": column})
        with setting.open(native) as builder:
            assert builder.feed(f'{{"v":{{{",".join(names)}}}}}'.encode()).rows == 1
            left = builder.feed(f'{{"v":{{{",".join([*names, names[25_000]])}}}}}'.encode()).left
            assert left is not None and left.why is Why.DUPLICATE


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 17), st.sampled_from("eg"))
@example(5e-324, 2, "e")
@example(2.2250738585072014e-308, 16, "e")
@example(1.7976931348623157e308, 16, "e")
@example(9007199254740992.5, 17, "g")
@settings(max_examples=400, deadline=None)
def test_doubles_follow_the_rule_whatever_their_digits(
    native: Library, number: float, digits: int, form: str
) -> None:
    text = f"{number:.{digits}{form}}"
    if "." not in text and "e" not in text:
        text += ".0"
    with final({"v": FLOAT64}).open(native) as builder:
        fed = builder.feed(f'{{"v":{text}}}'.encode())
        assert fed.left is None
        (row,) = builder.take().table.to_pylist()
    if double_problem(Fraction(text)) is None:
        assert repr(row["v"]) == repr(float(text))
    else:
        assert row["v"] is None


def test_numbers_of_sixteen_and_seventeen_digits(native: Library) -> None:
    """Many decimal numbers near doubles and between them, which the fast way judges."""
    texts = []
    for seed in range(1, 3000):
        digits = seed * 6364136223846793005 % 10**17
        texts += [f"0.{digits:017}", f"{digits // 10**7}.{digits % 10**7:07}", f"0.00000{digits:017}"]
        texts += [repr(digits / 10**17), repr(digits / 10**14), f"{digits / 10**15:.15f}"]
    block = "\n".join(f'{{"v":{text}}}' for text in texts).encode()
    compare(block, final({"v": FLOAT64}), native)


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["l", "m", "o", "j", "z"]) | st.text(max_size=2), ANY, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_record_becomes_what_python_makes_of_it(native: Library, record: dict[str, Any]) -> None:
    types = {"l": list_of(POINT), "m": map_of(list_of(FLOAT64)), "o": POINT, "j": JSON, "b": BOOLEAN}
    for ensure_ascii in (False, True):
        line = json.dumps(record, ensure_ascii=ensure_ascii).encode(errors="surrogatepass")
        compare(line, final(types), native)


def test_added_lines_stand_in_their_order(native: Library) -> None:
    types = {"a": INT64, "d": decimal(5, 2), "j": JSON}
    with final(types).open(native) as builder:
        builder.feed(b'{"a":1}')
        kept = dump(load_record(b'{"a": 2.0, "d": 1.5, "j": {"x": [1]}}'))
        builder.add(kept.encode(), b'{"z":"rest"}')
        builder.feed(b'{"a":3,"z":1}')
        builder.add(b"{}", None)
        taken = builder.take()
    assert [row["a"] for row in taken.table.to_pylist()] == [1, 2, 3, None]
    assert taken.table.to_pylist()[1] == {"a": 2, "d": Decimal("1.50"), "j": '{"x":[1]}'}
    assert taken.rescued is not None
    assert taken.rescued.to_pylist() == [None, '{"z":"rest"}', '{"z":1}', None]


def test_rows_without_columns_are_rows(native: Library) -> None:
    with NativeBuilder({}, {}, False, (), native) as builder:
        builder.feed(b"{}\n{}\n{}")
        taken = builder.take()
    assert (taken.table.num_rows, taken.table.num_columns) == (3, 0)


def test_lines_that_are_no_records_are_told_many_at_once(native: Library) -> None:
    setting = Setting({"a": INT64}, {"a": INT64})
    lines = [
        b'{"a":%d}' % n if n % 3 else (b"", b"bad", b'{"a":1,"a":2}', b'{"b":"\xff"}')[n % 4]
        for n in range(5000)
    ]
    data = b"\n".join(lines)
    found: list[Refused] = []
    rows, at = 0, 0
    with setting.open(native) as builder:
        while at < len(data):
            fed = builder.feed(data, at, found)
            rows, at = rows + fed.rows, fed.next
            if fed.left is not None:
                found.append(Refused(fed.left.start, fed.left.end, fed.left.line, Fault.UNKNOWN, 0))
        assert builder.take().table["a"].to_pylist() == [n for n in range(5000) if n % 3]
    expected = [n for n in range(0, 5000, 3) if lines[n]]
    assert [refused.line for refused in found] == expected
    assert [data[refused.start : refused.end] for refused in found] == [lines[n] for n in expected]


@pytest.mark.parametrize("bits", [22, 23, 24, 30, 60])
def test_doubles_that_are_few_bits_lie_between_two_texts(native: Library, bits: int) -> None:
    """As differences of instants are."""
    source = random.Random(bits)
    lines = []
    for _ in range(300):
        double = source.randrange(1, 2 ** source.randrange(1, 41)) / 2**bits
        for digits in (15, 16, 17):
            for neighbour in (-1, 0, 1):
                sign, figures, exponent = Decimal(f"{double:.{digits - 1}e}").as_tuple()
                moved = int("".join(map(str, figures))) + neighbour
                lines.append(f'{{"b":{Decimal((sign, tuple(map(int, str(moved))), int(exponent))):f}}}')
    compare("\n".join(lines).encode(), Setting({"b": FLOAT64}, {"b": FLOAT64}), native)
