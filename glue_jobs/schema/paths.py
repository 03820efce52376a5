r"""Paths of places in records: one way to write them in reports, the contract and hints.

`user.tags[].price` is the member `price` of the items of the list `tags` of the object `user`, `labels{}` any
value of the map `labels`. A name with one of `. [ ] { } * " \`, with a control character, or an empty one
stands in quotes, as JSON writes text: `"id.orig_h"`, `user."a[0]".""`.
"""

from __future__ import annotations

import json
import re
from typing import Final

ITEMS: Final = "[]"
VALUES: Final = "{}"
# Lone surrogates have no UTF-8, so they stand as JSON's escapes.
_QUOTED: Final = re.compile('[.\\[\\]{}*"\\\\\0-\x1f\x7f\ud800-\udfff]')
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_STEP: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\[\]|\{\}|\.|[^.\[\]{}*"\\]+')


def name_step(name: str) -> str:
    """Return a name as it stands in a path."""
    if name and _QUOTED.search(name) is None:
        return name
    return json.dumps(name, ensure_ascii=_SURROGATE.search(name) is not None)


def member_path(parent: str, name: str) -> str:
    """Return the path of a member of an object; the record itself has the empty path."""
    return f"{parent}.{name_step(name)}" if parent else name_step(name)


def steps_of(path: str) -> tuple[str, ...]:
    """Take a path apart.

    Returns:
        Its steps: `[]`, `{}`, or a name after a dot (`.user`), so that a name may look like the others.

    Raises:
        ValueError: it is none; says what was expected.
    """
    steps: list[str] = []
    at, expects_name = 0, True
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(
                f"{path!r} is no path at character {at + 1}; expected one such as user.tags[].price, names "
                "with dots, brackets or quotes in double quotes"
            )
        text = match[0]
        is_name = text not in {ITEMS, VALUES, "."}
        if is_name != expects_name:
            wanted = "a name" if expects_name else "a dot, [] or {}"
            raise ValueError(
                f"{path!r} has {text!r} at character {at + 1} where {wanted} was expected; a path is one "
                "such as user.tags[].price"
            )
        if is_name:
            try:
                steps.append("." + (json.loads(text, strict=False) if text.startswith('"') else text))
            except json.JSONDecodeError as error:
                raise ValueError(f"{path!r} has a name in quotes that is no JSON text: {error.msg}") from None
        elif text != ".":
            steps.append(text)
        expects_name = text == "."
        at = match.end()
    if expects_name:
        raise ValueError(f"{path!r} ends where a name was expected; a path is one such as user.tags[].price")
    return tuple(steps)


def path_of(steps: tuple[str, ...]) -> str:
    """Put a path together again."""
    path = ""
    for step in steps:
        path = member_path(path, step[1:]) if step.startswith(".") else path + step
    return path
