"""Records of columns of any type as they were, from rows and what was rescued, in a form to compare."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from glue_jobs.schema.instants import day_of_text, instant_of_number, instant_of_text
from glue_jobs.schema.reasons import Reason
from glue_jobs.schema.scalars import Fraction, NotANumber, Whole, double_problem
from glue_jobs.schema.types import ColumnType, Kind, TimestampSource, struct_of
from ndjson_pipeline_tests.glue_jobs.records import ADDED, joined, without_nulls

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def loads(text: str) -> Any:
    return json.loads(text, parse_int=Whole, parse_float=Fraction, parse_constant=NotANumber)


def normal_record(record: dict[str, Any], types: dict[str, ColumnType]) -> Any:
    """Return a record in a form in which equal ones are equal."""
    return _normal(without_nulls(record), struct_of(types))


def normal_row(row: dict[str, Any], types: dict[str, ColumnType]) -> Any:
    """Return the record that a row came from, in the same form."""
    data = {name: _plain(value, types[name]) for name, value in row.items() if name not in ADDED}
    rescued = loads(row.get("_rescued") or "{}")
    return _normal(joined(without_nulls(data), without_nulls(rescued)), struct_of(types))


def _plain(value: Any, column: ColumnType) -> Any:
    """Return a reader's value as JSON has it, but for instants and days."""
    if value is None:
        return None
    if column.kind is Kind.JSON:
        return loads(value)
    if column.kind is Kind.STRUCT:
        return {name: _plain(inner, column.by_name[name]) for name, inner in value.items()}
    if column.item is None:
        return value
    if column.kind is Kind.LIST:
        return [_plain(inner, column.item) for inner in value]
    pairs = value.items() if isinstance(value, dict) else value
    return {key: _plain(inner, column.item) for key, inner in pairs}


def _normal(value: Any, column: ColumnType | None) -> Any:
    kind = None if column is None else column.kind
    if isinstance(value, dict):
        return {name: _normal(inner, _inner(column, name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [
            _normal(inner, column.item if column is not None and kind is Kind.LIST else None)
            for inner in value
        ]
    if isinstance(value, datetime):
        # Spark gives instants in local time, without a zone.
        return ("instant", (value.astimezone(UTC) - EPOCH) // timedelta(microseconds=1))
    if isinstance(value, date):
        return ("day", (value - date(1970, 1, 1)).days)
    if kind is Kind.FLOAT64 and isinstance(value, Whole | Fraction) and double_problem(value) is None:
        return ("double", float(value) + 0.0)
    if kind is Kind.FLOAT64 and isinstance(value, float):
        return ("double", value + 0.0)
    if isinstance(value, Whole | Fraction):
        if column is not None and kind is Kind.TIMESTAMP and column.source is not TimestampSource.ISO8601:
            found = instant_of_number(value, column.source or TimestampSource.SECONDS)
            if not isinstance(found, Reason):
                return ("instant", found)
        return ("number", Decimal(str(value)).normalize() + 0 if len(value) < 50 else str(value))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return ("number", Decimal(repr(value) if isinstance(value, float) else value).normalize() + 0)
    if kind is Kind.TIMESTAMP and column is not None and column.source is TimestampSource.ISO8601:
        found = instant_of_text(value)
        return str(value) if isinstance(found, Reason) else ("instant", found)
    if kind is Kind.DATE:
        found = day_of_text(value)
        return str(value) if isinstance(found, Reason) else ("day", found)
    return str(value)


def _inner(column: ColumnType | None, name: str) -> ColumnType | None:
    if column is None:
        return None
    return (
        column.by_name.get(name)
        if column.kind is Kind.STRUCT
        else column.item
        if column.kind is Kind.MAP
        else None
    )
