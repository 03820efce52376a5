"""NDJSON bytes to Arrow tables, with every line accounted for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from glue_jobs.parsing.arrow_json import read_records
from glue_jobs.parsing.line_shapes import LineShapes
from glue_jobs.parsing.mending import Mender
from glue_jobs.reading.lines import Lines
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.fit import has_odd_doubles, misfits
from glue_jobs.schema.observed import Observed

if TYPE_CHECKING:
    from glue_jobs.parsing.arrow_json import Refusal
    from glue_jobs.reading.lines import Rejected, Segment
    from glue_jobs.schema.learning import Learning

_SAMPLE_BYTES: Final = 65_536


@dataclass(frozen=True)
class Parsed:
    """What became of a segment.

    Attributes:
        table: its records, in order, all of which fit `columns`; text is text.
        rescued: for each record JSON text of what did not fit, or null; None where all of all fit.
        lines: its lines that are not blank, counted from the bytes and not from the table.
        rejected: those of them that are no records.
        observed: counts of values beyond the settled columns.
        columns: those known, with those that the counts add.
        rescued_names: of columns, folded, of which something is in `rescued`.
    """

    table: pa.Table
    rescued: pa.Array | None
    lines: int
    rejected: tuple[Rejected, ...] = ()
    observed: Observed = field(default_factory=Observed)
    columns: Columns = field(default_factory=Columns)
    rescued_names: frozenset[str] = frozenset()


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
        first = read_records(shapes.data, learning.columns)
        if isinstance(first, pa.Table):
            parsed = _accepted(first, shapes.count, learning)
            if parsed is not None:
                return parsed
    lines = Lines(segment)
    mender = Mender(lines, learning)
    table, observed, columns = mender.run(first)
    return Parsed(
        table, mender.rescued, len(lines.texts), mender.rejected, observed, columns, mender.rescued_names
    )


def sample_of(data: bytes) -> bytes:
    """Return a file's first lines, to learn from before the file itself is read; may be empty."""
    return data[: data.rfind(b"\n", 0, _SAMPLE_BYTES) + 1]


def _accepted(table: pa.Table, lines: int, learning: Learning) -> Parsed | None:
    """Return a table as the result for its lines; None where it is not all that they say."""
    if table.num_rows != lines or has_odd_doubles(table):
        return None
    observed = Observed()
    columns = learning.columns_with_table(table, observed)
    if misfits(table, columns):
        return None
    return Parsed(table, None, lines, observed=observed, columns=columns)
