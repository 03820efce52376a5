import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.parsing.arrow_rows import parse_segment, sample_of
from glue_jobs.reading.lines import LineCutter, Segment
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.fit import conform
from glue_jobs.schema.learning import Learning
from glue_jobs.schema.types import FLOAT64, INT64, STRING, Kind, struct_of
from ndjson_pipeline_tests.glue_jobs.generated import ANY_RECORD, RECORDS
from ndjson_pipeline_tests.glue_jobs.records import canonical, record_of, without_nulls


def parse(data, known=None, accepts_new=True):
    return parse_segment(Segment(data, 1, 0), Learning(Columns(known or {}, accepts_new)))


def rows(parsed):
    """The records as they were, but for members that are null."""
    table = conform(parsed.table, parsed.columns)
    found = table.to_pylist() if table.num_columns else [{} for _ in range(table.num_rows)]
    texts = [None] * len(found) if parsed.rescued is None else parsed.rescued.to_pylist()
    return [record_of({**row, "_rescued": text}) for row, text in zip(found, texts, strict=True)]


def segments(data, limit):
    return list(LineCutter(limit).segments([data]))


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
        (b'{"a":"\\u0000"}\n', [{"a": "\0"}]),
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
    assert rows(parsed) == without_nulls(expected)
    assert parsed.lines == len(expected)
    assert parsed.rejected == ()


@pytest.mark.parametrize(
    "text", ["2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01 00:00:00.10", "1e5", "true", ""]
)
def test_text_comes_back_as_it_was(text):
    record = {"t": text, "s": {"l": [text, None]}, "l": [{"t": text}]}
    data = (json.dumps(record) + "\n").encode()
    assert rows(parse(data)) == [without_nulls(record)]
    assert rows(parse(data, parse(data).columns.types)) == [without_nulls(record)]


def test_known_columns_give_their_types():
    parsed = parse(b'{"f":1,"new":"2020-01-01"}\n', {"f": FLOAT64, "gone": STRING})
    assert dict(parsed.columns.types) == {"f": FLOAT64, "gone": STRING, "new": STRING}
    assert rows(parsed) == [{"f": 1.0, "new": "2020-01-01"}]
    assert parsed.rescued is None


