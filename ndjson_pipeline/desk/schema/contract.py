"""The schema contract of a feed's dataset, as the desk reads it: its columns, since when, and its room."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import SchemaContractError
from glue_jobs.schema.columns import leaf_count
from glue_jobs.schema.contract import SchemaContract, SchemaContractStore
from glue_jobs.schema.document import CHANGED_BY_HAND
from glue_jobs.schema.hints import type_text
from glue_jobs.schema.limits import SchemaLimits
from glue_jobs.schema.paths import ITEMS, VALUES, member_path, path_of, steps_of
from glue_jobs.schema.types import ColumnType, Kind
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.errors import PipelineError

Answer = TypeVar("Answer")

RESCUED = "_rescued"
# What the job itself adds to each row.
_OWN = (("_processing_timestamp", "timestamp"), ("_source_file", "string"))


class SchemaUnreadableError(PipelineError):
    """The schema contract can't be read or written, or is none."""


@dataclass(frozen=True)
class ColumnRow:
    """A column, or a leaf inside one.

    Attributes:
        path: such as `user.tags[].price`.
        type: as a hint writes it.
        since_version: the version that brought it; None for a column of the job's own.
        since: when that was written, UTC text.
        changed: how it was changed by hand last, such as `version 5: bigint to decimal(12,2)`.
        hint: the type that was declared for it, where one was.
    """

    path: str
    type: str
    since_version: int | None = None
    since: str | None = None
    changed: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Room:
    """How full a schema is.

    Attributes:
        columns: columns that Parquet makes of it.
        max_columns: so many at most.
        widest: the path of the object with the most members; empty for the record.
        members: how many it has.
        max_members: so many at most.
    """

    columns: int
    max_columns: int
    widest: str
    members: int
    max_members: int

    @property
    def warning(self) -> str | None:
        """What a person should know of it; None where there is room."""
        if self.columns >= self.max_columns or self.members >= self.max_members:
            return (
                "It is full: what comes new goes to _rescued. Drop columns, turn an object whose names are "
                "data into a map (`schema set PATH --map`), or raise MAX_COLUMNS or MAX_OBJECT_MEMBERS."
            )
        if self.columns * 2 >= self.max_columns:
            return "It is half full: a new column needs to be in 1 % of a run's records."
        return None


def store_of(desk: Desk) -> SchemaContractStore:
    """Return where the contract lies.

    Raises:
        ClientError: Glue refused or failed.
    """
    names = desk.names
    return SchemaContractStore(
        desk.s3, names.manifest_bucket, names.output_bucket, desk.output_prefix, time.sleep
    )


def read_contract(desk: Desk) -> SchemaContract:
    """Return the contract as it is now; one of version 0 where there is none yet.

    Raises:
        SchemaUnreadableError: what lies there is none.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    return asked(store_of(desk).read)


def asked(call: Callable[[], Answer]) -> Answer:
    """Return what a call of the store returns, with its errors as the desk tells them.

    Raises:
        SchemaUnreadableError: it can't be read or written.
        ClientError, BotoCoreError: AWS refused or failed; it tells which call.
    """
    try:
        return call()
    except SchemaContractError as error:
        if isinstance(error.__cause__, ClientError | BotoCoreError):
            raise error.__cause__ from None
        raise SchemaUnreadableError(str(error)) from error


def limits_of(desk: Desk) -> SchemaLimits:
    """Return the bounds of the schema, as the Glue job has them; the defaults where it names none.

    Raises:
        ClientError: Glue refused or failed.
    """
    job = desk.glue.get_job(JobName=desk.names.glue_job)["Job"]
    arguments = {**job.get("DefaultArguments", {}), **job.get("NonOverridableArguments", {})}
    default = SchemaLimits()
    return SchemaLimits(
        _count(arguments.get("--MAX_OBJECT_MEMBERS"), default.max_object_members),
        _count(arguments.get("--MAX_COLUMNS"), default.max_columns),
    )


def room_of(contract: SchemaContract, limits: SchemaLimits) -> Room:
    """Return how full a contract is; pure."""
    widths = {"": len(contract.types), **dict(_widths(contract.types, ""))}
    widest = max(widths, key=lambda path: widths[path])
    columns = sum(map(leaf_count, contract.types.values()))
    return Room(columns, limits.max_columns, widest, widths[widest], limits.max_object_members)


def column_rows(contract: SchemaContract) -> list[ColumnRow]:
    """Return the columns at their leaves, in their order, and those of the job's own; pure."""
    added, changed = _events(contract)
    rows = []
    for path, column in leaves_of(contract.types):
        since = max((added[each] for each in _above(path) if each in added), default=None)
        by_hand = max((changed[each] for each in _above(path) if each in changed), default=None)
        rows.append(
            ColumnRow(
                path,
                type_text(column),
                since[0] if since else None,
                since[1] if since else None,
                f"version {by_hand[0]}: {by_hand[2]}" if by_hand else None,
                contract.hints.get(path),
            )
        )
    if contract.version:
        rows += [ColumnRow(name, text) for name, text in _OWN]
    if contract.has_rescued:
        entry = next((each for each in contract.history if each.get("adds_rescued") is True), {})
        version, written = entry.get("version"), entry.get("written_at")
        rows.append(ColumnRow(RESCUED, "string", version, None if written is None else str(written)))
    return rows


