"""What reads segments as rows: the native parser where there is one, else Arrow's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from glue_jobs.native.library import load
from glue_jobs.parsing.arrow_rows import ArrowRowReader
from glue_jobs.parsing.native_rows import NativeRowReader

if TYPE_CHECKING:
    from glue_jobs.parsing.results import Rows, SegmentCount
    from glue_jobs.reading.lines import Segment
    from glue_jobs.schema.learning import Learning


class RowReader(Protocol):
    """Reads segments; their rows wait until they are taken."""

    @property
    def size(self) -> int:
        """How many bytes of Arrow wait."""

    def read(self, segment: Segment, position: int) -> SegmentCount:
        """Read whole lines; they become rows or are rejected.

        Args:
            segment: the lines.
            position: of their file among the part's.
        """

    def take(self) -> list[Rows]:
        """Return the rows that wait, in order."""

    def close(self) -> None:
        """Free what is held, with the rows that wait."""


def row_reader(learning: Learning) -> RowReader:
    """Return what reads segments on this machine.

    Args:
        learning: what is known of the columns; takes in what the lines teach.
    """
    library = load()
    return ArrowRowReader(learning) if library is None else NativeRowReader(learning, library)