NOT_A_RECORD = [
    (b"[1]", "an array, expected an object"),
    (b'"secret"', "text, expected an object"),
    (b"5", "a number, expected an object"),
    (b"1.5", "a number, expected an object"),
    (b"true", "a boolean, expected an object"),
    (b"null", "null, expected an object"),
    (b"secret", "invalid JSON: Expecting value at character 1"),
    (b'{"a":1', "invalid JSON"),
    (b'{"a":1,"t":"secre', "invalid JSON"),
    (b'{"a":1}{"a":2}', "invalid JSON: Extra data at character 8"),
    (b'{"a":1} {"a":2}', "invalid JSON: Extra data"),
    (b'{"a":1},{"a":2}', "invalid JSON: Extra data"),
    (b'{"a":1,}', "invalid JSON"),
    (b"{'a':1}", "invalid JSON"),
    (b'{"a":01}', "invalid JSON"),
    (b'{"a":+1}', "invalid JSON"),
    (b'{"a":1.}', "invalid JSON"),
    (b'{"a":?}', "invalid JSON"),
    (b'{"a":1/*secret*/}', "invalid JSON"),
    (b'{"t":"\\x"}', "invalid JSON"),
    (b'{"t":"\xff"}', "invalid UTF-8 at byte 6"),
    (b'{"t":"\xed\xa0\x80"}', "invalid UTF-8"),
    (b'{"t":"\xc0\x80"}', "invalid UTF-8"),
    (b'{"t":"\x00"}', "invalid JSON: Invalid control character"),
    (b'{"t":"\x01"}', "invalid JSON: Invalid control character"),
    (b"\x00\x00\x00", "invalid JSON"),
    (b'\xef\xbb\xbf{"a":1}', "invalid JSON"),
    (b'{"a":1}\r{"a":2}', "invalid JSON: Extra data"),
    (b'{"a":1,"a":2}', "twice"),
    (b'{"t":"x","l":[{"b":1,"b":1}]}', "twice"),
    (b'{"a":Inf}', "invalid JSON"),
    (b'{"z":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper than 200"),
    (b'{"z":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper than 200"),
    (b'{"z":' + b"[" * 200 + b"]" * 200 + b"}", "nested deeper than 200"),
]
# Beside good lines that make `a` int64, `t` string, `l` list of int64, `s` struct of `x`.
RESCUED = [
    (b'{"a":"text"}', b'{"a":"text"}'),
    (b'{"a":true}', b'{"a":true}'),
    (b'{"a":[1]}', b'{"a":[1]}'),
    (b'{"a":{"b":1},"t":"kept"}', b'{"a":{"b":1}}'),
    (b'{"a":1e999}', b'{"a":1e999}'),
    (b'{"a":NaN}', b'{"a":"NaN"}'),
    (b'{"a":-Infinity}', b'{"a":"-Infinity"}'),
    (b'{"z":[NaN]}', b'{"z":["NaN"]}'),
    (b'{"t":1}', b'{"t":1}'),
    (b'{"t":1.50}', b'{"t":1.50}'),
    (b'{"t":"\\ud800"}', b'{"t":"\\ud800"}'),
    (b'{"\\ud800":"x"}', b'{"\\ud800":"x"}'),
    (b'{"l":[1,"x"]}', b'{"l":[1,"x"]}'),
    (b'{"l":[[1]]}', b'{"l":[[1]]}'),
    (b'{"l":5}', b'{"l":5}'),
    (b'{"s":{"x":"text","y":5}}', b'{"s":{"x":"text"}}'),
    (b'{"s":"text"}', b'{"s":"text"}'),
    (b'{"s":{"x":[]}}', b'{"s":{"x":[]}}'),
    (b'{"A":5}', b'{"A":5}'),
    (b'{"s":{"X":5}}', b'{"s":{"X":5}}'),
    (b'{"_source_file":5}', b'{"_source_file":5}'),
    (b'{"_RESCUED":"x"}', b'{"_RESCUED":"x"}'),
    (b'{"":5}', b'{"":5}'),
    (b'{"s":{"":5}}', b'{"s":{"":5}}'),
    (b'{"e":{}}', b'{"e":{}}'),
    (b'{"e":[]}', b'{"e":[]}'),
    (b'{"e":[[],[null],{}]}', b'{"e":[[],[null],{}]}'),
    (b'{"e":' + b"[" * 60 + b"1" + b"]" * 60 + b"}", b'{"e":' + b"[" * 60 + b"1" + b"]" * 60 + b"}"),
    (b'{"a":' + b"9" * 4000 + b"}", b'{"a":' + b"9" * 4000 + b"}"),
]
TAKEN = [
    b"{}",
    b'{"a":null}',
    b'{"a":1.0}',
    b'{"a":-0}',
    b'{"a":9223372036854775807}',
    b'{"a":-9223372036854775808}',
    b'{"t":"\\u0000"}',
    b'{"t":"2020-01-01"}',
    b'{"t":"2020-01-01T00:00:00.000Z"}',
    b'{"t":"NaN"}',
    b'{"t":"}{"}',
    b'{"l":[]}',
    b'{"l":[null]}',
    b'{"l":[null,1]}',
    b'{"s":{}}',
    b'{"s":null}',
    b'{"n":null}',
    b'{"new":{"deep":[{"er":"x"}]}}',
    b' {"a" : 1}\t',
    b'{"a":1}\r',
]
GOOD = b'{"a":1,"t":"x","l":[1],"s":{"x":1}}'


def among(line, before, after):
    data = b"\n".join([GOOD] * before + [line] + [GOOD] * after) + b"\n"
    parsed = parse(data)
    assert parsed.lines == before + after + 1
    assert parsed.lines == parsed.table.num_rows + len(parsed.rejected)
    good = json.loads(GOOD)
    assert [row for row in rows(parsed) if row == good].__len__() >= before + after
    return parsed


PLACES = pytest.mark.parametrize(("before", "after"), [(2, 1), (0, 3), (3, 0), (400, 400)])


@PLACES
@pytest.mark.parametrize(("line", "reason"), NOT_A_RECORD)
def test_what_is_no_record_is_rejected_alone(line, reason, before, after):
    parsed = among(line, before, after)
    (rejected,) = parsed.rejected
    assert (rejected.line_number, rejected.byte_offset, rejected.raw) == (
        before + 1,
        before * (len(GOOD) + 1),
        line,
    )
    assert re.search(reason, rejected.reason)
    assert "secret" not in rejected.reason
    assert parsed.rescued is None


@PLACES
@pytest.mark.parametrize(("line", "rescued"), RESCUED)
def test_what_does_not_fit_stays_with_its_row(line, rescued, before, after):
    parsed = among(line, before, after)
    assert parsed.rejected == ()
    texts = parsed.rescued.to_pylist()
    assert [text for text in texts if text is not None] == [rescued.decode()]
    assert texts[before] == rescued.decode()
    if len(line) < 5000:
        expected = json.loads(line, parse_constant=str)
        assert canonical(rows(parsed)[before]) == canonical(expected)


@PLACES
@pytest.mark.parametrize("line", TAKEN)
def test_what_fits_is_in_its_column(line, before, after):
    parsed = among(line, before, after)
    assert parsed.rejected == ()
    assert parsed.rescued is None
    assert canonical(rows(parsed)[before]) == canonical(json.loads(line))


@pytest.mark.parametrize("line", [b"[1]", b'{"a":?}'])
def test_a_line_that_is_all_of_a_segment(line):
    parsed = parse(line)
    assert (parsed.lines, parsed.table.num_rows, len(parsed.rejected)) == (1, 0, 1)


def test_each_of_many_bad_lines_is_found():
    lines = [GOOD] * 300
    for place, (line, _) in enumerate([*NOT_A_RECORD, *RESCUED]):
        lines[place * 4] = line
    parsed = parse(b"\n".join(lines))
    assert len(parsed.rejected) == len(NOT_A_RECORD)
    assert [text for text in parsed.rescued.to_pylist() if text] == [text.decode() for _, text in RESCUED]


def test_alternating_types_are_rescued_for_the_fewer():
    parsed = parse(b'{"a":1}\n{"a":"x"}\n{"a":2}\n' * 2000)
    assert dict(parsed.columns.types) == {"a": INT64}
    assert parsed.rescued.null_count == 4000
    assert [row["a"] for row in rows(parsed)] == [1, "x", 2] * 2000


@pytest.mark.parametrize(
    ("numbers", "expected", "rescued"),
    [
        (["1", "2"], INT64, 0),
        (["1", "2.0"], FLOAT64, 0),
        (["1", "1e2"], FLOAT64, 0),
        (["9007199254740992", "0.5"], FLOAT64, 0),
        (["9007199254740993", "0.5"], INT64, 1),
        (["9007199254740993", "1.0"], INT64, 0),
        (["1", "18446744073709551615"], INT64, 1),
        (["1", "18446744073709551616"], FLOAT64, 0),
        (["0.5", "18446744073709551615"], FLOAT64, 1),
        (["1e20", "0.5"], FLOAT64, 0),
        (["0.5", "1e999"], FLOAT64, 1),
        (["1e-999", "0.5"], FLOAT64, 1),
        (["0.1234567890123456789", "1"], FLOAT64, 1),
        (["0.30000000000000004", "1"], FLOAT64, 0),
        (["5.960464477539063e-08", "1"], FLOAT64, 0),
    ],
)
@pytest.mark.parametrize("times", [1, 500])
def test_numbers_widen_only_while_all_stay_exact(numbers, expected, rescued, times):
    for ordered in (numbers, numbers[::-1]):
        parsed = parse(b"".join(b'{"a":%s}\n' % number.encode() for number in ordered) * times)
        assert dict(parsed.columns.types) == {"a": expected}
        assert (0 if parsed.rescued is None else len(parsed.rescued) - parsed.rescued.null_count) == (
            rescued * times
        )
        assert [row["a"] for row in rows(parsed)] == [json.loads(number) for number in ordered] * times


def test_settled_whole_numbers_stay_whole():
    parsed = parse(b'{"a":1.0}\n{"a":1.5}\n{"a":9007199254740993}\n{"a":-3e0}\n', {"a": INT64})
    assert conform(parsed.table, parsed.columns).to_pylist() == [
        {"a": 1},
        {"a": None},
        {"a": 9007199254740993},
        {"a": -3},
    ]
    assert parsed.rescued.to_pylist() == [None, '{"a":1.5}', None, None]


def test_a_frozen_dataset_gains_no_columns():
    parsed = parse(
        b'{"a":1,"b":2}\n{"s":{"x":1,"y":2}}\n',
        {"a": INT64, "s": struct_of({"x": INT64})},
        accepts_new=False,
    )
    assert list(parsed.columns.types) == ["a", "s"]
    assert parsed.rescued.to_pylist() == ['{"b":2}', '{"s":{"y":2}}']
    assert rows(parsed) == [{"a": 1, "b": 2}, {"s": {"x": 1, "y": 2}}]


def test_a_record_over_two_lines_is_two_bad_lines_even_where_the_count_would_fit():
    parsed = parse(b'{"a":1\n,"b":2}\n{"a":1}{"a":2}\n')
    assert [line.line_number for line in parsed.rejected] == [1, 2, 3]
    assert parsed.lines == 3


def test_a_long_line_is_no_trouble():
    text = "x" * 50_000_000
    data = json.dumps({"a": 1, "t": text}).encode() + b'\n{"a":2,"t":"y"}\n'
    found = [row for piece in segments(data, 8_000_000) for row in rows(parse(piece.data))]
    assert [(row["a"], len(row["t"])) for row in found] == [(1, len(text)), (2, 1)]


def test_a_sample_is_whole_lines():
    line = b'{"t":"2020-01-01","n":1}\n'
    sample = sample_of(line * 10_000 + b"broken")
    assert 60_000 < len(sample) <= 65_536
    assert len(sample) % len(line) == 0
    assert sample_of(b"no newline") == b""


@settings(max_examples=60, deadline=None)
@given(RECORDS, st.sampled_from([b"\n", b"\r\n", b"\n\n"]), st.booleans())
def test_json_values_come_back(records, line_end, escaped):
    data = line_end.join(json.dumps(record, ensure_ascii=escaped).encode() for record in records)
    parsed = parse(data)
    assert parsed.rejected == ()
    assert parsed.lines == len(records)
    assert [canonical(row) for row in rows(parsed)] == [canonical(record) for record in records]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(ANY_RECORD, min_size=1, max_size=6),
    st.lists(ANY_RECORD, max_size=3),
    st.booleans(),
    st.integers(1, 40),
)
def test_any_record_comes_back_beside_any_columns(records, others, accepts_new, times):
    known = parse("\n".join(map(json.dumps, others)).encode()).columns.types
    data = "\n".join(json.dumps(record) for record in records * times).encode()
    parsed = parse(data, known, accepts_new)
    assert parsed.rejected == ()
    assert all(parsed.columns.types[name] is not None for name in known)
    found = rows(parsed)
    assert [canonical(row) for row in found] == [canonical(record) for record in records * times]


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY_RECORD, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_types_do_not_depend_on_the_order_of_lines(records, shuffler):
    lines = [json.dumps(record).encode() for record in records for _ in range(3)]
    first = learned(b"\n".join(lines))
    shuffler.shuffle(lines)
    second = learned(b"\n".join(lines))
    assert described(first) == described(second)


def learned(data):
    learning = Learning(Columns())
    parse_segment(Segment(data, 1, 0), learning)
    learning.finish()
    return learning.columns.types


def described(types):
    """Types without the order of columns and members."""
    return {name: described_type(found) for name, found in types.items()}


def described_type(found):
    if found.kind is Kind.STRUCT:
        return described(found.by_name)
    return [found.kind, described_type(found.item)] if found.item is not None else str(found)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.binary(max_size=12) | st.sampled_from([b"{}", b'{"a":1}', b'{"a":', b'"b":2}', b"[", b"}"]))
)
def test_every_line_is_a_row_or_rejected(lines):
    data = b"\n".join(lines)
    parsed = parse(data)
    assert parsed.lines == sum(1 for line in data.split(b"\n") if line.strip(b" \t\r"))
    assert parsed.lines == parsed.table.num_rows + len(parsed.rejected)
