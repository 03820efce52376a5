"""What stands for itself in a file: plain lines, what is no value, and where values begin."""

from __future__ import annotations

from typing import Final

from glue_jobs.reading.broken_elements import NEXT_BEGINS, BrokenElements
from glue_jobs.reading.element_state import BETWEEN_OBJECTS, INVALID, OPEN_OBJECT, WHITE, WHITE_RUN
from glue_jobs.reading.lines import Segment
from glue_jobs.reading.plain_lines import PlainLines
from glue_jobs.reading.recovery import Recovery, breaks_off

# Of a segment; a run of plain lines that is smaller is joined with what is around it.
_RUN_SHARE: Final = 8
# A line up to so long is looked at by itself where it may be cut short.
_SHORT_LINE_BYTES: Final = 4096
MORE_FOLLOWS: Final = "more follows in its line"


class SingleValues(BrokenElements):
    """Goes from value to value where no structure has to be looked for."""

    def _begin_value(self) -> bool | None:
        """Go on to the next value; None where it is to be scanned from here."""
        data, position = self._buffer.data, self._position
        pattern = BETWEEN_OBJECTS if self._finds_objects else WHITE_RUN
        match = pattern.match(data, position)
        start = match.end() if match else position
        newline = data.rfind(b"\n", position, start)
        line_start = position if newline < 0 else newline + 1
        begins_line = (newline >= 0 or self._begins_line(position)) and not data[line_start:start].strip(
            WHITE
        )
        self._position = line_start if begins_line else start
        is_cut = (
            self._finds_objects and start == len(data) - 1 and data[start] in b"\\" and not self._is_final
        )
        if start == len(data) or is_cut:
            self._position = start
            self._needed = len(data) - start + 1
            # White space before a value in its line is not needed to know that it begins it.
            self._is_line_start = begins_line
            if begins_line and start > line_start:
                self._position = line_start
            return False
        if self._finds_objects and not self._steps and begins_line:
            if self._take_plain(line_start):
                return True
            end = data.find(b"\n", start)
            if end < 0 and len(data) - start < self._step_bytes and not self._is_final:
                # Its end tells whether it is a plain line.
                self._needed = len(data) - self._position + 1
                return False
            is_short = start < end <= start + _SHORT_LINE_BYTES
            if is_short and data[start] == OPEN_OBJECT and breaks_off(data, start, end, start - line_start):
                self._reject(start, end, NEXT_BEGINS)
                self._position = end
                return True
        if data[start] in b"{[" and (begins_line or self._finds_objects):
            return None
        return self._reject_line(start, begins_line)

    def _take_plain(self, start: int) -> bool:
        data = self._buffer.data
        plain = self._plain
        if plain is None or plain.end <= start:
            limit = min(len(data), start + self._segment_bytes)
            end = limit if self._is_final and limit == len(data) else data.rfind(b"\n", start, limit) + 1
            if end <= start:
                return False
            plain = self._plain = PlainLines(self._buffer, start, end, self._max_bytes)
        if plain.is_mostly_odd:
            return False
        end = plain.plain_end(start)
        if end == start:
            return False
        if end - start >= min(plain.end, self._segment_bytes) // _RUN_SHARE:
            self._flush()
            self._out.append(
                Segment(data[start:end], self._buffer.line_of(start), self._buffer.offset + start)
            )
        else:
            self._batch.add_run(self._buffer, start, end)
        self._position = end
        self._narrow_window()
        return True

    def _reject_line(self, start: int, begins_line: bool) -> bool:
        """Take what is no value, up to the end of its line."""
        data = self._buffer.data
        end = data.find(b"\n", start)
        if end < 0 and not self._is_final:
            if len(data) - start <= self._max_bytes:
                self._needed = 2 * (len(data) - self._position)
                return False
            self._break(start, len(data), self._too_long, Recovery(0, 0, False, None, ends_at_line=True))
            return True
        end = len(data) if end < 0 else end
        if end - start > self._max_bytes:
            self._reject(start, end, self._too_long)
        elif begins_line and data[start] not in b"{":
            # The parser says what it is.
            self._batch.add(data[start:end], start)
        else:
            self._reject(start, end, f"{INVALID}{MORE_FOLLOWS}")
        self._position = end
        return True
