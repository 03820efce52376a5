"""How a file's text becomes records."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from glue_jobs.reading.elements import ElementReader
from glue_jobs.reading.lines import LineCutter, Rejected, Segment
from glue_jobs.reading.record_path import RecordPath

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# So much of a file tells what it looks like.
_HEAD_BYTES: Final = 65_536
_LOOKED_AT: Final = 10
_WRITTEN_NEWLINE: Final = re.compile(rb"\}[ \t]*(?:\\r)?\\n[ \t]*(?:\{|\Z)")
_ADJACENT: Final = re.compile(rb"\}[ \t]*\{")
_COMMAS: Final = re.compile(rb"\}[ \t]*,[ \t\r]*\n?\{")


class RecordFormat(Enum):
    """What separates records; the value is that of the setting."""

    LINES = "lines"
    AUTO = "auto"


@dataclass(frozen=True)
class Reading:
    """How the files of a dataset are read.

    Attributes:
        format: what separates records.
        path: where in each value they are.
        keeps_envelope: whether each gets the rest of its envelope as `_envelope`.
    """

    format: RecordFormat = RecordFormat.LINES
    path: RecordPath = field(default_factory=RecordPath)
    keeps_envelope: bool = False


class FileReader:
    """Reads one file's text as records.

    Args:
        reading: how.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._head: list[bytes] = []

    def segments(self, pieces: Iterable[bytes]) -> Iterator[Segment | Rejected]:
        """Yield what the pieces hold: segments, and what can't be in one as rejected.

        Args:
            pieces: the file's text in UTF-8; where they raise UnreadableError, what came before is taken.
        """
        pieces = self._watched(pieces)
        if self._reading.format is RecordFormat.LINES and not self._reading.path.steps:
            return LineCutter().segments(pieces)
        return ElementReader(
            self._reading.format is RecordFormat.AUTO, self._reading.path, self._reading.keeps_envelope
        ).segments(pieces)

    def why_no_record(self) -> str:
        """Return why nothing in the file was a record, as far as its beginning tells."""
        reading = self._reading
        if reading.path.steps:
            return f"nothing in it is a record at RECORD_PATH {reading.path.text}"
        if reading.format is RecordFormat.AUTO:
            return "nothing in it is a record"
        likeness = likeness_of(b"".join(self._head))
        if likeness is None:
            return "none of its lines is a record"
        return f"none of its lines is a record; it looks like {likeness}, which RECORD_FORMAT auto reads"

    def _watched(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        missing = _HEAD_BYTES
        for piece in pieces:
            if missing:
                self._head.append(piece[:missing])
                missing -= len(self._head[-1])
            yield piece
            # A small file comes in one piece, which must not outlive its use.
            del piece


def likeness_of(head: bytes) -> str | None:  # noqa: PLR0911 - a table
    """Return what a file looks like whose lines are no records, in words.

    Args:
        head: its beginning.

    Returns:
        None where it does not begin with an object that the format `auto` would find.
    """
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    found = ElementReader(finds_objects=True, path=RecordPath(), keeps_envelope=False).segments([head])
    lines = [line for segment in found if isinstance(segment, Segment) for line in segment.data.split(b"\n")]
    if not any(map(_is_object, lines[:_LOOKED_AT])):
        return None
    if text.startswith(b"["):
        return "one array of objects"
    if b"\x1e" in head:
        return "objects with record separators between them"
    if b"\n" not in head.strip() and b"\r" in head.strip():
        return "lines that end with a carriage return alone"
    if _WRITTEN_NEWLINE.search(head):
        return "objects with a backslash and an n between them"
    if _ADJACENT.search(head):
        return "objects with nothing between them"
    return "objects with commas between them" if _COMMAS.search(head) else "objects over several lines"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
