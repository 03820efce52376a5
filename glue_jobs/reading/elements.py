"""Records that are not lines: objects next to each other, arrays of them, and the items of envelopes."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from glue_jobs.reading.element_walk import ElementWalk
from glue_jobs.reading.lines import Rejected, Segment, UnreadableError
from glue_jobs.reading.pieces import gathered, with_newlines
from glue_jobs.reading.single_values import SingleValues

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ElementReader(SingleValues, ElementWalk):
    """Finds records in the pieces of one file; each comes as one line of a segment."""

    def segments(self, pieces: Iterable[bytes]) -> Iterator[Segment | Rejected]:
        """Yield what the pieces hold, in order; what is broken comes as rejected."""
        failure: UnreadableError | None = None
        try:
            if self._finds_objects:
                pieces = with_newlines(pieces)
            for piece in gathered(pieces, self._step_bytes):
                self._append(piece)
                del piece
                while self._step():
                    yield from self._taken()
        except UnreadableError as error:
            failure = error
        self._is_final = failure is None
        self._needed = 0
        while self._step():
            yield from self._taken()
        if failure is not None:
            self._end_unread(failure)
        while self._release():
            yield from self._taken()
        self._flush()
        yield from self._taken()

    def _taken(self) -> list[Segment | Rejected]:
        out, self._out = self._out, []
        return out

    def _append(self, piece: bytes) -> None:
        buffer = self._buffer
        if buffer.offset == 0 and not buffer.data and piece.startswith(codecs.BOM_UTF8):
            piece = piece.removeprefix(codecs.BOM_UTF8)
            buffer.offset = len(codecs.BOM_UTF8)
        self._batch.settle(buffer)
        done = self._position
        for frame in self._frames:
            if frame.beginning is not None:
                frame.beginning.keep(done)
        if self._broken is not None:
            self._broken.beginning.keep(done)
        if done:
            self._is_line_start = buffer.data[done - 1 : done] == b"\n"
        buffer.append(piece, done)
        self._position = 0
        self._open = self._open and self._open.moved(done)
        self._plain = None

    def _step(self) -> bool:
        """Go on a little; False where more bytes are needed, or none are left."""
        if self._waiting is not None:
            return self._release()
        if self._batch.size >= self._segment_bytes:
            self._flush()
            return True
        if not self._is_final and len(self._buffer.data) - self._position < self._needed:
            return False
        self._needed = 0
        if self._broken is not None:
            return self._look_for_next()
        if len(self._frames) == 1 and self._open is None:
            went_on = self._begin_value()
            if went_on is not None:
                return went_on
        return self._scan()
