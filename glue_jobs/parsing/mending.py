"""The lines of a segment that can't be taken as they stand, each judged alone."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from glue_jobs.parsing.arrow_json import Refusal, check_block, read_block
from glue_jobs.parsing.parsed import Parsed, learn, read
from glue_jobs.reading.lines import is_utf8
from glue_jobs.schema.columns import fold
from glue_jobs.schema.fit import conform, has_odd_doubles, misfits
from glue_jobs.schema.observed import Observed
from glue_jobs.schema.values import (
    HARMLESS_BYTES,
    NotARecordError,
    dump,
    is_too_deep,
    load_record,
    split_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from glue_jobs.reading.lines import Lines, Rejected
    from glue_jobs.schema.columns import Columns
    from glue_jobs.schema.learning import Learning

# Python judges a line some ten times as slowly as Arrow, so at first only those that Arrow points at.
_ROUNDS: Final = 10
_WINDOW_BYTES: Final = 131_072
_FEW: Final = 30
_DENSE: Final = 20
_OPENING: Final = ord("{")
_CLOSING: Final = ord("}")
_TWO_OBJECTS: Final = re.compile(rb"\}[ \t\r]*\{")
# What JSON lacks, and whole numbers that a double may have rounded.
_ODD_NUMBER: Final = re.compile(rb"NaN|Inf|[:,\[ \t]-?\d{16,}(?![\d.eE])")
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

    def run(self, first: pa.Table | Refusal | None) -> Parsed:
        """Parse the lines.

        Args:
            first: what the parser said to all lines as they stand; None where it was not asked.
        """
        if first is None:
            self._mend(self._misshapen(), self._learning.columns)
        for _ in range(_ROUNDS):
            alive = [index for index in range(len(self._texts)) if index not in self._rejected]
            if not alive:
                return self._parsed(pa.table({}), alive, self._beyond, self._learning.columns)
            result = first if first is not None else read(self._joined(alive), self._learning.columns)
            first = None
            if isinstance(result, Refusal):
                columns = self._learning.columns
                suspects = self._refused(result, alive)
            else:
                if result.num_rows != len(alive):
                    break
                observed = Observed()
                observed.merge(self._beyond)
                observed, columns = learn(result, observed, self._learning)
                suspects = [alive[row] for row in misfits(result, columns)]
                if has_odd_doubles(result):
                    suspects += self._odd(alive)
                if not suspects and not self._is_stale(columns):
                    return self._parsed(result, alive, observed, columns)
            if not suspects or self._is_stale(columns) or not self._mended.isdisjoint(suspects):
                break
            self._mend(suspects, columns)
        return self._one_by_one()

    def _is_stale(self, columns: Columns) -> bool:
        """Return whether something was rescued that other columns may take."""
        if columns is self._rescued_for or not self._rescued:
            return False
        return not self._rescued_names.isdisjoint(columns.changed_names(self._rescued_for))

    def _joined(self, indices: Iterable[int]) -> bytes:
        return b"\n".join([self._texts[index] for index in indices])

    def _misshapen(self) -> list[int]:
        """Return lines that are seen not to hold one object."""
        texts = self._texts
        whole = b"\n".join(texts)
        found = {index for index, text in enumerate(texts) if text[0] != _OPENING or text[-1] != _CLOSING}
        found.update(matching_rows(_TWO_OBJECTS, whole, texts))
        if max(map(len, texts)) >= HARMLESS_BYTES:
            found.update(
                index for index, text in enumerate(texts) if len(text) >= HARMLESS_BYTES and is_too_deep(text)
            )
        if not is_utf8(whole):
            found.update(index for index, text in enumerate(texts) if not is_utf8(text))
        return sorted(found)

    def _odd(self, alive: Sequence[int]) -> list[int]:
        """Return lines with numbers that JSON lacks, or that a double may have rounded."""
        texts = [self._texts[index] for index in alive]
        rows = matching_rows(_ODD_NUMBER, b"\n".join(texts), texts)
        return [alive[row] for row in rows if alive[row] not in self._mended]

    def _refused(self, refusal: Refusal, alive: Sequence[int]) -> list[int]:
        """Return lines that the parser refuses, or that may be: the named one, and those after it."""
        if refusal.row is None or refusal.row >= len(alive):
            return []
        row, path = refusal.row, refusal.path
        columns = self._learning.columns
        if path is not None and path in columns.types:
            pattern = _clash_pattern(path, columns.types[path])
            texts = [self._texts[index] for index in alive[row:]]
            rows = matching_rows(pattern, b"\n".join(texts), texts)
            if rows[:1] == [0] and len(rows) < _FEW + len(texts) // _DENSE:
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

    def _one_by_one(self) -> Parsed:
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
                _observe(records[index], observed, self._learning)
        columns = self._learning.columns_with(observed)
        for index, record in records.items():
            kept, rest = split_record(record, columns.shape, accepts_new=False)
            if rest:
                self._rescue(index, rest)
            self._texts[index] = dump(kept).encode()
        tables = self._read_parts(list(records), columns)
        alive = [index for index in records if index not in self._rejected]
        return self._parsed(_stacked(tables), alive, observed, columns)

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

    def _parsed(self, table: pa.Table, alive: Sequence[int], observed: Observed, columns: Columns) -> Parsed:
        rescued = [self._rescued.get(index) for index in alive] if self._rescued else []
        return Parsed(
            table,
            pa.array(rescued, pa.string()) if any(text is not None for text in rescued) else None,
            len(self._texts),
            tuple(self._rejected[index] for index in sorted(self._rejected)),
            observed,
            columns,
            frozenset(self._rescued_names),
        )


def matching_rows(pattern: re.Pattern[bytes], whole: bytes, texts: Sequence[bytes]) -> list[int]:
    """Return the lines in which a pattern is found.

    Args:
        pattern: matches within a line.
        whole: the lines joined by newlines, since one search over all of them is fastest.
        texts: the same lines.
    """
    rows: list[int] = []
    ends: list[int] = []
    start = 0
    while (match := pattern.search(whole, start)) is not None:
        ends = ends or list(accumulate(len(text) + 1 for text in texts))
        row = bisect_right(ends, match.start())
        rows.append(row)
        start = ends[row]
    return rows


def _stacked(tables: Sequence[pa.Table]) -> pa.Table:
    if tables and not tables[0].num_columns:
        # Concatenating tables without columns loses their rows.
        rows = sum(table.num_rows for table in tables)
        return pa.table({"": pa.nulls(rows)}).select([])
    return pa.concat_tables(tables) if tables else pa.table({})


def _clash_pattern(name: str, wanted: pa.DataType) -> re.Pattern[bytes]:
    """Return what finds members of that name with a value of another kind, and little besides."""
    if pa.types.is_int64(wanted) or pa.types.is_float64(wanted):
        expected = rb"0-9n\-"
    elif pa.types.is_string(wanted):
        expected = rb'"n'
    elif pa.types.is_boolean(wanted):
        expected = rb"tfn"
    else:
        expected = rb"\[n" if pa.types.is_list(wanted) else rb"{n"
    return re.compile(
        re.escape(json.dumps(name, ensure_ascii=False).encode()) + rb"[ \t]*:[ \t]*[^ \t" + expected + b"]"
    )


def refused_rows(texts: Sequence[bytes], expected: pa.Schema) -> list[int]:
    """Return the lines that Arrow refuses.

    Args:
        texts: of one object each, as far as is seen.
        expected: columns whose types may clash.

    Returns:
        Their rows; where they are many, all that follow too, since judging each alone is faster then.
    """
    refused: list[int] = []
    start = 0
    while start < len(texts):
        end, size = start, 0
        while end < len(texts) and size < _WINDOW_BYTES:
            size += len(texts[end]) + 1
            end += 1
        while start < end:
            refusal = check_block(b"\n".join(texts[start:end]), expected)
            if refusal is None:
                break
            if refusal.row is None or (len(refused) > _FEW and len(refused) * _DENSE > start):
                return [*refused, *range(start, len(texts))]
            refused.append(start + refusal.row)
            start += refusal.row + 1
        start = end
    return refused


def _observe(record: dict[str, object], observed: Observed, learning: Learning) -> None:
    known = learning.settled.shape.members
    for name, value in record.items():
        shape = known.get(name)
        if shape is None or shape.item is not None or shape.members:
            observed.member(name).add_value(value)
