"""The types of a stored schema contract, read without trust: others can write its bucket, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from glue_jobs.schema.columns import RESERVED, fold
from glue_jobs.schema.scalars import is_text
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCALARS: Final = {
    "boolean": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
}
# Twice as deep as the types that the job writes.
_MOST_DEPTH: Final = 64
_LONGEST_NAME: Final = 200


def read_types(columns: Any) -> dict[str, pa.DataType]:
    """Return column to type, in order.

    Args:
        columns: the document's `columns`.

    Raises:
        ValueError: says which column is wrong, and how.
    """
    return dict(_members(columns, "'columns'", 1, RESERVED))


def read_history(history: Any, version: int) -> tuple[dict[str, Any], ...]:
    """Return what each version added.

    Raises:
        ValueError: it is no list of versions, each with the paths that it added.
    """
    for entry in _list(history, "'history'"):
        if not isinstance(entry, dict) or not is_count(entry.get("version")) or entry["version"] > version:
            raise ValueError(f"'history' must hold versions up to {version}, got {_shown(entry)}")
        if not all(isinstance(path, str) for path in _list(entry.get("added"), "'added' of a version")):
            raise ValueError(f"'added' of version {entry['version']} must hold text")
    return tuple(history)


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number that is not negative."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _members(
    entries: Any, where: str, depth: int, reserved: Iterable[str] = frozenset()
) -> Iterator[tuple[str, pa.DataType]]:
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


def _type(found: Any, where: str, depth: int) -> pa.DataType:
    if depth > _MOST_DEPTH:
        raise ValueError(f"{where[:_LONGEST_NAME]}... is nested deeper than {_MOST_DEPTH} levels")
    if isinstance(found, str) and found in SCALARS:
        return SCALARS[found]
    if isinstance(found, dict) and found.keys() == {"list"}:
        return pa.list_(_type(found["list"], where, depth + 1))
    if isinstance(found, dict) and found.keys() == {"struct"}:
        members = list(_members(found["struct"], where, depth + 1))
        if not members:
            raise ValueError(f"{where} is an object without members, which Parquet can't hold")
        return pa.struct(members)
    raise ValueError(
        f"{where} has the type {_shown(found)}; expected {', '.join(SCALARS)}, a list or a struct"
    )


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{where} must be a list, got {_shown(value)}")  # noqa: TRY004 - the document is wrong
    return value


def _shown(value: Any) -> str:
    return printable(
        repr(value) if not isinstance(value, dict | list) else type(value).__name__, _LONGEST_NAME
    )
