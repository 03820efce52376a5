"""Segments to rows by the native parser; lines that it leaves are judged by the one set of rules."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from glue_jobs.errors import NativeParserError
from glue_jobs.native.builder import NativeBuilder, Why
from glue_jobs.parsing.arrow_rows import records_of, sample_of
from glue_jobs.parsing.faults import reason_of
from glue_jobs.parsing.judging import judge
from glue_jobs.parsing.records import NotARecordError, dump, load_record
from glue_jobs.parsing.results import Rows, SegmentCount
from glue_jobs.parsing.rows import rows_of
from glue_jobs.reading.lines import BLANKS, Rejected
from glue_jobs.schema.column_names import fold
from glue_jobs.schema.columns import names_without_hope
from glue_jobs.schema.tallies import Tallies

if TYPE_CHECKING:
    from glue_jobs.native.builder import Left, Refused
    from glue_jobs.native.library import Library
    from glue_jobs.parsing.judging import Judged
    from glue_jobs.reading.lines import Segment
    from glue_jobs.schema.columns import Columns
    from glue_jobs.schema.learning import Learning

logger = logging.getLogger(__name__)

# Why a line may be left that would be taken under other columns.
_TEACHING: Final = frozenset({Why.TYPE, Why.UNKNOWN, Why.RANGE})
# After a look ahead that many lines are judged without another one, each time twice as many: what is ahead
# is seen soon where names come by and by, and is not looked at for ever where they never end.
_FIRST_PAUSE: Final = 16
# The counts of so many lines are taken in at once.
_LINES_AT_ONCE: Final = 256
_MOST_CLOSED: Final = 1_000


class NativeRowReader:
    """Reads segments natively; rows wait in a builder that lives across segments and files.

    Args:
        learning: what is known of the columns; takes in what the lines teach.
        library: the native parser.
    """

    def __init__(self, learning: Learning, library: Library) -> None:
        self._learning = learning
        self._library = library
        self._builder: NativeBuilder | None = None
        self._built_for: Columns = learning.columns
        self._waiting: list[Rows] = []
        self._waiting_bytes = 0
        self._position = 0
        # Of what is in the builder.
        self._sources: list[tuple[int, int]] = []
        self._rows_with_source = 0
        self._records_rescued = 0
        self._tallies = Tallies()
        self._names: set[str] = set()
        self._judged_rows: list[int] = []
        # Records that were left, and are not counted yet.
        self._unlearned: list[dict[str, Any]] = []
        self._pause = 0
        self._since_look = 0
        # Names that the native parser may rescue by itself; those of the builder.
        self._without_hope: frozenset[tuple[str, str]] = frozenset()
        self._closed = self._without_hope

    @property
    def size(self) -> int:
        """How many bytes of Arrow wait."""
        return self._waiting_bytes + (0 if self._builder is None else self._builder.size)

    def read(self, segment: Segment, position: int) -> SegmentCount:
        """Read whole lines; they become rows or are rejected.

        Args:
            segment: the lines.
            position: of their file among the part's.

        Raises:
            MemoryError: there is no memory.
        """
        data = segment.data
        self._position = position
        if not self._learning.columns.types and not self._learning.is_primed:
            self._learning.prime(records_of(sample_of(data) or data))
        start, lines = 0, 0
        rejected: list[Rejected] = []
        while start < len(data):
            refused: list[Refused] = []
            fed = self._opened().feed(data, start, refused)
            for begin, end, line, fault, character in refused:
                reason = reason_of(fault, character)
                if reason is not None:
                    rejected.append(Rejected(*segment.place(line, begin), reason, data[begin:end]))
                    continue
                record = self._record(segment, begin, end, line, rejected)
                if record is not None:
                    # By the rules it is one after all; it comes behind those that followed it.
                    logger.warning("the native parser refused a line that is a record")
                    self._add(record)
            lines += fed.lines
            start = fed.next
            left = fed.left
            if left is not None:
                record = self._record(segment, left.start, left.end, left.line, rejected)
                if record is not None and self._columns_follow(data, left):
                    # Under the columns of now the line may be taken as others are.
                    start, lines = left.start, lines - 1
                elif record is not None:
                    self._add(record)
        self._learn()
        self._note_source()
        return SegmentCount(lines, tuple(rejected))

    def _record(
        self, segment: Segment, start: int, end: int, line: int, rejected: list[Rejected]
    ) -> dict[str, Any] | None:
        """Return a line as a record; None where it is none, which the rejected are given then."""
        raw = segment.data[start:end]
        try:
            return load_record(raw.strip(BLANKS))
        except NotARecordError as error:
            rejected.append(Rejected(*segment.place(line, start), str(error), raw))
            return None

    def take(self) -> list[Rows]:
        """Return the rows that wait, in order."""
        self._take_built()
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return waiting

    def close(self) -> None:
        """Free what is held, with the rows that wait."""
        if self._builder is not None:
            self._builder.close()
            self._builder = None
        self._waiting = []

    def _opened(self) -> NativeBuilder:
        """Return the builder for the columns of now."""
        learning = self._learning
        if self._builder is not None and (
            self._built_for is not learning.columns or self._closed is not self._without_hope
        ):
            self._take_built()
            self._builder.close()
            self._builder = None
        if self._builder is None:
            self._built_for, self._closed = learning.columns, self._without_hope
            self._builder = NativeBuilder(
                learning.columns.types,
                learning.settled.types,
                learning.settled.accepts_new,
                learning.outcome.dropped | self._without_hope,
                self._library,
            )
        return self._builder

    def _columns_follow(self, data: bytes, left: Left) -> bool:
        """Let columns follow from a line that was left and those after it; return whether they changed."""
        learning = self._learning
        if not learning.settled.accepts_new or left.why not in _TEACHING:
            return False
        if self._since_look < self._pause:
            self._since_look += 1
            return False
        self._since_look, self._pause = 0, max(_FIRST_PAUSE, 2 * self._pause)
        # What is built counts, too: the few lines ahead are not to outvote the many behind.
        self._take_built()
        learning.prime(records_of(sample_of(data, left.start) or data[left.start : left.end]))
        return learning.columns is not self._built_for

    def _add(self, record: dict[str, Any]) -> None:
        """Judge a record by the rules, and add it to the rows."""
        builder = self._opened()
        judged = judge(record, self._built_for.types)
        rest = None if judged.rest is None else judged.rest.encode()
        row = builder.rows
        try:
            builder.add(dump(judged.kept).encode(), rest)
        except NativeParserError:
            # It has rules of its own for what it takes as text; the rows are the same by hand, only slower.
            logger.exception("a row is added by hand")
            self._add_by_hand(judged)
        else:
            self._judged_rows.append(row)
        if judged.rescued:
            self._records_rescued += 1
            self._tallies.add(judged.rescued)
        self._names.update(map(fold, judged.rest_names))
        if self._learning.settled.accepts_new:
            self._unlearned.append(record)
            if len(self._unlearned) >= _LINES_AT_ONCE:
                self._learn()

    def _add_by_hand(self, judged: Judged) -> None:
        self._take_built()
        table = rows_of([judged.kept], self._built_for.types)
        rescued = None if judged.rest is None else pa.array([judged.rest], pa.string())
        names = frozenset(map(fold, judged.rest_names))
        self._waiting.append(
            Rows(table, rescued, self._built_for, ((self._position, 1),), rescued_names=names)
        )

    def _learn(self) -> None:
        """Take in what the lines teach that were left; the builder goes on with what columns follow."""
        if self._unlearned:
            self._take_built()
            records, self._unlearned = self._unlearned, []
            self._learning.take(self._learning.observe(records))
            self._close_names(records)

    def _close_names(self, records: list[dict[str, Any]]) -> None:
        """Leave names to the native parser that no count makes a column."""
        if len(self._without_hope) < _MOST_CLOSED:
            settled = self._learning.settled.types
            found = {each for record in records for each in names_without_hope(record, settled)}
            if not found <= self._without_hope:
                self._without_hope |= found

    def _note_source(self) -> None:
        """Note from which file the rows are that came since."""
        rows = 0 if self._builder is None else self._builder.rows
        if rows > self._rows_with_source:
            self._sources.append((self._position, rows - self._rows_with_source))
            self._rows_with_source = rows

    def _take_built(self) -> None:
        """Let the builder's rows wait beside it, counted."""
        self._note_source()
        if self._builder is None or not self._rows_with_source:
            return
        taken = self._builder.take()
        self._tallies.merge(taken.tallies)
        rows = Rows(
            taken.table,
            taken.rescued,
            self._built_for,
            tuple(self._sources),
            self._records_rescued + taken.rescued_rows,
            self._tallies,
            frozenset(self._names | set(map(fold, taken.rescued_names))),
        )
        self._waiting.append(rows)
        self._waiting_bytes += rows.nbytes
        self._learn_table(taken.table)
        self._sources, self._rows_with_source = [], 0
        self._records_rescued, self._tallies, self._names = 0, Tallies(), set()

    def _learn_table(self, table: pa.Table) -> None:
        """Count rows but for those that Python judged, which are counted as records."""
        judged, self._judged_rows = self._judged_rows, []
        if not self._learning.settled.accepts_new:
            return
        if judged:
            is_counted = np.ones(table.num_rows, np.bool_)
            is_counted[judged] = False
            table = table.filter(pa.array(is_counted))
        self._learning.take_table(table, self._built_for)
