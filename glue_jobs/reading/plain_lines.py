"""Lines that are plain: each one object, as far as a cheap look at all of them tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from glue_jobs.reading.structure import structure_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glue_jobs.reading.batches import TextBuffer

_OPENING, _CLOSING, _RETURN = b"{}\r"
_BLANKS: Final = b" \t\r"
_TWO_OBJECTS: Final = re.compile(rb"\}[ \t\r\x1e]*(?:\\n)?[ \t]*\{")
_FIRST_NAME: Final = re.compile(rb'\{[ \t]*("(?:[^"\\\n]|\\.)*+")')
_SAMPLE_BYTES: Final = 16_384
# Where more lines than this share look odd, taking each for itself costs more than scanning them all.
_MOST_ODD: Final = 0.02


class PlainLines:
    """A look at whole lines of a buffer.

    A line is odd that does not begin with { and end with }, or in which two objects seem to stand next to
    each other, with or without a comma. With a comma they may as well be items of a list. So those are
    looked for where the first lines have such, and where the second begins with the first line's first name.

    Args:
        buffer: the bytes.
        start: of the first line.
        end: of the last, behind its newline.
        max_line_bytes: limit of a line.

    Attributes:
        end: of the last line.
        is_mostly_odd: whether it is not worth taking the others for themselves.
    """

    def __init__(self, buffer: TextBuffer, start: int, end: int, max_line_bytes: int) -> None:
        data = buffer.data
        self.end = end
        newlines = buffer.newlines
        first, last = np.searchsorted(newlines, (start, end))
        ends = newlines[first:last]
        if data[end - 1 : end] != b"\n":
            ends = np.append(ends, end)
        self._starts = np.append(start, ends[:-1] + 1)
        self._ends = ends
        odd = np.flatnonzero(self._look_odd(data) | (ends - self._starts > max_line_bytes))
        if len(odd) <= _MOST_ODD * len(ends) + 1:
            odd = np.array([row for row in odd.tolist() if not self._is_fine(data, row)], np.intp)
        adjacent = self._rows_with(_TWO_OBJECTS, data, start)
        adjacent += self._rows_with(self._beginning_alike(data, start), data, start)
        self._odd: NDArray[np.intp] = np.union1d(odd, np.array(adjacent, np.intp))
        few = _MOST_ODD * len(ends) + 1
        self.is_mostly_odd = len(self._odd) > few or _has_commas_between(data, self._starts, self._ends)

    def plain_end(self, start: int) -> int:
        """Return where the plain lines end that begin at the start of a line; `start` where it is odd."""
        row = int(np.searchsorted(self._starts, start))
        if row >= len(self._starts) or self._starts[row] != start:
            return start
        index = int(np.searchsorted(self._odd, row))
        return int(self._starts[self._odd[index]]) if index < len(self._odd) else self.end

    def _look_odd(self, data: bytes) -> NDArray[np.bool_]:
        signs = np.frombuffer(data, np.uint8)
        last = signs[np.maximum(self._ends - 1, 0)]
        before = signs[np.maximum(self._ends - 2, 0)]
        closed = (last == _CLOSING) | ((last == _RETURN) & (before == _CLOSING))
        opened = signs[np.minimum(self._starts, len(data) - 1)] == _OPENING
        # An empty line's own signs are its neighbours'.
        odd: NDArray[np.bool_] = ~(closed & opened) | (self._ends - self._starts < len(b"{}"))
        return odd

    def _is_fine(self, data: bytes, row: int) -> bool:
        text = data[self._starts[row] : self._ends[row]].strip(_BLANKS)
        return not text or (text[:1] == b"{" and text[-1:] == b"}")

    def _rows_with(self, pattern: re.Pattern[bytes] | None, data: bytes, start: int) -> list[int]:
        rows: list[int] = []
        while pattern is not None and (match := pattern.search(data, start, self.end)) is not None:
            rows.append(int(np.searchsorted(self._ends, match.start())))
            if len(rows) > _MOST_ODD * len(self._ends) + 1:
                break
            start = int(self._ends[rows[-1]])
        return rows

    def _beginning_alike(self, data: bytes, start: int) -> re.Pattern[bytes] | None:
        match = _FIRST_NAME.match(data, start, self.end)
        return re.compile(rb"\}[ \t]*,[ \t]*\{[ \t]*" + re.escape(match[1])) if match else None


def _has_commas_between(data: bytes, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> bool:
    """Return whether the first lines have objects with a comma between, as far as they are short."""
    rows = int(np.searchsorted(ends, starts[0] + _SAMPLE_BYTES))
    if not rows:
        return False
    structure = structure_of(data[starts[0] : ends[rows - 1]], b"", ends_at_line=False)
    return bool(((structure.levels == 0) & (structure.signs == ord(","))).any())
