import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from glue_jobs.parsing.line_shapes import LineShapes
from glue_jobs.parsing.records import MAX_NESTING, SHALLOW_BYTES
from glue_jobs.reading.lines import Segment

LINES = st.sampled_from(
    [b"", b" ", b"\r", b"{", b"}", b"{}", b'{"a":1}', b'{"a":1}{"b":2}', b"[1]", b"\xff", b'{"a":"\xc3\xa4"}']
)

DEEP = b"[" * MAX_NESTING + b"]" * MAX_NESTING


def shapes(data):
    return LineShapes(Segment(data, 1, 0))


@given(st.lists(LINES).map(b"\n".join))
@example(b"\n \n{}\n{}\r\n\n")
def test_lines_are_counted_without_blank_ones_at_the_ends(data):
    stripped = data.strip(b" \t\r\n")
    assert shapes(data).data == stripped
    assert shapes(data).count == (len(stripped.split(b"\n")) if stripped else 0)


@given(st.lists(LINES).map(b"\n".join))
def test_each_line_of_records_begins_and_ends_as_an_object_and_all_is_utf8(data):
    lines = data.strip(b" \t\r\n").split(b"\n")
    are_objects = all(line.startswith(b"{") and line.endswith(b"}") for line in lines)
    assert shapes(data).are_records() == (are_objects and b"\xff" not in data)


@pytest.mark.parametrize("before", [b"", b'{"a":1}\n' * 3])
@pytest.mark.parametrize("after", [b"", b'\n{"a":1}' * 3])
@pytest.mark.parametrize(
    ("line", "is_harmless"),
    [
        (
            b'{"a":' + b"[" * MAX_NESTING + b"]" * MAX_NESTING + b',"b":"' + b"x" * SHALLOW_BYTES + b'"}',
            False,
        ),
        (b'{"a":"' + b"[" * SHALLOW_BYTES + b'"}', True),
        (b'{"a":[' + b"[]," * SHALLOW_BYTES + b"[]]}", True),
        # So short that the parser survives it; what becomes of the line is decided later.
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", True),
    ],
)
def test_a_long_line_that_is_nested_too_deep_is_seen_wherever_it_stands(before, line, after, is_harmless):
    assert shapes(before + line + after).are_records() == is_harmless
