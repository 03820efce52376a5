"""The way through values by their signs: to the items of arrays, and to the records of envelopes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from glue_jobs.reading.broken_elements import BrokenElements
from glue_jobs.reading.element_parts import Beginning, Frame, Open
from glue_jobs.reading.element_state import (
    BETWEEN_OBJECTS,
    COLON,
    COMMA,
    INVALID,
    OPEN_LIST,
    OPEN_OBJECT,
    WHITE,
    WHITE_RUN,
)
from glue_jobs.reading.record_path import EACH
from glue_jobs.reading.scan import Scan
from glue_jobs.reading.single_values import MORE_FOLLOWS
from glue_jobs.reading.structure import Openness, structure_of

if TYPE_CHECKING:
    from glue_jobs.reading.structure import Structure

_GAP_BETWEEN_ITEMS: Final = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
# What may stand behind an object that stands for itself.
_BEHIND: Final = re.compile(rb"[ \t\r]*(?:,[ \t\r]*)*(?:([\n{\[\x1e]|\\[rn])|(\\?\Z))")
# By so much of what waits for its end more is read before it is looked for again.
_GROWTH_SHARE: Final = 4


class ElementWalk(BrokenElements):
    """Walks over the signs of values, window by window."""

    def _scan(self) -> bool:
        data, frames, before = self._buffer.data, self._frames, self._open
        if before is None:
            around = bytes(frame.sign for frame in frames[1:])
            before = Open(self._position, Openness(around), None)
        start = before.scanned
        end = min(len(data), start + self._window)
        structure = structure_of(data[start:end], before.openness, not self._finds_objects)
        scan = Scan(before.seen, structure, start, self._deepest_level(structure), self._position)
        goes_on = True
        while goes_on and not scan.is_over:
            frame = frames[-1]
            if frame.sign == OPEN_OBJECT:
                goes_on = self._in_object(frame, scan)
            elif frame.sign == OPEN_LIST:
                goes_on = self._in_list(frame, scan)
            else:
                goes_on = self._in_top(scan)
        self._position = scan.mark
        self._open = None
        self._widen_window()
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
        self._open = Open(end, structure.after, scan.seen(len(frames) - 1))
        if end == len(data):
            pending = len(data) - self._position
            self._needed = pending + pending // _GROWTH_SHARE + 1
        return end < len(data)

    def _take_last(self, scan: Scan, structure: Structure) -> None:
        """Take the item with which a file ends, though its array does not."""
        frame, end, last = self._frames[-1], len(self._buffer.data), scan.last()
        depth = len(self._frames) - 1
        if frame.sign != OPEN_LIST or frame.step < len(self._steps) or last is None:
            return
        place, sign, level = last
        is_closed = len(structure.after.around) == depth and not structure.after.in_text
        if is_closed and sign in b"}]" and level == depth and self._white_until(place + 1, end):
            self._take_item(frame, self._position, end, is_record=True)
            self._position = end

    def _deepest_level(self, structure: Structure) -> int:
        """Return up to which level signs are looked at."""
        is_in_list = (
            len(self._frames) > 1 and self._frames[1].sign == OPEN_LIST and not self._frames[1].is_root
        )
        outermost = structure.signs[structure.levels == 0] if self._finds_objects else structure.signs[:0]
        has_list = is_in_list or bool((outermost == OPEN_LIST).any())
        return len(self._steps) + has_list

    def _in_top(self, scan: Scan) -> bool:
        """Take values that stand for themselves, up to the beginning of one that is walked."""
        data = self._buffer.data
        begin = -1
        if not self._steps:
            self._take_pairs(scan, 0, BETWEEN_OBJECTS)
        while not scan.is_over:
            place, sign, level = scan.next()
            if level:
                continue
            if sign in b"{[":
                between = BETWEEN_OBJECTS if self._finds_objects else WHITE_RUN
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
                    self._break_item(begin, place + 1, f"{INVALID}{MORE_FOLLOWS}")
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
        if is_in_top and self._finds_objects and sign == OPEN_LIST and steps[:1] != (EACH,):
            frame = Frame(sign, 0)
        elif step < len(steps) and sign == (OPEN_LIST if steps[step] is EACH else OPEN_OBJECT):
            is_root = is_in_top or (
                len(frames) == 2 and not frames[1].is_root and frames[1].sign == OPEN_LIST
            )
            frame = Frame(sign, step + (steps[step] is EACH), is_root=is_root)
            if sign == OPEN_OBJECT and self._envelopes is not None:
                self._envelopes.begin(self._level(step))
        else:
            return False
        frame.beginning = Beginning(self._buffer, self._buffer.offset + place)
        frame.indentation = self._indentation(place)
        frames.append(frame)
        return True

    def _in_list(self, frame: Frame, scan: Scan) -> bool:
        depth = len(self._frames) - 1
        is_record = frame.step == len(self._steps)
        if is_record and not frame.is_behind:
            self._take_pairs(scan, depth, _GAP_BETWEEN_ITEMS)
        while not scan.is_over:
            place, sign, level = scan.next()
            if level > depth:
                continue
            if level == depth:
                if sign == COMMA:
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

    def _take_item(self, frame: Frame, mark: int, end: int, is_record: bool) -> None:
        match = WHITE_RUN.match(self._buffer.data, mark, end)
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

    def _in_object(self, frame: Frame, scan: Scan) -> bool:
        depth = len(self._frames) - 1
        value_at, is_walked = -1, False
        while not scan.is_over:
            place, sign, level = scan.next()
            if level > depth:
                continue
            if level == depth and sign == COLON and value_at < 0:
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
            elif sign == COMMA or level < depth:
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
        text = self._buffer.data[start:end].strip(WHITE)
        try:
            return bool(json.loads(text) == self._steps[step])
        except (ValueError, RecursionError):
            return False

    def _take_member(self, frame: Frame, start: int, end: int, walked_at: int) -> bool:
        """Take a whole member of an envelope.

        Args:
            frame: the envelope.
            start: of the member, with white space around it.
            end: of it.
            walked_at: where the value of a member begins whose name is the path's; -1 of another one.

        Returns:
            Whether the envelope can go on.
        """
        text = self._buffer.data[start:end].strip(WHITE)
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
            self._take(value, value + len(self._buffer.data[value:end].rstrip(WHITE)))
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
        if frame.beginning is not None and frame.sign == OPEN_OBJECT and not frame.is_found:
            self._reject_begun(frame.beginning, place + 1, self._pathless_reason(frame.step))
        self._pop()
        scan.mark = place + 1
        # Of a large envelope records go step by step, and meanwhile no others are taken.
        scan.is_left = self._waiting is not None
        return not scan.is_left
