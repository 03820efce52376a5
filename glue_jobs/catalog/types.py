"""The schema contract's columns as Hive says them, and what of them it can't say.

Athena takes a table's columns from the catalog and looks each up in the Parquet files by its name, without
case. So a column can't be given another name there: it would read as null. What Hive can't name is left out.
"""

from __future__ import annotations

import json
import unicodedata
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from glue_jobs.schema.column_names import PROCESSING_TIMESTAMP, RESCUED, SOURCE_FILE, fold
from glue_jobs.schema.paths import ITEMS, VALUES, member_path
from glue_jobs.schema.types import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from glue_jobs.schema.types import ColumnType

# Parquet's microseconds in UTC are Hive's timestamp, of which Athena shows milliseconds, in UTC.
_TIMESTAMP: Final = "timestamp"
_STRING: Final = "string"
_SCALARS: Final = {
    Kind.BOOLEAN: "boolean",
    Kind.INT64: "bigint",
    Kind.FLOAT64: "double",
    Kind.STRING: _STRING,
    Kind.JSON: _STRING,
    Kind.TIMESTAMP: _TIMESTAMP,
    Kind.DATE: "date",
}
# Glue's API, structure Column: lengths of Name and Type, in bytes.
LONGEST_NAME: Final = 255
LONGEST_TYPE: Final = 131_072
# Athena's user guide, "Supported types for partition projection": a table's metadata has at most "about 1 MB
# when gzip compressed". Its other parts need little.
MOST_METADATA_BYTES: Final = 900_000
# Hive joins names by commas, and types by colons or semicolons (its properties columns and columns.types).
_SEPARATORS: Final = frozenset(",:;")
# Letters of this version are letters to every Java that reads the table.
_OLDEST_UNICODE: Final = unicodedata.ucd_3_2_0
_LETTERS_AND_DIGITS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})
_LAST_OF_ONE_UNIT: Final = "\uffff"


@dataclass(frozen=True)
class CatalogColumn:
    """A column as the catalog has it.

    Attributes:
        name: in lower case.
        type: Hive's type, such as `array<struct<x:bigint>>`.
    """

    name: str
    type: str


