"""What columns take of a value, exactly, and what is left over."""

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.parsing.records import dump, load_record
from glue_jobs.parsing.rows import rows_of
from glue_jobs.schema.reasons import Reason
from glue_jobs.schema.scalars import Fraction, Whole, digits_of, double_problem
from glue_jobs.schema.split import split_record
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

EXACT = Context(prec=2000)
ISO = timestamp(TimestampSource.ISO8601)
SECONDS = timestamp(TimestampSource.SECONDS)
MILLIS = timestamp(TimestampSource.MILLISECONDS)
MICROS = timestamp(TimestampSource.MICROSECONDS)


def split(text, column):
    """Return what the column holds, what is left over as text, and the reasons by path."""
    found = split_record(load_record(f'{{"v":{text}}}'.encode()), {"v": column})
    (row,) = rows_of([found.kept], {"v": column}).to_pylist()
    rest = dump(found.rest["v"]) if found.rest else None
    return row["v"], rest, sorted((path, str(reason)) for path, reason in found.rescued)


def instant(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("true", BOOLEAN, True),
        ('""', STRING, ""),
        ('"\\u0000"', STRING, "\0"),
        ("1.0", INT64, 1),
        ("1e2", INT64, 100),
        ("1.50e1", INT64, 15),
        ("-0.0", INT64, 0),
        ("-0", INT64, 0),
        ("0e99999999999999999999", INT64, 0),
        ("9007199254740993.0", INT64, 9007199254740993),
        ("-9223372036854775808.000", INT64, -(2**63)),
        ("922337203685477580.7e1", INT64, 2**63 - 1),
        ("1", FLOAT64, 1.0),
        ("9007199254740994", FLOAT64, 9007199254740994.0),
        ("0.1", FLOAT64, 0.1),
        ("19.99", FLOAT64, 19.99),
        ("0.30000000000000004", FLOAT64, 0.30000000000000004),
        ("1.10", FLOAT64, 1.1),
        ("5.960464477539063e-08", FLOAT64, 2.0**-24),
        ("0.0008020401000976563", FLOAT64, 0.0008020401000976563),
        ("4.9e-324", FLOAT64, 5e-324),
        ("1.7976931348623157e308", FLOAT64, 1.7976931348623157e308),
        ("0.0", FLOAT64, 0.0),
        ("0e5", FLOAT64, 0.0),
        ("0.000e-999999999999999999999", FLOAT64, 0.0),
        ("1" + "0" * 30 + ".0", FLOAT64, 1e30),
        ("0." + "0" * 5000 + "1e5001", FLOAT64, 1.0),
        ("1.10", decimal(10, 2), Decimal("1.10")),
        ("1.1000", decimal(3, 2), Decimal("1.10")),
        ("1e2", decimal(3, 0), Decimal(100)),
        ("-0.00", decimal(1, 0), Decimal(0)),
        ("1" * 38, decimal(38, 0), Decimal("1" * 38)),
        ("0.01", decimal(2, 2), Decimal("0.01")),
        ('"2026-01-30T12:30:00Z"', ISO, instant(2026, 1, 30, 12, 30)),
        ('"2026-01-30 12:30"', ISO, instant(2026, 1, 30, 12, 30)),
        ('"2026-01-30t12:30:00.123456000z"', ISO, instant(2026, 1, 30, 12, 30, 0, 123456)),
        ('"2026-01-30T12:30:00.5+01:00"', ISO, instant(2026, 1, 30, 11, 30, 0, 500000)),
        ('"2026-01-30T00:30:00-23"', ISO, instant(2026, 1, 30, 23, 30)),
        ('"0000-12-31T23:00:00-02:00"', ISO, instant(1, 1, 1, 1)),
        ('"9999-12-31T23:59:59.999999Z"', ISO, instant(9999, 12, 31, 23, 59, 59, 999999)),
        ("0", SECONDS, instant(1970, 1, 1)),
        ("1.5", SECONDS, instant(1970, 1, 1, 0, 0, 1, 500000)),
        ("-1", SECONDS, instant(1969, 12, 31, 23, 59, 59)),
        ("1769776200123.25", MILLIS, instant(2026, 1, 30, 12, 30, 0, 123250)),
        ("1.7697762e12", MILLIS, instant(2026, 1, 30, 12, 30)),
        ("1769776200123456", MICROS, instant(2026, 1, 30, 12, 30, 0, 123456)),
        ('"2024-02-29"', DATE, date(2024, 2, 29)),
        ('"0001-01-01"', DATE, date(1, 1, 1)),
        ('{"a": [1, 1.50, null, "\\u00e9"], "b":{}}', JSON, '{"a":[1,1.50,null,"é"],"b":{}}'),
        ('"\\ud800"', JSON, '"\\ud800"'),
        ("5", JSON, "5"),
        ("[1,null,2]", list_of(INT64), [1, None, 2]),
        ("[]", list_of(INT64), []),
        ('{"a":1,"":2,"x.y":null,"\\u0000":3}', map_of(INT64), [("a", 1), ("", 2), ("x.y", None), ("\0", 3)]),
        ('{"a":1,"u":null}', struct_of({"a": INT64, "b": STRING}), {"a": 1, "b": None}),
        ("{}", struct_of({"a": INT64}), {"a": None}),
    ],
)
def test_what_fits_is_in_the_column(text, column, value):
    assert split(text, column) == (value, None, [])


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("1", BOOLEAN, Reason.OTHER_KIND),
        ("1", STRING, Reason.OTHER_KIND),
        ('"\\ud800"', STRING, Reason.NOT_STORABLE),
        ('"1"', INT64, Reason.OTHER_KIND),
        ("true", INT64, Reason.OTHER_KIND),
        ("1.5", INT64, Reason.NOT_EXACT),
        ("1e-1", INT64, Reason.NOT_EXACT),
        ("9223372036854775808", INT64, Reason.OUT_OF_RANGE),
        ("9223372036854775808.0", INT64, Reason.OUT_OF_RANGE),
        ("1e999999999999999999999", INT64, Reason.OUT_OF_RANGE),
        ("1e-999999999999999999999", INT64, Reason.NOT_EXACT),
        ("9007199254740993", FLOAT64, Reason.NOT_EXACT),
        ("9" * 400, FLOAT64, Reason.OUT_OF_RANGE),
        ("0.1234567890123456789", FLOAT64, Reason.NOT_EXACT),
        ("9007199254740993.5", FLOAT64, Reason.NOT_EXACT),
        ("123456789012345678.9", FLOAT64, Reason.NOT_EXACT),
        ("12345678901234567890.12", FLOAT64, Reason.NOT_EXACT),
        ("1e-400", FLOAT64, Reason.NOT_EXACT),
        ("0.10000000000000004", FLOAT64, Reason.NOT_EXACT),
        ("0.90000000000000001", FLOAT64, Reason.NOT_EXACT),
        ("1e999", FLOAT64, Reason.OUT_OF_RANGE),
        ("NaN", FLOAT64, Reason.NOT_A_NUMBER),
        ("-Infinity", INT64, Reason.NOT_A_NUMBER),
        ("NaN", STRING, Reason.NOT_A_NUMBER),
        ("NaN", list_of(INT64), Reason.NOT_A_NUMBER),
        ("NaN", JSON, Reason.NOT_A_NUMBER),
        ('{"a":[1,{"b":Infinity}]}', JSON, Reason.NOT_A_NUMBER),
        ('"1.10"', decimal(10, 2), Reason.OTHER_KIND),
        ("1.101", decimal(10, 2), Reason.NOT_EXACT),
        ("10", decimal(3, 2), Reason.OUT_OF_RANGE),
        ("1e30", decimal(10, 2), Reason.OUT_OF_RANGE),
        ('"yesterday"', ISO, Reason.OTHER_KIND),
        ("1769776200", ISO, Reason.OTHER_KIND),
        ('"2026-01-30"', ISO, Reason.OTHER_KIND),
        ('"2026-01-30T12:30:00+0100"', ISO, Reason.OTHER_KIND),
        ('"2026-01-30T24:00:00Z"', ISO, Reason.OUT_OF_RANGE),
        ('"2026-01-30T12:30:60Z"', ISO, Reason.OUT_OF_RANGE),
        ('"2026-02-29T12:30:00Z"', ISO, Reason.OUT_OF_RANGE),
        ('"2026-01-30T12:30:00.1234567Z"', ISO, Reason.NOT_EXACT),
        ('"9999-12-31T23:00:00-02:00"', ISO, Reason.OUT_OF_RANGE),
        ('"0001-01-01T00:00:00+00:01"', ISO, Reason.OUT_OF_RANGE),
        ('"1769776200"', SECONDS, Reason.OTHER_KIND),
        ("0.0000001", SECONDS, Reason.NOT_EXACT),
        ("1e15", SECONDS, Reason.OUT_OF_RANGE),
        ("0.5", MICROS, Reason.NOT_EXACT),
        ('"2023-02-29"', DATE, Reason.OUT_OF_RANGE),
        ('"0000-01-01"', DATE, Reason.OUT_OF_RANGE),
        ('"2023-2-9"', DATE, Reason.OTHER_KIND),
        ("{}", list_of(INT64), Reason.OTHER_KIND),
        ("[]", map_of(INT64), Reason.OTHER_KIND),
        ("[]", struct_of({"a": INT64}), Reason.OTHER_KIND),
    ],
)
def test_what_does_not_fit_is_left_over_as_it_was(text, column, reason):
    value, rest, rescued = split(text, column)
    assert value is None
    assert rescued == [("v", reason)]
    assert "NaN" in text or "Infinity" in text or json.loads(rest) == json.loads(text)


