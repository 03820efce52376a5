"""A file's bytes as the UTF-8 text that they stand for: unpacked and decoded, or refused in one word."""

from __future__ import annotations

import codecs
from itertools import chain
from typing import TYPE_CHECKING, Final

from glue_jobs.reading.kinds import HEAD_BYTES, encoding_of, foreign_kind, packing_of
from glue_jobs.reading.lines import KEPT_BYTES, UnreadableError
from glue_jobs.reading.unpacking import Progress, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glue_jobs.reading.kinds import Encoding

# At once: what a damaged step holds is lost, and text takes up to four times its bytes.
_DECODED_BYTES: Final = 65_536
_READ: Final = "plain text, gzip, zstd, bzip2, xz, lz4 frames or snappy frames"


def content_of(pieces: Iterator[bytes], progress: Progress | None = None) -> Iterator[bytes]:
    """Yield a file's text in UTF-8, whatever it is packed in and by whichever mark it is encoded.

    A UTF-8 mark stays. Of UTF-16 and UTF-32 the mark is left out, and an unpaired surrogate becomes bytes
    that are no UTF-8, so that its line alone is at fault.

    Args:
        pieces: the file's bytes.
        progress: is kept up.

    Raises:
        UnreadableError: it is packed twice, damaged, cut short, or none of what is read.
    """
    progress = Progress() if progress is None else progress
    head, pieces = _head(pieces)
    packing = packing_of(head)
    if packing is None:
        within = ""
        pieces = _counted(pieces, progress)
    else:
        within = f" within {packing.value}"
        head, pieces = _head(unpack(pieces, packing, progress))
        twice = packing_of(head)
        if twice is not None:
            progress.packed = 0
            raise UnreadableError(f"packed twice: {twice.value}{within}; pack it once", head[:KEPT_BYTES])
    encoding = encoding_of(head)
    if encoding is not None:
        yield from _decoded(pieces, *encoding)
        return
    kind = foreign_kind(head)
    if kind is not None:
        progress.packed = 0
        raise UnreadableError(f"{kind}{within}, expected {_READ}", head[:KEPT_BYTES])
    yield from pieces


def _head(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, and all pieces again; what fails in between fails when it is reached again."""
    first: list[bytes] = []
    size = 0
    try:
        while size < HEAD_BYTES:
            piece = next(pieces, None)
            if piece is None:
                break
            first.append(piece)
            size += len(piece)
    except UnreadableError as error:
        return b"".join(first)[:HEAD_BYTES], _failing(first, error)
    head = first[0][:HEAD_BYTES] if len(first) == 1 else b"".join(first)[:HEAD_BYTES]
    return head, chain(_emptied(first), pieces)


def _emptied(pieces: list[bytes]) -> Iterator[bytes]:
    # No reference stays: a small file comes in one piece, which must not outlive its use.
    while pieces:
        yield pieces.pop(0)


def _failing(pieces: list[bytes], error: UnreadableError) -> Iterator[bytes]:
    yield from _emptied(pieces)
    raise error


def _counted(pieces: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    for piece in pieces:
        progress.packed += len(piece)
        progress.content += len(piece)
        yield piece
        del piece


def _decoded(pieces: Iterator[bytes], encoding: Encoding, mark_bytes: int) -> Iterator[bytes]:
    name = encoding.value.upper()
    decoder = codecs.getincrementaldecoder(encoding.value)("surrogatepass")
    to_skip = mark_bytes
    try:
        for piece in pieces:
            skipped = min(to_skip, len(piece))
            to_skip -= skipped
            for start in range(skipped, len(piece), _DECODED_BYTES):
                text = decoder.decode(piece[start : start + _DECODED_BYTES])
                yield text.encode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"damaged {name}", b"") from error
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{name} cut short within a character", b"") from error
