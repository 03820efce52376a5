"""Text from outside (keys, error messages, column names) as it may be shown in a log, an alert or the UI.

Whoever uploads a file chooses its key. A key with a line break would write a line of its own into a log, one
with a right-to-left mark would read as another name, and a long one would fill a message.
"""

from collections.abc import Mapping
from typing import Any

# A key has up to 1,024 bytes; with a bucket's name and a few escapes this shows it whole.
LONGEST_TEXT = 1_200


def printable(text: str, limit: int = LONGEST_TEXT) -> str:
    r"""Return text that shows as what it is, within a length; doing it again changes nothing. Pure.

    `a<line break>b` becomes `a\nb`. Escaped is what Unicode does not count as printable: control and C1
    characters, line and paragraph separators, bidirectional and other format characters, spaces other than
    the plain one, lone surrogates, and what is not assigned. What is cut off is counted:
    `2026-01-30-aaa... [1,009 more characters]`.

    Args:
        text: whatever came from outside.
        limit: how many characters the result has at most.
    """
    return _bounded(text, limit, keeps="")


def printable_lines(text: str, limit: int) -> str:
    """Return `printable` text that keeps its line breaks and tabs, such as a traceback's; pure."""
    return _bounded(text, limit, keeps="\n\t")


def printable_values(value: Any, limit: int = LONGEST_TEXT) -> Any:
    """Return a value of which every text, names of mappings included, is `printable`; pure.

    Args:
        value: text, numbers, mappings, lists and tuples of these; whatever else stays what it is.
        limit: how many characters each text has at most.
    """
    match value:
        case str():
            return printable(value, limit)
        case Mapping():
            return {
                printable(name, limit) if isinstance(name, str) else name: printable_values(each, limit)
                for name, each in value.items()
            }
        case list() | tuple():
            return [printable_values(each, limit) for each in value]
    return value


def _bounded(text: str, limit: int, *, keeps: str) -> str:
    if len(text) <= limit and text.isprintable():
        return text
    # Each character takes at least one of the result, so that a text of many megabytes is not gone through.
    first, shown = text[: limit + 1], _Shown(keeps)
    whole = first.translate(shown)
    if len(text) <= limit and len(whole) <= limit:
        return whole
    # The count's own length is bounded by that of the greatest count.
    room = limit - len(_cut(len(text)))
    length = kept = 0
    for character in first:
        longer = length + len(shown[ord(character)])
        if longer > room:
            break
        length, kept = longer, kept + 1
    return (whole[:length] + _cut(len(text) - kept))[: max(limit, 0)]


def _cut(count: int) -> str:
    return f"... [{count:,} more characters]"


class _Shown(dict[int, str]):
    """How each character that was met is shown.

    Args:
        keeps: characters that stay although they do not print.
    """

    def __init__(self, keeps: str) -> None:
        super().__init__()
        self._keeps = keeps

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if not character.isprintable() and character not in self._keeps:
            # As Python writes it: \n, \x85, \u202e, \U000e0001, \ud800.
            character = character.encode("unicode_escape").decode("ascii")
        self[code] = character
        return character
