"""However large a file is, little of it is held."""

import tracemalloc

import pytest

from glue_jobs.reading.elements import ElementReader
from glue_jobs.reading.lines import Segment
from glue_jobs.reading.record_path import parse_record_path

RECORD = b'{"id":1,"text":"' + b"x" * 150 + b'","list":[1,2,{"a":null}]}'
PIECE_BYTES = 262_144
FILE_BYTES = 8 * 1_048_576
HELD_BYTES = 5 * 1_048_576


def pieces(beginning, between, end):
    yield beginning
    block = (RECORD + between) * (PIECE_BYTES // len(RECORD))
    for _ in range(FILE_BYTES // len(block)):
        yield block
    yield RECORD + end


def nested():
    yield b'{"a":['
    block = b'{"n":1,"b":[' + b",".join([RECORD] * 1000) + b'],"m":2},'
    for _ in range(FILE_BYTES // len(block)):
        yield block
    yield b'{"b":[]}],"last":3}'


@pytest.mark.parametrize(
    ("file", "path", "keeps_envelope"),
    [
        (lambda: pieces(b"[", b",", b"]"), "", False),
        (lambda: pieces(b"", b"", b""), "", False),
        (lambda: pieces(b'{"Records":[', b",", b"]}"), "Records[*]", False),
        (lambda: pieces(b'{"first":1,"Records":[', b",\n", b'],"last":2}'), "Records[*]", True),
        (nested, "a[*].b[*]", True),
    ],
    ids=["array", "nothing between", "envelope", "kept envelope", "nested envelopes"],
)
def test_memory_does_not_follow_the_file(file, path, keeps_envelope):
    reader = ElementReader(
        True,
        parse_record_path(path),
        keeps_envelope,
        segment_bytes=PIECE_BYTES,
        step_bytes=PIECE_BYTES,
        held_bytes=PIECE_BYTES,
    )
    rows = size = 0
    tracemalloc.start()
    try:
        for segment in reader.segments(file()):
            assert isinstance(segment, Segment)
            rows += segment.data.count(b"\n") + 1
            size += len(segment.data)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows * len(RECORD) > FILE_BYTES * 0.9
    assert size >= rows * len(RECORD)
    assert held < HELD_BYTES


def test_what_is_broken_to_the_end_is_not_held():
    reader = ElementReader(
        True,
        parse_record_path(""),
        False,
        segment_bytes=PIECE_BYTES,
        max_bytes=PIECE_BYTES,
        step_bytes=PIECE_BYTES,
    )
    tracemalloc.start()
    try:
        (rejected,) = reader.segments(pieces(b'[{"a":[', b",", b"]}"))
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rejected.lost_bytes > FILE_BYTES * 0.9
    assert held < HELD_BYTES