ODD = "other kind"
NEW = "no column"
ITEMS = list_of(struct_of({"sku": STRING, "qty": INT64}))


@pytest.mark.parametrize(
    ("text", "column", "value", "rest", "rescued"),
    [
        ('[1,"x",3]', list_of(INT64), [1, None, 3], '[1,"x",3]', [("v[]", ODD)]),
        ("[1,NaN]", list_of(INT64), [1, None], '[1,"NaN"]', [("v[]", "not a number")]),
        (
            '[{"sku":"a","qty":"2"},{"sku":"b","qty":3}]',
            ITEMS,
            [{"sku": "a", "qty": None}, {"sku": "b", "qty": 3}],
            '[{"sku":"a","qty":"2"},{"sku":"b","qty":3}]',
            [("v[].qty", ODD)],
        ),
        (
            '[{"sku":"a","new":1}]',
            ITEMS,
            [{"sku": "a", "qty": None}],
            '[{"sku":"a","new":1}]',
            [("v[].new", NEW)],
        ),
        ('[{"sku":"a","new":{}}]', ITEMS, [{"sku": "a", "qty": None}], '[{"sku":"a","new":{}}]', []),
        ("[[1],[true]]", list_of(list_of(INT64)), [[1], [None]], "[[1],[true]]", [("v[][]", ODD)]),
        (
            '{"a":1,"b":"x","c":null}',
            map_of(INT64),
            [("a", 1), ("b", None), ("c", None)],
            '{"b":"x"}',
            [("v{}", ODD)],
        ),
        ('{"a":1,"\\ud800":2}', map_of(INT64), [("a", 1)], '{"\\ud800":2}', [("v{}", "not storable")]),
        (
            '{"k":{"a":1,"b":2}}',
            map_of(struct_of({"a": INT64})),
            [("k", {"a": 1})],
            '{"k":{"b":2}}',
            [("v{}.b", NEW)],
        ),
        (
            '{"a":"x","A":1}',
            struct_of({"a": INT64}),
            {"a": None},
            '{"a":"x","A":1}',
            [("v.A", NEW), ("v.a", ODD)],
        ),
        (
            '{"":1,"x.y":2}',
            struct_of({"a": INT64}),
            {"a": None},
            '{"":1,"x.y":2}',
            [('v.""', "not storable"), ('v."x.y"', NEW)],
        ),
    ],
)
def test_what_fits_in_part_keeps_that_part(text, column, value, rest, rescued):
    assert split(text, column) == (value, rest, rescued)