def waiting_hints(contract: SchemaContract) -> dict[str, str]:
    """Return hints of places that have no column (yet); pure."""
    known = {path for path, _ in _places(contract.types, "")}
    return {path: text for path, text in contract.hints.items() if path not in known}


def leaves_of(types: Mapping[str, ColumnType]) -> Iterator[tuple[str, ColumnType]]:
    """Yield the columns, and of objects their members, with their paths; pure."""
    for name, column in types.items():
        yield from _leaves(member_path("", name), column)


def document_of(contract: SchemaContract) -> dict[str, Any]:
    """Return a contract as its object in S3 has it."""
    document: dict[str, Any] = json.loads(contract.to_json())
    return document


def _leaves(path: str, column: ColumnType) -> Iterator[tuple[str, ColumnType]]:
    if column.kind is Kind.STRUCT:
        for name, member in column.members:
            yield from _leaves(member_path(path, name), member)
    elif column.item is not None and _has_members(column.item):
        yield from _leaves(path + (ITEMS if column.kind is Kind.LIST else VALUES), column.item)
    else:
        yield path, column


def _has_members(column: ColumnType) -> bool:
    return column.kind is Kind.STRUCT or (column.item is not None and _has_members(column.item))


def _places(types: Mapping[str, ColumnType], parent: str) -> Iterator[tuple[str, ColumnType]]:
    for name, column in types.items():
        yield from _place(member_path(parent, name), column)


def _place(path: str, column: ColumnType) -> Iterator[tuple[str, ColumnType]]:
    yield path, column
    if column.kind is Kind.STRUCT:
        yield from _places(column.by_name, path)
    elif column.item is not None:
        yield from _place(path + (ITEMS if column.kind is Kind.LIST else VALUES), column.item)


def _widths(types: Mapping[str, ColumnType], parent: str) -> Iterator[tuple[str, int]]:
    for path, column in _places(types, parent):
        if column.kind is Kind.STRUCT:
            yield path, len(column.members)


def _events(
    contract: SchemaContract,
) -> tuple[dict[str, tuple[int, str]], dict[str, tuple[int, str, str]]]:
    """Return by path when it was added last, and how it was changed by hand last."""
    added: dict[str, tuple[int, str]] = {}
    changed: dict[str, tuple[int, str, str]] = {}
    for entry in contract.history:
        version, written = int(entry["version"]), str(entry.get("written_at", ""))
        if entry["kind"] == CHANGED_BY_HAND:
            changed[entry["path"]] = (version, written, entry["change"])
        else:
            added |= dict.fromkeys(entry["added"], (version, written))
    return added, changed


def _above(path: str) -> list[str]:
    """Return a path with those of all places that it lies in."""
    steps = steps_of(path)
    return [path_of(steps[:count]) for count in range(1, len(steps) + 1)]


def _count(text: object, default: int) -> int:
    return int(text) if isinstance(text, str) and text.strip().isdecimal() else default
