"""Records that are not lines."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glue_jobs.reading import element_state
from glue_jobs.reading.content import content_of
from glue_jobs.reading.lines import Rejected, UnreadableError
from ndjson_pipeline_tests.glue_jobs.reading.packed import PACKERS
from ndjson_pipeline_tests.glue_jobs.reading.texts import (
    WRITERS,
    compact,
    cut,
    read,
    read_lines,
    records,
)


@pytest.fixture(autouse=True, scope="module")
def small_windows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(element_state, "_FIRST_WINDOW", 16)
        patch.setattr(element_state, "_WIDEST_WINDOW", 64)
        yield


def check_places(data, rows, wanted):
    """Each row is the record that stands at its place."""
    text = data.decode()
    line_end = "\r" if "\n" not in text else "\n"
    assert [json.loads(row) for row, _, _ in rows] == wanted
    for (_, line_number, byte_offset), record in zip(rows, wanted, strict=True):
        before = data[:byte_offset].decode()
        # White space before a record in its line is the line's.
        start = len(before) + len(text[len(before) :]) - len(text[len(before) :].lstrip(" "))
        assert json.JSONDecoder().raw_decode(text, start)[0] == record
        assert before.count(line_end) == line_number - 1


@settings(deadline=None)
@given(st.lists(records, max_size=8), st.sampled_from(sorted(WRITERS)), st.integers(0, 10**6))
def test_the_same_records_come_of_every_way_of_writing_and_every_cut(rows, writer, seed):
    data = WRITERS[writer](rows)
    found, rejected = read(cut(data, seed))
    assert not rejected
    check_places(data, found, rows)


@settings(deadline=None)
@given(st.lists(records, min_size=1, max_size=30), st.integers(0, 10**6))
def test_lines_are_the_same_rows_in_both_formats(rows, seed):
    data = WRITERS["lines"](rows)
    assert read(cut(data, seed)) == read_lines(data)
    assert read(data, segment_bytes=100)[0] == read_lines(data)[0]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b'{"a":1}',
                b'{"b":[{"c":1},{"a":2}]}',
                b'{"a":"}{"}',
                b"",
                b"  ",
                b"[]x",
                b"no",
                b"1",
                b'{"a":1',
                b'{"a":"x',
                b"}",
                b'"',
            ]
        ),
        max_size=12,
    ),
    st.integers(0, 10**6),
)
@example([b'{"a":1', b'{"a":1}'], 1)
@example([b'"', b'{"a":"}{"}'], 1)
def test_rows_among_broken_lines_are_the_same_in_both_formats(lines, seed):
    data = b"\n".join(lines)
    sound = [row for row in read_lines(data)[0] if is_object(row[0])]
    found, _ = read(cut(data, seed))
    objects = [row for row in found if is_object(row[0])]
    # A line that only closes may end an object over several lines, which the other format has no eye for.
    assert objects == sound if b"}" not in lines else set(objects) >= set(sound)


def is_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


@settings(deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(["", "a[*]", "a[*].b[*]"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_any_bytes_are_read_to_their_end(data, path, keeps_envelope, finds_objects, seed):
    pieces = cut(data, seed)
    if finds_objects or path:
        whole = read(data, path, keeps_envelope, finds_objects)
        assert read(pieces, path, keeps_envelope, finds_objects) == whole


structural = st.lists(
    st.sampled_from(
        [
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b'"a"',
            b'"b"',
            b'"',
            b"\\",
            b"1",
            b"\n",
            b" ",
            b'{"a":1}',
            b'{"a":[',
            b"]}",
            b'{"b":[',
            b"\r",
            b"\x1e",
            b"\\n",
        ]
    ),
    max_size=30,
).map(b"".join)


@settings(deadline=None)
@given(
    structural,
    st.sampled_from(["", "a[*]", "a[*].b[*]", "a", "[*]"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_the_cut_has_no_say_in_what_broken_bytes_become(data, path, keeps_envelope, finds_objects, seed):
    if finds_objects or path:
        whole = read(data, path, keeps_envelope, finds_objects)
        assert read(cut(data, seed), path, keeps_envelope, finds_objects) == whole


@settings(deadline=None, max_examples=40)
@given(
    st.lists(records, max_size=6),
    st.sampled_from(sorted(WRITERS)),
    st.sampled_from(sorted(PACKERS)),
    st.integers(0, 10**6),
)
def test_packing_has_no_say(rows, writer, packer, seed):
    data = WRITERS[writer](rows)
    assert read(content_of(iter(cut(PACKERS[packer](data), seed)))) == read(data)


def rejected_of(data, *args, **limits):
    rows, rejected = read(data, *args, **limits)
    return [json.loads(text) for text, _, _ in rows], [
        (each.line_number, each.byte_offset, each.raw) for each in rejected
    ]


@pytest.mark.parametrize(
    ("data", "rows", "rejected"),
    [
        # The next line that begins with {.
        (b'{"a":1\n{"b":2}\n', [{"b": 2}], [(1, 0, b'{"a":1')]),
        (b'{"a":"x\n{"b":2}\n', [{"b": 2}], [(1, 0, b'{"a":"x')]),
        (b'{"a":1}\n{"b":[\n{"c":3}\n{"d":4}', [{"a": 1}, {"c": 3}, {"d": 4}], [(2, 8, b'{"b":[')]),
        # With as much white space before it, or less, so that what is within is no record.
        (b'{\n "a": {\n  "b": 1\n }\n{\n "c": 2\n}', [{"c": 2}], [(1, 0, b'{\n "a": {\n  "b": 1\n }')]),
        (b'[\n  {\n    "a": "x\n  },\n  {\n    "b": 2\n  }\n]', [{"b": 2}], [(2, 4, b'{\n    "a": "x\n  }')]),
        (b'[\n{"a:1},\n{"b":2},\n{"c":3}\n]', [{"b": 2}, {"c": 3}], [(2, 2, b'{"a:1}')]),
        # Two objects with nothing between them.
        (b'{"a":1}{"b":"x}{"c":3}{"d":4}', [{"a": 1}, {"c": 3}, {"d": 4}], [(1, 7, b'{"b":"x}')]),
        # An item that begins with the name with which the others do.
        (
            b'[{"a":1},{"a:2},{"b":[{"c":1},{"c":2}]},{"a":3}]',
            [{"a": 1}, {"a": 3}],
            [(1, 9, b'{"a:2},{"b":[{"c":1},{"c":2}]}')],
        ),
        # What an object is followed by.
        (b'{"a":1} x\n{"b":2}', [{"b": 2}], [(1, 0, b'{"a":1} x')]),
        (b'{"a":1},"b":2}\n{"c":3}', [{"c": 3}], [(1, 0, b'{"a":1},"b":2}')]),
        (b'{"a":1}]\n{"c":3}', [{"c": 3}], [(1, 0, b'{"a":1}]')]),
        # A record separator ends whatever is open (RFC 7464).
        (b'\x1e{"a":1\n\x1e{"b":2}\n', [{"b": 2}], [(1, 1, b'{"a":1')]),
        (b'\x1e{"a":[1,\x1e{"b":2}', [{"b": 2}], [(1, 1, b'{"a":[1')]),
        (b'\x1e{"a":"x\x1e{"b":"y"}\x1e\x1e{"c":3}', [{"b": "y"}, {"c": 3}], [(1, 1, b'{"a":"x')]),
        (b'\x1e{"a":"x\\\n\x1e{\n "b": {"c": "y"}\n}\n', [{"b": {"c": "y"}}], [(1, 1, b'{"a":"x\\')]),
        (b'\x1e{\n "a": {\n\x1e{"b":2}', [{"b": 2}], [(1, 1, b'{\n "a": {')]),
        # A file that ends too early.
        (b'[{"a":1},{"a":2}', [{"a": 1}, {"a": 2}], [(1, 16, b"")]),
        (b'[{"a":1},{"a":2},{"a":', [{"a": 1}, {"a": 2}], [(1, 17, b'{"a":')]),
        (b'{"a":1}\n{"b":', [{"a": 1}], [(2, 8, b'{"b":')]),
        (b'{\n "a": 1\n}\n{\n "b": [', [{"a": 1}], [(4, 12, b'{\n "b": [')]),
    ],
)
def test_what_is_broken_does_not_take_the_rest_along(data, rows, rejected):
    for pieces in ([data], cut(data, 1), cut(data, 5)):
        assert rejected_of(pieces) == (rows, rejected)


def test_what_is_broken_over_many_pieces_is_left_behind():
    lines = b'{"b":2}\n' * 1000
    long = b'{"a":"' + b"x" * 50_000 + b"\n"
    found, rejected = read(cut(long + lines, 3), step_bytes=1000)
    assert len(found) == 1000
    assert [(each.line_number, each.byte_offset, each.raw) for each in rejected] == [(1, 0, long.strip())]


def test_an_element_that_is_too_long_is_one_reject():
    data = b'[{"a":1},{"a":[' + b'{"a":1},' * 1000 + b'{"a":1}]}\n,{"a":2}]'
    rows, (rejected,) = read(cut(data, 2), max_bytes=1000)
    assert [json.loads(text) for text, _, _ in rows] == [{"a": 1}, {"a": 2}]
    assert rejected.reason == "longer than 1,000 bytes"
    assert (rejected.byte_offset, rejected.lost_bytes) == (9, len(data) - 9 - len(b'\n,{"a":2}]'))


def test_items_that_are_no_objects_are_lines_of_their_own():
    found, rejected = read(b'[1,"x,]",{"a":1},[{"b":2}],null]')
    assert [text for text, _, _ in found] == [b"1", b'"x,]"', b'{"a":1}', b'[{"b":2}]', b"null"]
    assert not rejected


def test_text_that_can_not_be_read_to_its_end_keeps_what_came_before():
    def pieces():
        yield b'[{"a":1},{"b":2},{"c":'
        raise UnreadableError("damaged", b"packed")

    rows, (rejected,) = read(pieces())
    assert [json.loads(text) for text, _, _ in rows] == [{"a": 1}, {"b": 2}]
    assert rejected == Rejected(1, 17, "damaged", b'{"c":', ends_file=True)


ENVELOPES = {
    "Records[*]": lambda rows: {"Records": rows},
    "detail[*]": lambda rows: {"first": "}{", "detail": rows, "last": [1, {"detail": [2]}]},
    '["a.b"].c[*]': lambda rows: {"a.b": {"x": "\\", "c": rows, "y": None}, "c": []},
    "a[*].b[*]": lambda rows: {"a": [{"n": 1, "b": rows[:2]}, {"b": rows[2:], "m": "é"}, {"b": []}], "z": 1},
    "[*]": lambda rows: rows,
}
INNER = {
    "Records[*]": lambda index: None,
    "detail[*]": lambda index: {"first": "}{", "last": [1, {"detail": [2]}]},
    '["a.b"].c[*]': lambda index: {"c": [], "a.b": {"x": "\\", "y": None}},
    "a[*].b[*]": lambda index: {"z": 1, "a": {"n": 1} if index < 2 else {"m": "é"}},
    "[*]": lambda index: None,
}
members = records.map(lambda record: {name: value for name, value in record.items() if name != "_envelope"})


@settings(deadline=None)
@given(
    st.lists(st.lists(members, max_size=5), min_size=1, max_size=3),
    st.sampled_from(sorted(ENVELOPES)),
    st.booleans(),
    st.sampled_from(["lines", "auto", "pretty", "array"]),
    st.integers(0, 10**6),
)
def test_records_of_envelopes(groups, path, keeps_envelope, writer, seed):
    envelopes = [ENVELOPES[path](rows) for rows in groups]
    if writer == "array" and path != "[*]":
        data = compact(envelopes)
    else:
        data = b"\n".join(
            json.dumps(each, indent=2 if writer == "pretty" else None).encode() for each in envelopes
        )
    found, rejected = read(cut(data, seed), path, keeps_envelope, writer != "lines", held_bytes=200)
    assert not rejected
    wanted = []
    for rows in groups:
        for index, row in enumerate(rows):
            inner = INNER[path](index) if keeps_envelope else None
            wanted.append(row if inner is None else {**row, "_envelope": inner})
    assert [json.loads(text) for text, _, _ in found] == wanted
    for (_, line_number, byte_offset), row in zip(
        found, [row for rows in groups for row in rows], strict=True
    ):
        assert json.JSONDecoder().raw_decode(data[byte_offset:].decode())[0] == row
        assert data[:byte_offset].count(b"\n") == line_number - 1


@pytest.mark.parametrize("finds_objects", [True, False])
def test_an_envelope_without_the_path_is_one_reject(finds_objects):
    data = b'{"x":1}\n{"Records":null}\n{"Records":[{"a":1},2,{"a":3}]}\n[1]\n7\n{"Records":[]}'
    rows, rejected = read(data, "Records[*]", finds_objects=finds_objects)
    places = [(each.line_number, each.byte_offset, each.raw) for each in rejected]
    if finds_objects:
        # The items of an array at the top stand for themselves.
        assert places == [(1, 0, b'{"x":1}'), (2, 8, b'{"Records":null}'), (4, 58, b"1")]
    else:
        assert places == [(1, 0, b'{"x":1}'), (2, 8, b'{"Records":null}'), (4, 57, b"[1]")]
    assert all("RECORD_PATH Records[*]" in each.reason and "an array" in each.reason for each in rejected)
    # What is no object is for the parser to reject.
    assert [text for text, _, _ in rows] == [b'{"a":1}', b"2", b'{"a":3}', b"7"]


def test_an_item_on_the_way_without_the_path_is_one_reject():
    data = b'{"a":[{"b":[{"c":1}]},{"x":1},5,{"b":{"c":2}},{"b":[{"c":3}]}]}'
    rows, rejected = rejected_of(data, "a[*].b[*]")
    assert rows == [{"c": 1}, {"c": 3}]
    assert [raw for _, _, raw in rejected] == [b'{"x":1}', b"5", b'{"b":{"c":2}}']


def test_a_name_that_occurs_twice_is_walked_once():
    rows, rejected = rejected_of(b'{"a":[{"b":1}],"a":[{"b":2}]}', "a[*]")
    assert rows == [{"b": 1}]
    assert [raw for _, _, raw in rejected] == [b'"a":[{"b":2}]']


def test_a_broken_line_of_envelopes_ends_with_its_line():
    data = b'{"a":[{"b":1},{"b":2\n{"a":[{"b":3}]} x\n{"a":[{"b":4}]}\n'
    rows, rejected = rejected_of(data, "a[*]", finds_objects=False)
    assert rows == [{"b": 1}, {"b": 3}, {"b": 4}]
    assert [(line, raw) for line, _, raw in rejected] == [(1, b'{"b":2'), (2, b"x")]


@pytest.mark.parametrize("keeps_envelope", [True, False])
def test_a_broken_item_of_nested_arrays_never_gets_another_envelope(keeps_envelope):
    data = b'{"a":[{"n":1,"b":[{"c":1},{"c:2}]},{"n":2,"b":[{"c":3},{"c":4}]}]}\n{"a":[{"b":[{"c":5}]}]}'
    rows, rejected = read(data, "a[*].b[*]", keeps_envelope)
    found = [json.loads(text) for text, _, _ in rows]
    if keeps_envelope:
        assert found == [{"c": 1, "_envelope": {"a": {"n": 1}}}, {"c": 5}]
    else:
        assert found[0] == {"c": 1}
        assert found[-1] == {"c": 5}
    assert rejected


def test_records_that_end_with_their_file_have_what_was_seen_of_their_envelope():
    rows, _ = rejected_of(b'{"n":1,"a":[{"b":1},{"b":2},{"b"', "a[*]", True)
    assert rows == [{"b": 1, "_envelope": {"n": 1}}, {"b": 2, "_envelope": {"n": 1}}]
