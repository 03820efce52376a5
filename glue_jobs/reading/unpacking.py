"""Packed bytes unpacked piece by piece, in bounded memory."""

from __future__ import annotations

import bz2
import lzma
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import lz4.frame
from backports import zstd

from glue_jobs.reading.kinds import Packing, begins_another
from glue_jobs.reading.lines import KEPT_BYTES, UnreadableError
from glue_jobs.reading.snappy_frames import SnappyDecompressor, SnappyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Unpacked at once; what one step of packed bytes gives may be more, and comes in several such pieces.
PIECE_BYTES: Final = 8 * 1_048_576
# Given on together, since each piece has its costs.
_GATHERED_BYTES: Final = 1_048_576
# So little of what is packed is given to a decompressor at once: what a damaged step holds is lost.
_STEP_BYTES: Final = 4096
# Of gzip even less: what zlib gave of a damaged step, it does not give on.
_GZIP_STEP_BYTES: Final = 512
# Logs shrink to a tenth or a thirtieth. What unpacks to more than this is made to exhaust its reader.
MAX_RATIO: Final = 200
HARMLESS_BYTES: Final = 256 * 1_048_576
# What zstd and xz need at their highest ordinary levels (`zstd --ultra -22`, `xz -9`).
_WINDOW_LOG: Final = 27
_XZ_MEMORY_BYTES: Final = 192 * 1_048_576
_GZIP_WINDOW: Final = 31


@dataclass
class Progress:
    """How far a file is read.

    Attributes:
        packed: bytes of it that are unpacked, to a few thousand.
        content: bytes that came of them.
    """

    packed: int = 0
    content: int = 0


class _Decompressor(Protocol):
    """The interface that the standard library's decompressors share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _GzipDecompressor:
    """One gzip member, with the interface of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP_WINDOW)
        self._error: zlib.error | None = None
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return self._error is None

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:  # noqa: ARG002 - a step gives 4 MB at most
        if self._error is not None:
            raise self._error
        content = []
        start = 0
        while start < len(data) and not self._inner.eof:
            try:
                content.append(self._inner.decompress(data[start : start + _GZIP_STEP_BYTES]))
            except zlib.error as error:
                if not any(content):
                    raise
                # First what came before.
                self._error = error
                break
            start += _GZIP_STEP_BYTES
        self.unused_data = self._inner.unused_data + data[start:]
        return b"".join(content)


def _zstd_decompressor() -> _Decompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})


def _xz_decompressor() -> _Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)


def _lz4_decompressor() -> _Decompressor:
    decompressor: _Decompressor = lz4.frame.LZ4FrameDecompressor()
    return decompressor


_DECOMPRESSORS: Final[Mapping[Packing, Callable[[], _Decompressor]]] = {
    Packing.GZIP: _GzipDecompressor,
    Packing.ZSTD: _zstd_decompressor,
    Packing.BZIP2: bz2.BZ2Decompressor,
    Packing.XZ: _xz_decompressor,
    Packing.LZ4: _lz4_decompressor,
    Packing.SNAPPY: SnappyDecompressor,
}
# Zeros may fill up their ends, as tape and block tools leave them, or as their format allows.
_PADDED: Final = frozenset({Packing.GZIP, Packing.XZ})
# An editor's or a shell's, behind what is packed: no record is lost with it.
_WHITE: Final = b" \t\r\n"
# Of damage: bz2 says OSError, and lz4 RuntimeError.
_ERRORS: Final = (
    zlib.error,
    OSError,
    lzma.LZMAError,
    zstd.ZstdError,
    RuntimeError,
    ValueError,
    EOFError,
    SnappyError,
)
_MEMORY_WORDS: Final = ("memory", "window")


def unpack(
    pieces: Iterator[bytes], packing: Packing, progress: Progress, harmless_bytes: int = HARMLESS_BYTES
) -> Iterator[bytes]:
    """Unpack a file, of one member, stream or frame or of several.

    Args:
        pieces: the packed bytes.
        packing: how they are packed.
        progress: is kept up.
        harmless_bytes: up to so much is unpacked whatever the ratio.

    Raises:
        UnreadableError: damaged, cut short, or a bomb; what came before it is sound.
    """
    unpacker = _Unpacker(packing, progress, harmless_bytes)
    gathered: list[bytes] = []
    size = 0
    failure: UnreadableError | None = None
    try:
        for piece in pieces:
            for start in range(0, len(piece), _STEP_BYTES):
                for content in unpacker.take(piece[start : start + _STEP_BYTES]):
                    gathered.append(content)
                    size += len(content)
                    if size >= _GATHERED_BYTES:
                        yield b"".join(gathered)
                        gathered, size = [], 0
        unpacker.finish()
    except UnreadableError as error:
        failure = error
    if gathered:
        yield b"".join(gathered)
    if failure is not None:
        raise failure


class _Unpacker:
    def __init__(self, packing: Packing, progress: Progress, harmless_bytes: int) -> None:
        self._packing = packing
        self._progress = progress
        self._harmless_bytes = harmless_bytes
        self._fed = 0
        self._has_begun = False
        self._decompressor: _Decompressor | None = None

    def take(self, step: bytes) -> Iterator[bytes]:
        name, progress, rest = self._packing.value, self._progress, step
        self._fed += len(step)
        while True:
            if self._decompressor is None:
                if self._has_begun:
                    rest = rest.lstrip(_WHITE + b"\0" if self._packing in _PADDED else _WHITE)
                if not rest:
                    break
                if self._has_begun and not begins_another(self._packing, rest):
                    raise UnreadableError(f"{name} with other data behind it", rest[:KEPT_BYTES])
                self._has_begun = True
                self._decompressor = _DECOMPRESSORS[self._packing]()
            try:
                content = self._decompressor.decompress(rest, PIECE_BYTES)
            except _ERRORS as error:
                if any(word in str(error).lower() for word in _MEMORY_WORDS):
                    reason = f"{name} that takes more memory to unpack than a task has for it"
                else:
                    reason = f"damaged {name}"
                raise UnreadableError(reason, rest[:KEPT_BYTES]) from error
            progress.content += len(content)
            if progress.content > self._harmless_bytes and progress.content > MAX_RATIO * self._fed:
                raise UnreadableError(
                    f"{name} that unpacks to more than {MAX_RATIO} times its size", rest[:KEPT_BYTES]
                )
            if content:
                yield content
            rest = b""
            if self._decompressor.eof:
                rest = self._decompressor.unused_data or b""
                self._decompressor = None
            elif self._decompressor.needs_input:
                break
        progress.packed = self._fed

    def finish(self) -> None:
        if self._decompressor is not None:
            raise UnreadableError(f"{self._packing.value} cut short", b"")
