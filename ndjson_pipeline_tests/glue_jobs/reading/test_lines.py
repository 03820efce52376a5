import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.reading.lines import LineCutter, Rejected, Segment, UnreadableError

BOM = b"\xef\xbb\xbf"


def cut(pieces, limit=50, longest=10**9):
    return list(LineCutter(limit, longest).segments(pieces))


@given(
    st.lists(st.binary(max_size=20)).map(b"\n".join), st.booleans(), st.integers(1, 60), st.integers(1, 30)
)
def test_segments_hold_whole_lines_and_their_places(content, has_mark, limit, piece_size):
    data = (BOM if has_mark else b"") + content
    pieces = [data[start : start + piece_size] for start in range(0, len(data), piece_size)]
    segments = cut(pieces, limit)
    assert b"".join(segment.data for segment in segments) == data.removeprefix(BOM)
    assert all(segment.data.endswith(b"\n") for segment in segments[:-1])
    for segment in segments:
        assert data[segment.byte_offset :].startswith(segment.data)
        assert data[: segment.byte_offset].count(b"\n") == segment.first_line - 1
        assert len(segment.data) <= limit or segment.data.count(b"\n") <= 1 or len(data) < 3


def test_a_file_in_one_piece_is_not_copied():
    data = b'{"a":1}\n' * 5
    (segment,) = cut([data])
    assert segment.data is data


def test_lines_that_are_too_long_are_not_held():
    pieces = [b"a\nb", *[b"x" * 30] * 100, b"y\nc\n"]
    first, long, last = cut(pieces, longest=100)
    assert (first, last) == (Segment(b"a\n", 1, 0), Segment(b"c\n", 3, 3005))
    assert (long.line_number, long.byte_offset, long.raw_length) == (2, 2, 3003)
    assert long.reason == "longer than 100 bytes"
    assert long.raw.startswith(b"bxxx")
    (only,) = cut([b"x" * 60] * 3, longest=100)
    assert (only.line_number, only.byte_offset, only.raw_length) == (1, 0, 180)


@pytest.mark.parametrize(("pieces", "offset", "raw"), [([b"a\nb"], 2, b"b"), ([], 0, b"packed")])
def test_what_can_not_be_read_ends_the_file(pieces, offset, raw):
    def broken():
        yield from pieces
        raise UnreadableError("damaged", b"packed")

    *before, last = cut(broken())
    assert last == Rejected(1 + len(pieces), offset, "damaged", raw, ends_file=True)
    assert len(before) == len(pieces)


@given(st.binary(max_size=40))
def test_a_segment_knows_its_newlines(data):
    assert Segment(data, 1, 0).newlines.tolist() == [at for at, sign in enumerate(data) if sign == ord("\n")]
