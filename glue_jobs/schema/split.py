"""Records held against columns: what these take of each, what is left over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from glue_jobs.schema.scalars import Fraction, Whole, is_double, is_exact_double, is_text, is_whole

if TYPE_CHECKING:
    from glue_jobs.schema.columns import Shape


class _Nothing:
    """The part of a value that is not there."""


_NOTHING: Final = _Nothing()


def split_record(
    record: dict[str, Any], shape: Shape, accepts_new: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a record into what its columns take, and the rest.

    Objects are split member by member. A list is taken whole or not at all, since its items have no names
    under which the rest could be given. What is null says nothing and is in no rest.

    Args:
        record: its numbers are `Whole` or `Fraction`.
        shape: of the columns.
        accepts_new: whether it, and objects in it, may gain members.
    """
    kept, rest = {}, {}
    for name, value in record.items():
        member = shape.members.get(name)
        if member is not None:
            kept_value, rest_value = _split(value, member, accepts_new)
        elif value is None:
            continue
        elif accepts_new and shape.accepts(name) and _is_storable(value):
            kept_value, rest_value = value, _NOTHING
        else:
            kept_value, rest_value = _NOTHING, value
        if kept_value is not _NOTHING:
            kept[name] = kept_value
        if rest_value is not _NOTHING:
            rest[name] = rest_value
    return kept, rest


def _split(value: Any, shape: Shape, accepts_new: bool) -> tuple[Any, Any]:
    """Split a value as `split_record` does; `_NOTHING` stands for a part that is not there."""
    if value is None:
        return None, _NOTHING
    if isinstance(value, dict) and pa.types.is_struct(shape.type):
        kept, rest = split_record(value, shape, accepts_new)
        return kept, rest or _NOTHING
    if isinstance(value, list) and shape.item is not None:
        parts = [_split(item, shape.item, accepts_new) for item in value]
        if any(rest is not _NOTHING for _, rest in parts):
            return _NOTHING, value
        return [kept for kept, _ in parts], _NOTHING
    kept = _fitting(value, shape.type)
    return kept, value if kept is _NOTHING else _NOTHING


def _fitting(value: Any, data_type: pa.DataType) -> Any:  # noqa: PLR0911 - one return a type
    if isinstance(value, Whole):
        if pa.types.is_int64(data_type):
            return value if is_whole(value) else _NOTHING
        return value if pa.types.is_float64(data_type) and is_exact_double(value) else _NOTHING
    if isinstance(value, Fraction):
        if pa.types.is_float64(data_type):
            return value if is_double(value) else _NOTHING
        return _as_whole(value) if pa.types.is_int64(data_type) else _NOTHING
    if isinstance(value, str):
        return value if pa.types.is_string(data_type) and is_text(value) else _NOTHING
    if isinstance(value, bool):
        return value if pa.types.is_boolean(data_type) else _NOTHING
    return _NOTHING


def _as_whole(number: Fraction) -> Any:
    value = float(number)
    # Beyond these a double is no 64-bit number; 2**63 itself is a double, and one too many.
    if not -(2.0**63) <= value < 2.0**63 or not value.is_integer():
        return _NOTHING
    return Whole(int(value))


def _is_storable(value: Any) -> bool:
    """Return whether some column could hold the value, so that Arrow may find out which."""
    if isinstance(value, Whole):
        return is_whole(value) or is_exact_double(value)
    if isinstance(value, Fraction):
        return is_double(value)
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, list):
        return all(map(_is_storable, value))
    if isinstance(value, dict):
        return all(is_text(name) and _is_storable(item) for name, item in value.items())
    return True
