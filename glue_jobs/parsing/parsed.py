"""What becomes of a block of lines once Arrow has read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from glue_jobs.parsing.arrow_json import Refusal, read_block
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.observed import Observed

if TYPE_CHECKING:
    from glue_jobs.reading.lines import Rejected
    from glue_jobs.schema.learning import Learning


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


def read(data: bytes, columns: Columns) -> pa.Table | Refusal:
    """Read a block, with the columns' types where they fit all of it."""
    result = read_block(data, columns.schema)
    if isinstance(result, Refusal) and result.row is None:
        # A number that is no whole one, in a column of those: which, is seen when all are doubles.
        result = read_block(data, columns.without_whole_numbers)
    return result


def learn(table: pa.Table, observed: Observed, learning: Learning) -> tuple[Observed, Columns]:
    """Add a table to counts; return them with the columns that follow."""
    if not learning.settled.accepts_new:
        return observed, learning.columns
    observed.add_new(table, learning.settled.shape)
    if not observed.members:
        return observed, learning.columns
    return observed, learning.columns_with(observed)
