"""NDJSON bytes to Arrow tables, with every line accounted for."""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from glue_jobs.schema import contains, nulls_as_text, parse_hint, retyped, text_stays_text

SEGMENT_BYTES: Final = 8 * 1_048_576
_SAMPLE_BYTES: Final = 65_536
_UTF8_STEP: Final = 1_048_576
_BLANKS: Final = b" \t\r"
# Up to here a double holds every whole number; longer numbers have at least as many digits.
_EXACT: Final = 2.0**53
_LONG_NUMBER: Final = re.compile(rb"\d{16}")
# Reasons that Arrow gives for lines that Python's parser takes; its own words may show content.
_ARROW_REASONS: Final = (
    ("specified twice", "a name occurs twice in one object"),
    ("surrogate", "a lone surrogate in text"),
    ("too big", "a number too big for a double"),
    ("changed from", "an array of mixed types"),
    ("Invalid encoding", "a control character in text"),
)
_REFUSED: Final = "refused by Arrow's parser"


@dataclass(frozen=True)
class Segment:
    """Whole lines of a file.

    Attributes:
        data: the bytes, with or without a last newline.
        first_line: the number of its first line in the file, from 1.
        byte_offset: its place in the file.
    """

    data: bytes
    first_line: int
    byte_offset: int


@dataclass(frozen=True)
class Rejected:
    """A line that is no record.

    Attributes:
        line_number: in its file, from 1; blank lines count.
        byte_offset: of the line in its file.
        reason: why, without content.
        raw: the line without its newline.
    """

    line_number: int
    byte_offset: int
    reason: str
    raw: bytes


@dataclass(frozen=True)
class Parsed:
    """What became of a segment.

    Attributes:
        tables: its records, in order; text is text. Several where their types have no common one.
        lines: its lines that are not blank, counted from the bytes and not from the tables.
        rejected: those of them that are no records.
    """

    tables: tuple[pa.Table, ...]
    lines: int
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True)
class _Line:
    number: int
    byte_offset: int
    raw: bytes

    @property
    def text(self) -> bytes:
        return self.raw.strip(_BLANKS)

    def rejected(self, reason: str) -> Rejected:
        return Rejected(self.number, self.byte_offset, reason, self.raw)


@dataclass(frozen=True)
class _Group:
    """Lines, and the table with a row for each."""

    lines: list[_Line]
    table: pa.Table


def segments(data: bytes, limit: int = SEGMENT_BYTES) -> Iterator[Segment]:
    """Cut a file into segments of whole lines.

    A byte order mark is left out. A line longer than the limit is a segment of its own.

    Args:
        data: the whole file.
        limit: bytes of a segment.
    """
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    line = 1
    while start < len(data):
        end = len(data)
        if end - start > limit:
            newline = data.rfind(b"\n", start, start + limit)
            newline = data.find(b"\n", start + limit) if newline < 0 else newline
            end = end if newline < 0 else newline + 1
        # Slicing all of it gives the same object: an ordinary file is not copied.
        piece = data[start:end]
        yield Segment(piece, line, start)
        if end < len(data):
            line += piece.count(b"\n")
        start = end


def sample_schema(data: bytes) -> pa.Schema | None:
    """Learn columns from a file's first lines, so that the file itself need not be read twice.

    Returns:
        The schema with text as text, or None where the first lines alone can't be parsed.
    """
    end = data.rfind(b"\n", 0, _SAMPLE_BYTES)
    if end < 0:
        return None
    try:
        return text_stays_text(_read(data[:end].removeprefix(codecs.BOM_UTF8), None).schema)
    except pa.ArrowInvalid:
        # No verdict on the file: parse_segment finds which line it is.
        return None


