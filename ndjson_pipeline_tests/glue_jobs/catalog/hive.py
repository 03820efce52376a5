"""A parser of types as Hive's own is, for tests to read what the job writes; shares nothing with it."""

import unicodedata
from typing import Any

SCALARS = ("boolean", "bigint", "double", "string", "timestamp", "date")


def parse_hive_type(text: str) -> Any:
    """Return a scalar's name, `[item]` for an array, `(value,)` for a map, a dict of members for a struct.

    Raises:
        ValueError: Hive's parser would refuse it.
    """
    tokens = _tokens(text)
    found = _type(tokens)
    if tokens:
        raise ValueError(f"{tokens[:5]} left over")
    return found


def _tokens(text: str) -> list[str]:
    """Runs of letters, digits, `_` and `.` are tokens, and so is each other character (UTF-16 unit)."""
    tokens: list[str] = []
    joins = False
    for letter in text:
        is_name = letter in "_." or (
            letter <= "\uffff" and unicodedata.category(letter) in {"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"}
        )
        if is_name and joins:
            tokens[-1] += letter
        else:
            tokens.append(letter)
        joins = is_name
    return tokens


def _expect(tokens: list[str], wanted: str) -> None:
    if not tokens or tokens.pop(0) != wanted:
        raise ValueError(f"{wanted} expected before {tokens[:5]}")


def _type(tokens: list[str]) -> Any:
    if not tokens:
        raise ValueError("type expected")
    name = tokens.pop(0)
    if name in SCALARS:
        return name
    if name == "array":
        _expect(tokens, "<")
        item = _type(tokens)
        _expect(tokens, ">")
        return [item]
    if name == "map":
        _expect(tokens, "<")
        _expect(tokens, "string")
        _expect(tokens, ",")
        value = _type(tokens)
        _expect(tokens, ">")
        return (value,)
    if name == "decimal":
        _expect(tokens, "(")
        precision = tokens.pop(0)
        _expect(tokens, ",")
        scale = tokens.pop(0)
        _expect(tokens, ")")
        if not 0 <= int(scale) <= int(precision) <= 38:
            raise ValueError(f"no decimal of {precision} and {scale} digits")
        return f"decimal({precision},{scale})"
    if name != "struct":
        raise ValueError(f"type expected, {name!r} found")
    _expect(tokens, "<")
    members: dict[str, Any] = {}
    while True:
        member = tokens.pop(0) if tokens else ""
        if len(_tokens(member)) != 1 or not (member[0].isalnum() or member[0] in "_."):
            raise ValueError(f"name expected, {member!r} found")
        _expect(tokens, ":")
        if member in members:
            raise ValueError(f"{member} twice")
        members[member] = _type(tokens)
        if tokens and tokens[0] == ">":
            tokens.pop(0)
            return members
        _expect(tokens, ",")