@dataclass(frozen=True)
class LeftOut:
    """A column, or a member of one, that the table does not have.

    Attributes:
        path: as the contract's history writes it, such as `user.tags[].a:b`.
        reason: why Hive can't say it.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class CatalogColumns:
    """What the table says of a contract.

    Attributes:
        columns: in the order of the files, the job's own last.
        left_out: what readers of the table don't see; it is in the Parquet all the same.
    """

    columns: tuple[CatalogColumn, ...]
    left_out: tuple[LeftOut, ...]


def catalog_columns(
    types: Mapping[str, ColumnType], has_rescued: bool, partition_keys: Collection[str] = ()
) -> CatalogColumns:
    """Say a contract's columns as Hive does.

    Args:
        types: column to type, in the order of the output; names differ not only in case.
        has_rescued: whether there is a `_rescued` column.
        partition_keys: names that the table's partitions have; Hive refuses a column of the same name.
    """
    taken = {fold(key) for key in partition_keys}
    found: list[tuple[str, CatalogColumn]] = []
    left_out: list[LeftOut] = []
    for name, column in types.items():
        path = member_path("", name)
        lower, reason = _column_name(name, taken)
        if reason is not None:
            left_out.append(LeftOut(path, reason))
            continue
        hive_type = _hive_type(column, path, LONGEST_TYPE, left_out)
        if hive_type is not None:
            found.append((name, CatalogColumn(lower, hive_type)))
    own = [CatalogColumn(PROCESSING_TIMESTAMP, _TIMESTAMP), CatalogColumn(SOURCE_FILE, _STRING)]
    if has_rescued:
        own.append(CatalogColumn(RESCUED, _STRING))
    fitting = _how_many_fit([column for _, column in found], own)
    left_out += [
        LeftOut(member_path("", name), "the table's metadata is at its limit") for name, _ in found[fitting:]
    ]
    return CatalogColumns((*(column for _, column in found[:fitting]), *own), tuple(left_out))


def _column_name(name: str, taken: Collection[str]) -> tuple[str, str | None]:
    """Return a column's name in lower case, and why the table can't have it; None where it can.

    Any sign but these may stand in it, and is quoted in queries (`"cs(user-agent)"`), as AWS's own tables of
    CloudFront's logs have them. Sources: Glue's API, Column (length, pattern); Athena's user guide, "Name
    databases, tables, and columns" (lower case, leading spaces).
    """
    lower = name.lower()
    if fold(name) in taken:
        return lower, "a partition key has this name"
    if len(lower.encode()) > LONGEST_NAME:
        return lower, f"longer than {LONGEST_NAME} bytes"
    if any(unicodedata.category(letter) == "Cc" or letter in "\ufffe\uffff" for letter in lower):
        return lower, "control characters"
    if not _SEPARATORS.isdisjoint(lower):
        return lower, "has one of , : ;"
    if lower != lower.strip():
        return lower, "white space at an end"
    # By Java's equalsIgnoreCase (trinodb/trino, ParquetTypeUtils): a capital I with a dot has two characters
    # in lower case.
    return lower, None if fold(lower) == fold(name) else "readers don't find it by its lower case"


def _member_name(name: str) -> tuple[str, str | None]:
    """Return a member's name in lower case, and why no type can have it; None where one can.

    Hive's `TypeInfoParser` (apache/hive, `isTypeChar`) takes letters, digits, `_` and `.` for one name, by
    UTF-16 units; later versions a few signs more. There are no quotes. One type that it refuses makes the
    whole table unreadable. Athena's user guide names the same characters ("Column names and complex types").
    """
    lower = name.lower()
    if not all(letter in "_." or _is_letter_or_digit(letter) for letter in lower):
        return lower, "has other signs than letters, digits, _ and ."
    return lower, None


def _is_letter_or_digit(letter: str) -> bool:
    return letter <= _LAST_OF_ONE_UNIT and _OLDEST_UNICODE.category(letter) in _LETTERS_AND_DIGITS


def _hive_type(column: ColumnType, path: str, room: int, left_out: list[LeftOut]) -> str | None:
    """Return a type's text; None where nothing of it can be said.

    Members are taken in their order, which is that of their coming, as long as there is room.

    Args:
        column: the type.
        path: of what has it.
        room: bytes that the text may take.
        left_out: gains what can't be said.
    """
    if column.kind is Kind.STRUCT:
        return _hive_struct(column, path, room, left_out)
    if column.item is not None:
        before, step = ("array<", ITEMS) if column.kind is Kind.LIST else ("map<string,", VALUES)
        item = _hive_type(column.item, path + step, room - len(before) - 1, left_out)
        return None if item is None else f"{before}{item}>"
    is_decimal = column.kind is Kind.DECIMAL
    text = f"decimal({column.precision},{column.scale})" if is_decimal else _SCALARS[column.kind]
    if len(text) <= room:
        return text
    left_out.append(LeftOut(path, f"its column's type would be longer than {LONGEST_TYPE} bytes"))
    return None


def _hive_struct(column: ColumnType, path: str, room: int, left_out: list[LeftOut]) -> str | None:
    room -= len("struct<>")
    members: list[str] = []
    for name, member in column.members:
        lower, reason = _member_name(name)
        if reason is not None:
            left_out.append(LeftOut(member_path(path, name), reason))
            continue
        before = len(lower.encode()) + len(":") + (len(",") if members else 0)
        member_type = _hive_type(member, member_path(path, name), room - before, left_out)
        if member_type is not None:
            members.append(f"{lower}:{member_type}")
            room -= before + len(member_type.encode())
    return f"struct<{','.join(members)}>" if members else None


def _how_many_fit(columns: Sequence[CatalogColumn], own: Sequence[CatalogColumn]) -> int:
    """Return how many columns, from the first, the table's metadata has room for."""

    def fits(count: int) -> bool:
        text = json.dumps([(column.name, column.type) for column in (*columns[:count], *own)]).encode()
        return len(text) <= MOST_METADATA_BYTES or len(zlib.compress(text)) <= MOST_METADATA_BYTES

    if fits(len(columns)):
        return len(columns)
    least, most = 0, len(columns)
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fits(middle) else (least, middle)
    return least
