"""Records that are not lines: objects next to each other, arrays of them, and the items of envelopes."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from glue_jobs.reading.batches import Batch, TextBuffer
from glue_jobs.reading.envelopes import HELD_BYTES, Envelopes
from glue_jobs.reading.lines import (
    KEPT_BYTES,
    MAX_LINE_BYTES,
    SEGMENT_BYTES,
    Rejected,
    Segment,
    UnreadableError,
)
from glue_jobs.reading.plain_lines import PlainLines
from glue_jobs.reading.record_path import EACH
from glue_jobs.reading.recovery import MOST_INDENTATION, Recovery, breaks_off, first_name, last_sign
from glue_jobs.reading.scan import Scan, Seen
from glue_jobs.reading.structure import Fault, Openness, structure_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from glue_jobs.reading.record_path import RecordPath
    from glue_jobs.reading.structure import Structure

# Small pieces are gathered to so many bytes.
STEP_BYTES: Final = 1_048_576
# Bytes whose structure is looked for at once: few where something was broken, more where all goes well.
_FIRST_WINDOW: Final = 4096
_WIDEST_WINDOW: Final = 262_144
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_LIST, _CLOSE_LIST = b"{}[]"
_COMMA, _COLON = b",:"
_WHITE: Final = b" \t\r\n"
_WHITE_RUN: Final = re.compile(rb"[ \t\r\n]*")
_BETWEEN_LINES: Final = _WHITE_RUN
_BETWEEN_OBJECTS: Final = re.compile(rb"(?:[ \t\r\n,\x1e]|\\[rn])*")
_GAP_BETWEEN_OBJECTS: Final = _BETWEEN_OBJECTS
_GAP_BETWEEN_ITEMS: Final = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
# What may stand behind an object that stands for itself.
_BEHIND: Final = re.compile(rb"[ \t\r]*(?:,[ \t\r]*)*(?:([\n{\[\x1e]|\\[rn])|(\\?\Z))")
_LONE_RETURN: Final = re.compile(rb"\r(?!\n)")
# Of a segment; a run of plain lines that is smaller is joined with what is around it.
_RUN_SHARE: Final = 8
# A line up to so long is looked at by itself where it may be cut short.
_SHORT_LINE_BYTES: Final = 4096
# By so much of what waits for its end more is read before it is looked for again.
_GROWTH_SHARE: Final = 4
# So much of what is broken stays in sight, so that what tells the next element is seen whole.
_OVERLAP_BYTES: Final = 4096
# Beyond so much that was looked at in vain, what is broken is left behind up to where it was seen to be.
_VAIN_BYTES: Final = 256 * 1_048_576
_VAIN_SHARE: Final = 4

_INVALID: Final = "invalid JSON: "
# Which say by themselves what is wrong.
_WHOLE_REASONS: Final = (_INVALID, "cut short", "longer than")
CUT_SHORT: Final = "cut short: the file ends before it does"
NEXT_BEGINS: Final = "cut short: the next one begins before it ends"
MORE_FOLLOWS: Final = "more follows in its line"


class _Beginning:
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
class _Frame:
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
    beginning: _Beginning | None = None
    indentation: int = 0
    is_root: bool = False
    is_found: bool = False
    is_behind: bool = False
    members: list[bytes] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True)
class _Open:
    """What is known of an item whose end has not come.

    Attributes:
        scanned: up to which position in the buffer it was looked at.
        openness: what is open there.
        seen: its signs so far.
    """

    scanned: int
    openness: Openness
    seen: Seen | None

    def moved(self, done: int) -> _Open:
        """Return the same, where some bytes have left the buffer."""
        seen = self.seen and Seen(self.seen.places - done, self.seen.signs, self.seen.levels)
        return _Open(self.scanned - done, self.openness, seen)


@dataclass
class _Broken:
    """What is broken, while the next element is looked for.

    Attributes:
        beginning: of it.
        reason: what is wrong with it.
        recovery: what tells the next element.
    """

    beginning: _Beginning
    reason: str
    recovery: Recovery


class ElementReader:
    """Finds records in the pieces of one file; each comes as one line of a segment.

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
        self._frames = [_Frame(0)]
        # All before it is done.
        self._position = 0
        self._is_line_start = True
        self._is_final = False
        self._needed = 0
        self._window = _FIRST_WINDOW
        self._batch = Batch()
        self._out: list[Segment | Rejected] = []
        self._waiting: Iterator[tuple[bytes, int, int]] | None = None
        self._plain: PlainLines | None = None
        self._broken: _Broken | None = None
        self._open: _Open | None = None
        self._last_item = b""
        self._vain_bytes = 0

    def segments(self, pieces: Iterable[bytes]) -> Iterator[Segment | Rejected]:
        """Yield what the pieces hold, in order; what is broken comes as rejected."""
        failure: UnreadableError | None = None
        try:
            if self._finds_objects:
                pieces = _with_newlines(pieces)
            for piece in _gathered(pieces, self._step_bytes):
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

    # What stands for itself: plain lines, what is no value, and the beginnings of values.

    def _begin_value(self) -> bool | None:
        """Go on to the next value; None where it is to be scanned from here."""
        data, position = self._buffer.data, self._position
        pattern = _BETWEEN_OBJECTS if self._finds_objects else _BETWEEN_LINES
        match = pattern.match(data, position)
        start = match.end() if match else position
        newline = data.rfind(b"\n", position, start)
        line_start = position if newline < 0 else newline + 1
        begins_line = (newline >= 0 or self._begins_line(position)) and not data[line_start:start].strip(
            _WHITE
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
            if is_short and data[start] == _OPEN_OBJECT and breaks_off(data, start, end, start - line_start):
                self._reject(start, end, NEXT_BEGINS)
                self._position = end
                return True
        if data[start] in b"{[" and (begins_line or self._finds_objects):
            return None
        return self._reject_line(start, begins_line)

    def _begins_line(self, position: int) -> bool:
        return self._buffer.data[position - 1] == ord("\n") if position else self._is_line_start

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
        self._window = _FIRST_WINDOW
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
            self._reject(start, end, f"invalid JSON: {MORE_FOLLOWS}")
        self._position = end
        return True

    @property
    def _too_long(self) -> str:
        return f"longer than {self._max_bytes:,} bytes"

    # The structure of a value.

    def _scan(self) -> bool:
        data, frames, before = self._buffer.data, self._frames, self._open
        if before is None:
            around = bytes(frame.sign for frame in frames[1:])
            before = _Open(self._position, Openness(around), None)
        start = before.scanned
        end = min(len(data), start + self._window)
        structure = structure_of(data[start:end], before.openness, not self._finds_objects)
        scan = Scan(before.seen, structure, start, self._deepest_level(structure), self._position)
        goes_on = True
        while goes_on and not scan.is_over:
            frame = frames[-1]
            if frame.sign == _OPEN_OBJECT:
                goes_on = self._in_object(frame, scan)
            elif frame.sign == _OPEN_LIST:
                goes_on = self._in_list(frame, scan)
            else:
                goes_on = self._in_top(scan)
        self._position = scan.mark
        self._open = None
        self._window = min(2 * self._window, _WIDEST_WINDOW)
        if scan.is_left:
            return not scan.needs_more
        if structure.fault is None and end == len(data) and self._is_final:
            self._take_last(scan, structure)
        item = self._item_start(self._position)
        if len(frames) == 1 and item < len(data) and data[item] not in b"{[":
            # No value begins there, so that signs behind it tell nothing.
            return True
        fault = structure.fault or self._fault_of(structure, item, start, end)
        if fault is not None:
            self._break_item(item, start + fault.at, fault.reason)
            return True
        if end == len(data) and self._is_final:
            return False
        self._open = _Open(end, structure.after, scan.seen(len(frames) - 1))
        if end == len(data):
            pending = len(data) - self._position
            self._needed = pending + pending // _GROWTH_SHARE + 1
        return end < len(data)

    def _take_last(self, scan: Scan, structure: Structure) -> None:
        """Take the item with which a file ends, though its array does not."""
        frame, end, last = self._frames[-1], len(self._buffer.data), scan.last()
        depth = len(self._frames) - 1
        if frame.sign != _OPEN_LIST or frame.step < len(self._steps) or last is None:
            return
        place, sign, level = last
        is_closed = len(structure.after.around) == depth and not structure.after.in_text
        if is_closed and sign in b"}]" and level == depth and self._white_until(place + 1, end):
            self._take_item(frame, self._position, end, is_record=True)
            self._position = end

    def _deepest_level(self, structure: Structure) -> int:
        """Return up to which level signs are looked at."""
        is_in_list = (
            len(self._frames) > 1 and self._frames[1].sign == _OPEN_LIST and not self._frames[1].is_root
        )
        outermost = structure.signs[structure.levels == 0] if self._finds_objects else structure.signs[:0]
        has_list = is_in_list or bool((outermost == _OPEN_LIST).any())
        return len(self._steps) + has_list

    def _item_start(self, mark: int) -> int:
        frame = self._frames[-1]
        is_between = not frame.sign and self._finds_objects
        match = (_BETWEEN_OBJECTS if is_between else _WHITE_RUN).match(self._buffer.data, mark)
        return match.end() if match else mark

    def _fault_of(self, structure: Structure, item: int, start: int, end: int) -> Fault | None:
        """Return what is wrong with an item that has no end in sight; None where more bytes may end it."""
        data = self._buffer.data
        if end == len(data) and self._is_final:
            if item >= len(data) and len(self._frames) == 1:
                return None
            # What begins within it tells more of where it breaks off.
            return self._misplaced(structure, item, start, end) or Fault(len(data) - start, CUT_SHORT)
        if self._finds_objects and (found := self._misplaced(structure, item, start, end)) is not None:
            return found
        if len(data) - item > self._max_bytes and end == len(data):
            return Fault(len(data) - start, self._too_long)
        return None

    def _misplaced(self, structure: Structure, item: int, start: int, end: int) -> Fault | None:
        data, level = self._buffer.data, len(self._frames) - 1
        indentation = max(self._indentation(item), self._outer_indentation(item))
        pattern = re.compile(rb"\n[ \t]{0,%d}(,?)[ \t]*(\{)" % min(indentation, MOST_INDENTATION))
        # What stands before the window was looked at with it.
        for match in pattern.finditer(data, max(item, start - 2 * MOST_INDENTATION), end):
            place = match.start(2) - start
            before = ord(",") if match[1] else last_sign(data, match.start())
            if place >= 0 and structure.is_misplaced(place, before, level):
                return Fault(place, NEXT_BEGINS)
        return None

    def _indentation(self, item: int) -> int:
        """Return how far an item is indented where it begins its line; else 0."""
        data = self._buffer.data
        earliest = max(0, item - MOST_INDENTATION - 1)
        line_start = data.rfind(b"\n", earliest, item) + 1
        before = data[max(line_start, earliest) : item]
        return 0 if before.strip(b" \t,[") else len(before)

    def _outer_indentation(self, item: int) -> int:
        return self._frames[1].indentation if len(self._frames) > 1 else self._indentation(item)

    def _in_top(self, scan: Scan) -> bool:
        """Take values that stand for themselves, up to the beginning of one that is walked."""
        data = self._buffer.data
        begin = -1
        if not self._steps:
            self._take_pairs(scan, 0, _GAP_BETWEEN_OBJECTS)
        while not scan.is_over:
            place, sign, level = scan.next()
            if level:
                continue
            if sign in b"{[":
                between = _BETWEEN_OBJECTS if self._finds_objects else _BETWEEN_LINES
                match = between.match(data, scan.mark)
                is_next = match is not None and match.end() == place
                if not is_next or not (self._finds_objects or self._starts_line(scan.mark, place)):
                    scan.is_left = True
                    return False
                if self._walk(sign, 0, place):
                    scan.mark = place + 1
                    return True
                begin = place
            elif sign in b"}]" and begin >= 0:
                if self._steps:
                    self._reject_pathless(begin, place + 1, 0)
                elif (behind := _BEHIND.match(data, place + 1)) is None:
                    self._break_item(begin, place + 1, f"invalid JSON: {MORE_FOLLOWS}")
                    scan.mark, scan.is_left = self._position, True
                    return False
                elif behind[1] is None and not self._is_final:
                    self._needed = len(data) - scan.mark + 1
                    scan.is_left = scan.needs_more = True
                    return False
                else:
                    self._take(begin, place + 1)
                begin = -1
                scan.mark = place + 1
        return True

    def _starts_line(self, mark: int, place: int) -> bool:
        return b"\n" in self._buffer.data[mark:place] or self._begins_line(mark)

    def _walk(self, sign: int, step: int, place: int) -> bool:
        """Enter a value if it is on the way to the records."""
        frames, steps = self._frames, self._steps
        is_in_top = len(frames) == 1
        if is_in_top and self._finds_objects and sign == _OPEN_LIST and steps[:1] != (EACH,):
            frame = _Frame(sign, 0)
        elif step < len(steps) and sign == (_OPEN_LIST if steps[step] is EACH else _OPEN_OBJECT):
            is_root = is_in_top or (
                len(frames) == 2 and not frames[1].is_root and frames[1].sign == _OPEN_LIST
            )
            frame = _Frame(sign, step + (steps[step] is EACH), is_root=is_root)
            if sign == _OPEN_OBJECT and self._envelopes is not None:
                self._envelopes.begin(self._level(step))
        else:
            return False
        frame.beginning = _Beginning(self._buffer, self._buffer.offset + place)
        frame.indentation = self._indentation(place)
        frames.append(frame)
        return True

    def _level(self, step: int) -> int:
        return sum(name is not EACH for name in self._steps[:step])

    def _in_list(self, frame: _Frame, scan: Scan) -> bool:
        depth = len(self._frames) - 1
        is_record = frame.step == len(self._steps)
        if is_record and not frame.is_behind:
            self._take_pairs(scan, depth, _GAP_BETWEEN_ITEMS)
        while not scan.is_over:
            place, sign, level = scan.next()
            if level > depth:
                continue
            if level == depth:
                if sign == _COMMA:
                    self._take_item(frame, scan.mark, place, is_record)
                    scan.mark = place + 1
                elif (
                    sign in b"{["
                    and not (is_record or frame.is_behind)
                    and self._white_until(scan.mark, place)
                    and self._walk(sign, frame.step, place)
                ):
                    scan.mark = place + 1
                    return True
                continue
            self._take_item(frame, scan.mark, place, is_record)
            return self._leave(place, scan)
        return True

    def _take_pairs(self, scan: Scan, level: int, gap: re.Pattern[bytes]) -> None:
        """Take records that stand one after the other, many at once, but for the last one in sight.

        Args:
            scan: at the beginning of the first.
            level: of their brackets.
            gap: what is between two.
        """
        found = scan.pairs(level)
        if found is None or not self._white_until(scan.mark, found.opens[0]):
            return
        data = self._buffer.data
        count = found.regular(
            np.frombuffer(data, np.uint8), lambda start, end: gap.fullmatch(data, start, end)
        )
        opens, closes = found.opens[:count], found.closes[:count]
        if not count:
            return
        if int((closes - opens).max()) >= self._max_bytes:
            return
        texts = [data[start:end] for start, end in zip(opens.tolist(), (closes + 1).tolist(), strict=True)]
        if self._finds_objects and data.find(b"\n", int(opens[0]), int(closes[-1])) >= 0:
            texts = [text.replace(b"\n", b" ") for text in texts]
        self._last_item = texts[-1]
        if self._envelopes is None:
            self._batch.add_all(texts, opens)
        else:
            lines = self._buffer.line + np.searchsorted(self._buffer.newlines, opens)
            self._envelopes.add(texts, lines.tolist(), (self._buffer.offset + opens).tolist())
        scan.skip(found, count, is_after_comma=gap is _GAP_BETWEEN_ITEMS)

    def _white_until(self, mark: int, place: int) -> bool:
        match = _WHITE_RUN.match(self._buffer.data, mark)
        return match is not None and match.end() == place

    def _take_item(self, frame: _Frame, mark: int, end: int, is_record: bool) -> None:
        match = _WHITE_RUN.match(self._buffer.data, mark, end)
        start = match.end() if match else mark
        if frame.is_behind:
            frame.is_behind = False
            if start < end:
                self._reject(start, end, "invalid JSON: a comma or a closing bracket was expected")
        elif start >= end:
            return
        elif is_record:
            self._take(start, end)
        else:
            self._reject_pathless(start, end, frame.step)

    def _in_object(self, frame: _Frame, scan: Scan) -> bool:
        depth = len(self._frames) - 1
        value_at, is_walked = -1, False
        while not scan.is_over:
            place, sign, level = scan.next()
            if level > depth:
                continue
            if level == depth and sign == _COLON and value_at < 0:
                value_at = place + 1
                is_walked = self._is_name(scan.mark, place, frame.step)
            elif level == depth and sign in b"{[":
                is_on_path = is_walked and not frame.is_found and frame.step + 1 < len(self._steps)
                if not is_on_path or not self._white_until(value_at, place):
                    continue
                if self._walk(sign, frame.step + 1, place):
                    frame.is_found = True
                    scan.mark = place + 1
                    return True
            elif sign == _COMMA or level < depth:
                if not self._take_member(frame, scan.mark, place, value_at if is_walked else -1):
                    scan.is_left = True
                    scan.mark = self._position
                    return False
                value_at, is_walked = -1, False
                if level < depth:
                    return self._leave(place, scan)
                scan.mark = place + 1
        return True

    def _is_name(self, start: int, end: int, step: int) -> bool:
        text = self._buffer.data[start:end].strip(_WHITE)
        try:
            return bool(json.loads(text) == self._steps[step])
        except (ValueError, RecursionError):
            return False

    def _take_member(self, frame: _Frame, start: int, end: int, walked_at: int) -> bool:
        """Take a whole member of an envelope.

        Args:
            frame: the envelope.
            start: of the member, with white space around it.
            end: of it.
            walked_at: where the value of a member begins whose name is the path's; -1 of another one.

        Returns:
            Whether the envelope can go on.
        """
        text = self._buffer.data[start:end].strip(_WHITE)
        if frame.is_behind:
            frame.is_behind = False
            if not text:
                return True
        if not text:
            return True
        start += self._buffer.data[start:end].index(text)
        if walked_at >= 0 and frame.is_found:
            self._reject(start, end, "a name occurs twice in one object")
        elif walked_at >= 0 and frame.step + 1 == len(self._steps):
            frame.is_found = True
            value = self._item_start(walked_at)
            self._take(value, value + len(self._buffer.data[value:end].rstrip(_WHITE)))
        elif self._envelopes is not None and walked_at < 0:
            frame.members.append(text.replace(b"\n", b" "))
            frame.size += len(text)
            if frame.size > self._max_bytes:
                self._break_item(start, end, self._too_long)
                return False
        return True

    def _leave(self, place: int, scan: Scan) -> bool:
        """End the innermost object or list, whose closing sign is at a place; return whether to go on."""
        frame = self._frames[-1]
        if frame.beginning is not None and frame.sign == _OPEN_OBJECT and not frame.is_found:
            self._reject_begun(frame.beginning, place + 1, self._pathless_reason(frame.step))
        self._pop()
        scan.mark = place + 1
        # Of a large envelope records go step by step, and meanwhile no others are taken.
        scan.is_left = self._waiting is not None
        return not scan.is_left

    def _pop(self) -> None:
        frame = self._frames.pop()
        self._frames[-1].is_behind = True
        if frame.sign == _OPEN_OBJECT and self._envelopes is not None:
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

    # Records and rejected records.

    def _take(self, start: int, end: int) -> None:
        text = self._buffer.data[start:end]
        if b"\n" in text:
            text = text.replace(b"\n", b" ")
        text = text.rstrip(_WHITE)
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
        while end > start and buffer.data[end - 1] in _WHITE:
            end -= 1
        self._add_rejected(
            buffer.line_of(start), buffer.offset + start, reason, buffer.data[start:end], end - start
        )

    def _add_rejected(self, line: int, offset: int, reason: str, raw: bytes, length: int) -> None:
        raw, is_whole = raw[:KEPT_BYTES], length <= KEPT_BYTES
        self._out.append(Rejected(line, offset, reason, raw, None if is_whole else length))

    def _reject_begun(self, beginning: _Beginning, end: int, reason: str) -> None:
        """Reject what began somewhere, up to a position in the buffer."""
        length = self._buffer.offset + end - beginning.offset
        raw = beginning.upto(end)
        if len(raw) == length:
            raw = raw.rstrip(_WHITE + b",\x1e")
            length = len(raw)
        self._add_rejected(beginning.line, beginning.offset, reason, raw, length)

    def _flush(self) -> None:
        self._out.extend(self._batch.take(self._buffer))

    # What is broken.

    def _break_item(self, start: int, fail: int, reason: str) -> None:
        """Reject an item, and go on at the next one."""
        frame = self._frames[-1]
        in_list = frame.sign == _OPEN_LIST
        knows_place = in_list and (self._envelopes is None or self._path.arrays < 2)
        name = None
        if knows_place and reason != self._too_long:
            name = first_name(self._last_item) or first_name(
                self._buffer.data[start : start + _OVERLAP_BYTES]
            )
        is_whole = reason.startswith(_WHOLE_REASONS)
        recovery = Recovery(
            self._indentation(start),
            self._outer_indentation(start),
            knows_place,
            name,
            ends_at_line=not self._finds_objects,
        )
        self._break(start, fail, reason if is_whole else f"{_INVALID}{reason}", recovery)

    def _break(self, start: int, fail: int, reason: str, recovery: Recovery) -> None:
        buffer = self._buffer
        self._vain_bytes += max(0, fail - start)
        is_in_vain = self._vain_bytes > _VAIN_BYTES + _VAIN_SHARE * buffer.offset
        self._position = max(start + 1, fail - _OVERLAP_BYTES) if is_in_vain else start + 1
        beginning = self._frames[-1].beginning
        if beginning is None or self._frames[-1].sign == _OPEN_LIST or self._frames[-1].is_found:
            beginning = _Beginning(buffer, buffer.offset + start)
        # Else nothing of the object became a record, so all of it is what is rejected.
        self._broken = _Broken(beginning, reason, recovery)
        self._open = None
        self._window = _FIRST_WINDOW

    def _look_for_next(self) -> bool:
        broken, buffer = self._broken, self._buffer
        if broken is None:
            return False
        restart = broken.recovery.next_after(buffer.data, self._position)
        if restart is None and not self._is_final:
            self._position = max(self._position, len(buffer.data) - _OVERLAP_BYTES)
            self._needed = len(buffer.data) - self._position + 1
            return False
        end = len(buffer.data) if restart is None else restart.at
        self._broken = None
        self._reject_begun(broken.beginning, end, broken.reason)
        self._position = end
        if restart is None or not restart.is_element:
            while len(self._frames) > 1:
                self._pop()
        self._frames[-1].is_behind = False
        return True

    def _end_unread(self, failure: UnreadableError) -> None:
        """Reject what is left of a file of which the rest can't be read."""
        buffer = self._buffer
        beginning = _Beginning(buffer, buffer.offset + self._item_start(self._position))
        if self._broken is not None:
            beginning = self._broken.beginning
        line, offset, raw = beginning.line, beginning.offset, beginning.upto(len(buffer.data))
        raw = raw or failure.raw[:KEPT_BYTES]
        while len(self._frames) > 1:
            self._pop()
        self._out.append(
            Rejected(line, offset, str(failure), raw, ends_file=True, unread_bytes=failure.unread_bytes)
        )


def _gathered(pieces: Iterable[bytes], step_bytes: int) -> Iterator[bytes]:
    """Join small pieces, and cut those that are larger than a segment."""
    waiting: list[bytes] = []
    size = 0
    step_bytes = max(step_bytes, len(codecs.BOM_UTF8))
    try:
        for piece in pieces:
            if not waiting and len(piece) >= step_bytes:
                for start in range(0, len(piece), SEGMENT_BYTES):
                    yield piece[start : start + SEGMENT_BYTES]
                continue
            waiting.append(piece)
            size += len(piece)
            del piece
            if size >= step_bytes:
                joined = b"".join(waiting)
                waiting.clear()
                size = 0
                yield joined
                del joined
    except UnreadableError as error:
        if waiting:
            yield b"".join(waiting)
        raise error from None
    if waiting:
        yield b"".join(waiting)


def _with_newlines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    r"""Turn lone \r into \n where the first line of a file ends with one; places stay as they are."""
    ends_with_return: bool | None = None
    held = b""
    for piece in pieces:
        if ends_with_return is False:
            yield piece
            continue
        whole = held + piece
        held = b""
        if whole.endswith(b"\r"):
            # What follows tells whether it stands alone.
            whole, held = whole[:-1], b"\r"
        if ends_with_return is None:
            newline, lone = whole.find(b"\n"), _LONE_RETURN.search(whole)
            if lone is None and newline < 0:
                if whole:
                    yield whole
                continue
            ends_with_return = lone is not None and (newline < 0 or lone.start() < newline)
        if ends_with_return:
            whole = _LONE_RETURN.sub(b"\n", whole) if b"\n" in whole else whole.replace(b"\r", b"\n")
        else:
            whole, held = whole + held, b""
        if whole:
            yield whole
    if held:
        yield b"\n" if ends_with_return else held
