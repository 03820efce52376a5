"""What a file is, told by its first bytes and not by its name."""

from __future__ import annotations

import codecs
import re
from enum import Enum
from typing import Final

# Enough for a tar archive's mark, and to tell binary data from text.
HEAD_BYTES: Final = 4096


class Packing(Enum):
    """How a file is packed; the value is its name in a reason."""

    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"
    LZ4 = "lz4"
    SNAPPY = "snappy"


class Encoding(Enum):
    """How text is encoded that is no UTF-8; the value is the codec's name, without a mark."""

    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"
    UTF_32_LE = "utf-32-le"
    UTF_32_BE = "utf-32-be"


_PACKINGS: Final = (
    (b"\x1f\x8b", Packing.GZIP),
    (b"\x28\xb5\x2f\xfd", Packing.ZSTD),
    (b"BZh", Packing.BZIP2),
    (b"\xfd7zXZ\0", Packing.XZ),
    (b"\x04\x22\x4d\x18", Packing.LZ4),
    (b"\xff\x06\0\0sNaPpY", Packing.SNAPPY),
)
# Frames that both zstd and lz4 have, to be skipped: 0x184D2A50 to 0x184D2A5F, then their length.
_SKIPPABLE: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18(.{4})", re.DOTALL)
# UTF-32's marks first: its little-endian one begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, Encoding.UTF_32_LE),
    (codecs.BOM_UTF32_BE, Encoding.UTF_32_BE),
    (codecs.BOM_UTF16_LE, Encoding.UTF_16_LE),
    (codecs.BOM_UTF16_BE, Encoding.UTF_16_BE),
)
_FOREIGN: Final = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a zip archive"),
        (rb".{257}ustar", "a tar archive"),
        (rb"\x82SNAPPY\0", "snappy in Java's own frames (snappy-java)"),
        (rb"PAR[1E]", "Parquet"),
        (rb"Obj\x01", "Avro"),
        (rb"ORC[\x00-\x20]", "ORC"),
        (rb"(?:ARROW1\0\0|FEA1|\xff{4}.{2}\0\0\x10\0\0\0)", "Arrow"),
        (rb"SEQ[\x00-\x06]", "a Hadoop sequence file"),
        (rb"\x89LZO\0\r\n\x1a\n", "lzop"),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (rb"Rar!\x1a\x07", "a RAR archive"),
        (rb"LZIP[\x00\x01]", "lzip"),
        (rb"\x5d\0\0.{2}.{3}\0*\xff*", "lzma without xz"),
        (rb"\x1f[\x9d\xa0]", "compress (.Z)"),
        (rb"\x02\x21\x4c\x18", "lz4 in its old format without frames"),
        (rb"\x78(?:\x01|\x9c|\xda)", "zlib without gzip's header"),
        (rb"\xf3\x89\x9a\xc2", "records aggregated by the Kinesis Producer Library"),
        (rb"%PDF-", "PDF"),
        (rb"\x89PNG\r\n", "an image (PNG)"),
        (rb"\xff\xd8\xff", "an image (JPEG)"),
        (rb"GIF8[79]a", "an image (GIF)"),
        (rb"(?:II\*\0|MM\0\*)", "an image (TIFF)"),
        (rb"RIFF.{4}", "RIFF (an image, sound or film)"),
        (rb"SQLite format 3\0", "an SQLite database"),
        (rb"\x89HDF\r\n", "HDF5"),
        (rb"\x7fELF", "a program (ELF)"),
        (rb"MZ.{3}\0", "a program (Windows)"),
        (rb"-----BEGIN PGP", "PGP"),
        (rb"age-encryption\.org/", "encrypted by age"),
        (rb"Salted__", "encrypted by OpenSSL"),
        (rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|!DOCTYPE|!doctype|!--|[A-Za-z])", "XML or HTML"),
    )
)
# One look instead of one for each, as small files are many.
_ANY_FOREIGN: Final = re.compile(b"|".join(b"(?:%b)" % pattern.pattern for pattern, _ in _FOREIGN), re.DOTALL)
_UNMARKED: Final = re.compile(rb"(?:\s\0+|\0+\s)*\0*(?:[{\[]\0|\0+[{\[])")
_HAS_JSON: Final = re.compile(
    # What follows the first bracket, since every hundredth file of any bytes has one.
    rb"\A(?:\xef\xbb\xbf)?[\s\x1e]*[{\[]\s*(?:[\"'{}\[\]0-9\-tfnNI]|\Z)|[\r\n][ \t]*\{\s*[\"}]"
)
_CONTROLS: Final = bytes({*range(32), 127} - {*b"\t\n\r\x0b\x0c\x1e"})
# Text has hardly any; of packed or encrypted bytes every ninth is one.
_MAX_CONTROLS: Final = 0.03
_RAW_SNAPPY: Final = re.compile(
    # The length of what is packed, then a literal's tag, then JSON.
    rb"(?:[\x80-\xff]{1,4}[\x01-\x7f])(?:[\x00-\xec]|\xf0.|\xf4.{2}|\xf8.{3})[{\[]\s*[\"{\[}\]]",
    re.DOTALL,
)