def parse_segment(segment: Segment, known: pa.Schema) -> Parsed:
    """Parse whole lines.

    Args:
        segment: the lines.
        known: columns to expect; others may occur, and a line may lack any.

    Returns:
        Tables, lines and rejected lines; lines equal the tables' rows plus the rejected.
    """
    data = segment.data.strip(_BLANKS + b"\n")
    if not data:
        return Parsed((), 0)
    lines = data.count(b"\n") + 1
    if _is_record_on_each_line(data, lines):
        table = _table(data, known)
        if table is not None and table.num_rows == lines and not has_large_doubles(table):
            return Parsed((table,), lines)
    return _parse_lines(_lines_of(segment), known)


def _is_record_on_each_line(data: bytes, lines: int) -> bool:
    """Return whether one row for each line will mean one record in each.

    Where every line begins with { and ends with }, no record crosses a line: within JSON a } is never
    followed by {, and text holds no newline.
    """
    return data[:1] == b"{" and data[-1:] == b"}" and data.count(b"}\n{") == lines - 1 and _is_utf8(data)


def _table(data: bytes, known: pa.Schema) -> pa.Table | None:
    hint = parse_hint(known)
    for schema in (hint, None) if len(hint) else (None,):
        try:
            table = _read(data, schema)
            return _read_again(data, table.schema) if _is_misread(table) else table
        except pa.ArrowInvalid:
            # The expected types did not fit, or a line is bad: try without them, then line by line.
            continue
    return None


def _is_misread(table: pa.Table) -> bool:
    """Return whether inferring types spoiled values: text became timestamps, or lists lost nulls.

    A list that begins with null loses it where its type is inferred (apache/arrow 47417, 51305); its values
    are then fewer than its offsets say, which validating sees.
    """
    if any(contains(column.type, pa.types.is_timestamp) for column in table.schema):
        return True
    try:
        table.validate()
    except pa.ArrowInvalid:
        return True
    return False


