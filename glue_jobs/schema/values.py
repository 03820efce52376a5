"""JSON records as Python values that keep the text of their numbers."""

from __future__ import annotations

import json
import re
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

    from glue_jobs.schema.columns import Shape

# Far below the depth at which Arrow's parser overflows the stack, which would end the whole worker.
MAX_NESTING: Final = 200
# A shorter line has no room for the nesting that would end the process.
HARMLESS_BYTES: Final = 1024
_WHOLE_MAX: Final = 2**63 - 1
_WHOLE_MIN: Final = -(2**63)
# Digits of a 64-bit number, a sign and a zero in front; longer text needs no conversion to be judged.
_DOUBLE_DIGITS: Final = 310
_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]')


class NotARecordError(ValueError):
    """A line is no record; the message says why, without content."""


class Whole(str):
    """A number written without fraction or exponent, as its text."""

    __slots__ = ()


class Fraction(str):
    """A number written with fraction or exponent, as its text."""

    __slots__ = ()


class _Nothing:
    """The part of a value that is not there."""


NOTHING: Final = _Nothing()


def load_record(text: bytes) -> dict[str, Any]:
    """Read a line.

    Args:
        text: without white space at its ends.

    Returns:
        The object; its numbers are `Whole` or `Fraction`.

    Raises:
        NotARecordError: it is not UTF-8, no JSON, no object, names a member twice, or is nested too deep.
    """
    if is_too_deep(text):
        raise NotARecordError(f"nested deeper than {MAX_NESTING} levels")
    try:
        value = _DECODER.decode(text.decode())
    except UnicodeDecodeError as error:
        raise NotARecordError(f"invalid UTF-8 at byte {error.start} of the line") from None
    except json.JSONDecodeError as error:
        message = f"invalid JSON: {error.msg} at character {error.pos + 1} of the line"
        raise NotARecordError(message) from None
    if not isinstance(value, dict):
        raise NotARecordError(f"the top-level value is {_json_type(value)}, expected an object")
    return value


def is_too_deep(text: bytes) -> bool:
    """Return whether a line is nested deeper than `MAX_NESTING`."""
    if text.count(b"{") + text.count(b"[") <= MAX_NESTING:
        return False
    depth = 0
    for match in _STRUCTURE.finditer(text):
        first = match[0][:1]
        if first in b"[{":
            depth += 1
            if depth > MAX_NESTING:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def dump(value: Any) -> str:
    """Write a value as JSON text, its numbers as they were; lone surrogates stay escaped."""
    text = _dump(value, encode_basestring)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _dump(value, encode_basestring_ascii)
    return text


def split(value: Any, shape: Shape, accepts_new: bool) -> tuple[Any, Any]:
    """Split a value into what its column takes, and the rest.

    Objects are split member by member. A list is taken whole or not at all, since its items have no names
    under which the rest could be given. What is null says nothing and is in no rest.

    Args:
        value: as `load_record` gives it.
        shape: of the column.
        accepts_new: whether objects may gain members.

    Returns:
        Both; `NOTHING` where there is none.
    """
    if value is None:
        return None, NOTHING
    if isinstance(value, dict) and pa.types.is_struct(shape.type):
        kept, rest = split_record(value, shape, accepts_new)
        return kept, rest or NOTHING
    if isinstance(value, list) and shape.item is not None:
        parts = [split(item, shape.item, accepts_new) for item in value]
        if any(rest is not NOTHING for _, rest in parts):
            return NOTHING, value
        return [kept for kept, _ in parts], NOTHING
    kept = _fitting(value, shape.type)
    return kept, value if kept is NOTHING else NOTHING


def split_record(
    record: dict[str, Any], shape: Shape, accepts_new: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split an object into the members that its columns take, and the rest; as `split` does."""
    kept, rest = {}, {}
    for name, value in record.items():
        member = shape.members.get(name)
        if member is not None:
            kept_value, rest_value = split(value, member, accepts_new)
        elif value is None:
            continue
        elif accepts_new and shape.accepts(name) and _is_storable(value):
            kept_value, rest_value = value, NOTHING
        else:
            kept_value, rest_value = NOTHING, value
        if kept_value is not NOTHING:
            kept[name] = kept_value
        if rest_value is not NOTHING:
            rest[name] = rest_value
    return kept, rest


def is_whole(number: Whole) -> bool:
    """Return whether 64 bits hold the number."""
    return len(number) <= 20 and _WHOLE_MIN <= int(number) <= _WHOLE_MAX


def is_exact_double(number: Whole) -> bool:
    """Return whether a double holds the number exactly."""
    return len(number) <= _DOUBLE_DIGITS and _is_exact(int(number))


def is_double(number: Fraction) -> bool:
    """Return whether a double holds the number, rounded as usual."""
    return abs(float(number)) != float("inf")


def _fitting(value: Any, data_type: pa.DataType) -> Any:  # noqa: PLR0911 - one return a type
    if isinstance(value, Whole):
        if pa.types.is_int64(data_type):
            return value if is_whole(value) else NOTHING
        return value if pa.types.is_float64(data_type) and is_exact_double(value) else NOTHING
    if isinstance(value, Fraction):
        if pa.types.is_float64(data_type):
            return value if is_double(value) else NOTHING
        return _as_whole(value) if pa.types.is_int64(data_type) else NOTHING
    if isinstance(value, str):
        return value if pa.types.is_string(data_type) and is_text(value) else NOTHING
    if isinstance(value, bool):
        return value if pa.types.is_boolean(data_type) else NOTHING
    return NOTHING


def _as_whole(number: Fraction) -> Any:
    value = float(number)
    # Beyond these a double is no 64-bit number; 2**63 itself is a double, and one too many.
    if not -(2.0**63) <= value < 2.0**63 or not value.is_integer():
        return NOTHING
    return Whole(int(value))


def _is_exact(number: int) -> bool:
    try:
        return int(float(number)) == number
    except OverflowError:
        return False


def is_text(value: str) -> bool:
    """Return whether the text has UTF-8: lone surrogates have none."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


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


def _dump(value: Any, quoted: Callable[[str], str]) -> str:
    if isinstance(value, Whole | Fraction):
        return str.__str__(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{quoted(name)}:{_dump(item, quoted)}" for name, item in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_dump(item, quoted) for item in value]) + "]"
    return {None: "null", True: "true", False: "false"}[value]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotARecordError("a name occurs twice in one object")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise NotARecordError("NaN and Infinity are no JSON")


def _json_type(value: object) -> str:
    if isinstance(value, Whole | Fraction):
        return "a number"
    names = {list: "an array", str: "text", bool: "a boolean"}
    return names.get(type(value), "null")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=Whole, parse_float=Fraction, parse_constant=_refuse_constant
)