def packing_of(head: bytes) -> Packing | None:
    """Return how a file is packed that begins with these bytes; None where it is not, as far as is known."""
    found = next((packing for magic, packing in _PACKINGS if head.startswith(magic)), None)
    if found is Packing.BZIP2 and not head[3:4].isdigit():
        return None
    if found is not None or not _SKIPPABLE.match(head):
        return found
    position = 0
    while (match := _SKIPPABLE.match(head, position)) is not None:
        position = match.end() + int.from_bytes(match[1], "little")
    return Packing.LZ4 if head.startswith(_PACKINGS[4][0], position) else Packing.ZSTD


def begins_another(packing: Packing, head: bytes) -> bool:
    """Return whether bytes behind a member, stream or frame may be the beginning of another one.

    Args:
        packing: of the file.
        head: the bytes, at least one; there may be more to come.
    """
    if packing is Packing.SNAPPY:
        # Its chunks go on without a beginning.
        return True
    magics = [magic for magic, each in _PACKINGS if each is packing]
    if packing in {Packing.ZSTD, Packing.LZ4}:
        magics += [bytes([sign]) + b"\x2a\x4d\x18" for sign in range(0x50, 0x60)]
    return any(head.startswith(magic[: len(head)]) for magic in magics)


def is_old_tar(head: bytes) -> bool:
    """Return whether a file is a tar archive from before `ustar`: its header tells only by its checksum."""
    header, checksum = head[:512], head[148:156].strip(b" \0")
    if len(header) < 512 or not header[0] or not re.fullmatch(rb"[0-7]{1,7}", checksum):
        return False
    return sum(header) - sum(header[148:156]) + 8 * ord(" ") == int(checksum, 8)


def encoding_of(head: bytes) -> tuple[Encoding, int] | None:
    """Return the encoding that a mark tells, and the mark's length; None for UTF-8."""
    return next(((encoding, len(mark)) for mark, encoding in _MARKS if head.startswith(mark)), None)


def foreign_kind(head: bytes) -> str | None:
    """Return what a file is that is no text, in words; None where it may be JSON.

    A file whose first bytes have something like a record in them is never binary: the lines with binary
    data in them are at fault then, each alone.

    Args:
        head: its first bytes, `HEAD_BYTES` of them where it has as many.
    """
    if _ANY_FOREIGN.match(head):
        return next(name for pattern, name in _FOREIGN if pattern.match(head))
    if is_old_tar(head):
        return "a tar archive"
    if _UNMARKED.match(head):
        return "UTF-16 or UTF-32 without its mark"
    match = _RAW_SNAPPY.match(head)
    if match and (match.end() > 2):
        return "snappy without frames"
    if _HAS_JSON.search(head):
        return None
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return "binary data" if b"\0" in head or controls > _MAX_CONTROLS * len(head) else None
