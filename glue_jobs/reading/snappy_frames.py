"""Snappy's framing format, unpacked chunk by chunk.

https://github.com/google/snappy/blob/main/framing_format.txt
"""

from __future__ import annotations

from typing import Final

import cramjam

_HEADER_BYTES: Final = 4
_IDENTIFIER: Final = b"\xff\x06\0\0sNaPpY"
_COMPRESSED: Final = 0x00
_UNCOMPRESSED: Final = 0x01
_FIRST_SKIPPABLE: Final = 0x80
_STREAM: Final = 0xFF
# No kind of chunk: an editor's or a shell's, behind what is packed.
_WHITE: Final = b" \t\r\n"
# Of a chunk that holds 64 KB at most: what does not shrink is stored as it is.
_MAX_CHUNK_BYTES: Final = 4 + 32 + 65_536 + 65_536 // 6


class SnappyError(ValueError):
    """What follows is no sound snappy frame."""


class SnappyDecompressor:
    """Unpacks snappy frames, with the interface of the standard library's decompressors.

    Attributes:
        eof: whether all that came was whole chunks: a stream may end there, or go on.
        unused_data: always empty.
        needs_input: false only where what follows is damaged: the next call says so.
    """

    unused_data: Final = b""

    def __init__(self) -> None:
        self.eof = False
        self.needs_input = True
        self._open = b""
        self._to_skip = 0

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:  # noqa: ARG002 - chunks are small
        """Unpack the chunks that are whole; the beginning of another one waits.

        Raises:
            SnappyError: a chunk of no known kind, too long, or of another checksum.
        """
        skipped = min(self._to_skip, len(data))
        self._to_skip -= skipped
        self._open += data[skipped:]
        content: list[bytes] = []
        try:
            self._take_chunks(content)
        except SnappyError:
            if not content:
                raise
            # First what came before.
            self.needs_input = False
        self.eof = not self._open and not self._to_skip
        return b"".join(content)

    def _take_chunks(self, content: list[bytes]) -> None:
        packed = self._open
        position = 0
        while True:
            while position < len(packed) and packed[position] in _WHITE:
                position += 1
            self._open = packed[position:]
            if len(packed) - position < _HEADER_BYTES:
                break
            kind = packed[position]
            length = int.from_bytes(packed[position + 1 : position + _HEADER_BYTES], "little")
            end = position + _HEADER_BYTES + length
            if _FIRST_SKIPPABLE <= kind < _STREAM:
                self._to_skip = max(0, end - len(packed))
                position = min(end, len(packed))
                continue
            if kind not in {_COMPRESSED, _UNCOMPRESSED, _STREAM} or length > _MAX_CHUNK_BYTES:
                raise SnappyError
            if end > len(packed):
                break
            chunk = packed[position:end]
            if kind != _STREAM:
                content.append(_unpack(chunk))
            elif chunk != _IDENTIFIER:
                raise SnappyError
            position = end


def _unpack(chunk: bytes) -> bytes:
    try:
        return bytes(cramjam.snappy.decompress(_IDENTIFIER + chunk))
    except cramjam.DecompressionError as error:
        raise SnappyError from error
