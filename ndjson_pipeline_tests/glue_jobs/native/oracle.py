"""What the Python rules make of lines, to hold the native parser against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from glue_jobs.native.builder import NativeBuilder, Refused, Taken, Why
from glue_jobs.native.library import Library
from glue_jobs.parsing.faults import reason_of
from glue_jobs.parsing.records import NotARecordError, dump, load_record
from glue_jobs.parsing.rows import rows_of
from glue_jobs.schema.paths import ITEMS, VALUES, member_path
from glue_jobs.schema.split import Split, split_record
from glue_jobs.schema.table_values import says_nothing
from glue_jobs.schema.types import ColumnType, Kind, struct_of

BLANKS = b" \t\r"
# Rare names and depths, which are Python's to judge whatever they are.
CAUTIOUS = {Why.UNKNOWN, Why.SURROGATE, Why.DEPTH}


@dataclass(frozen=True)
class Setting:
    """How a builder is opened."""

    types: Mapping[str, ColumnType]
    settled: Mapping[str, ColumnType]
    accepts_new: bool = False
    closed: frozenset[tuple[str, str]] = frozenset()

    def open(self, library: Library | None = None) -> NativeBuilder:
        return NativeBuilder(self.types, self.settled, self.accepts_new, self.closed, library)


@dataclass
class Outcome:
    """What a builder made of lines, and what became of each by the Python rules."""

    lines: int = 0
    taken: int = 0
    left: Counter[Why] | None = None
    rescued: int = 0
    faults: int = 0


def judge(line: bytes, types: Mapping[str, ColumnType]) -> Split | None:
    """Return what the rules make of a line; None where it is rejected."""
    try:
        record = load_record(line.strip(BLANKS))
    except NotARecordError:
        return None
    return split_record(record, types)


def open_paths(one: ColumnType, settled: ColumnType | None, path: str = "") -> Iterator[str]:
    """Yield the paths of places whose type is not settled."""
    alike = settled is not None and (one.kind, one.precision, one.scale, one.source) == (
        settled.kind,
        settled.precision,
        settled.scale,
        settled.source,
    )
    if not alike:
        settled = None
        yield path
    if one.item is not None:
        item = None if settled is None else settled.item
        yield from open_paths(one.item, item, path + (ITEMS if one.kind is Kind.LIST else VALUES))
    for name, member in one.members:
        found = None if settled is None else settled.by_name.get(name)
        yield from open_paths(member, found, member_path(path, name))


def strangers(value: Any, column: ColumnType, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path of the object and name of all members that say something and have no column."""
    if column.kind is Kind.STRUCT and isinstance(value, dict):
        for name, item in value.items():
            if says_nothing(item):
                continue
            member = column.by_name.get(name)
            if member is None:
                yield path, name
            else:
                yield from strangers(item, member, member_path(path, name))
    elif column.kind is Kind.LIST and isinstance(value, list) and column.item is not None:
        for item in value:
            yield from strangers(item, column.item, path + ITEMS)
    elif column.kind is Kind.MAP and isinstance(value, dict) and column.item is not None:
        for item in value.values():
            yield from strangers(item, column.item, path + VALUES)


def is_decidable(line: bytes, split: Split, setting: Setting, unsettled: Collection[str]) -> bool:
    """Return whether the native parser may judge the line: nothing in it may find another place later."""
    if setting.accepts_new and any(
        found not in setting.closed
        for found in strangers(load_record(line.strip(BLANKS)), struct_of(dict(setting.types)))
    ):
        return False
    return not any(path in unsettled for path, _ in split.rescued)


def check_faults(block: bytes, setting: Setting, library: Library | None = None) -> int:
    """Hold what the native parser says of lines that are no records against the rules; return how many."""
    told = at = 0
    with setting.open(library) as builder:
        while at < len(block):
            refused: list[Refused] = []
            at = builder.feed(block, at, refused).next
            for start, end, number, fault, character in refused:
                line = block[start:end]
                assert block.count(b"\n", 0, start) == number
                reason = reason_of(fault, character)
                if reason is None:
                    continue
                told += 1
                try:
                    load_record(line.strip(BLANKS))
                except NotARecordError as error:
                    assert str(error) == reason, ("another reason", line)
                else:
                    raise AssertionError(("refused, but a record", line))
    return told


