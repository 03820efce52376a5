"""Pieces of a file's text as the reader of elements wants them: not too small, with one kind of line ends."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from glue_jobs.reading.lines import SEGMENT_BYTES, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONE_RETURN: Final = re.compile(rb"\r(?!\n)")


def gathered(pieces: Iterable[bytes], step_bytes: int) -> Iterator[bytes]:
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


def with_newlines(pieces: Iterable[bytes]) -> Iterator[bytes]:
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
