"""What the demonstration puts into the input bucket."""

import gzip
import os
import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from lambda_ingest.contract.sample_input import generate_file
from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.laptop.plain_files import NotPlainError, open_plain, shown_name

FILES_PER_MANIFEST = 10
# Real files are cut at this many bytes, as producers of small files would have.
SPLIT_BYTES = 3_500_000
_SUFFIXES = (".ndjson", ".ndjson.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
# Of a file's name this much goes into the key; S3 takes 1,024 bytes in all.
_STEM_CHARACTERS = 100
_SHOWN_NAMES = 10


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
            left_out.append(f"{shown_name(name)} (another ending)")
            continue
        try:
            with open_plain(place, name) as source:
                found = list(_split(source, is_packed=name.endswith(".gz")))
        except NotPlainError as error:
            left_out.append(f"{shown_name(name)} ({error})")
            continue
        except (OSError, EOFError, zlib.error) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise InputFolderError(f"{folder}/{shown_name(name)} can't be read: {reason}") from error
        if not found:
            left_out.append(f"{shown_name(name)} (empty)")
        pieces.extend((_stem(name), content) for content in found)
    return pieces, left_out


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
