"""What reading segments gives: rows that wait, and counts of lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glue_jobs.schema.tallies import Tallies

if TYPE_CHECKING:
    import pyarrow as pa

    from glue_jobs.reading.lines import Rejected
    from glue_jobs.schema.columns import Columns


@dataclass(frozen=True, slots=True)
class SegmentCount:
    """What became of a segment's lines.

    Attributes:
        lines: those that are not blank.
        rejected: those of them that are no records, in order.
    """

    lines: int
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one or several segments.

    Attributes:
        table: the rows, in order.
        rescued: for each row JSON text of what did not fit, or null; None where all of all fit.
        columns: that the table was made for.
        sources: from which files they are: the position of each among the part's, and how many rows it gave,
            in order.
        records_rescued: how many have something rescued that counts.
        tallies: how many have it where, and why.
        rescued_names: of the record's members, folded, of which something is in `rescued`.
    """

    table: pa.Table
    rescued: pa.Array | None
    columns: Columns
    sources: tuple[tuple[int, int], ...]
    records_rescued: int = 0
    tallies: Tallies = field(default_factory=Tallies)
    rescued_names: frozenset[str] = frozenset()

    @property
    def nbytes(self) -> int:
        """How many bytes of Arrow they take."""
        return int(self.table.nbytes) + (0 if self.rescued is None else int(self.rescued.nbytes))