def compare(block: bytes, setting: Setting, library: Library | None = None, cut: int = 0) -> Outcome:
    """Give lines to a builder, hold what it does against the rules, and raise where they differ.

    Args:
        block: the lines.
        setting: of the builder.
        library: to be tried.
        cut: where to take the rows in between, as a number of lines; 0 for only at the end.
    """
    outcome = Outcome(left=Counter())
    assert outcome.left is not None
    unsettled = set(open_paths(struct_of(dict(setting.types)), struct_of(dict(setting.settled))))
    expected: list[Split] = []
    counted: Counter[tuple[str, str]] = Counter()
    real = [line for line in block.split(b"\n") if line.strip(BLANKS)]
    position, at = 0, 0
    with setting.open(library) as builder:
        while True:
            fed = builder.feed(block, at)
            assert fed.lines == fed.rows + (fed.left is not None)
            for line in real[position : position + fed.rows]:
                split = judge(line, setting.types)
                assert split is not None, ("taken, but rejected by the rules", line)
                assert is_decidable(line, split, setting, unsettled), ("taken too early", line, split.rescued)
                expected.append(split)
                counted.update((path, str(reason)) for path, reason in split.rescued)
                outcome.rescued += bool(split.rescued)
            position += fed.rows
            outcome.taken += fed.rows
            if fed.left is not None:
                line = real[position]
                left = fed.left
                assert block[left.start : left.end] == line, ("another line was left", left, line)
                assert block.count(b"\n", 0, left.start) == left.line
                assert left.start == 0 or block[left.start - 1 : left.start] == b"\n"
                split = judge(line, setting.types)
                if split is not None:
                    may_be_left = left.why in CAUTIOUS or not is_decidable(line, split, setting, unsettled)
                    assert may_be_left, ("left without need", left.why, line)
                    builder.add(dump(split.kept).encode(), dump(split.rest).encode() if split.rest else None)
                    expected.append(split)
                outcome.left[left.why] += 1
                position += 1
            at = fed.next
            assert builder.rows == len(expected)
            if cut and len(expected) >= cut:
                check(builder.take(), expected, counted, setting, outcome)
                expected, counted = [], Counter()
                outcome.rescued = 0
            if at >= len(block) and fed.left is None:
                break
        assert position == len(real)
        outcome.lines = position
        check(builder.take(), expected, counted, setting, outcome)
        assert builder.rows == 0
    outcome.faults = check_faults(block, setting, library)
    return outcome


def check(
    taken: Taken,
    expected: list[Split],
    counted: Mapping[tuple[str, str], int],
    setting: Setting,
    outcome: Outcome,
) -> None:
    """Hold the rows of a builder against those of the rules."""
    taken.table.validate(full=True)
    wanted = rows_of([split.kept for split in expected], setting.types)
    assert taken.table.num_rows == len(expected)
    assert taken.table.schema.equals(wanted.schema)
    if not (taken.table.equals(wanted) and signs(taken.table) == signs(wanted)):
        found, right = taken.table.to_pylist(), wanted.to_pylist()
        differing = [
            (one, other) for one, other in zip(found, right, strict=True) if repr(one) != repr(other)
        ]
        raise AssertionError(("rows differ", differing[:3]))
    rests = [dump(split.rest) if split.rest else None for split in expected]
    rescued = [None] * len(expected) if taken.rescued is None else taken.rescued.to_pylist()
    assert rescued == rests, [pair for pair in zip(rescued, rests, strict=True) if pair[0] != pair[1]][:3]
    assert dict(taken.tallies) == dict(counted)
    assert taken.rescued_rows == outcome.rescued


def signs(table: pa.Table) -> list[bytes]:
    """Return the signs of all doubles: Arrow takes the two zeros for equal."""
    found: list[bytes] = []

    def look(array: pa.Array) -> None:
        if pa.types.is_floating(array.type):
            found.append(np.signbit(array.fill_null(0.0).to_numpy()).tobytes())
        elif pa.types.is_map(array.type):
            look(array.items)
        elif pa.types.is_list(array.type):
            look(array.flatten())
        elif pa.types.is_struct(array.type):
            for member in array.flatten():
                look(member)

    for column in table.columns:
        look(column.combine_chunks())
    return found
