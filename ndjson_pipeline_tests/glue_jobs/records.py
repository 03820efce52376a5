"""Records as they were, from rows and what was rescued of them."""

import json
from typing import Any

ADDED = ("_processing_timestamp", "_source_file", "_rescued")


def without_nulls(value: Any) -> Any:
    """Leave out members that are null: a column can't tell them from absent ones."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def joined(row: dict[str, Any], rescued: dict[str, Any]) -> dict[str, Any]:
    """Put what was rescued back into its row."""
    for name, value in rescued.items():
        both = isinstance(value, dict) and isinstance(row.get(name), dict)
        row[name] = joined(row[name], value) if both else value
    return row


def record_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the record that a row of the output came from, but for members that are null."""
    data = without_nulls({name: value for name, value in row.items() if name not in ADDED})
    return joined(data, without_nulls(json.loads(row.get("_rescued") or "{}")))


def canonical(record: dict[str, Any]) -> str:
    """Write a record so that equal ones are equal text, whether a number is 1 or 1.0."""
    return json.dumps(_numbers(without_nulls(record)), sort_keys=True)


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
