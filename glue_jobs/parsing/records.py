"""JSON records as Python values that keep the text of their numbers."""

from __future__ import annotations

import json
import re
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Any, Final

from glue_jobs.schema.scalars import Fraction, NotANumber, Whole

if TYPE_CHECKING:
    from collections.abc import Callable

# Far below the depth at which Arrow's parser overflows the stack, which would end the whole worker.
MAX_NESTING: Final = 200
# A shorter line has no room for the nesting that would end the process.
SHALLOW_BYTES: Final = 1024
_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]')


TWICE: Final = "a name occurs twice in one object"


class NotARecordError(ValueError):
    """A line is no record; the message says why, without content."""


def load_record(text: bytes) -> dict[str, Any]:
    """Read a line.

    Args:
        text: without white space at its ends.

    Returns:
        The object; its numbers are `Whole`, `Fraction` or `NotANumber`.

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
        raise NotARecordError(no_json(error.msg, error.pos)) from None
    if not isinstance(value, dict):
        raise NotARecordError(no_object(_json_type(value)))
    return value


def no_json(message: str, position: int) -> str:
    """Return why a line is no record that is no JSON.

    Args:
        message: of Python's json.
        position: of the fault, in characters from 0.
    """
    return f"invalid JSON: {message} at character {position + 1} of the line"


def no_object(found: str) -> str:
    """Return why a line is no record that is JSON of another kind."""
    return f"the top-level value is {found}, expected an object"


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
    """Write a value as JSON text, its numbers as they were.

    What is not a number is written as text (`"NaN"`). A lone surrogate has all but ASCII escaped.
    """
    text = _dump(value, encode_basestring)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _dump(value, encode_basestring_ascii)
    return text


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
        raise NotARecordError(TWICE)
    return members


def _json_type(value: object) -> str:
    if isinstance(value, Whole | Fraction | NotANumber):
        return "a number"
    names = {list: "an array", str: "text", bool: "a boolean"}
    return names.get(type(value), "null")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=Whole, parse_float=Fraction, parse_constant=NotANumber
)
