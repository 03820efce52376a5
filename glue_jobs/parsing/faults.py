"""Why a line is no record, in the words of the rules, where the native parser found its fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from glue_jobs.native.builder import Fault
from glue_jobs.parsing.records import TWICE, no_json, no_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS: Final[Mapping[Fault, str]] = {
    Fault.ARRAY: "an array",
    Fault.TEXT: "text",
    Fault.NUMBER: "a number",
    Fault.BOOLEAN: "a boolean",
    Fault.NOTHING: "null",
}
_EXAMPLES: Final[Mapping[Fault, str]] = {
    Fault.VALUE: "x",
    Fault.NAME: "{x",
    Fault.COLON: '{"a"x',
    Fault.COMMA: "[1 x",
    Fault.EXTRA: "1 x",
    Fault.OPEN_TEXT: '"',
    Fault.CONTROL: '"\x01"',
}


def reason_of(fault: int, character: int) -> str | None:
    """Return what `load_record` says of such a line; None where it is to be asked.

    Args:
        fault: a `Fault`.
        character: where it is in the line, from 0, without white space before it.
    """
    message = _MESSAGES.get(fault)
    return _WHOLE.get(fault) if message is None else no_json(message, character)


def _message(example: str) -> str:
    """Return what the json of this Python says, whose words differ from version to version."""
    try:
        json.loads(example)
    except json.JSONDecodeError as error:
        return error.msg
    raise ValueError(f"{example} is JSON, expected a text that is none")


_MESSAGES: Final[Mapping[int, str]] = {int(fault): _message(example) for fault, example in _EXAMPLES.items()}
_WHOLE: Final[Mapping[int, str]] = {
    int(Fault.DUPLICATE): TWICE,
    **{int(fault): no_object(kind) for fault, kind in _KINDS.items()},
}