@pytest.mark.parametrize("text", ["{}", "[]", "[null]", "[[],{}]", '{"a":null}', '{"a":[]}'])
def test_what_says_no_type_is_left_over_but_not_counted(text):
    found = split_record(load_record(f'{{"new":{text}}}'.encode()), {})
    assert (dump(found.rest), found.rescued) == (f'{{"new":{text}}}', frozenset())


def test_what_is_too_deep_says_so():
    for levels, reason in ((30, Reason.NO_COLUMN), (31, Reason.TOO_DEEP)):
        found = split_record(load_record(b'{"a":' + b"[" * levels + b"1" + b"]" * levels + b"}"), {})
        assert found.rescued == {("a", reason)}


@settings(deadline=None, max_examples=400)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_as_it_is_printed_is_given_back(value):
    text = repr(value)
    assert double_problem(Fraction(text) if "." in text or "e" in text else Whole(text)) is None


@settings(deadline=None, max_examples=400)
@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=None)
    | st.floats(allow_nan=False, allow_infinity=False).map(Decimal)
)
def test_a_double_is_taken_only_where_it_prints_as_the_number(number):
    text = f"{number:e}" if "e" in f"{number:e}" else f"{number:e}e0"
    digits = number.as_tuple().digits
    count = len("".join(map(str, digits)).strip("0"))
    value = float(text)
    if count == 0:
        expected = True
    elif math.isinf(value) or value == 0 or count > 17:
        expected = False
    else:
        # The unit of the last digit that counts.
        unit = Decimal(1).scaleb(number.normalize(EXACT).as_tuple().exponent)
        with localcontext(EXACT):
            expected = abs(Decimal(value) - number) * 2 <= unit
    assert (double_problem(Fraction(text)) is None) == expected


