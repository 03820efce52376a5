"""What a stored schema contract says, read without trust: others can write its bucket, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from glue_jobs.schema.column_names import RESERVED, fold
from glue_jobs.schema.hints import parse_hints
from glue_jobs.schema.scalars import is_text
from glue_jobs.schema.types import (
    MAX_PRECISION,
    ColumnType,
    Kind,
    TimestampSource,
    decimal,
    list_of,
    map_of,
    struct_of,
    timestamp,
)
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SCALARS: Final = {
    kind.value: ColumnType(kind)
    for kind in (Kind.BOOLEAN, Kind.INT64, Kind.FLOAT64, Kind.STRING, Kind.JSON, Kind.DATE)
}
_SOURCES: Final = {source.value: source for source in TimestampSource}
# What a version of a contract came from.
COLUMNS_ADDED: Final = "columns added"
CHANGED_BY_HAND: Final = "changed by hand"
# Twice as deep as the types that the job writes.
_MOST_DEPTH: Final = 64
_LONGEST_NAME: Final = 200


def read_types(columns: Any) -> dict[str, ColumnType]:
    """Return column to type, in order.

    Args:
        columns: the document's `columns`.

    Raises:
        ValueError: says which column is wrong, and how.
    """
    return dict(_members(columns, "'columns'", 1, RESERVED))


def type_document(column: ColumnType) -> Any:
    """Write a type, as JSON values."""
    if column.kind is Kind.DECIMAL:
        return {"decimal": [column.precision, column.scale]}
    if column.kind is Kind.TIMESTAMP and column.source is not None:
        return {"timestamp": column.source.value}
    if column.kind is Kind.STRUCT:
        return {"struct": [{"name": name, "type": type_document(member)} for name, member in column.members]}
    if column.item is not None:
        return {column.kind.value: type_document(column.item)}
    return column.kind.value


def read_hints(hints: Any) -> dict[str, str]:
    """Return path to type, as text.

    Raises:
        ValueError: says which hint is wrong, and how.
    """
    if not isinstance(hints, dict) or not all(isinstance(text, str) for text in hints.values()):
        raise ValueError("'hints' must be an object of paths with types as text")
    parse_hints(hints)
    return hints


def read_history(history: Any, version: int) -> tuple[dict[str, Any], ...]:
    """Return what each version came from.

    Raises:
        ValueError: it is no list of versions, each with the paths that it added, or what was changed by hand.
    """
    for entry in _list(history, "'history'"):
        if not isinstance(entry, dict) or not is_count(entry.get("version")) or entry["version"] > version:
            raise ValueError(f"'history' must hold versions up to {version}, got {_shown(entry)}")
        if entry.get("kind") == CHANGED_BY_HAND:
            if not all(isinstance(entry.get(name), str) for name in ("path", "change", "by", "reason")):
                raise ValueError(
                    f"version {entry['version']} must have 'path', 'change', 'by' and 'reason' as text"
                )
        elif entry.get("kind") != COLUMNS_ADDED:
            raise ValueError(
                f"'kind' of version {entry['version']} must be '{COLUMNS_ADDED}' or '{CHANGED_BY_HAND}', got "
                f"{_shown(entry.get('kind'))}"
            )
        elif not all(isinstance(path, str) for path in _list(entry.get("added"), "'added' of a version")):
            raise ValueError(f"'added' of version {entry['version']} must hold text")
    return tuple(history)


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number that is not negative."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _members(
    entries: Any, where: str, depth: int, reserved: Iterable[str] = frozenset()
) -> Iterator[tuple[str, ColumnType]]:
    taken: dict[str, str] = {}
    for entry in _list(entries, where):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or "type" not in entry:
            raise ValueError(f"{where} must hold objects with 'name' and 'type', got {_shown(entry)}")
        name = entry["name"]
        if not is_text(name):
            raise ValueError(f"{where} has the name {_shown(name)}, which no column can bear")
        if fold(name) in reserved:
            raise ValueError(f"{where} has the name {_shown(name)}, which the job itself adds")
        if (first := taken.get(fold(name))) is not None:
            raise ValueError(
                f"{where} has {_shown(first)} and {_shown(name)}, which Athena and Spark take for the same"
            )
        taken[fold(name)] = name
        yield name, _type(entry["type"], f"{where}, {_shown(name)}", depth)


def _type(found: Any, where: str, depth: int) -> ColumnType:
    if depth > _MOST_DEPTH:
        raise ValueError(f"{where[:_LONGEST_NAME]}... is nested deeper than {_MOST_DEPTH} levels")
    if isinstance(found, str) and found in _SCALARS:
        return _SCALARS[found]
    if isinstance(found, dict) and len(found) == 1:
        ((kind, inner),) = found.items()
        if kind == "list":
            return list_of(_type(inner, where, depth + 1))
        if kind == "map":
            return map_of(_type(inner, where, depth + 1))
        if kind == "struct":
            members = dict(_members(inner, where, depth + 1))
            if not members:
                raise ValueError(f"{where} is an object without members, which Parquet can't hold")
            return struct_of(members)
        if kind == "timestamp" and isinstance(inner, str) and inner in _SOURCES:
            return timestamp(_SOURCES[inner])
        if kind == "decimal" and _is_decimal(inner):
            return decimal(*inner)
    raise ValueError(
        f"{where} has the type {_shown(found)}; expected {', '.join(_SCALARS)}, or an object of one of list, "
        "map, struct, decimal ([precision, scale]) and timestamp (iso8601, s, ms, us)"
    )


def _is_decimal(found: Any) -> bool:
    return (
        isinstance(found, list)
        and len(found) == len(("precision", "scale"))
        and all(map(is_count, found))
        and found[1] <= found[0]
        and 1 <= found[0] <= MAX_PRECISION
    )


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where} must be a list, got {_shown(value)}")  # noqa: TRY004 - the document is wrong
    return value


def _shown(value: Any) -> str:
    return printable(
        repr(value) if not isinstance(value, dict | list) else type(value).__name__, _LONGEST_NAME
    )
