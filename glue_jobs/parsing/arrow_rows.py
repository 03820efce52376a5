"""NDJSON bytes to Arrow tables, with every line accounted for, where there is no native parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from glue_jobs.parsing.arrow_json import read_fitting
from glue_jobs.parsing.judging import judge
from glue_jobs.parsing.line_shapes import LineShapes
from glue_jobs.parsing.records import NotARecordError, load_record
from glue_jobs.parsing.results import Rows, SegmentCount
from glue_jobs.parsing.rows import rows_of
from glue_jobs.reading.lines import BLANKS, Lines
from glue_jobs.schema.column_names import fold
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.tallies import Tallies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glue_jobs.reading.lines import Rejected, Segment
    from glue_jobs.schema.learning import Learning

_SAMPLE_BYTES: Final = 65_536
# Python's values take some twenty times the room of the text, so only so much is held as such at once.
_BATCH_BYTES: Final = 262_144


@dataclass(frozen=True)
class Parsed:
    """What became of a segment.

    Attributes:
        table: its records, in order, all of which fit `columns`.
        rescued: for each record JSON text of what did not fit, or null; None where all of all fit.
        lines: its lines that are not blank, counted from the bytes and not from the table.
        columns: that the table was made for.
        rejected: those of the lines that are no records.
        records_rescued: how many records have something rescued that counts.
        tallies: how many have it where, and why.
        rescued_names: of the record's members, folded, of which something is in `rescued`.
    """

    table: pa.Table
    rescued: pa.Array | None
    lines: int
    columns: Columns = field(default_factory=Columns)
    rejected: tuple[Rejected, ...] = ()
    records_rescued: int = 0
    tallies: Tallies = field(default_factory=Tallies)
    rescued_names: frozenset[str] = frozenset()


class ArrowRowReader:
    """Reads segments by Arrow's parser and the rules; each becomes rows of its own.

    Args:
        learning: what is known of the columns; takes in what the lines teach.
    """

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._waiting: list[Rows] = []
        self.size = 0

    def read(self, segment: Segment, position: int) -> SegmentCount:
        """Read whole lines; they become rows or are rejected.

        Args:
            segment: the lines.
            position: of their file among the part's.
        """
        parsed = parse_segment(segment, self._learning)
        if parsed.table.num_rows:
            rows = Rows(
                parsed.table,
                parsed.rescued,
                parsed.columns,
                ((position, parsed.table.num_rows),),
                parsed.records_rescued,
                parsed.tallies,
                parsed.rescued_names,
            )
            self._waiting.append(rows)
            self.size += rows.nbytes
        return SegmentCount(parsed.lines, parsed.rejected)

    def take(self) -> list[Rows]:
        """Return the rows that wait, in order."""
        waiting, self._waiting, self.size = self._waiting, [], 0
        return waiting

    def close(self) -> None:
        """Free the rows that wait."""
        self._waiting = []


def parse_segment(segment: Segment, learning: Learning) -> Parsed:
    """Parse whole lines; lines equal the table's rows plus the rejected.

    Arrow's parser takes a segment whose lines all fit as they stand. Of every other one each line is judged
    in Python.

    Args:
        segment: the lines.
        learning: what is known of the columns; takes in what the lines teach.
    """
    shapes = LineShapes(segment)
    if not shapes.count:
        return Parsed(pa.table({}), None, 0, learning.columns)
    if shapes.are_records():
        table = _read_fitting(shapes, learning)
        if table is not None:
            learning.take_table(table, learning.columns)
            return Parsed(table, None, shapes.count, learning.columns)
    return _JudgedLines(segment, learning).parsed()


def sample_of(data: bytes, start: int = 0) -> bytes:
    """Return some lines, to learn from before they are parsed; empty where the first one is long.

    Args:
        data: whole lines.
        start: where a line begins.
    """
    return data[start : data.rfind(b"\n", start, start + _SAMPLE_BYTES) + 1]


def _read_fitting(shapes: LineShapes, learning: Learning) -> pa.Table | None:
    before = learning.plain_schema
    table = None if before is None or not before.names else read_fitting(shapes.data, before)
    if table is None and not learning.is_primed:
        # What the first lines show, such as names that have only nulls, spares judging all of them.
        sample = sample_of(shapes.data)
        if sample and len(sample) < len(shapes.data):
            learning.prime(records_of(sample))
            after = learning.plain_schema
            if after is not None and after != before:
                table = read_fitting(shapes.data, after)
    return table if table is not None and table.num_rows == shapes.count else None


def records_of(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the records among some lines."""
    for line in data.split(b"\n"):
        text = line.strip(BLANKS)
        if text:
            try:
                yield load_record(text)
            except NotARecordError:
                continue


class _JudgedLines:
    """The lines of a segment, each judged alone.

    Args:
        segment: whole lines.
        learning: takes in what they teach, before any of them is held against its columns.
    """

    def __init__(self, segment: Segment, learning: Learning) -> None:
        self._lines = Lines(segment)
        self._learning = learning
        self._rejected: dict[int, Rejected] = {}
        self._tables: list[pa.Table] = []
        self._rests: list[str | None] = []
        self._records_rescued = 0
        self._tallies = Tallies()
        self._names: set[str] = set()

    def parsed(self) -> Parsed:
        """Judge the lines."""
        batches = list(self._batches())
        held = self._load(batches[0])
        self._learning.take(self._learning.observe(held))
        for batch in batches[1:]:
            self._learning.take(self._learning.observe(self._load(batch)))
        columns = self._learning.columns
        for batch in batches:
            records = held if batch is batches[0] else self._load(batch)
            held = []
            self._judge(records, columns)
        has_rests = any(rest is not None for rest in self._rests)
        return Parsed(
            table=_stacked(self._tables),
            rescued=pa.array(self._rests, pa.string()) if has_rests else None,
            lines=len(self._lines.texts),
            columns=columns,
            rejected=tuple(self._rejected[index] for index in sorted(self._rejected)),
            records_rescued=self._records_rescued,
            tallies=self._tallies,
            rescued_names=frozenset(self._names),
        )

    def _batches(self) -> Iterator[range]:
        start, size = 0, 0
        for index, text in enumerate(self._lines.texts):
            size += len(text)
            if size >= _BATCH_BYTES:
                yield range(start, index + 1)
                start, size = index + 1, 0
        if start < len(self._lines.texts):
            yield range(start, len(self._lines.texts))

    def _load(self, batch: range) -> list[dict[str, Any]]:
        records = []
        for index in batch:
            if index in self._rejected:
                continue
            try:
                records.append(load_record(self._lines.texts[index]))
            except NotARecordError as error:
                self._rejected[index] = self._lines.rejected(index, str(error))
        return records

    def _judge(self, records: list[dict[str, Any]], columns: Columns) -> None:
        kept = []
        for record in records:
            judged = judge(record, columns.types)
            kept.append(judged.kept)
            self._rests.append(judged.rest)
            if judged.rest is not None:
                self._names.update(map(fold, judged.rest_names))
            if judged.rescued:
                self._records_rescued += 1
                self._tallies.add(judged.rescued)
        if kept:
            self._tables.append(rows_of(kept, columns.types))


def _stacked(tables: list[pa.Table]) -> pa.Table:
    if tables and not tables[0].num_columns:
        # Concatenating tables without columns loses their rows.
        return rows_of([{}] * sum(table.num_rows for table in tables), {})
    return pa.concat_tables(tables) if tables else pa.table({})
