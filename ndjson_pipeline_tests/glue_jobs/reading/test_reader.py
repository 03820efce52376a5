"""A file's text as records, by format and path."""

import json

import pytest

from glue_jobs.reading.lines import LineCutter
from glue_jobs.reading.reader import FileReader, Reading, RecordFormat
from glue_jobs.reading.record_path import parse_record_path
from ndjson_pipeline_tests.glue_jobs.reading.texts import WRITERS, placed

AUTO = Reading(RecordFormat.AUTO)
ROWS = [{"a": index, "b": {"c": [1, 2]}} for index in range(3)]


def test_lines_are_cut_at_newlines_alone():
    data = b'{"a":1}{"b":2}\n[{"c":3}]\n\n{"d":4}'
    assert list(FileReader(Reading()).segments([data])) == list(LineCutter().segments([data]))


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_auto_reads_what_lines_does_not(writer):
    rows, rejected = placed(FileReader(AUTO).segments([WRITERS[writer](ROWS)]))
    assert [json.loads(text) for text, _, _ in rows] == ROWS
    assert not rejected


def test_a_path_is_for_both_formats():
    for record_format in RecordFormat:
        reading = Reading(record_format, parse_record_path("x[*]"), keeps_envelope=True)
        rows, _ = placed(FileReader(reading).segments([b'{"x":[{"a":1}],"y":2}\n']))
        assert rows == [(b'{"a":1,"_envelope":{"y":2}}', 1, 6)]


@pytest.mark.parametrize(
    ("writer", "likeness"),
    [
        ("array", "one array of objects"),
        ("array in lines", "one array of objects"),
        ("pretty array", "one array of objects"),
        ("pretty", "objects over several lines"),
        ("nothing between", "objects with nothing between them"),
        ("returns", "lines that end with a carriage return alone"),
        ("written newlines", "objects with a backslash and an n between them"),
        ("record separators", "objects with record separators between them"),
        ("commas", "objects with commas between them"),
    ],
)
def test_a_file_without_a_record_is_said_to_look_like_something(writer, likeness):
    reader = FileReader(Reading())
    list(reader.segments([WRITERS[writer](ROWS)]))
    assert reader.why_no_record() == (
        f"none of its lines is a record; it looks like {likeness}, which RECORD_FORMAT auto reads"
    )


@pytest.mark.parametrize("data", [b"a,b\n1,2\n", b"", b"[1,2]", b'{"a":', b"hello {}"])
def test_what_looks_like_nothing_is_only_said_to_have_no_record(data):
    reader = FileReader(Reading())
    list(reader.segments([data]))
    assert reader.why_no_record() == "none of its lines is a record"
    reader = FileReader(AUTO)
    list(reader.segments([data]))
    assert reader.why_no_record() == "nothing in it is a record"


def test_a_path_without_a_record_is_named():
    reader = FileReader(Reading(path=parse_record_path("x[*]")))
    list(reader.segments([b'{"y":1}']))
    assert reader.why_no_record() == "nothing in it is a record at RECORD_PATH x[*]"
