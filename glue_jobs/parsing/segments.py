"""NDJSON bytes to Arrow tables, with every line accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from glue_jobs.parsing.line_shapes import LineShapes
from glue_jobs.parsing.mending import Mender
from glue_jobs.parsing.parsed import Parsed, learn, read
from glue_jobs.reading.lines import Lines
from glue_jobs.schema.fit import has_odd_doubles, misfits
from glue_jobs.schema.observed import Observed

if TYPE_CHECKING:
    from glue_jobs.parsing.arrow_json import Refusal
    from glue_jobs.reading.lines import Segment
    from glue_jobs.schema.learning import Learning

_SAMPLE_BYTES: Final = 65_536


def parse_segment(segment: Segment, learning: Learning) -> Parsed:
    """Parse whole lines; lines equal the table's rows plus the rejected.

    Args:
        segment: the lines.
        learning: what is known of the columns; not changed.
    """
    shapes = LineShapes(segment)
    if not shapes.count:
        return Parsed(pa.table({}), None, 0, columns=learning.columns)
    first: pa.Table | Refusal | None = None
    if shapes.are_records():
        first = read(shapes.data, learning.columns)
        if isinstance(first, pa.Table):
            parsed = accept(first, shapes.count, learning)
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
