"""Attributes of rows that may be of another shape: what can't be read as it should be is None, never a crash.

Another tool, or a person, may have written a row; DynamoDB checks the types of keys alone.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from lambda_ingest.contract.dates import parse_date, parse_utc_timestamp
from lambda_ingest.contract.items import Item


def text_of(item: Mapping[str, Any], name: str) -> str | None:
    """Return an attribute that is text with something in it."""
    value = item.get(name)
    return value if isinstance(value, str) and value else None


def whole_of(item: Mapping[str, Any], name: str) -> int | None:
    """Return an attribute that is a whole number of 0 or more."""
    value = item.get(name)
    if not isinstance(value, Decimal) or value < 0 or value != value.to_integral_value():
        return None
    return int(value)


def instant_of(item: Mapping[str, Any], name: str) -> datetime | None:
    """Return an attribute that is an instant with a zone."""
    value = text_of(item, name)
    if value is None:
        return None
    try:
        return parse_utc_timestamp(value)
    except (ValueError, OverflowError):
        return None


def date_of(item: Mapping[str, Any], name: str) -> str | None:
    """Return an attribute that is a date as `YYYY-MM-DD`."""
    value = text_of(item, name)
    if value is None:
        return None
    try:
        parse_date(value)
    except ValueError:
        return None
    return value


def unchanged(item: Mapping[str, Any], *names: str) -> tuple[str, dict[str, str], Item]:
    """Return the condition that attributes of a row still are as they were read, with its names and values.

    Args:
        item: the row as it was read.
        names: the attributes; what the row lacks must be lacking still.
    """
    terms, placeholders, values = [], {}, {}
    for name in names:
        placeholders[f"#was_{name}"] = name
        if item.get(name) is None:
            terms.append(f"attribute_not_exists(#was_{name})")
        else:
            terms.append(f"#was_{name} = :was_{name}")
            values[f":was_{name}"] = item[name]
    return " AND ".join(terms), placeholders, values
