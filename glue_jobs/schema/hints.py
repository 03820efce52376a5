"""Hints: types that a person declares for places, by path, as text that they are written in.

`decimal(12,2)`, `timestamp` (ISO 8601 text), `timestamp(ms)` (a number since 1970, in s, ms or us), `date`,
`double`, `bigint`, `boolean`, `string`, `json`, and of these `list<double>`, `map<string,decimal(9,2)>`,
`struct<name:string,"odd name":bigint>`. `none` is no type: the place gets no column.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from glue_jobs.schema.column_names import fold, is_storable_name
from glue_jobs.schema.limits import MAX_DEPTH
from glue_jobs.schema.paths import steps_of
from glue_jobs.schema.types import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT64,
    JSON,
    MAX_PRECISION,
    STRING,
    ColumnType,
    Kind,
    TimestampSource,
    decimal,
    list_of,
    map_of,
    struct_of,
    timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_COLUMN: Final = "none"
_WORDS: Final = {
    "boolean": BOOLEAN,
    "bigint": INT64,
    "double": FLOAT64,
    "string": STRING,
    "json": JSON,
    "date": DATE,
}
_NAMES: Final = {column.kind: word for word, column in _WORDS.items()}
_EXPECTED: Final = (
    "boolean, bigint, double, string, json, date, timestamp, timestamp(s), timestamp(ms), timestamp(us), "
    "decimal(precision,scale), list<...>, map<string,...> or struct<name:...>"
)
_TOKEN: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[<>(),:]|[^\s<>(),:"]+)')
_LONGEST: Final = 100_000
_PLAIN_NAME: Final = re.compile(r'[^\s<>(),:"]+')


@dataclass(frozen=True)
class Hints:
    """Declared types by place.

    Attributes:
        types: by the steps of their paths (`paths.steps_of`); None where there is to be no column.
    """

    types: Mapping[tuple[str, ...], ColumnType | None] = field(default_factory=dict)

    def has_below(self, steps: tuple[str, ...]) -> bool:
        """Return whether a place inside this one has a hint."""
        return any(len(each) > len(steps) and each[: len(steps)] == steps for each in self.types)


def parse_hints(texts: Mapping[str, str]) -> Hints:
    """Read hints.

    Args:
        texts: path to type, as a contract has them.

    Raises:
        ValueError: a path or a type is none; names it, and says what was expected.
    """
    found: dict[tuple[str, ...], ColumnType | None] = {}
    for path, text in texts.items():
        steps = steps_of(path)
        if steps in found:
            raise ValueError(f"there are two hints for {path!r}")
        found[steps] = None if text.strip() == NO_COLUMN else parse_type(text)
    return Hints(found)


def parse_type(text: str) -> ColumnType:
    """Read a type.

    Raises:
        ValueError: it is none; says where, and what was expected.
    """
    return _TypeParser(text).parse()


def type_text(column: ColumnType) -> str:
    """Write a type so that `parse_type` reads it."""
    if column.kind is Kind.DECIMAL:
        return f"decimal({column.precision},{column.scale})"
    if column.kind is Kind.TIMESTAMP:
        is_text = column.source in {None, TimestampSource.ISO8601}
        return "timestamp" if column.source is None or is_text else f"timestamp({column.source.value})"
    if column.kind is Kind.STRUCT:
        members = (f"{_name_text(name)}:{type_text(member)}" for name, member in column.members)
        return f"struct<{','.join(members)}>"
    if column.item is not None:
        inner = type_text(column.item)
        return f"list<{inner}>" if column.kind is Kind.LIST else f"map<string,{inner}>"
    return _NAMES[column.kind]


def _name_text(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)


class _TypeParser:
    """Reads one type from its first sign to its last.

    Args:
        text: the type.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._token = ""
        self._start = 0

    def parse(self) -> ColumnType:
        if len(self._text) > _LONGEST:
            raise ValueError(f"a type of {len(self._text):,} characters, expected at most {_LONGEST:,}")
        self._next()
        found = self._type(1)
        if self._token:
            raise self._problem("the end")
        return found

    def _next(self) -> str:
        """Go on to the next token, and return the one before."""
        before = self._token
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            rest = self._text[self._at :]
            self._start = len(self._text) - len(rest.lstrip())
            self._token = rest.strip()
            self._at = len(self._text)
            if self._token:
                raise self._problem(_EXPECTED)
        else:
            self._token, self._start, self._at = match[1], match.start(1), match.end()
        return before

    def _problem(self, expected: str) -> ValueError:
        found = f"{self._token[:50]!r}" if self._token else "the end"
        return ValueError(
            f"{self._text[:200]!r} is no type: {found} at character {self._start + 1}, expected {expected}"
        )

    def _expect(self, sign: str) -> None:
        if self._token != sign:
            raise self._problem(repr(sign))
        self._next()

    def _number(self, least: int, most: int, what: str) -> int:
        is_number = (
            self._token.isascii() and self._token.isdigit() and len(self._token) <= len(str(MAX_PRECISION))
        )
        if not is_number or not least <= int(self._token) <= most:
            raise self._problem(f"{what} from {least} to {most}")
        return int(self._next())

    def _type(self, depth: int) -> ColumnType:
        if depth > MAX_DEPTH:
            raise ValueError(f"{self._text[:200]!r} is nested deeper than {MAX_DEPTH} levels")
        word = self._token.lower()
        if word in _WORDS:
            self._next()
            return _WORDS[word]
        parse = {
            "decimal": self._decimal,
            "timestamp": self._timestamp,
        }.get(word)
        if parse is not None:
            self._next()
            return parse()
        nested = {"list": self._list, "array": self._list, "map": self._map, "struct": self._struct}.get(word)
        if nested is None:
            raise self._problem(_EXPECTED)
        self._next()
        self._expect("<")
        found = nested(depth + 1)
        self._expect(">")
        return found

    def _decimal(self) -> ColumnType:
        self._expect("(")
        precision = self._number(1, MAX_PRECISION, "the number of digits")
        self._expect(",")
        scale = self._number(0, precision, "the number of digits after the point")
        self._expect(")")
        return decimal(precision, scale)

    def _timestamp(self) -> ColumnType:
        if self._token != "(":
            return timestamp(TimestampSource.ISO8601)
        self._next()
        units = {source.value: source for source in TimestampSource}
        if self._token.lower() not in units:
            raise self._problem("s, ms, us or iso8601")
        source = units[self._next().lower()]
        self._expect(")")
        return timestamp(source)

    def _list(self, depth: int) -> ColumnType:
        return list_of(self._type(depth))

    def _map(self, depth: int) -> ColumnType:
        if self._token.lower() != "string":
            raise self._problem("'string', which is the type of all keys")
        self._next()
        self._expect(",")
        return map_of(self._type(depth))

    def _struct(self, depth: int) -> ColumnType:
        members: dict[str, ColumnType] = {}
        while True:
            if not self._token or self._token in set("<>(),:"):
                raise self._problem("a member's name")
            text = self._next()
            name = json.loads(text, strict=False) if text.startswith('"') else text
            if not is_storable_name(name) or fold(name) in map(fold, members):
                raise ValueError(
                    f"{self._text[:200]!r} has the member {name[:50]!r}, which is twice there or no name"
                )
            self._expect(":")
            members[name] = self._type(depth)
            if self._token != ",":
                return struct_of(members)
            self._next()
