"""Records held against columns: what these take of each, what is left over, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from glue_jobs.schema.column_names import is_storable_name
from glue_jobs.schema.instants import day_of_text, instant_of_number, instant_of_text
from glue_jobs.schema.limits import MAX_DEPTH
from glue_jobs.schema.paths import ITEMS, VALUES, name_step
from glue_jobs.schema.reasons import Reason
from glue_jobs.schema.scalars import (
    Fraction,
    NotANumber,
    Whole,
    decimal_problem,
    double_problem,
    is_text,
    whole_problem,
)
from glue_jobs.schema.table_values import says_nothing
from glue_jobs.schema.types import Kind, TimestampSource

if TYPE_CHECKING:
    from glue_jobs.schema.types import ColumnType


class _Nothing:
    """The part of a value that is not there."""


_NOTHING: Final = _Nothing()


@dataclass(frozen=True, slots=True)
class Split:
    """A record in two parts, of which the one merged into the other is the record.

    Attributes:
        kept: what the columns take: the record's own values, each of which its column's type gives back; JSON
            text of it is taken by whatever follows the same rules.
        rest: what is left over, to be written by `records.dump`.
        rescued: path and reason of what is left over, each once; empty objects and lists that no column waits
            for are in the rest, but not here.
    """

    kept: dict[str, Any]
    rest: dict[str, Any]
    rescued: frozenset[tuple[str, Reason]]


# Paths are put together from the inside, and only where something is left over.
_Problems = dict[tuple[str, Reason], None]
_Found = Mapping[tuple[str, Reason], None]
_NO_PROBLEMS: Final[_Found] = {}


def split_record(record: dict[str, Any], types: Mapping[str, ColumnType]) -> Split:
    """Split a record into what its columns take, and the rest.

    Objects and maps are split member by member. A list keeps its place: an item that does not fit is null in
    the column, and the rest holds the list whole, since its items have no names under which the rest of them
    could be given. What is null says nothing and is in no rest.

    Args:
        record: as `records.load_record` reads it.
        types: of the columns, by name.
    """
    kept, rest, problems = _split_members(record, types, 1)
    rescued = frozenset([(path[1:], reason) for path, reason in problems])
    return Split(kept, {} if rest is _NOTHING else rest, rescued)


def nesting(value: Any) -> int:
    """Return how many objects and lists are in one another; 0 for what is neither."""
    if isinstance(value, dict):
        return 1 + max(map(nesting, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(nesting, value), default=0)
    return 0


def unknown_reason(name: str, value: Any, depth: int) -> Reason:
    """Return why there is no column for a name that has none.

    Args:
        name: the member's.
        value: its own.
        depth: levels from the record, which is the first, to the member.
    """
    if not is_storable_name(name):
        return Reason.NOT_STORABLE
    return Reason.TOO_DEEP if depth + nesting(value) > MAX_DEPTH else Reason.NO_COLUMN


def _split_members(
    record: dict[str, Any], types: Mapping[str, ColumnType], depth: int
) -> tuple[dict[str, Any], Any, _Found]:
    kept: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    problems: _Problems = {}
    for name, value in record.items():
        if value is None:
            continue
        member = types.get(name)
        if member is None:
            rest[name] = value
            if not says_nothing(value):
                problems[f".{name_step(name)}", unknown_reason(name, value, depth + 1)] = None
            continue
        kept_value, rest_value, found = _split(value, member, depth + 1)
        if kept_value is not _NOTHING:
            kept[name] = kept_value
        if rest_value is not _NOTHING:
            rest[name] = rest_value
        if found:
            _add(problems, f".{name_step(name)}", found)
    return kept, rest or _NOTHING, problems


def _split(value: Any, column: ColumnType, depth: int) -> tuple[Any, Any, _Found]:
    """Split a value that is not null; `_NOTHING` stands for a part that is not there."""
    kind = column.kind
    check = _CHECKS.get(kind)
    if check is not None:
        reason = check(value, column)
        return (value, _NOTHING, _NO_PROBLEMS) if reason is None else (_NOTHING, value, {("", reason): None})
    if kind is Kind.STRUCT and isinstance(value, dict):
        return _split_members(value, column.by_name, depth)
    if column.item is not None:
        if kind is Kind.LIST and isinstance(value, list):
            return _split_list(value, column.item, depth)
        if kind is Kind.MAP and isinstance(value, dict):
            return _split_map(value, column.item, depth)
    return _NOTHING, value, {("", _other_kind(value)): None}


def _add(problems: _Problems, step: str, found: _Found) -> None:
    for path, reason in found:
        problems[step + path, reason] = None


def _split_list(values: list[Any], item: ColumnType, depth: int) -> tuple[Any, Any, _Found]:
    kept: list[Any] = []
    is_whole = True
    problems: _Problems = {}
    for value in values:
        if value is None:
            kept.append(None)
            continue
        kept_value, rest_value, found = _split(value, item, depth + 1)
        kept.append(None if kept_value is _NOTHING else kept_value)
        is_whole = is_whole and rest_value is _NOTHING
        if found:
            _add(problems, ITEMS, found)
    return kept, _NOTHING if is_whole else values, problems


def _split_map(values: dict[str, Any], item: ColumnType, depth: int) -> tuple[Any, Any, _Found]:
    kept: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    problems: _Problems = {}
    for key, value in values.items():
        if not is_text(key):
            if value is not None:
                rest[key] = value
                problems[VALUES, Reason.NOT_STORABLE] = None
            continue
        if value is None:
            kept[key] = None
            continue
        kept_value, rest_value, found = _split(value, item, depth + 1)
        kept[key] = None if kept_value is _NOTHING else kept_value
        if rest_value is not _NOTHING:
            rest[key] = rest_value
        if found:
            _add(problems, VALUES, found)
    return kept, rest or _NOTHING, problems


def _other_kind(value: Any) -> Reason:
    return Reason.NOT_A_NUMBER if isinstance(value, NotANumber) else Reason.OTHER_KIND


def _boolean_problem(value: Any, _: ColumnType) -> Reason | None:
    return None if isinstance(value, bool) else _other_kind(value)


def _whole_problem(value: Any, _: ColumnType) -> Reason | None:
    return whole_problem(value) if isinstance(value, Whole | Fraction) else _other_kind(value)


def _double_problem(value: Any, _: ColumnType) -> Reason | None:
    return double_problem(value) if isinstance(value, Whole | Fraction) else _other_kind(value)


def _is_plain_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Whole | Fraction | NotANumber)


def _text_problem(value: Any, _: ColumnType) -> Reason | None:
    if not _is_plain_text(value):
        return _other_kind(value)
    return None if is_text(value) else Reason.NOT_STORABLE


def _json_problem(value: Any, column: ColumnType) -> Reason | None:
    """A value with something that is not a number inside would come back as another."""
    if isinstance(value, NotANumber):
        return Reason.NOT_A_NUMBER
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    is_bad = any(_json_problem(each, column) is not None for each in inner)
    return Reason.NOT_A_NUMBER if is_bad else None


def _decimal_problem(value: Any, column: ColumnType) -> Reason | None:
    if not isinstance(value, Whole | Fraction):
        return _other_kind(value)
    return decimal_problem(value, column.precision, column.scale)


def _timestamp_problem(value: Any, column: ColumnType) -> Reason | None:
    if column.source is TimestampSource.ISO8601:
        found = instant_of_text(value) if _is_plain_text(value) else _other_kind(value)
    elif isinstance(value, Whole | Fraction) and column.source is not None:
        found = instant_of_number(value, column.source)
    else:
        found = _other_kind(value)
    return found if isinstance(found, Reason) else None


def _date_problem(value: Any, _: ColumnType) -> Reason | None:
    found = day_of_text(value) if _is_plain_text(value) else _other_kind(value)
    return found if isinstance(found, Reason) else None


_CHECKS: Final[Mapping[Kind, Callable[[Any, ColumnType], Reason | None]]] = {
    Kind.BOOLEAN: _boolean_problem,
    Kind.INT64: _whole_problem,
    Kind.FLOAT64: _double_problem,
    Kind.STRING: _text_problem,
    Kind.JSON: _json_problem,
    Kind.DECIMAL: _decimal_problem,
    Kind.TIMESTAMP: _timestamp_problem,
    Kind.DATE: _date_problem,
}
