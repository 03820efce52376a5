"""What the demonstration puts into the input bucket."""

import errno
import gzip
import os
import random
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from lambda_ingest.contract.sample_input import generate_file
from ndjson_pipeline.errors import PipelineError

FILES_PER_MANIFEST = 10
# Real files are cut at this many bytes, as producers of small files would have.
SPLIT_BYTES = 3_500_000
_SUFFIXES = (".ndjson", ".ndjson.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
# Of a file's name this much goes into the key; S3 takes 1,024 bytes in all.
_STEM_CHARACTERS = 100
_SHOWN_CHARACTERS = 100
_SHOWN_NAMES = 10
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class InputFolderError(PipelineError):
    """A folder of input holds nothing to put in."""


@dataclass(frozen=True)
class InputFile:
    """A file as it is uploaded.

    Attributes:
        name: its filename after the contract.
        content: its bytes, not compressed.
        record_count: its lines that are not blank.
    """

    name: str
    content: bytes
    record_count: int

    @property
    def date_prefix(self) -> str:
        """The date in its name."""
        return self.name[:10]


@dataclass(frozen=True)
class FolderContent:
    """What a folder gives.

    Attributes:
        files: to put in.
        left_out: what is not, each with the reason, fit to be shown.
    """

    files: tuple[InputFile, ...]
    left_out: tuple[str, ...]

    def left_out_text(self) -> str:
        """Return a sentence of what is left out; empty where nothing is."""
        if not self.left_out:
            return ""
        more = len(self.left_out) - _SHOWN_NAMES
        rest = f" and {more} more" if more > 0 else ""
        return f"left out: {', '.join(self.left_out[:_SHOWN_NAMES])}{rest}"


def date_of(position: int, count: int, today: date) -> date:
    """Return the date of the file at `position` of `count`, so that every file is due.

    Full batches are of today; the rest, which would wait for more files today, is of yesterday.
    """
    in_full_batches = count - count % FILES_PER_MANIFEST
    return today if position < in_full_batches else today - timedelta(days=1)


def generated_files(count: int, size_bytes: int, now: datetime, seed: int) -> Iterator[InputFile]:
    """Generate files, one at a time."""
    today = now.astimezone(UTC).date()
    draw = random.Random(seed)
    for position in range(count):
        day = date_of(position, count, today)
        made = generate_file(day, position + 1, now, size_bytes, draw)
        yield InputFile(made.name, made.content, made.record_count)


def files_of_folder(folder: Path, now: datetime) -> FolderContent:
    """Read a folder of real NDJSON, plain or gzip, split and named after the contract.

    Only plain files that lie in the folder itself are read. A link may lead to any file of this person, which
    whoever made the folder could not read; a pipe or a device may have no end. They are left out, and so is
    what has another name than an input file.

    Raises:
        InputFolderError: there is no such folder, nothing in it is input, or a file can't be read.
    """
    try:
        # The folder is what the person named, and may be a link itself.
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InputFolderError(
            f"{folder} is no folder that can be read ({error.strerror}); --input takes one of NDJSON files"
        ) from error
    try:
        pieces, left_out = _read_folder(place, folder)
    finally:
        os.close(place)
    if not pieces:
        told = FolderContent((), tuple(left_out)).left_out_text()
        reason = (
            f"holds no file with content that ends in one of {', '.join(_SUFFIXES)}{told and f'; {told}'}"
        )
        raise InputFolderError(f"{folder} {reason}")
    today = now.astimezone(UTC).date()
    files = tuple(
        InputFile(
            name=f"{date_of(position, len(pieces), today).isoformat()}-{stem}-{position + 1:04d}.ndjson",
            content=content,
            record_count=sum(1 for line in content.split(b"\n") if line.strip()),
        )
        for position, (stem, content) in enumerate(pieces)
    )
    return FolderContent(files, tuple(left_out))


def _read_folder(place: int, folder: Path) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Return the pieces of a folder's files with the stems of their names, and what was left out."""
    pieces: list[tuple[str, bytes]] = []
    left_out: list[str] = []
    for name in sorted(os.listdir(place)):
        if not name.endswith(_SUFFIXES):
            left_out.append(f"{_shown(name)} (another ending)")
            continue
        try:
            with _opened(place, name) as source:
                found = list(_split(source, is_packed=name.endswith(".gz")))
        except _LeftOutError as error:
            left_out.append(f"{_shown(name)} ({error})")
            continue
        except (OSError, EOFError, zlib.error) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise InputFolderError(f"{folder}/{_shown(name)} can't be read: {reason}") from error
        if not found:
            left_out.append(f"{_shown(name)} (empty)")
        pieces.extend((_stem(name), content) for content in found)
    return pieces, left_out


class _LeftOutError(Exception):
    """Something is no plain file; the message says what it is."""


def _opened(place: int, name: str) -> BinaryIO:
    """Open a plain file of a folder.

    What is opened is what is judged: something else may have taken the name since the folder was listed.

    Raises:
        _LeftOutError: it is something else than a plain file.
        OSError: it can't be opened.
    """
    kind = os.stat(name, dir_fd=place, follow_symlinks=False).st_mode
    if not stat.S_ISREG(kind):
        raise _LeftOutError(_KINDS.get(stat.S_IFMT(kind), "no plain file"))
    # Opening a pipe would wait for its other end.
    try:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _LeftOutError("a link") from error
        raise
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise _LeftOutError("no plain file")
    return os.fdopen(opened, "rb")


def _split(source: BinaryIO, *, is_packed: bool) -> Iterator[bytes]:
    """Yield a file's content in pieces of whole lines."""
    piece: list[bytes] = []
    size = 0
    # gzip's reader has the lines of a file, but is none by its type.
    lines = cast("BinaryIO", gzip.GzipFile(fileobj=source)) if is_packed else source
    for line in lines:
        if piece and size + len(line) > SPLIT_BYTES:
            yield b"".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    if piece:
        yield b"".join(piece)


def _stem(name: str) -> str:
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        name = name.removesuffix(suffix)
    return _NOT_IN_NAMES.sub("-", name)[:_STEM_CHARACTERS].strip("-._") or "file"


def _shown(name: str) -> str:
    """Return a name as it may be shown: no control character takes effect, and a long one is cut."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    safe = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
    return safe if len(safe) <= _SHOWN_CHARACTERS else f"{safe[:_SHOWN_CHARACTERS]}..."
