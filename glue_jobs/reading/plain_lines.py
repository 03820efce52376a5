"""Lines that are plain: each one object, as far as a cheap look at all of them tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from glue_jobs.reading.structure import Openness, structure_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glue_jobs.reading.batches import TextBuffer

_OPENING, _CLOSING, _RETURN, _COMMA, _LETTER_N, _BACKSLASH = b"{}\r,n\\"
_BLANKS: Final = b" \t\r"
_IS_BLANK: Final = np.array([sign in _BLANKS for sign in range(256)])
_IS_END: Final = np.array([sign in b"}\x1e" for sign in range(256)])
# What before a { may mean that an object has just ended.
_IS_TELLING: Final = np.array([sign in b"}\x1e,n" + _BLANKS for sign in range(256)])
# An object's beginning up to its first name.
_BEGINNING: Final = re.compile(rb'\{[ \t]*"(?:[^"\\\n]|\\.)*+"')
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
        self._odd: NDArray[np.intp] = np.union1d(odd, self._rows_with_two(data, start))
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

    def _rows_with_two(self, data: bytes, start: int) -> NDArray[np.intp]:
        """Return the lines in which two objects seem to stand next to each other, within text or not."""
        signs = np.frombuffer(data, np.uint8)
        opens = np.flatnonzero(signs[start : self.end] == _OPENING) + start
        before = _before(signs, opens, 1)
        wanted = np.flatnonzero(_IS_TELLING[before])
        opens, before = opens[wanted], before[wanted]
        before = np.where(_IS_BLANK[before], _before(signs, opens, 2), before)
        # Behind more white space than that it is looked at as if it were one.
        suspicious = _IS_END[before] | _IS_BLANK[before]
        letters = np.flatnonzero(before == _LETTER_N)
        suspicious[letters] = (_before(signs, opens[letters], 2) == _BACKSLASH) | (
            _before(signs, opens[letters], 3) == _BACKSLASH
        )
        beginning = _BEGINNING.match(data, start, self.end)
        if beginning is not None:
            alike = np.flatnonzero(before == _COMMA)
            for distance, sign in enumerate(beginning[0]):
                alike = alike[signs[np.minimum(opens[alike] + distance, len(signs) - 1)] == sign]
            suspicious[alike] = True
        found: NDArray[np.intp] = np.unique(np.searchsorted(self._ends, opens[suspicious]))
        return found


def _before(signs: NDArray[np.uint8], places: NDArray[np.intp], distance: int) -> NDArray[np.uint8]:
    return signs[np.maximum(places - distance, 0)]


def _has_commas_between(data: bytes, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> bool:
    """Return whether the first lines have objects with a comma between, as far as they are short."""
    rows = int(np.searchsorted(ends, starts[0] + _SAMPLE_BYTES))
    if not rows:
        return False
    structure = structure_of(data[starts[0] : ends[rows - 1]], Openness(b""), ends_at_line=False)
    return bool(((structure.levels == 0) & (structure.signs == ord(","))).any())
