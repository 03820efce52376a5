"""Records that are not lines."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glue_jobs.reading import elements
from ndjson_pipeline_tests.glue_jobs.reading.texts import (
    WRITERS,
    cut,
    read,
    read_lines,
    records,
)


@pytest.fixture(autouse=True, scope="module")
def small_windows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elements, "_FIRST_WINDOW", 16)
        patch.setattr(elements, "_WIDEST_WINDOW", 64)
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
