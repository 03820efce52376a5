"""Lines of JSON to rows, by the native parser; what it can't judge is left to the Python rules."""

from __future__ import annotations

import ctypes
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import pyarrow as pa

from glue_jobs.errors import NativeParserError
from glue_jobs.native.description import Description
from glue_jobs.native.library import FedRecord, TakenRecord, load
from glue_jobs.schema.paths import member_path
from glue_jobs.schema.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from glue_jobs.native.library import Library
    from glue_jobs.schema.types import ColumnType

# As in source/tallies.h.
_REASONS: Final = tuple(Reason)
# As in source/library.cpp.
_DONE: Final = 0
_REFUSED: Final = 1
_NO_ROOM: Final = 2
_BROKEN: Final = 3
# Of Arrow's C data interface.
_ARRAY_BYTES: Final = 80
# Where more names without a column were met than are counted one by one.
MANY: Final = "*"


# Lines that are no records, told by one call, and the numbers that tell one.
MOST_REFUSED: Final = 1_024
_REFUSED_NUMBERS: Final = 5
# So many bytes are taken in less time than another thread keeps the interpreter, once it has it.
_QUICK_BYTES: Final = 65_536


class Why(enum.IntEnum):
    """Why a line was left to Python."""

    SYNTAX = 1
    """It is no record, as far as it was read."""
    TYPE = 2
    """A value of another kind than its place, which is not settled yet."""
    UNKNOWN = 3
    """A name that has no column, and may get one; or that no column can have."""
    DUPLICATE = 4
    """A name twice in one object."""
    UTF8 = 5
    """Bytes that are no UTF-8."""
    RANGE = 6
    """A number or an instant that its place, which is not settled yet, can't hold."""
    DEPTH = 7
    """Nested too deep."""
    SURROGATE = 8
    """A name with half of a surrogate pair."""


class Fault(enum.IntEnum):
    """What is wrong with a line that is no record: what Python's json says first, or what else it is."""

    UNKNOWN = 0
    """Python is to say."""
    VALUE = 1
    NAME = 2
    COLON = 3
    COMMA = 4
    EXTRA = 5
    OPEN_TEXT = 6
    CONTROL = 7
    DUPLICATE = 8
    ARRAY = 9
    TEXT = 10
    NUMBER = 11
    BOOLEAN = 12
    NOTHING = 13


class Refused(NamedTuple):
    """A line that is no record.

    Attributes:
        start: of the line in the data.
        end: of the line in the data, its newline excluded.
        line: its number in the data, from 0; blank lines count.
        fault: a `Fault`.
        character: where that is in the line, from 0, without white space before it.
    """

    start: int
    end: int
    line: int
    fault: int
    character: int


@dataclass(frozen=True)
class Left:
    """A line that Python is to judge.

    Attributes:
        start: of the line in the data.
        end: of the line in the data, its newline excluded.
        why: it was left.
        line: its number in the data, from 0; blank lines count.
    """

    start: int
    end: int
    why: Why
    line: int


@dataclass(frozen=True)
class Fed:
    """What became of the data of one call.

    Attributes:
        lines: that are not blank, and were taken or left.
        rows: that were taken.
        blank: blank lines.
        next: where to go on in the data; its length where all is done.
        left: the last line, where it was left.
    """

    lines: int
    rows: int
    blank: int
    next: int
    left: Left | None


@dataclass(frozen=True)
class Taken:
    """All rows of a builder.

    Attributes:
        table: the rows, in order.
        rescued: for each row JSON text of what did not fit, or null; None where all of all fit.
        tallies: (path, reason) to records, of what the native parser rescued. Names without a column beyond
            the first 4,096 are counted together under `*`.
        rescued_names: names of the record of which something is in a rest that the native parser wrote, as
            written; perhaps a few more.
        rescued_rows: rows of which the native parser rescued something that counts.
    """

    table: pa.Table
    rescued: pa.Array | None
    tallies: Mapping[tuple[str, str], int]
    rescued_names: frozenset[str]
    rescued_rows: int


