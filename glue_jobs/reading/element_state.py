"""Where a reader of elements is in its file, and what it gives on: records, and what is rejected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from glue_jobs.reading.batches import Batch, TextBuffer
from glue_jobs.reading.element_parts import Beginning, Broken, Frame, Open
from glue_jobs.reading.envelopes import HELD_BYTES, Envelopes
from glue_jobs.reading.lines import KEPT_BYTES, MAX_LINE_BYTES, SEGMENT_BYTES, Rejected, Segment
from glue_jobs.reading.record_path import EACH
from glue_jobs.reading.recovery import MOST_INDENTATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glue_jobs.reading.plain_lines import PlainLines
    from glue_jobs.reading.record_path import RecordPath

# Small pieces are gathered to so many bytes.
STEP_BYTES: Final = 1_048_576
# Bytes whose structure is looked for at once: few where something was broken, more where all goes well.
_FIRST_WINDOW: Final = 4096
_WIDEST_WINDOW: Final = 262_144
OPEN_OBJECT, OPEN_LIST = b"{["
COMMA, COLON = b",:"
WHITE: Final = b" \t\r\n"
WHITE_RUN: Final = re.compile(rb"[ \t\r\n]*")
BETWEEN_OBJECTS: Final = re.compile(rb"(?:[ \t\r\n,\x1e]|\\[rn])*")
INVALID: Final = "invalid JSON: "


class ElementState:
    """The state of one file's reading, with what every step of it needs.

    Args:
        finds_objects: whether objects and arrays are told by their brackets; else each line is one value.
        path: from each value to its records.
        keeps_envelope: whether a record gets the rest of its envelope.
        segment_bytes: limit of a segment; a longer record is a segment of its own.
        max_bytes: limit of a record, and of a member of an envelope.
        step_bytes: pieces are gathered to so many bytes.
        held_bytes: of records that wait for their envelope's end, in memory.
    """

    def __init__(
        self,
        finds_objects: bool,
        path: RecordPath,
        keeps_envelope: bool,
        segment_bytes: int = SEGMENT_BYTES,
        max_bytes: int = MAX_LINE_BYTES,
        step_bytes: int = STEP_BYTES,
        held_bytes: int = HELD_BYTES,
    ) -> None:
        self._finds_objects = finds_objects
        self._path = path
        self._steps = path.steps
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._step_bytes = step_bytes
        self._envelopes: Envelopes | None = None
        if keeps_envelope and path.steps:
            self._envelopes = Envelopes(path, held_bytes)
        self._buffer = TextBuffer()
        self._frames = [Frame(0)]
        # All before it is done.
        self._position = 0
        self._is_line_start = True
        self._is_final = False
        self._needed = 0
        self._narrow_window()
        self._batch = Batch()
        self._out: list[Segment | Rejected] = []
        self._waiting: Iterator[tuple[bytes, int, int]] | None = None
        self._plain: PlainLines | None = None
        self._broken: Broken | None = None
        self._open: Open | None = None
        self._last_item = b""
        self._vain_bytes = 0

    def _narrow_window(self) -> None:
        self._window = _FIRST_WINDOW

    def _widen_window(self) -> None:
        self._window = min(2 * self._window, _WIDEST_WINDOW)

    def _begins_line(self, position: int) -> bool:
        return self._buffer.data[position - 1] == ord("\n") if position else self._is_line_start

    def _white_until(self, mark: int, place: int) -> bool:
        match = WHITE_RUN.match(self._buffer.data, mark)
        return match is not None and match.end() == place

    def _item_start(self, mark: int) -> int:
        frame = self._frames[-1]
        is_between = not frame.sign and self._finds_objects
        match = (BETWEEN_OBJECTS if is_between else WHITE_RUN).match(self._buffer.data, mark)
        return match.end() if match else mark

    def _indentation(self, item: int) -> int:
        """Return how far an item is indented where it begins its line; else 0."""
        data = self._buffer.data
        earliest = max(0, item - MOST_INDENTATION - 1)
        line_start = data.rfind(b"\n", earliest, item) + 1
        before = data[max(line_start, earliest) : item]
        return 0 if before.strip(b" \t,[") else len(before)

    def _outer_indentation(self, item: int) -> int:
        return self._frames[1].indentation if len(self._frames) > 1 else self._indentation(item)

    @property
    def _too_long(self) -> str:
        return f"longer than {self._max_bytes:,} bytes"

    def _level(self, step: int) -> int:
        return sum(name is not EACH for name in self._steps[:step])

    def _pop(self) -> None:
        frame = self._frames.pop()
        self._frames[-1].is_behind = True
        if frame.sign == OPEN_OBJECT and self._envelopes is not None:
            self._envelopes.end(self._level(frame.step), frame.members)
        if frame.is_root and self._envelopes is not None:
            self._waiting = self._envelopes.take()
            self._release()

    def _release(self) -> bool:
        """Let some records go whose envelope has ended; False where there are none."""
        if self._waiting is None:
            return False
        for text, line_number, offset in self._waiting:
            self._batch.add_placed(text, line_number, offset)
            if self._batch.size >= self._segment_bytes:
                self._flush()
                return True
        self._waiting = None
        return True

    def _take(self, start: int, end: int) -> None:
        text = self._buffer.data[start:end]
        if b"\n" in text:
            text = text.replace(b"\n", b" ")
        text = text.rstrip(WHITE)
        if len(text) > self._max_bytes:
            self._reject(start, end, self._too_long)
            return
        self._last_item = text
        if self._envelopes is None:
            self._batch.add(text, start)
        else:
            self._envelopes.add([text], [self._buffer.line_of(start)], [self._buffer.offset + start])

    def _reject_pathless(self, start: int, end: int, step: int) -> None:
        self._reject(start, end, self._pathless_reason(step))

    def _pathless_reason(self, step: int) -> str:
        where = self._path.upto(step) or "the top"
        name = self._steps[step]
        wanted = "an array" if name is EACH else f"an object with {self._path.upto(step + 1)}"
        following = self._steps[step + 1 : step + 2]
        if name is not EACH and following:
            wanted += " and in it " + ("an array" if following[0] is EACH else "an object")
        return f"nothing at RECORD_PATH {self._path.text}: expected {wanted} at {where}"

    def _reject(self, start: int, end: int, reason: str) -> None:
        buffer = self._buffer
        while end > start and buffer.data[end - 1] in WHITE:
            end -= 1
        self._add_rejected(
            buffer.line_of(start), buffer.offset + start, reason, buffer.data[start:end], end - start
        )

    def _add_rejected(self, line: int, offset: int, reason: str, raw: bytes, length: int) -> None:
        raw, is_whole = raw[:KEPT_BYTES], length <= KEPT_BYTES
        self._out.append(Rejected(line, offset, reason, raw, None if is_whole else length))

    def _reject_begun(self, beginning: Beginning, end: int, reason: str) -> None:
        """Reject what began somewhere, up to a position in the buffer."""
        length = self._buffer.offset + end - beginning.offset
        raw = beginning.upto(end)
        if len(raw) == length:
            raw = raw.rstrip(WHITE + b",\x1e")
            length = len(raw)
        self._add_rejected(beginning.line, beginning.offset, reason, raw, length)

    def _flush(self) -> None:
        self._out.extend(self._batch.take(self._buffer))
