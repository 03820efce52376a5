"""NDJSON bytes to Arrow tables, with every line accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from glue_jobs.fit import has_odd_doubles, misfits
from glue_jobs.lines import BLANKS, Lines, has_long_line, is_utf8
from glue_jobs.mending import Mender
from glue_jobs.observed import Observed
from glue_jobs.parsed import Parsed, learn, read
from glue_jobs.values import HARMLESS_BYTES, is_too_deep

if TYPE_CHECKING:
    from glue_jobs.arrow_json import Refusal
    from glue_jobs.learning import Learning
    from glue_jobs.lines import Segment

_SAMPLE_BYTES: Final = 65_536


def parse_segment(segment: Segment, learning: Learning) -> Parsed:
    """Parse whole lines; lines equal the table's rows plus the rejected.

    Args:
        segment: the lines.
        learning: what is known of the columns; not changed.
    """
    data = segment.data.strip(BLANKS + b"\n")
    if not data:
        return Parsed(pa.table({}), None, 0, columns=learning.columns)
    lines = data.count(b"\n") + 1
    first: pa.Table | Refusal | None = None
    if _is_record_on_each_line(data, lines) and not _is_any_too_deep(data):
        first = read(data, learning.columns)
        if isinstance(first, pa.Table):
            parsed = accept(first, lines, learning)
            if parsed is not None:
                return parsed
    return Mender(Lines(segment), learning).run(first)


def accept(table: pa.Table, lines: int, learning: Learning) -> Parsed | None:
    """Return a table as the result for its lines; None where it is not all that they say."""
    if table.num_rows != lines or has_odd_doubles(table):
        return None
    observed, columns = learn(table, Observed(), learning)
    if misfits(table, columns):
        return None
    return Parsed(table, None, lines, observed=observed, columns=columns)


def sample_of(data: bytes) -> bytes:
    """Return a file's first lines, to learn from before the file itself is read; may be empty."""
    return data[: data.rfind(b"\n", 0, _SAMPLE_BYTES) + 1]


def _is_record_on_each_line(data: bytes, lines: int) -> bool:
    """Return whether one row for each line will mean one record in each.

    Where every line begins with { and ends with }, no record crosses a line: within JSON a } is never
    followed by {, and text holds no newline.
    """
    return data[:1] == b"{" and data[-1:] == b"}" and data.count(b"}\n{") == lines - 1 and is_utf8(data)


def _is_any_too_deep(data: bytes) -> bool:
    return has_long_line(data, HARMLESS_BYTES) and any(
        len(line) >= HARMLESS_BYTES and is_too_deep(line) for line in data.split(b"\n")
    )
