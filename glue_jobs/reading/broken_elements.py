"""What is broken is rejected, and reading goes on behind it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from glue_jobs.reading.element_parts import Beginning, Broken
from glue_jobs.reading.element_state import INVALID, OPEN_LIST, ElementState
from glue_jobs.reading.lines import KEPT_BYTES, Rejected
from glue_jobs.reading.recovery import MOST_INDENTATION, Recovery, first_name, last_sign
from glue_jobs.reading.structure import Fault

if TYPE_CHECKING:
    from glue_jobs.reading.lines import UnreadableError
    from glue_jobs.reading.structure import Structure

# So much of what is broken stays in sight, so that what tells the next element is seen whole.
_OVERLAP_BYTES: Final = 4096
# Beyond so much that was looked at in vain, what is broken is left behind up to where it was seen to be.
_VAIN_BYTES: Final = 256 * 1_048_576
_VAIN_SHARE: Final = 4
# Which say by themselves what is wrong.
_WHOLE_REASONS: Final = (INVALID, "cut short", "longer than")
CUT_SHORT: Final = "cut short: the file ends before it does"
NEXT_BEGINS: Final = "cut short: the next one begins before it ends"


class BrokenElements(ElementState):
    """Tells what is wrong with an element that does not end, and where the next one begins."""

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

    def _break_item(self, start: int, fail: int, reason: str) -> None:
        """Reject an item, and go on at the next one."""
        frame = self._frames[-1]
        in_list = frame.sign == OPEN_LIST
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
        self._break(start, fail, reason if is_whole else f"{INVALID}{reason}", recovery)

    def _break(self, start: int, fail: int, reason: str, recovery: Recovery) -> None:
        buffer = self._buffer
        self._vain_bytes += max(0, fail - start)
        is_in_vain = self._vain_bytes > _VAIN_BYTES + _VAIN_SHARE * buffer.offset
        self._position = max(start + 1, fail - _OVERLAP_BYTES) if is_in_vain else start + 1
        beginning = self._frames[-1].beginning
        if beginning is None or self._frames[-1].sign == OPEN_LIST or self._frames[-1].is_found:
            beginning = Beginning(buffer, buffer.offset + start)
        # Else nothing of the object became a record, so all of it is what is rejected.
        self._broken = Broken(beginning, reason, recovery)
        self._open = None
        self._narrow_window()

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
        beginning = Beginning(buffer, buffer.offset + self._item_start(self._position))
        if self._broken is not None:
            beginning = self._broken.beginning
        line, offset, raw = beginning.line, beginning.offset, beginning.upto(len(buffer.data))
        raw = raw or failure.raw[:KEPT_BYTES]
        while len(self._frames) > 1:
            self._pop()
        self._out.append(
            Rejected(line, offset, str(failure), raw, ends_file=True, unread_bytes=failure.unread_bytes)
        )
