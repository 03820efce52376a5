"""What the demonstration puts into the input bucket."""

import gzip
import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from lambda_ingest.contract.sample_input import generate_file
from ndjson_pipeline.errors import PipelineError

FILES_PER_MANIFEST = 10
# Real files are cut at this many bytes, as producers of small files would have.
SPLIT_BYTES = 3_500_000
_SUFFIXES = (".ndjson", ".ndjson.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


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


def files_of_folder(folder: Path, now: datetime) -> list[InputFile]:
    """Read a folder of real NDJSON, plain or gzip, split and named after the contract.

    Raises:
        InputFolderError: there is no such folder, or nothing in it is NDJSON by its name.
    """
    if not folder.is_dir():
        raise InputFolderError(f"{folder} is no folder; --input takes a folder of NDJSON files")
    sources = sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIXES) and path.is_file())
    if not sources:
        raise InputFolderError(f"{folder} holds no file that ends in one of {', '.join(_SUFFIXES)}")
    pieces = [(_stem(source), content) for source in sources for content in _pieces(source)]
    if not pieces:
        raise InputFolderError(f"the files of {folder} are all empty")
    today = now.astimezone(UTC).date()
    return [
        InputFile(
            name=f"{date_of(position, len(pieces), today).isoformat()}-{stem}-{position + 1:04d}.ndjson",
            content=content,
            record_count=sum(1 for line in content.split(b"\n") if line.strip()),
        )
        for position, (stem, content) in enumerate(pieces)
    ]


def _pieces(source: Path) -> list[bytes]:
    try:
        return list(_split(source))
    except (OSError, EOFError, zlib.error) as error:
        raise InputFolderError(f"{source} can't be read: {error}") from error


def _split(source: Path) -> Iterator[bytes]:
    """Yield a file's content in pieces of whole lines."""
    piece: list[bytes] = []
    size = 0
    opener = gzip.open if source.name.endswith(".gz") else open
    with opener(source, "rb") as lines:
        for line in lines:
            if piece and size + len(line) > SPLIT_BYTES:
                yield b"".join(piece)
                piece, size = [], 0
            piece.append(line)
            size += len(line)
    if piece:
        yield b"".join(piece)


def _stem(source: Path) -> str:
    name = source.name
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        name = name.removesuffix(suffix)
    return _NOT_IN_NAMES.sub("-", name).strip("-._") or "file"
