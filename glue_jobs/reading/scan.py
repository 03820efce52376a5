"""A walk over the signs of a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from glue_jobs.reading.structure import Structure

_FOLD: Final = np.uint8(0xDF)
_OPEN, _CLOSE = b"[]"
# Fewer pairs are taken one by one as fast.
_MANY: Final = 32


@dataclass(frozen=True)
class Pairs:
    """Brackets that open and close next to each other, at one level.

    Attributes:
        opens: places of the opening ones.
        closes: of the closing ones.
        indices: of the closing ones among the signs of the walk.
    """

    opens: NDArray[np.intp]
    closes: NDArray[np.intp]
    indices: NDArray[np.intp]

    def regular(self, data: NDArray[np.uint8], is_gap: Callable[[int, int], object]) -> int:
        """Return how many pairs are followed by a gap as it should be, and then another pair.

        Args:
            data: the bytes.
            is_gap: tells whether bytes from a place to another are such a gap.
        """
        starts, ends = self.closes[:-1] + 1, self.opens[1:]
        lengths = ends - starts
        # Most gaps have the same few bytes, so each kind of them is judged once.
        first = np.where(lengths > 0, data[starts], 0).astype(np.int64)
        second = np.where(lengths > 1, data[np.minimum(starts + 1, len(data) - 1)], 0)
        kinds = np.where(lengths <= 2, (lengths << 16) | (first << 8) | second, -1)
        judged: dict[int, bool] = {}
        for kind in np.unique(kinds).tolist():
            if kind >= 0:
                index = int(np.argmax(kinds == kind))
                judged[kind] = bool(is_gap(int(starts[index]), int(ends[index])))
        wrong = np.isin(kinds, [kind for kind, is_fine in judged.items() if not is_fine])
        for index in np.flatnonzero(kinds < 0).tolist():
            wrong[index] = not is_gap(int(starts[index]), int(ends[index]))
        return int(np.argmax(wrong)) if wrong.any() else len(starts)


@dataclass(frozen=True)
class Seen:
    """Signs of an item whose end has not come.

    Attributes:
        places: of the signs.
        signs: which they are.
        levels: at which they are.
    """

    places: NDArray[np.intp]
    signs: NDArray[np.uint8]
    levels: NDArray[np.int32]


class Scan:
    """A walk over the signs of an item whose beginning was seen before, and of a window.

    Args:
        seen: of the item; None where there is none.
        structure: of the window.
        start: the window's place in the buffer.
        deepest_level: signs of deeper levels are left out.
        mark: all before it in the buffer is done.

    Attributes:
        mark: all before it in the buffer is done.
        is_left: whether the rest of the window is not to be looked at as it was found.
        needs_more: whether more bytes are needed to go on.
    """

    def __init__(
        self, seen: Seen | None, structure: Structure, start: int, deepest_level: int, mark: int
    ) -> None:
        wanted = np.flatnonzero(structure.levels <= deepest_level)
        self._places = structure.at[wanted] + start
        self._signs = structure.signs[wanted]
        self._levels = structure.levels[wanted]
        if seen is not None:
            self._places = np.concatenate((seen.places, self._places))
            self._signs = np.concatenate((seen.signs, self._signs))
            self._levels = np.concatenate((seen.levels, self._levels))
        self._listed: tuple[list[int], list[int], list[int]] | None = None
        self._index = 0
        self.mark = mark
        self.is_left = False
        self.needs_more = False

    def seen(self, level: int) -> Seen:
        """Return the signs of the item that is not done; deeper ones than its own do not matter any more."""
        wanted = np.flatnonzero((self._places >= self.mark) & (self._levels <= level))
        return Seen(self._places[wanted], self._signs[wanted], self._levels[wanted])

    def last(self) -> tuple[int, int, int] | None:
        """Return place, sign and level of the last sign; None where there is none."""
        if not len(self._places):
            return None
        return int(self._places[-1]), int(self._signs[-1]), int(self._levels[-1])

    @property
    def is_over(self) -> bool:
        """Whether all signs were seen."""
        return self._index >= len(self._places)

    def next(self) -> tuple[int, int, int]:
        """Return place, sign and level of the next sign."""
        if self._listed is None:
            self._listed = self._places.tolist(), self._signs.tolist(), self._levels.tolist()
        index = self._index
        self._index += 1
        places, signs, levels = self._listed
        return places[index], signs[index], levels[index]

    def pairs(self, level: int) -> Pairs | None:
        """Return the pairs of brackets from here on at a level, up to a sign of a lower one.

        None where they are few.
        """
        if len(self._places) - self._index < 2 * _MANY:
            return None
        levels = self._levels[self._index :]
        lower = levels < level
        end = int(np.argmax(lower)) if lower.any() else len(levels)
        if end < 2 * _MANY:
            return None
        folded = self._signs[self._index : self._index + end] & _FOLD
        brackets = np.flatnonzero((levels[:end] == level) & ((folded == _OPEN) | (folded == _CLOSE)))
        opens, closes = brackets[::2], brackets[1::2]
        opens = opens[: len(closes)]
        if len(opens) < _MANY:
            return None
        places = self._places[self._index :]
        return Pairs(places[opens], places[closes], self._index + closes)

    def skip(self, pairs: Pairs, count: int, is_after_comma: bool) -> None:
        """Leave some of the pairs behind, and the gap after them."""
        following = int(pairs.opens[count])
        self._index = int(np.searchsorted(self._places, following))
        self.mark = following if is_after_comma else int(pairs.closes[count - 1]) + 1
