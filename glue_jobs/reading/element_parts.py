"""What is known of elements that have begun: their beginning, what is open in them, what broke."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glue_jobs.reading.lines import KEPT_BYTES
from glue_jobs.reading.scan import Seen

if TYPE_CHECKING:
    from glue_jobs.reading.batches import TextBuffer
    from glue_jobs.reading.recovery import Recovery
    from glue_jobs.reading.structure import Openness


class Beginning:
    """The beginning of something whose bytes leave the buffer before its end is seen.

    Args:
        buffer: has the bytes.
        offset: its place in the file's text.
    """

    def __init__(self, buffer: TextBuffer, offset: int) -> None:
        self._buffer = buffer
        self._kept = b""
        self.offset = offset
        self.line = buffer.line_of(offset - buffer.offset)

    def keep(self, done: int) -> None:
        """Keep what is about to leave the buffer: all before a position."""
        self._kept = self.upto(done)

    def upto(self, end: int) -> bytes:
        """Return it up to a position in the buffer, yet not more than is kept of what is rejected."""
        if len(self._kept) >= KEPT_BYTES:
            return self._kept
        start = self.offset + len(self._kept) - self._buffer.offset
        return (
            self._kept + self._buffer.data[start : max(start, min(end, start + KEPT_BYTES - len(self._kept)))]
        )


@dataclass
class Frame:
    """An object or a list of the way to the records, or what holds everything (`sign` 0).

    Attributes:
        sign: with which it opens.
        step: of the path: an object's next name, or what its items are to be.
        beginning: of it; None of what holds everything.
        indentation: the white space before it in its line.
        is_root: whether the path begins with it.
        is_found: whether the walked member was there.
        is_behind: whether what was walked has just ended, so that only white space may come before the next.
        members: the others, where they are kept.
        size: of the members, in bytes.
    """

    sign: int
    step: int = 0
    beginning: Beginning | None = None
    indentation: int = 0
    is_root: bool = False
    is_found: bool = False
    is_behind: bool = False
    members: list[bytes] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True)
class Open:
    """What is known of an item whose end has not come.

    Attributes:
        scanned: up to which position in the buffer it was looked at.
        openness: what is open there.
        seen: its signs so far.
    """

    scanned: int
    openness: Openness
    seen: Seen | None

    def moved(self, done: int) -> Open:
        """Return the same, where some bytes have left the buffer."""
        seen = self.seen and Seen(self.seen.places - done, self.seen.signs, self.seen.levels)
        return Open(self.scanned - done, self.openness, seen)


@dataclass
class Broken:
    """What is broken, while the next element is looked for.

    Attributes:
        beginning: of it.
        reason: what is wrong with it.
        recovery: what tells the next element.
    """

    beginning: Beginning
    reason: str
    recovery: Recovery
