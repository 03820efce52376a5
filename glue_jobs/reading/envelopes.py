"""Records that wait for the end of their envelope, since a member of it may follow them."""

from __future__ import annotations

import json
import marshal
import tempfile
from typing import IO, TYPE_CHECKING, Any, Final

from glue_jobs.reading.record_path import Each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glue_jobs.reading.record_path import RecordPath

# So much waits in memory, the rest on the worker's disk.
HELD_BYTES: Final = 32 * 1_048_576
_LENGTH_BYTES: Final = 8
_ENVELOPE: Final = b'"_envelope":{'
_WHITE: Final = b" \t\r\n"


class _Queue:
    """Values that come out as they went in: in memory, and from some size on in a temporary file."""

    def __init__(self, held_bytes: int) -> None:
        self._held_bytes = held_bytes
        self._size = 0
        self._values: list[Any] = []
        self._file: IO[bytes] | None = None

    def put(self, value: Any, size: int) -> None:
        self._values.append(value)
        self._size += size
        if self._size > self._held_bytes:
            if self._file is None:
                # Has no name, so that it is gone with the process, whatever ends it.
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the queue
            packed = marshal.dumps(self._values)
            self._file.write(len(packed).to_bytes(_LENGTH_BYTES))
            self._file.write(packed)
            self._values, self._size = [], 0

    def values(self) -> Iterator[Any]:
        """Yield all values; the queue is empty then."""
        if self._file is not None:
            file, self._file = self._file, None
            with file:
                file.seek(0)
                while length := file.read(_LENGTH_BYTES):
                    yield from marshal.loads(file.read(int.from_bytes(length)))
        values, self._values, self._size = self._values, [], 0
        yield from values


class Envelopes:
    """The records of one envelope, each to get the rest of its envelope as `_envelope`.

    Where the path is `a[*].b[*]`, the record's is the envelope's members but for `a`, and under `a` those
    of its own item but for `b`.

    Args:
        path: to the records.
        held_bytes: so much is held in memory.
    """

    def __init__(self, path: RecordPath, held_bytes: int = HELD_BYTES) -> None:
        self._names = [
            json.dumps(step, ensure_ascii=False).encode("utf-8", "surrogatepass")
            for step in path.steps
            if not isinstance(step, Each)
        ]
        self._records = _Queue(held_bytes)
        # Objects of one level do not contain each other, so they end in the order in which they begin.
        self._members = [_Queue(held_bytes // 4) for _ in self._names]

    def begin(self, level: int) -> None:
        """An object of a level of the path, from 0, begins."""
        self._records.put(level, 8)

    def end(self, level: int, members: Sequence[bytes]) -> None:
        """It ends; its members that are not walked are known."""
        text = b",".join(members)
        self._members[level].put(text, len(text) + 40)

    def add(self, texts: list[bytes], line_numbers: list[int], offsets: list[int]) -> None:
        """Take records."""
        self._records.put((texts, line_numbers, offsets), sum(map(len, texts)) + 100 * len(texts))

    def take(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield the records with their envelopes; all objects have ended."""
        members = [queue.values() for queue in self._members]
        current = [b""] * len(self._names)
        envelope: bytes | None = None
        for value in self._records.values():
            if isinstance(value, int):
                current[value] = next(members[value])
                current[value + 1 :] = [b""] * (len(current) - value - 1)
                envelope = None
                continue
            envelope = self._composed(current) if envelope is None else envelope
            for text, line_number, offset in zip(*value, strict=True):
                yield _with_member(text, envelope), line_number, offset

    def _composed(self, current: Sequence[bytes]) -> bytes:
        inner = b""
        for level in reversed(range(len(current))):
            walked = [b"%b:{%b}" % (self._names[level], inner)] if inner else []
            inner = b",".join([part for part in (current[level], *walked) if part])
        return _ENVELOPE + inner + b"}" if inner else b""


def _with_member(text: bytes, member: bytes) -> bytes:
    # What is no object is left as it is, to be rejected as what it is.
    if not member or text[:1] != b"{" or text[-1:] != b"}":
        return text
    is_empty = text[1:2] != b'"' and not text[1:-1].strip(_WHITE)
    comma = b"" if is_empty else b","
    return b"%b%b%b}" % (text[:-1], comma, member)
