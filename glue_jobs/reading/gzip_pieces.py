"""Gzip unpacked piece by piece, in bounded memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from glue_jobs.reading.lines import KEPT_BYTES, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

GZIP_MAGIC: Final = b"\x1f\x8b"
PIECE_BYTES: Final = 8 * 1_048_576
# Logs shrink to a tenth or a thirtieth. What unpacks to more than this is made to exhaust its reader.
MAX_RATIO: Final = 200
HARMLESS_BYTES: Final = 256 * 1_048_576
_GZIP_WINDOW: Final = 31


def gunzip(pieces: Iterator[bytes], harmless_bytes: int = HARMLESS_BYTES) -> Iterator[bytes]:
    """Unpack gzip, of one member or several.

    Args:
        pieces: the packed bytes.
        harmless_bytes: up to so much is unpacked whatever the ratio.

    Raises:
        UnreadableError: no gzip, damaged, cut short, or a bomb; what came before it is sound.
    """
    packed = unpacked = 0
    decompressor = None
    for piece in pieces:
        if not packed and not piece.startswith(GZIP_MAGIC[: len(piece)]):
            raise UnreadableError("no gzip, in spite of its name: wrong magic number", piece[:KEPT_BYTES])
        packed += len(piece)
        rest = piece
        while rest:
            if decompressor is None:
                # Zeros may fill up the end, as tape and block tools leave them.
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                decompressor = zlib.decompressobj(_GZIP_WINDOW)
            try:
                content = decompressor.decompress(rest, PIECE_BYTES)
            except zlib.error as error:
                raise UnreadableError("damaged gzip", rest[:KEPT_BYTES]) from error
            unpacked += len(content)
            if unpacked > harmless_bytes and unpacked > MAX_RATIO * packed:
                raise UnreadableError(
                    f"gzip that unpacks to more than {MAX_RATIO} times its size", rest[:KEPT_BYTES]
                )
            if content:
                yield content
            if decompressor.eof:
                rest, decompressor = decompressor.unused_data, None
            else:
                rest = decompressor.unconsumed_tail
    if decompressor is not None:
        raise UnreadableError("gzip cut short", b"")
    if not packed:
        raise UnreadableError("no gzip, in spite of its name: empty", b"")