def _read_again(data: bytes, inferred: pa.Schema) -> pa.Table:
    """Read with all types given, which spoils nothing; what has no values keeps the type that says so."""
    wanted = text_stays_text(inferred)
    table = _read(data, nulls_as_text(wanted))
    columns = [
        pa.chunked_array([retyped(chunk, column.type) for chunk in values.chunks], column.type)
        for column, values in zip(wanted, table.select(wanted.names).columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=wanted) if columns else table


def _read(data: bytes, schema: pa.Schema | None) -> pa.Table:
    return pj.read_json(
        pa.BufferReader(data),
        # One block, so that no line is ever cut; one thread, since Spark fills the cores.
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer"),
    )


def _lines_of(segment: Segment) -> list[_Line]:
    lines = []
    offset = segment.byte_offset
    for number, raw in enumerate(segment.data.split(b"\n"), start=segment.first_line):
        if raw.strip(_BLANKS):
            lines.append(_Line(number, offset, raw))
        offset += len(raw) + 1
    return lines


def _parse_lines(lines: list[_Line], known: pa.Schema) -> Parsed:
    """Parse lines that can't be taken as they stand: other line ends, blank lines, or bad ones among them."""
    joined = b"\n".join(line.text for line in lines)
    if _is_record_on_each_line(joined, len(lines)):
        table = _table(joined, known)
        if table is not None and table.num_rows == len(lines):
            return _settled([_Group(lines, table)], known, [])
    good: list[_Line] = []
    rejected: list[Rejected] = []
    for line in lines:
        reason = _reason_against(line.text)
        if reason is None:
            good.append(line)
        else:
            rejected.append(line.rejected(reason))
    return _settled(_groups(good, known, rejected), known, rejected)


def _groups(lines: list[_Line], known: pa.Schema, rejected: list[Rejected]) -> list[_Group]:
    """Parse lines of one object each, halving them until each half's types agree.

    A line that fails alone joins the rejected.
    """
    if not lines:
        return []
    table = _table(b"\n".join(line.text for line in lines), known)
    if table is not None:
        return [_Group(lines, table)]
    if len(lines) == 1:
        rejected.append(lines[0].rejected(_reason_of_arrow(lines[0].text)))
        return []
    half = len(lines) // 2
    return _groups(lines[:half], known, rejected) + _groups(lines[half:], known, rejected)


def _settled(groups: list[_Group], known: pa.Schema, rejected: list[Rejected]) -> Parsed:
    """Reject lines with whole numbers that became inexact doubles, since the value would not come back."""
    count = sum(len(group.lines) for group in groups) + len(rejected)
    settled: list[_Group] = []
    for group in groups:
        exact: list[_Line] = group.lines
        if has_large_doubles(group.table):
            exact = []
            for line in group.lines:
                column = _inexact_column(line.text, group.table.schema)
                if column is None:
                    exact.append(line)
                else:
                    rejected.append(
                        line.rejected(f"column {column!r} has a whole number that no double holds exactly")
                    )
        settled += [group] if len(exact) == len(group.lines) else _groups(exact, known, rejected)
    return Parsed(
        tuple(group.table for group in settled),
        count,
        tuple(sorted(rejected, key=lambda line: line.line_number)),
    )


def has_large_doubles(table: pa.Table) -> bool:
    """Return whether a column, or one inside it, has a double beyond which whole numbers are inexact."""
    return any(_is_large(values) for column in table.columns for values in column.chunks)


def _is_large(values: pa.Array) -> bool:
    if pa.types.is_floating(values.type):
        span = pc.min_max(values)
        low, high = span["min"].as_py(), span["max"].as_py()
        return low is not None and (low <= -_EXACT or high >= _EXACT)
    if pa.types.is_list(values.type):
        return _is_large(values.values)
    if pa.types.is_struct(values.type):
        return any(map(_is_large, values.flatten()))
    return False


def _inexact_column(text: bytes, schema: pa.Schema) -> str | None:
    if _LONG_NUMBER.search(text) is None:
        return None
    # Python refuses whole numbers of thousands of digits; hundreds are past any double as well.
    record = json.loads(text, parse_int=lambda digits: int(digits[:400]))
    found = (_inexact(column.name, record.get(column.name), column.type) for column in schema)
    return next((place for place in found if place is not None), None)


def _inexact(path: str, value: Any, data_type: pa.DataType) -> str | None:
    if isinstance(value, int) and pa.types.is_floating(data_type):
        return None if _is_exact(value) else path
    if isinstance(value, list) and pa.types.is_list(data_type):
        found = (_inexact(f"{path}[]", item, data_type.value_type) for item in value)
        return next((place for place in found if place is not None), None)
    if isinstance(value, dict) and pa.types.is_struct(data_type):
        found = (
            _inexact(f"{path}.{member.name}", value.get(member.name), member.type) for member in data_type
        )
        return next((place for place in found if place is not None), None)
    return None


def _is_exact(number: int) -> bool:
    try:
        return int(float(number)) == number
    except OverflowError:
        return False


def _reason_against(text: bytes) -> str | None:
    """Say why a line is no JSON object, without showing its content; None where it is one."""
    try:
        value = json.loads(text.decode())
    except UnicodeDecodeError as error:
        return f"invalid UTF-8 at byte {error.start} of the line"
    except json.JSONDecodeError as error:
        return f"invalid JSON: {error.msg} at character {error.pos + 1} of the line"
    except (ValueError, RecursionError) as error:
        return f"JSON beyond the parser's limits ({type(error).__name__})"
    if not isinstance(value, dict):
        return f"the top-level value is {_json_type(value)}, expected an object"
    return None


def _reason_of_arrow(text: bytes) -> str:
    try:
        _read(text, None)
    except pa.ArrowInvalid as error:
        message = str(error)
        known = (reason for sign, reason in _ARROW_REASONS if sign in message)
        return next(known, _REFUSED)
    return _REFUSED


def _json_type(value: object) -> str:
    names = {list: "an array", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    # Step by step, since decoding all of it would take up to four times its size.
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _UTF8_STEP):
            decoder.decode(data[start : start + _UTF8_STEP])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
