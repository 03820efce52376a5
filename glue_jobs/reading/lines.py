"""Bytes to segments of whole lines, segments to lines."""

from __future__ import annotations

import codecs
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

SEGMENT_BYTES: Final = 8 * 1_048_576
# Longer ones are no records: whatever they are, parsing one would take several times its size.
MAX_LINE_BYTES: Final = 64 * 1_048_576
# So much of what can't be kept whole goes to the rejected records; the input file has the rest.
KEPT_BYTES: Final = 65_536
BLANKS: Final = b" \t\r"
_NEWLINE: Final = ord("\n")
_UTF8_STEP: Final = 1_048_576
_COUNTED_BYTES: Final = 131_072


@dataclass(frozen=True)
class Places:
    """Where the lines of a segment come from, where that is not line after line of a file.

    Attributes:
        line_numbers: of each line of the segment, blank ones too: the line of the file in which it begins.
        byte_offsets: of each, where in the file it begins.
    """

    line_numbers: NDArray[np.int64]
    byte_offsets: NDArray[np.int64]


@dataclass(frozen=True)
class Segment:
    """Whole lines, of which each that is not blank is a record or none.

    Attributes:
        data: the bytes, with or without a last newline.
        first_line: the number of its first line in the file, from 1.
        byte_offset: its place in the file's text: of a packed one, in what it holds; in UTF-8.
        places: of all its lines; None where they are lines of the file, one after the other.
    """

    data: bytes
    first_line: int
    byte_offset: int
    places: Places | None = None

    def place(self, row: int, start: int) -> tuple[int, int]:
        """Return a line's number in its file, and its byte offset there.

        Args:
            row: of the line in the segment, from 0; blank lines count.
            start: its place in `data`.
        """
        if self.places is None:
            return self.first_line + row, self.byte_offset + start
        return int(self.places.line_numbers[row]), int(self.places.byte_offsets[row])

    @functools.cached_property
    def newlines(self) -> NDArray[np.intp]:
        """The places of its newlines, in order."""
        return np.flatnonzero(np.frombuffer(self.data, np.uint8) == _NEWLINE)


class Rejected(NamedTuple):
    """A line that is no record, or what can't be read as lines; there may be many of them.

    Attributes:
        line_number: in its file, from 1; blank lines count.
        byte_offset: of the line in its file.
        reason: why, without content.
        raw: the line without its newline.
        raw_length: bytes of the line, where `raw` is only its beginning.
        ends_file: whether nothing after it could be read.
        unread_bytes: where it ends the file, how many bytes of the file as it lies in S3 were not read.
    """

    line_number: int
    byte_offset: int
    reason: str
    raw: bytes
    raw_length: int | None = None
    ends_file: bool = False
    unread_bytes: int = 0

    @property
    def lost_bytes(self) -> int:
        """Bytes of the file's text that it stands for; 0 where it stands for what is not read."""
        if self.ends_file:
            return 0
        return len(self.raw) if self.raw_length is None else self.raw_length


class UnreadableError(Exception):
    """The rest of a file can't be read as lines; the message says why, without content.

    Attributes:
        raw: the first bytes of what could not be read.
        unread_bytes: how many bytes of the file were not read, as far as is known.
    """

    def __init__(self, reason: str, raw: bytes) -> None:
        super().__init__(reason)
        self.raw = raw
        self.unread_bytes = 0


def newline_count(data: bytes) -> int:
    """Return how many newlines there are, some at a time: what is made on the way stays in the cache."""
    if len(data) <= _COUNTED_BYTES:
        # numpy lets other threads run meanwhile, which costs more than the counting of a small file.
        return data.count(b"\n")
    signs = np.frombuffer(data, np.uint8)
    return sum(
        int(np.count_nonzero(signs[start : start + _COUNTED_BYTES] == _NEWLINE))
        for start in range(0, len(signs), _COUNTED_BYTES)
    )


