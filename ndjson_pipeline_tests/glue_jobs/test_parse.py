import json
import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.parse import Segment, has_large_doubles, parse_segment, sample_schema, segments

NOTHING_KNOWN = pa.schema([])


def parse(data, known=NOTHING_KNOWN):
    return parse_segment(Segment(data, 1, 0), known)


def rows(parsed):
    return [row for table in parsed.tables for row in table.to_pylist()]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n \r\n\n", []),
        (b'{"a":1}', [{"a": 1}]),
        (b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\r\n\r\n{"a":2}\r\n', [{"a": 1}, {"a": 2}]),
        (b'\n\n {"a":1} \n\t{"a":2}', [{"a": 1}, {"a": 2}]),
        (b'{}\n{"a":1}\n{}\n', [{"a": None}, {"a": 1}, {"a": None}]),
        (b"{}\n{}\n", [{}, {}]),
        (b'{"a":null}\n', [{"a": None}]),
        (b'{"a":{}}\n', [{"a": {}}]),
        (b'{"a":1}\n{"a":1.5}\n', [{"a": 1.0}, {"a": 1.5}]),
        (b'{"a":true,"b":[1,null]}\n', [{"a": True, "b": [1, None]}]),
        ('{"ключ":"значение \\u00e9 \U0001f600"}\n'.encode(), [{"ключ": "значение é \U0001f600"}]),
        (b'{"l":[null,1]}\n{"l":[null,null,2]}\n', [{"l": [None, 1]}, {"l": [None, None, 2]}]),
        (b'{"l":[null,null],"m":[[null,null],null]}\n', [{"l": [None, None], "m": [[None, None], None]}]),
        (b'{"l":[null,{"a":[null,null]}],"e":{}}\n', [{"l": [None, {"a": [None, None]}], "e": {}}]),
        (b'{"":"\\u0000"}\n', [{"": "\0"}]),
        (b'{"a":9223372036854775807}\n', [{"a": 2**63 - 1}]),
        (b'{"a":1e20}\n{"a":0.5}\n', [{"a": 1e20}, {"a": 0.5}]),
        (
            '{"a":"a\u2028b\u0085c\x0bd"}\n'.replace("\x0b", "\\u000b").encode(),
            [{"a": "a\u2028b\u0085c\x0bd"}],
        ),
    ],
)
def test_each_line_is_a_row(data, expected):
    parsed = parse(data)
    assert rows(parsed) == expected
    assert parsed.lines == len(expected)
    assert parsed.rejected == ()


@pytest.mark.parametrize(
    "text", ["2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01 00:00:00.10", "1e5", "true", ""]
)
def test_text_comes_back_as_it_was(text):
    record = {"t": text, "s": {"l": [text, None]}, "l": [{"t": text}]}
    data = (json.dumps(record) + "\n").encode()
    assert rows(parse(data)) == [record]
    assert rows(parse(data, parse(data).tables[0].schema)) == [record]


def test_known_columns_give_their_types():
    known = pa.schema([("f", pa.float64()), ("gone", pa.string()), ("n", pa.null())])
    parsed = parse(b'{"f":1,"new":"2020-01-01","n":5}\n', known)
    assert rows(parsed) == [{"f": 1.0, "gone": None, "new": "2020-01-01", "n": 5}]


def test_what_does_not_fit_the_known_is_found_out_anew():
    parsed = parse(b'{"a":"x"}\n{"a":"y"}\n', pa.schema([("a", pa.int64())]))
    assert rows(parsed) == [{"a": "x"}, {"a": "y"}]


def test_types_that_conflict_come_in_tables_of_their_own():
    parsed = parse(b'{"a":1}\n{"a":2}\n{"a":"x"}\n{"a":"y"}\n')
    assert [table.schema.field("a").type for table in parsed.tables] == [pa.int64(), pa.string()]
    assert parsed.lines == 4


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1]", "an array, expected an object"),
        (b'"secret"', "text, expected an object"),
        (b"5", "a number, expected an object"),
        (b"null", "null, expected an object"),
        (b"secret", "invalid JSON: Expecting value at character 1"),
        (b'{"a":1', "invalid JSON"),
        (b'{"a":1}{"a":2}', "invalid JSON: Extra data at character 8"),
        (b'{"a":"\xff"}', "invalid UTF-8 at byte 6"),
        (b'{"a":"\x00"}', "control character"),
        (b'{"a":"\\ud800"}', "lone surrogate"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":[1,"secret"]}', "mixed types"),
        (b'{"a":1e999}', "too big"),
        (b'{"a":9007199254740993.0, "b": 9223372036854775809}', "no double holds exactly"),
        (b'{"a":' + b"9" * 5000 + b"}", "limits|exactly"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "limits"),
    ],
)
def test_a_bad_line_is_rejected_alone(line, reason):
    parsed = parse(b'{"a":1}\n\n' + line + b'\n{"a":2}\n')
    assert parsed.lines == 3
    assert [row["a"] for row in rows(parsed)] == [1, 2]
    (rejected,) = parsed.rejected
    assert (rejected.line_number, rejected.byte_offset, rejected.raw) == (3, 9, line)
    assert re.search(reason, rejected.reason)
    assert "secret" not in rejected.reason