@settings(deadline=None, max_examples=300)
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?(e[+-]?[0-9]{1,2})?", fullmatch=True))
def test_digits_are_the_number(text):
    found = digits_of(Fraction(text))
    number = Decimal(("-" if found.is_negative else "") + (found.digits or "0") + f"e{found.exponent}")
    assert number == Decimal(text)
    assert not found.digits.startswith("0")
    assert not found.digits.endswith("0")


@settings(deadline=None, max_examples=300)
@given(st.datetimes(), st.integers(-1439, 1439), st.sampled_from("Tt "), st.integers(0, 9))
def test_instants_are_those_of_the_standard_library(moment, ahead, between, digits):
    fraction = f".{f'{moment.microsecond:06}'[:digits].ljust(digits, '0')}" if digits else ""
    moment = moment.replace(microsecond=int(fraction[1:7].ljust(6, "0")) if digits else 0)
    sign = "-" if ahead < 0 else "+"
    text = (
        f"{moment:%m-%d}{between}{moment:%H:%M:%S}{fraction}{sign}{abs(ahead) // 60:02}:{abs(ahead) % 60:02}"
    )
    value, _, rescued = split(f'"{moment.year:04}-{text}"', ISO)
    try:
        expected = (moment - timedelta(minutes=ahead)).replace(tzinfo=UTC)
    except OverflowError:
        expected = None
    assert value == expected
    assert (rescued == [("v", "out of range")]) == (expected is None)