class LineCutter:
    """Cuts the pieces of one file into segments of whole lines, holding little more than a segment.

    A byte order mark at the beginning is left out. A line longer than the limit of a segment is a segment of
    its own.

    Args:
        segment_bytes: limit of a segment.
        max_line_bytes: limit of a line.
    """

    def __init__(self, segment_bytes: int = SEGMENT_BYTES, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._segment_bytes = segment_bytes
        self._max_line_bytes = max_line_bytes
        self._line = 1
        self._offset = 0
        # The beginning of a line whose end has not come yet.
        self._open: list[bytes] = []
        self._open_bytes = 0

    def segments(self, pieces: Iterable[bytes]) -> Iterator[Segment | Rejected]:
        """Yield what the pieces hold, in order; lines that are too long come as rejected."""
        try:
            for piece in _with_whole_mark(pieces):
                # Where all of a file comes in one piece, nothing of it is copied.
                yield from self._take(self._without_mark(piece))
        except UnreadableError as error:
            raw = b"".join(self._open)[:KEPT_BYTES] or error.raw[:KEPT_BYTES]
            yield Rejected(
                self._line,
                self._offset,
                str(error),
                raw,
                ends_file=True,
                unread_bytes=error.unread_bytes,
            )
            return
        if self._open_bytes > self._max_line_bytes:
            yield self._overlong()
        elif self._open:
            yield from self._cut(b"".join(self._open))

    def _without_mark(self, piece: bytes) -> bytes:
        if self._offset or self._open or not piece.startswith(codecs.BOM_UTF8):
            return piece
        self._offset = len(codecs.BOM_UTF8)
        return piece[self._offset :]

    def _take(self, piece: bytes) -> Iterator[Segment | Rejected]:
        end = piece.rfind(b"\n") + 1
        if end and self._open:
            first = piece.find(b"\n") + 1
            self._keep(piece[:first])
            if self._open_bytes > self._max_line_bytes:
                yield self._overlong()
            else:
                whole = b"".join(self._open)
                self._open, self._open_bytes = [], 0
                yield from self._cut(whole)
            if first < end:
                yield from self._cut(piece[first:end])
        elif end:
            yield from self._cut(piece[:end])
        if end < len(piece):
            self._keep(piece[end:])

    def _keep(self, beginning: bytes) -> None:
        if self._open_bytes <= self._max_line_bytes:
            self._open.append(beginning)
        self._open_bytes += len(beginning)
        if self._open_bytes > self._max_line_bytes and len(self._open) > 1:
            self._open = [b"".join(self._open)[:KEPT_BYTES]]

    def _overlong(self) -> Rejected:
        raw = b"".join(self._open)[:KEPT_BYTES]
        reason = f"longer than {self._max_line_bytes:,} bytes"
        rejected = Rejected(self._line, self._offset, reason, raw, self._open_bytes)
        self._line += 1
        self._offset += self._open_bytes
        self._open, self._open_bytes = [], 0
        return rejected

    def _cut(self, data: bytes) -> Iterator[Segment]:
        start = 0
        while start < len(data):
            end = len(data)
            if end - start > self._segment_bytes:
                newline = data.rfind(b"\n", start, start + self._segment_bytes)
                newline = data.find(b"\n", start + self._segment_bytes) if newline < 0 else newline
                end = end if newline < 0 else newline + 1
            segment = Segment(data[start:end], self._line, self._offset)
            self._line += newline_count(segment.data)
            self._offset += end - start
            yield segment
            start = end


def _with_whole_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces, the first of them with room for a mark."""
    pieces = iter(pieces)
    beginning = b""
    try:
        while len(beginning) < len(codecs.BOM_UTF8) and (piece := next(pieces, None)) is not None:
            beginning += piece
            del piece
    except UnreadableError:
        yield beginning
        raise
    yield beginning
    del beginning
    yield from pieces


class Lines:
    """The lines of a segment that are not blank.

    Args:
        segment: whole lines.

    Attributes:
        texts: each without white space at its ends.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._raws = segment.data.split(b"\n")
        texts = [raw.strip(BLANKS) for raw in self._raws]
        self._rows = [row for row, text in enumerate(texts) if text]
        self.texts = [text for text in texts if text]

    def rejected(self, index: int, reason: str) -> Rejected:
        """Return a line as a rejected record.

        Args:
            index: in `texts`.
            reason: why, without content.
        """
        row, segment = self._rows[index], self._segment
        start = int(segment.newlines[row - 1]) + 1 if row else 0
        return Rejected(*segment.place(row, start), reason, self._raws[row])


def is_utf8(data: bytes) -> bool:
    """Return whether bytes are UTF-8."""
    if data.isascii():
        return True
    # Step by step, since decoding all of it would take up to four times its size.
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _UTF8_STEP):
            decoder.decode(data[start : start + _UTF8_STEP])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
