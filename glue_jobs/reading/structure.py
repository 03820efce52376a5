"""The signs that give JSON its structure, found in many bytes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUOTE, _BACKSLASH, _NEWLINE = b'"\\\n'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_LIST, _CLOSE_LIST = b"{}[]"
# A closing sign is its opening one and 2.
_TO_CLOSING: Final = 2
# `{` and `[` differ in one bit, as `}` and `]` do.
_FOLD: Final = np.uint8(0xDF)
_IS_SIGN: Final = bytes(sign in b'"\\\n{}[]:,' for sign in range(256))
_SORTED_FAST: Final = 32_000

LINE_END_IN_TEXT: Final = "a line end within text"
LINE_END: Final = "the line ends before it does"
UNOPENED: Final = "a bracket closes that is not open"


@dataclass(frozen=True)
class Fault:
    """The first place at which bytes are seen to be no JSON.

    Attributes:
        at: its place.
        reason: one of this module's.
    """

    at: int
    reason: str


@dataclass(frozen=True)
class Structure:
    """The signs outside of text, in order, up to the first fault.

    Attributes:
        at: their places.
        signs: which they are: one of `{}[]:,`.
        levels: how many objects and lists are open around each; an opening sign and its closing one are
            not within what they open.
        fault: None where none is seen.
    """

    at: NDArray[np.intp]
    signs: NDArray[np.uint8]
    levels: NDArray[np.int32]
    fault: Fault | None

    def is_misplaced(self, place: int, before: int, level: int) -> bool:
        """Return whether an object begins at a place where none may.

        Args:
            place: of a `{`.
            before: the last byte before it that is no white space.
            level: objects that begin up to this level are fine, as those within text are.
        """
        index = int(np.searchsorted(self.at, place))
        if index >= len(self.at) or self.at[index] != place or self.levels[index] <= level:
            return False
        if before not in b"[,:":
            return True
        if before != ord(","):
            return False
        around = np.flatnonzero(
            (self.levels[:index] == self.levels[index] - 1) & ((self.signs[:index] & _FOLD) == _OPEN_LIST)
        )
        return bool(len(around)) and self.signs[around[-1]] == _OPEN_OBJECT


def structure_of(data: bytes, around: bytes, ends_at_line: bool) -> Structure:
    """Find the structure of bytes that begin outside of text.

    Args:
        data: the bytes.
        around: the opening signs of what is open around them, from the outermost.
        ends_at_line: whether a line end within anything that is open is a fault.
    """
    at = np.flatnonzero(np.frombuffer(data.translate(_IS_SIGN), np.bool_))
    signs = np.frombuffer(data, np.uint8)[at]
    quotes = signs == _QUOTE
    backslashes = signs == _BACKSLASH
    if backslashes.any():
        quotes &= ~_escaped(len(data), at, at[backslashes])
    in_text = (np.cumsum(quotes, dtype=np.uint8) & 1).view(np.bool_)
    newlines = signs == _NEWLINE
    faults = _first(at[newlines & in_text], LINE_END_IN_TEXT)
    outside = ~(in_text | quotes | backslashes)
    at, signs, newlines = at[outside], signs[outside], newlines[outside]
    folded = signs & _FOLD
    opens, closes = folded == _OPEN_LIST, folded == _CLOSE_LIST
    after = len(around) + np.cumsum(opens.astype(np.int8) - closes.astype(np.int8), dtype=np.int32)
    levels = after - opens
    if ends_at_line:
        faults += _first(at[newlines & (after > 0)], LINE_END)
    brackets = opens | closes
    faults += _unopened(at[brackets], signs[brackets], levels[brackets], around)
    fault = min(faults, key=lambda fault: fault.at, default=None)
    wanted = ~newlines
    if fault is not None:
        wanted &= at < fault.at
    return Structure(at[wanted], signs[wanted], levels[wanted], fault)


def _escaped(size: int, at: NDArray[np.intp], backslashes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which of the places in bytes of a size follow an odd number of backslashes."""
    starts = np.flatnonzero(np.append(True, np.diff(backslashes) != 1))
    lengths = np.diff(np.append(starts, len(backslashes)))
    escaped = np.zeros(size + 1, np.bool_)
    escaped[(backslashes[starts] + lengths)[lengths % 2 == 1]] = True
    found: NDArray[np.bool_] = escaped[at]
    return found


def _first(places: NDArray[np.intp], reason: str) -> list[Fault]:
    return [Fault(int(places[0]), reason)] if len(places) else []


def _unopened(
    at: NDArray[np.intp], signs: NDArray[np.uint8], levels: NDArray[np.int32], around: bytes
) -> list[Fault]:
    """Find the first closing sign that does not close what is open.

    Of the signs of one level, in order, each closing one follows its opening one.
    """
    signs = np.concatenate((np.frombuffer(around, np.uint8), signs))
    levels = np.concatenate((np.arange(len(around), dtype=np.int32), levels))
    at = np.concatenate((np.full(len(around), -1, np.intp), at))
    if len(levels) and levels.max() < _SORTED_FAST and levels.min() > -_SORTED_FAST:
        levels = levels.astype(np.int16)
    order = np.argsort(levels, kind="stable")
    signs, levels = signs[order], levels[order]
    closing = (signs & _FOLD) == _CLOSE_LIST
    closes_before = np.zeros(len(signs), np.bool_)
    closes_before[1:] = (levels[1:] == levels[:-1]) & (signs[1:] == signs[:-1] + _TO_CLOSING)
    wrong = at[order[closing & ~closes_before]]
    return [Fault(int(wrong.min()), UNOPENED)] if len(wrong) else []
