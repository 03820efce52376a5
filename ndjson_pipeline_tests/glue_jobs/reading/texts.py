"""Records written in all the ways that files have them, and read again."""

import json
import random

from hypothesis import strategies as st

from glue_jobs.reading.elements import ElementReader
from glue_jobs.reading.lines import LineCutter, Lines, Rejected
from glue_jobs.reading.record_path import parse_record_path

# What is structure outside of text, and what looks like the beginning of another record.
tricky = st.sampled_from(
    [
        "",
        "}{",
        '},{"a":1',
        "[",
        "]}",
        '"',
        "\\",
        '\\"',
        "\n",
        "\\n",
        "\r",
        "{\n",
        "\x1e",
        "é",
        "\u2028",
        ",",
        ":",
    ]
)
texts = tricky | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
records = st.dictionaries(texts, values, max_size=4)


def compact(record):
    return json.dumps(record, ensure_ascii=False).encode()


def pretty(record, indent=2):
    return json.dumps(record, indent=indent).encode()


WRITERS = {
    "lines": lambda rows: b"".join(compact(row) + b"\n" for row in rows),
    "lines with blanks": lambda rows: b"\n".join(b" " + compact(row) + b" \r\n" for row in rows),
    "no last newline": lambda rows: b"\n".join(map(compact, rows)),
    "nothing between": lambda rows: b"".join(map(compact, rows)),
    "some newlines missing": lambda rows: b"".join(
        compact(row) + (b"" if index % 3 else b"\n") for index, row in enumerate(rows)
    ),
    "pretty": lambda rows: b"\n".join(map(pretty, rows)),
    "pretty without indentation": lambda rows: b"\n".join(pretty(row, 0) for row in rows),
    "array": lambda rows: b"[" + b",".join(map(compact, rows)) + b"]",
    "arrays": lambda rows: b"\n".join(b"[" + compact(row) + b"]" for row in rows),
    "array in lines": lambda rows: b"[\n" + b",\n".join(map(compact, rows)) + b"\n]\n",
    "array with leading commas": lambda rows: b"[" + b"\n,".join(map(compact, rows)) + b"\n]",
    "pretty array": lambda rows: json.dumps(rows, indent=4).encode(),
    "returns": lambda rows: b"\r".join(map(compact, rows)) + b"\r",
    "written newlines": lambda rows: b"\\n".join(map(compact, rows)),
    "written newlines, one at the end": lambda rows: b"".join(compact(row) + b"\\n" for row in rows),
    "written returns and newlines": lambda rows: b"\\r\\n".join(map(compact, rows)),
    "record separators": lambda rows: b"".join(b"\x1e" + compact(row) + b"\n" for row in rows),
    "commas": lambda rows: b",".join(map(compact, rows)),
    "commas and newlines": lambda rows: b",\n".join(map(compact, rows)) + b",\n",
    "a mark": lambda rows: b"\xef\xbb\xbf" + b"\n".join(map(compact, rows)),
}


def cut(data, seed):
    """Cut bytes into pieces, the same for the same seed."""
    chance = random.Random(seed)
    longest = chance.choice([1, 7, 50, 10_000])
    pieces = []
    while data:
        size = chance.randint(1, longest)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def placed(segments):
    """Return what segments hold: (text, line number, byte offset) of each line, and what is rejected."""
    rows, rejected = [], []
    for segment in segments:
        if isinstance(segment, Rejected):
            rejected.append(segment)
            continue
        lines = Lines(segment)
        for index, text in enumerate(lines.texts):
            place = lines.rejected(index, "")
            rows.append((text, place.line_number, place.byte_offset))
    return rows, rejected


def read(pieces, path="", keeps_envelope=False, finds_objects=True, **limits):
    """Read pieces, or bytes, as records that are not lines."""
    pieces = [pieces] if isinstance(pieces, bytes) else pieces
    limits = {"step_bytes": 3, "segment_bytes": 10_000, **limits}
    reader = ElementReader(finds_objects, parse_record_path(path), keeps_envelope, **limits)
    return placed(reader.segments(iter(pieces)))


def read_lines(data):
    return placed(LineCutter().segments([data]))


def rows_of(data, *args, **limits):
    """Return the records of bytes of which nothing is rejected."""
    rows, rejected = read(data, *args, **limits)
    assert not rejected
    return [json.loads(text) for text, _, _ in rows]
