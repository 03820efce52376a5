"""Lines gathered from wherever they are in a file, given on as segments with their places."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from glue_jobs.reading.lines import Places, Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEWLINE: Final = ord("\n")


class TextBuffer:
    """The part of a file's text that is in memory, and where it lies in the file.

    Attributes:
        data: the bytes.
        offset: the place of its first byte in the file.
        line: the number of the line of that byte, from 1.
    """

    def __init__(self) -> None:
        self.data = b""
        self.offset = 0
        self.line = 1
        self._newlines: NDArray[np.intp] | None = None

    @property
    def newlines(self) -> NDArray[np.intp]:
        """The places of its newlines, in order."""
        if self._newlines is None:
            self._newlines = np.flatnonzero(np.frombuffer(self.data, np.uint8) == _NEWLINE)
        return self._newlines

    def append(self, piece: bytes, done: int) -> None:
        """Add what follows, and leave out what is done."""
        if done:
            self.line += int(np.searchsorted(self.newlines, done))
            self.offset += done
        # Where all of a file comes in one piece, nothing of it is copied.
        self.data = self.data[done:] + piece if done < len(self.data) else piece
        self._newlines = None

    def line_of(self, position: int) -> int:
        """Return the number of the line in which a byte is."""
        return self.line + int(np.searchsorted(self.newlines, position))


@dataclass
class Batch:
    """Lines that become a segment.

    Attributes:
        size: bytes in it.
    """

    size: int = 0
    _texts: list[bytes] = field(default_factory=list)
    _line_numbers: list[NDArray[np.int64]] = field(default_factory=list)
    _offsets: list[NDArray[np.int64]] = field(default_factory=list)
    _positions: list[int] = field(default_factory=list)
    _placed: list[tuple[int, int]] = field(default_factory=list)

    def add(self, text: bytes, position: int) -> None:
        """Take a line that is in the buffer; it holds no newline."""
        self._texts.append(text)
        self._positions.append(position)
        self.size += len(text) + 1

    def add_all(self, texts: list[bytes], positions: NDArray[np.intp]) -> None:
        """Take lines that are in the buffer; they hold no newline."""
        self._texts += texts
        self._positions += positions.tolist()
        self.size += sum(map(len, texts)) + len(texts)

    def add_placed(self, text: bytes, line_number: int, offset: int) -> None:
        """Take a line whose place is known."""
        self._texts.append(text)
        self._placed.append((line_number, offset))
        self.size += len(text) + 1

    def add_run(self, buffer: TextBuffer, start: int, end: int) -> None:
        """Take whole lines of the buffer, one after the other."""
        self.settle(buffer)
        first, last = np.searchsorted(buffer.newlines, (start, end - 1))
        starts = np.append(start, buffer.newlines[first:last] + 1).astype(np.int64)
        self._texts.append(buffer.data[start:end].removesuffix(b"\n"))
        self._line_numbers.append(buffer.line + first + np.arange(len(starts), dtype=np.int64))
        self._offsets.append(buffer.offset + starts)
        self.size += end - start

    def settle(self, buffer: TextBuffer) -> None:
        """Find the places of lines taken so far; to be called before the buffer changes."""
        if self._positions:
            positions = np.array(self._positions, np.int64)
            self._line_numbers.append(buffer.line + np.searchsorted(buffer.newlines, positions))
            self._offsets.append(buffer.offset + positions)
            self._positions = []
        if self._placed:
            placed = np.array(self._placed, np.int64)
            self._line_numbers.append(placed[:, 0])
            self._offsets.append(placed[:, 1])
            self._placed = []

    def take(self, buffer: TextBuffer) -> list[Segment]:
        """Return a segment of all lines, none where there are none; the batch is empty again."""
        self.settle(buffer)
        if not self._texts:
            return []
        places = Places(np.concatenate(self._line_numbers), np.concatenate(self._offsets))
        segment = Segment(
            b"\n".join(self._texts), int(places.line_numbers[0]), int(places.byte_offsets[0]), places
        )
        self.size, self._texts, self._line_numbers, self._offsets = 0, [], [], []
        return [segment]
