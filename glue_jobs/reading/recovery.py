"""Where reading goes on behind an element that is broken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WHITE: Final = b" \t\r\n"
_ADJACENT: Final = re.compile(rb"\}[ \t\r\x1e]*(\{)[ \t\r\n]*[\"}]")
_SEPARATED: Final = re.compile(rb"\x1e[ \t\r\n\x1e]*(\{)")
_OBJECT_IN_LINE: Final = re.compile(rb"([ \t]*)\{")
_SIGNS_OR_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|["{}\[\]]', re.DOTALL)
_FIRST_NAME: Final = re.compile(rb'\s*\{\s*("(?:[^"\\\n]|\\.)*+")')
# The next element is mostly near, so that little is looked through first.
_SIGHTS: Final = (4096, 65_536, 1_048_576)
MOST_INDENTATION: Final = 1000


@dataclass(frozen=True)
class Restart:
    """A place to go on.

    Attributes:
        at: where an object begins.
        is_element: whether it is another item of the same array; else it stands for itself.
    """

    at: int
    is_element: bool


@dataclass(frozen=True)
class Recovery:
    """What tells the next element, whatever the broken one holds.

    Attributes:
        indentation: of the broken element: a line that begins with { and as much white space or less is next.
        outer_indentation: of what stands for itself and contains it.
        in_list: whether it is an item of an array.
        first_name: a name, in its quotes, with which items of the array begin; None where that tells nothing.
        ends_at_line: whether the next line is next, whatever it begins with.
    """

    indentation: int
    outer_indentation: int
    in_list: bool
    first_name: bytes | None
    ends_at_line: bool

    def next_after(self, data: bytes, start: int) -> Restart | None:
        """Return where to go on behind the byte at `start`; None where these bytes do not show it."""
        for size in _SIGHTS:
            restart = self._within(data, start, min(len(data), start + size))
            if restart is not None or start + size >= len(data):
                return restart
        return self._within(data, start, len(data))

    def _within(self, data: bytes, start: int, end: int) -> Restart | None:
        found: list[Restart] = []
        if self.ends_at_line:
            newline = data.find(b"\n", start, end)
            if newline >= 0:
                end = newline
                found.append(Restart(newline + 1, is_element=False))
        else:
            if (line := self._next_line(data, start, end)) is not None:
                found.append(line)
                end = line.at
            for pattern in (_ADJACENT, _SEPARATED):
                if (match := pattern.search(data, start, end)) is not None:
                    found.append(Restart(match.start(1), is_element=False))
                    end = match.start(1)
        if self.in_list and self.first_name is not None:
            pattern = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*(\{)[ \t\r\n]*" + re.escape(self.first_name))
            if (match := pattern.search(data, start, end)) is not None:
                found.append(Restart(match.start(1), is_element=True))
        return min(found, key=lambda restart: restart.at, default=None)

    def _next_line(self, data: bytes, start: int, end: int) -> Restart | None:
        widest = min(max(self.indentation, self.outer_indentation), MOST_INDENTATION)
        pattern = re.compile(rb"\n([ \t]{0,%d})(,[ \t]*)?(\{)" % widest)
        for match in pattern.finditer(data, start, end):
            follows_comma = bool(match[2]) or last_sign(data, match.start()) == ord(",")
            if self.in_list and follows_comma and len(match[1]) <= self.indentation:
                return Restart(match.start(3), is_element=True)
            if len(match[1]) <= self.outer_indentation and not (self.in_list and follows_comma):
                return Restart(match.start(3), is_element=False)
        return None


def breaks_off(data: bytes, start: int, end: int, indentation: int) -> bool:
    """Return whether a line is no more than the beginning of an object, and the next line is another one.

    That is what the structure of the bytes would tell as well, at ten times the cost for one short line.

    Args:
        data: the bytes.
        start: of the object.
        end: of the line.
        indentation: of the object in its line.
    """
    following = _OBJECT_IN_LINE.match(data, end + 1)
    if following is None or len(following[1]) > indentation or last_sign(data, end) in b"[,:":
        return False
    if _ADJACENT.search(data, start, end) is not None:
        return False
    depth = 0
    for match in _SIGNS_OR_TEXT.finditer(data, start, end):
        sign = match[0]
        if sign in {b"{", b"["}:
            depth += 1
        elif sign in {b"}", b"]"}:
            depth -= 1
            if not depth:
                return False
        elif sign == b'"':
            return True
    return True


def last_sign(data: bytes, end: int) -> int:
    """Return the last byte before a place that is no white space; 0 where there is none."""
    while end > 0 and data[end - 1] in _WHITE:
        end -= 1
    return data[end - 1] if end else 0


def first_name(text: bytes) -> bytes | None:
    """Return the first name of an object, in its quotes; None where it has none."""
    match = _FIRST_NAME.match(text)
    return match[1] if match else None
