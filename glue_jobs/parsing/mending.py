"""The lines of a segment that can't be taken as they stand, each judged alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from glue_jobs.parsing.arrow_json import Refusal, read_block, read_records
from glue_jobs.parsing.records import NotARecordError, dump, load_record
from glue_jobs.parsing.suspects import clashing_rows, misshapen_rows, odd_number_rows, refused_rows
from glue_jobs.schema.columns import fold
from glue_jobs.schema.fit import conform, has_odd_doubles, misfits
from glue_jobs.schema.observed import Observed
from glue_jobs.schema.split import split_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from glue_jobs.reading.lines import Lines, Rejected
    from glue_jobs.schema.columns import Columns
    from glue_jobs.schema.learning import Learning

# Python judges a line some ten times as slowly as Arrow, so at first only those that Arrow points at.
_ROUNDS: Final = 10
_REFUSED: Final = "refused by Arrow's parser"


class Mender:
    """Brings lines into a form that Arrow takes, rescues what does not fit, rejects what is no record.

    Args:
        lines: of one segment.
        learning: what is known of the columns; not changed.
    """

    def __init__(self, lines: Lines, learning: Learning) -> None:
        self._lines = lines
        self._learning = learning
        self._texts = list(lines.texts)
        self._rejected: dict[int, Rejected] = {}
        self._rescued: dict[int, str] = {}
        self._mended: set[int] = set()
        self._rescued_names: set[str] = set()
        self._rescued_for = learning.columns
        self._beyond = Observed()
        self._clashing: set[str] = set()

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The lines that are no records, in order."""
        return tuple(self._rejected[index] for index in sorted(self._rejected))

    @property
    def rescued(self) -> pa.Array | None:
        """For each record JSON text of what did not fit, or null; None where all of all fit."""
        texts = [self._rescued.get(index) for index in self._alive()] if self._rescued else []
        return pa.array(texts, pa.string()) if any(text is not None for text in texts) else None

    @property
    def rescued_names(self) -> frozenset[str]:
        """The names of columns, folded, of which something is rescued."""
        return frozenset(self._rescued_names)

    def run(self, first: pa.Table | Refusal | None) -> tuple[pa.Table, Observed, Columns]:
        """Parse the lines; what is rescued and rejected is known after it.

        Args:
            first: what the parser said to all lines as they stand; None where it was not asked.

        Returns:
            The records, counts of values beyond the settled columns, and the columns that follow from them.
        """
        if first is None:
            self._mend(misshapen_rows(self._texts), self._learning.columns)
        for _ in range(_ROUNDS):
            alive = self._alive()
            if not alive:
                return pa.table({}), self._beyond, self._learning.columns
            result = first if first is not None else read_records(self._joined(alive), self._learning.columns)
            first = None
            if isinstance(result, Refusal):
                columns = self._learning.columns
                suspects = self._refused(result, alive)
            else:
                if result.num_rows != len(alive):
                    break
                observed = Observed()
                observed.merge(self._beyond)
                columns = self._learning.columns_with_table(result, observed)
                suspects = [alive[row] for row in misfits(result, columns)]
                if has_odd_doubles(result):
                    suspects += self._odd(alive)
                if not suspects and not self._is_stale(columns):
                    return result, observed, columns
            if not suspects or self._is_stale(columns) or not self._mended.isdisjoint(suspects):
                break
            self._mend(suspects, columns)
        return self._one_by_one()

    def _alive(self) -> list[int]:
        return [index for index in range(len(self._texts)) if index not in self._rejected]

    def _is_stale(self, columns: Columns) -> bool:
        """Return whether something was rescued that other columns may take."""
        if columns is self._rescued_for or not self._rescued:
            return False
        return not self._rescued_names.isdisjoint(columns.changed_names(self._rescued_for))

    def _joined(self, indices: Iterable[int]) -> bytes:
        return b"\n".join([self._texts[index] for index in indices])

    def _odd(self, alive: Sequence[int]) -> list[int]:
        """Return lines with numbers that JSON lacks, or that a double may have rounded."""
        rows = odd_number_rows([self._texts[index] for index in alive])
        return [alive[row] for row in rows if alive[row] not in self._mended]

    def _refused(self, refusal: Refusal, alive: Sequence[int]) -> list[int]:
        """Return lines that the parser refuses, or that may be: the named one, and those after it."""
        if refusal.row is None or refusal.row >= len(alive):
            return []
        row, path = refusal.row, refusal.path
        columns = self._learning.columns
        if path is not None and path in columns.types:
            texts = [self._texts[index] for index in alive[row:]]
            rows = clashing_rows(texts, path, columns.types[path])
            if rows:
                return [alive[row + found] for found in rows]
        if path is not None:
            self._clashing.update(
                name for name in columns.types if path == name or path.startswith(f"{name}/")
            )
        rest = alive[row + 1 :]
        rows = refused_rows([self._texts[index] for index in rest], columns.narrowed(sorted(self._clashing)))
        return [alive[row], *(rest[found] for found in rows)]

    def _mend(self, indices: Iterable[int], columns: Columns) -> None:
        """Rewrite lines as their columns take them, or reject them."""
        settled = self._learning.settled
        for index in indices:
            self._mended.add(index)
            try:
                record = load_record(self._texts[index])
            except NotARecordError as error:
                self._rejected[index] = self._lines.rejected(index, str(error))
                continue
            kept, rest = split_record(record, columns.shape, settled.accepts_new)
            if settled.accepts_new:
                self._beyond.add_large(record)
            if rest:
                self._rescue(index, rest)
                self._rescued_for = columns
                if settled.accepts_new:
                    self._beyond.add_rest(rest, columns.shape)
            self._texts[index] = dump(kept).encode()

    def _rescue(self, index: int, rest: dict[str, Any]) -> None:
        self._rescued[index] = dump(rest)
        self._rescued_names.update(map(fold, rest))

    def _one_by_one(self) -> tuple[pa.Table, Observed, Columns]:
        """Judge every line alone: slower, and right whatever they hold."""
        records = {}
        self._rescued.clear()
        self._rescued_names.clear()
        observed = Observed()
        for index, text in enumerate(self._lines.texts):
            if index in self._rejected:
                continue
            try:
                records[index] = load_record(text)
            except NotARecordError as error:
                self._rejected[index] = self._lines.rejected(index, str(error))
                continue
            if self._learning.settled.accepts_new:
                observed.add_record(records[index], self._learning.settled.shape)
        columns = self._learning.columns_with(observed)
        for index, record in records.items():
            kept, rest = split_record(record, columns.shape, accepts_new=False)
            if rest:
                self._rescue(index, rest)
            self._texts[index] = dump(kept).encode()
        return _stacked(self._read_parts(list(records), columns)), observed, columns

    def _read_parts(self, indices: list[int], columns: Columns) -> list[pa.Table]:
        """Read lines that ought to fit, halving them until those that Arrow still refuses are alone."""
        if not indices:
            return []
        result = read_block(self._joined(indices), columns.schema)
        if isinstance(result, pa.Table) and result.num_rows == len(indices):
            return [conform(result, columns)]
        if len(indices) == 1:
            self._rejected[indices[0]] = self._lines.rejected(indices[0], _REFUSED)
            return []
        half = len(indices) // 2
        return self._read_parts(indices[:half], columns) + self._read_parts(indices[half:], columns)


def _stacked(tables: Sequence[pa.Table]) -> pa.Table:
    if tables and not tables[0].num_columns:
        # Concatenating tables without columns loses their rows.
        rows = sum(table.num_rows for table in tables)
        return pa.table({"": pa.nulls(rows)}).select([])
    return pa.concat_tables(tables) if tables else pa.table({})
