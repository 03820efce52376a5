"""What the lines of a segment look like, seen in all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from glue_jobs.parsing.records import MAX_NESTING, SHALLOW_BYTES, is_too_deep
from glue_jobs.reading.lines import BLANKS, is_utf8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glue_jobs.reading.lines import Segment

_OPENING: Final = ord("{")
_CLOSING: Final = ord("}")


class LineShapes:
    """The lines of a segment, without blank ones at its ends.

    Args:
        segment: whole lines.

    Attributes:
        data: from the first sign that is no white space to the last.
    """

    def __init__(self, segment: Segment) -> None:
        blanks = BLANKS + b"\n"
        self.data = segment.data.strip(blanks)
        start = len(segment.data) - len(segment.data.lstrip(blanks))
        first, last = np.searchsorted(segment.newlines, (start, start + len(self.data)))
        self._newlines: NDArray[np.intp] = segment.newlines[first:last] - start

    @property
    def count(self) -> int:
        """How many lines there are; 0 where all are blank."""
        return len(self._newlines) + 1 if self.data else 0

    def are_records(self) -> bool:
        """Return whether one row for each line will mean one record in each, and none ends the parser.

        Where every line begins with { and ends with }, no record crosses a line: within JSON a } is never
        followed by {, and text holds no newline.
        """
        data, signs = self.data, self._signs
        return bool(
            data[:1] == b"{"
            and data[-1:] == b"}"
            and (signs[self._newlines - 1] == _CLOSING).all()
            and (signs[self._newlines + 1] == _OPENING).all()
            and is_utf8(data)
            and not self._is_any_too_deep()
        )

    @property
    def _signs(self) -> NDArray[np.uint8]:
        return np.frombuffer(self.data, np.uint8)

    def _is_any_too_deep(self) -> bool:
        starts = np.append(0, self._newlines + 1)
        ends = np.append(self._newlines, len(self.data))
        long_lines = np.flatnonzero(ends - starts >= SHALLOW_BYTES)
        return any(
            self._has_many_openings(start, end) and is_too_deep(self.data[start:end])
            for start, end in zip(starts[long_lines].tolist(), ends[long_lines].tolist(), strict=True)
        )

    def _has_many_openings(self, start: int, end: int) -> bool:
        # Counted in place: a line may be so long that another copy of it would show.
        return self.data.count(b"{", start, end) + self.data.count(b"[", start, end) > MAX_NESTING
