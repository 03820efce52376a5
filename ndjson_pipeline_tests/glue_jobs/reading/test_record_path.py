"""The path from an envelope to its records."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.errors import RecordPathError
from glue_jobs.reading.record_path import EACH, RecordPath, parse_record_path


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("Records[*]", ("Records", EACH)),
        (
            "resourceLogs[*].scopeLogs[*].logRecords[*]",
            ("resourceLogs", EACH, "scopeLogs", EACH, "logRecords", EACH),
        ),
        ('["a.b"][*]', ("a.b", EACH)),
        ('a["b c"].d', ("a", "b c", "d")),
        (r'["\"[*]\u00e9"]', ('"[*]é',)),
        ("[*]", (EACH,)),
        ("[*][*].x", (EACH, EACH, "x")),
        ("detail", ("detail",)),
        (" a.b ", ("a", "b")),
        # As JSONPath has it.
        ("$", ()),
        ("$.Records[*]", ("Records", EACH)),
        ("$[*].a", (EACH, "a")),
        ('$["a.b"]', ("a.b",)),
        ('["$"].a["*"]', ("$", "a", "*")),
        ("$a", ("$a",)),
    ],
)
def test_a_path_is_names_and_arrays(text, steps):
    assert parse_record_path(text).steps == steps


@pytest.mark.parametrize(
    "text",
    [
        "Records[",
        "Records[]",
        "Records[0]",
        ".a",
        "a..b",
        "a.",
        "a b",
        "[*]a",
        "a]",
        '["a',
        '["\\x"]',
        "a.[*]",
        "[*]" * 17,
        "Records.*",
        "*",
        "$$.a.",
    ],
)
def test_what_is_none_says_what_was_expected(text):
    with pytest.raises(RecordPathError, match="expected"):
        parse_record_path(text)


def test_a_path_is_the_same_in_another_process():
    path = parse_record_path("a[*].b")
    assert pickle.loads(pickle.dumps(path)).steps[1] is EACH


@settings(deadline=None)
@given(st.lists(st.just(EACH) | st.text() | st.sampled_from("$*"), max_size=8))
def test_what_is_written_is_read_again(steps):
    path = RecordPath("", tuple(steps))
    assert parse_record_path(path.upto(len(steps))).steps == tuple(steps)