def test_a_record_over_two_lines_is_two_bad_lines_even_where_the_count_would_fit():
    parsed = parse(b'{"a":1\n,"b":2}\n{"a":1}{"a":2}\n')
    assert [line.line_number for line in parsed.rejected] == [1, 2, 3]
    assert parsed.lines == 3


def test_large_doubles_are_seen_however_deep():
    table = pa.table({"x": [[{"a": 1.0}], [{"a": -(2.0**60)}]]})
    assert has_large_doubles(table)
    assert not has_large_doubles(pa.table({"x": [1.5, None], "n": [2**60, 1]}))
    assert not has_large_doubles(pa.table({"x": pa.array([None], pa.float64())}))


def test_segments_hold_whole_lines_and_their_places():
    data = (
        b"\xef\xbb\xbf" + b"".join(b'{"a":%d}\n' % number for number in range(100)) + b'{"a":"' + b"x" * 200
    )
    pieces = list(segments(data, 50))
    assert b"".join(piece.data for piece in pieces) == data[3:]
    assert all(piece.data.endswith(b"\n") for piece in pieces[:-1])
    for piece in pieces:
        assert data[piece.byte_offset :].startswith(piece.data)
        assert data[: piece.byte_offset].count(b"\n") == piece.first_line - 1
    assert [piece.data for piece in segments(data)] == [data[3:]]
    assert list(segments(b"")) == []


@given(st.lists(st.binary(max_size=20)), st.integers(1, 60))
def test_segments_lose_nothing(lines, limit):
    data = b"\n".join(lines)
    pieces = list(segments(data, limit))
    assert b"".join(piece.data for piece in pieces) == data.removeprefix(b"\xef\xbb\xbf")


def test_a_long_line_is_no_trouble():
    text = "x" * 20_000_000
    data = json.dumps({"a": 1, "t": text}).encode() + b'\n{"a":2,"t":"y"}\n'
    found = [row for piece in segments(data) for row in rows(parse_segment(piece, NOTHING_KNOWN))]
    assert [(row["a"], len(row["t"])) for row in found] == [(1, len(text)), (2, 1)]


def test_a_sample_learns_from_the_first_lines():
    data = b"\xef\xbb\xbf" + b'{"t":"2020-01-01","n":1}\n' * 10_000 + b"broken"
    assert sample_schema(data) == pa.schema([("t", pa.string()), ("n", pa.int64())])
    assert sample_schema(b"no newline") is None
    assert sample_schema(b"broken\n") is None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["2020-01-01", "2020-01-01T00:00:00Z", "1", "null", "{}"]
)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "i": st.none() | st.integers(-(2**63), 2**63 - 1),
            "f": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "b": st.none() | st.booleans(),
            "t": st.none() | TEXT,
            "l": st.none() | st.lists(st.none() | TEXT, max_size=3),
            "n": st.none() | st.lists(st.lists(st.none() | st.integers(0, 5), max_size=3), max_size=3),
            "s": st.none() | st.fixed_dictionaries({"x": st.none() | TEXT, "d.o.t": st.integers(0, 5)}),
        },
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(RECORDS, st.sampled_from([b"\n", b"\r\n", b"\n\n"]), st.booleans())
def test_json_values_come_back(records, line_end, escaped):
    data = line_end.join(json.dumps(record, ensure_ascii=escaped).encode() for record in records)
    parsed = parse(data)
    assert parsed.rejected == ()
    assert parsed.lines == len(records)
    for record, row in zip(records, rows(parsed), strict=True):
        assert {name: value for name, value in row.items() if value is not None} == {
            name: value for name, value in record.items() if value is not None
        }


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.binary(max_size=12) | st.sampled_from([b"{}", b'{"a":1}', b'{"a":', b'"b":2}', b"[", b"}"]))
)
def test_every_line_is_a_row_or_rejected(lines):
    data = b"\n".join(lines)
    parsed = parse(data)
    assert parsed.lines == sum(1 for line in data.split(b"\n") if line.strip(b" \t\r"))
    assert parsed.lines == sum(table.num_rows for table in parsed.tables) + len(parsed.rejected)


def test_lists_without_values_keep_a_type_that_takes_any():
    (table,) = parse(b'{"l":[null,null],"s":{"x":null,"t":"2020-01-01"}}\n').tables
    assert table.schema == pa.schema(
        [("l", pa.list_(pa.null())), ("s", pa.struct([("x", pa.null()), ("t", pa.string())]))]
    )