class NativeBuilder:
    """Rows that are being built; lives for a row group or longer.

    It judges all by the rules itself where a place's type is final. Otherwise a line that does not fit its
    columns is left.

    Args:
        types: the columns, in order.
        settled: those that never change; a place is final where it has the same type there.
        accepts_new: whether objects may gain members, so that a line with an unknown name is left.
        closed: (path of the object, name) of those that never become members; the record's path is empty.
        library: the native parser; without one, `load` finds it.

    Raises:
        NativeParserError: there is no native parser.
        MemoryError: there is no memory.
    """

    def __init__(
        self,
        types: Mapping[str, ColumnType],
        settled: Mapping[str, ColumnType],
        accepts_new: bool,
        closed: Collection[tuple[str, str]] = (),
        library: Library | None = None,
    ) -> None:
        self._builder: int | None = None
        library = library or load()
        if library is None:
            raise NativeParserError("there is no native parser; check library.load() before")
        self._functions, self._quick = library.functions, library.quick
        self._type = pa.struct([(name, column.arrow) for name, column in types.items()])
        description = Description(types, settled, accepts_new, closed)
        self._paths, self._tops = description.paths, description.tops
        self._builder = self._functions.ndjson_open(bytes(description.written))
        if self._builder is None:
            raise MemoryError("no memory for the native parser's columns")
        self._fed = FedRecord()
        self._fed_address = ctypes.addressof(self._fed)
        self._refused = (ctypes.c_int64 * (_REFUSED_NUMBERS * MOST_REFUSED))()
        self._refused_address = ctypes.addressof(self._refused)
        # Where the last call ended, so that lines need not be counted again.
        self._counted: tuple[bytes, int, int] | None = None

    @property
    def rows(self) -> int:
        """How many there are now."""
        return int(self._quick.ndjson_rows(self._builder))

    @property
    def size(self) -> int:
        """How many bytes of Arrow they take; memory that is only kept ready does not count."""
        return int(self._quick.ndjson_size(self._builder))

    def feed(self, data: bytes, start: int = 0, refused: list[Refused] | None = None) -> Fed:
        """Take lines up to the end, or behind the first one that it can't judge.

        Args:
            data: whole lines; the last one may lack its newline.
            start: where to begin in it; the beginning of a line.
            refused: takes the lines that are no records, up to a number; such lines do not end the call then.

        Raises:
            MemoryError: there is no memory; the builder is of no use any more.
            NativeParserError: the rows take 2 GB in a column; they ought to be taken before.
        """
        fed = self._fed
        most = 0 if refused is None else MOST_REFUSED
        status = self._functions_for(len(data) - start).ndjson_feed(
            self._builder, data, len(data), start, self._fed_address, self._refused_address, most
        )
        self._check(status)
        left = None
        if fed.why or fed.refused:
            first = self._line_at(data, start)
            if refused is not None and fed.refused:
                numbers = iter(self._refused[: _REFUSED_NUMBERS * fed.refused])
                refused += [
                    Refused(begin, end, first + line, fault, character)
                    for begin, end, line, fault, character in zip(*[numbers] * _REFUSED_NUMBERS, strict=True)
                ]
            line = first + fed.newlines
            if fed.why:
                left = Left(fed.left_start, fed.left_end, Why(fed.why), line)
            self._counted = (data, fed.next, line + (fed.next > fed.left_end if fed.why else 0))
        else:
            self._counted = None
        return Fed(fed.lines, fed.rows, fed.blank, fed.next, left)

    def add(self, kept: bytes, rest: bytes | None) -> None:
        """Add a line that Python judged.

        Args:
            kept: what the columns take of it, as JSON text with values as the input writes them (a decimal as
                a number, a date as text, JSON as it is).
            rest: its text for `_rescued`, or None.

        Raises:
            NativeParserError: something of `kept` does not fit; nothing is added.
            MemoryError: there is no memory; the builder is of no use any more.
        """
        length = -1 if rest is None else len(rest)
        functions = self._functions_for(len(kept) + max(length, 0))
        self._check(functions.ndjson_add(self._builder, kept, len(kept), rest, length))

    def take(self) -> Taken:
        """Return all rows so far; the builder is empty again.

        Raises:
            MemoryError: there is no memory; the builder is of no use any more.
        """
        count, taken = self.rows, TakenRecord()
        arrays = ctypes.create_string_buffer(2 * _ARRAY_BYTES)
        root = ctypes.addressof(arrays)
        rest = root + _ARRAY_BYTES
        self._check(self._functions.ndjson_take(self._builder, root, rest, ctypes.addressof(taken)))
        self._counted = None
        tallies, names = self._told(taken)
        self._functions.ndjson_forget_tallies(self._builder)
        table = _table(pa.Array._import_from_c(root, self._type), count)
        rescued = pa.Array._import_from_c(rest, pa.string()) if taken.has_rest else None
        return Taken(table, rescued, tallies, names, int(taken.rescued))

    def close(self) -> None:
        """Free its memory, with the rows that were not taken; more than once does no harm."""
        if self._builder is not None:
            self._functions.ndjson_close(self._builder)
            self._builder = None
            self._counted = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _functions_for(self, size: int) -> ctypes.CDLL:
        """Return the functions for a call with so many bytes; during long ones others may run Python."""
        return self._quick if size <= _QUICK_BYTES else self._functions

    def _check(self, status: int) -> None:
        if status == _DONE:
            return
        if status == _REFUSED:
            raise MemoryError("no memory for the native parser's rows")
        if status == _NO_ROOM:
            raise NativeParserError("a column has 2 GB of rows that wait; take them more often")
        if status == _BROKEN:
            raise NativeParserError("the builder had no memory before; close it and open another one")
        raise NativeParserError("a line that Python judged does not fit its columns as it said")

    def _line_at(self, data: bytes, start: int) -> int:
        """Return the number of the line that begins at a place."""
        if self._counted is not None and self._counted[0] is data and self._counted[1] == start:
            return self._counted[2]
        return data.count(b"\n", 0, start)

    def _told(self, taken: TakenRecord) -> tuple[dict[tuple[str, str], int], frozenset[str]]:
        tallies: dict[tuple[str, str], int] = {}
        names: set[str] = set()
        for index in range(taken.tally_count):
            one = taken.tallies[index]
            path, top = MANY, ""
            if one.node >= 0:
                path, top = self._paths[one.node], self._tops[one.node]
                if one.name:
                    name = ctypes.string_at(one.name, one.name_length).decode()
                    path, top = member_path(path, name), top or name
                names.add(top)
            if one.records:
                key = (path, str(_REASONS[one.reason]))
                tallies[key] = tallies.get(key, 0) + one.records
        return tallies, frozenset(names)


def _table(array: pa.StructArray, rows: int) -> pa.Table:
    if not array.type.num_fields:
        # A table without columns would lose its rows.
        return pa.table({"": pa.nulls(rows)}).select([])
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(array)])
