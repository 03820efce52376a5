"""The signs that give JSON its structure, found in many bytes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUOTE, _BACKSLASH, _NEWLINE, _COMMA, _SEPARATOR = b'"\\\n,\x1e'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_LIST, _CLOSE_LIST = b"{}[]"
# A closing sign is its opening one and 2.
_TO_CLOSING: Final = 2
# `{` and `[` differ in one bit, as `}` and `]` do.
_FOLD: Final = np.uint8(0xDF)
_IS_SIGN: Final = bytes(sign in b'"\\\n\x1e{}[]:,' for sign in range(256))
# Far deeper than what a record may be, and shallow enough to be sorted fast.
_DEEPEST: Final = 1000

LINE_END_IN_TEXT: Final = "a line end within text"
LINE_END: Final = "the line ends before it does"
TOO_DEEP: Final = f"nested deeper than {_DEEPEST:,} levels"
SEPARATED: Final = "cut short: a record separator comes before it ends"
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
class Openness:
    """What is open at a place.

    Attributes:
        around: the opening signs of objects and lists, from the outermost.
        in_text: whether it is within text.
        is_escaped: whether a backslash makes the next byte an ordinary one.
    """

    around: bytes
    in_text: bool = False
    is_escaped: bool = False


@dataclass(frozen=True)
class Structure:
    """The signs outside of text, in order, up to the first fault.

    Attributes:
        at: their places.
        signs: which they are: one of `{}[]:,`.
        levels: how many objects and lists are open around each; an opening sign and its closing one are
            not within what they open.
        fault: None where none is seen.
        before: what is open before them.
        after: what is open behind them, where there is no fault.
    """

    at: NDArray[np.intp]
    signs: NDArray[np.uint8]
    levels: NDArray[np.int32]
    fault: Fault | None
    before: Openness
    after: Openness

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
        return before == _COMMA and self._opens_around(index) == _OPEN_OBJECT

    def _opens_around(self, index: int) -> int:
        """Return the opening sign of what is around a sign."""
        level = int(self.levels[index]) - 1
        opens = (self.levels[:index] == level) & ((self.signs[:index] & _FOLD) == _OPEN_LIST)
        around = np.flatnonzero(opens)
        return int(self.signs[around[-1]]) if len(around) else self.before.around[level]


def structure_of(data: bytes, before: Openness, ends_at_line: bool) -> Structure:
    """Find the structure of bytes.

    Args:
        data: the bytes.
        before: what is open before them.
        ends_at_line: whether a line end within anything that is open is a fault.
    """
    at = np.flatnonzero(np.frombuffer(data.translate(_IS_SIGN), np.bool_))
    signs = np.frombuffer(data, np.uint8)[at]
    quotes = signs == _QUOTE
    backslashes = signs == _BACKSLASH
    is_escaped = before.is_escaped and not data
    if before.is_escaped or backslashes.any():
        escaped = _escaped(len(data), at[backslashes], before.is_escaped)
        quotes &= ~escaped[at]
        is_escaped = bool(escaped[len(data)])
    parity = np.cumsum(quotes, dtype=np.uint8) + np.uint8(before.in_text)
    in_text = (parity & 1).view(np.bool_)
    newlines, separators = signs == _NEWLINE, signs == _SEPARATOR
    faults = _first(at[newlines & in_text], LINE_END_IN_TEXT)
    if not ends_at_line:
        # No valid text has one, so that what is open is cut short there, whatever its quotes say (RFC 7464).
        faults += _first(at[separators & in_text], SEPARATED)
    outside = ~(in_text | quotes | backslashes)
    ends_in_text = bool(in_text[-1]) if len(in_text) else before.in_text
    at, signs = at[outside], signs[outside]
    newlines, separators = newlines[outside], separators[outside]
    folded = signs & _FOLD
    opens, closes = folded == _OPEN_LIST, folded == _CLOSE_LIST
    after = len(before.around) + np.cumsum(opens.astype(np.int8) - closes.astype(np.int8), dtype=np.int32)
    levels = after - opens
    if ends_at_line:
        faults += _first(at[newlines & (after > 0)], LINE_END)
    else:
        faults += _first(at[separators & (after > 0)], SEPARATED)
    brackets = opens | closes
    faults += _first(at[levels >= _DEEPEST], TOO_DEEP)
    faults += _unopened(at[brackets], signs[brackets], levels[brackets], before.around)
    fault = min(faults, key=lambda fault: fault.at, default=None)
    wanted = ~(newlines | separators)
    around = b""
    if fault is None:
        around = _still_open(signs[brackets], after[brackets], opens[brackets], before.around)
    else:
        wanted &= at < fault.at
    return Structure(
        at[wanted],
        signs[wanted],
        levels[wanted],
        fault,
        before,
        Openness(around, ends_in_text, is_escaped),
    )


def _escaped(size: int, backslashes: NDArray[np.intp], is_first: bool) -> NDArray[np.bool_]:
    """Return which of the places in bytes of a size, and behind them, follow an odd number of backslashes.

    Args:
        size: of the bytes.
        backslashes: their places.
        is_first: whether the first byte does, by those before.
    """
    escaped = np.zeros(size + 1, np.bool_)
    if is_first:
        escaped[0] = True
        # One that is escaped itself escapes nothing.
        backslashes = backslashes[1:] if len(backslashes) and backslashes[0] == 0 else backslashes
    if len(backslashes):
        starts = np.flatnonzero(np.append(True, np.diff(backslashes) != 1))
        lengths = np.diff(np.append(starts, len(backslashes)))
        escaped[(backslashes[starts] + lengths)[lengths % 2 == 1]] = True
    return escaped


def _first(places: NDArray[np.intp], reason: str) -> list[Fault]:
    return [Fault(int(places[0]), reason)] if len(places) else []


def _still_open(
    signs: NDArray[np.uint8], after: NDArray[np.int32], opens: NDArray[np.bool_], around: bytes
) -> bytes:
    """Return the opening signs of what is open behind some brackets."""
    if not len(after):
        return around
    lowest = np.minimum.accumulate(after[::-1])[::-1]
    return around[: int(lowest[0])] + bytes(signs[opens & (lowest == after)])


def _unopened(
    at: NDArray[np.intp], signs: NDArray[np.uint8], levels: NDArray[np.int32], around: bytes
) -> list[Fault]:
    """Find the first closing sign that does not close what is open.

    Of the signs of one level, in order, each closing one follows its opening one.
    """
    signs = np.concatenate((np.frombuffer(around, np.uint8), signs))
    levels = np.concatenate((np.arange(len(around), dtype=np.int32), levels))
    at = np.concatenate((np.full(len(around), -1, np.intp), at))
    # What is deeper or higher is a fault in any case; the few bits make sorting fast.
    order = np.argsort(np.clip(levels, -1, _DEEPEST).astype(np.int16), kind="stable")
    signs, levels = signs[order], levels[order]
    closing = (signs & _FOLD) == _CLOSE_LIST
    closes_before = np.zeros(len(signs), np.bool_)
    closes_before[1:] = (levels[1:] == levels[:-1]) & (signs[1:] == signs[:-1] + _TO_CLOSING)
    wrong = at[order[closing & ~closes_before]]
    return [Fault(int(wrong.min()), UNOPENED)] if len(wrong) else []
