"""Former versions of a schema contract: as the bucket kept them, else as the history takes them back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from glue_jobs.schema.change import find_type, replaced
from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.document import CHANGED_BY_HAND
from glue_jobs.schema.hints import NO_COLUMN, parse_type
from glue_jobs.schema.paths import steps_of
from glue_jobs.schema.types import ColumnType, Kind, struct_of
from lambda_ingest.contract.keys import split_s3_uri
from ndjson_pipeline.desk.aws_errors import is_denied
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.schema.contract import store_of
from ndjson_pipeline.errors import PipelineError

_LATER = " when it gets a column"
_DROPPED = " dropped"
_NO_COLUMN = "gets no column"
_TAKEN_BACK = " taken back"
_TO = " to "
# The newest ones; each is a list request of a thousand.
_MOST_LISTED = 20_000
_MOST_LOOKS = 8
_MOST_BYTES = 64 * 1_048_576


class UnknownVersionError(PipelineError):
    """There is no such version, or it can't be had any more."""


@dataclass(frozen=True)
class Version:
    """A version of a contract.

    Attributes:
        contract: what it was.
        is_taken_back: whether it was made from the present one and the history, since the bucket keeps none.
    """

    contract: SchemaContract
    is_taken_back: bool = False


def version_of(desk: Desk, current: SchemaContract, number: int) -> Version:
    """Return a version of a contract.

    Args:
        desk: the deployment.
        current: the newest version.
        number: of the wanted one; 0 is before the first file.

    Raises:
        UnknownVersionError: there is none, or it can't be had any more.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    if number == current.version:
        return Version(current)
    if number == 0:
        return Version(SchemaContract())
    if not 0 < number < current.version:
        raise UnknownVersionError(f"there is no version {number}: the newest is {current.version}")
    kept = _kept(desk, current, number)
    if kept is not None:
        return Version(kept)
    contract = current
    while contract.version > number:
        former = before(contract)
        if former is None:
            raise UnknownVersionError(
                f"version {number} can't be had: the bucket keeps no object of it, and what version "
                f"{contract.version} changed can't be taken back; `ndjson-pipeline schema history` says what "
                "it was"
            )
        contract = former
    return Version(contract, is_taken_back=True)


def before(contract: SchemaContract) -> SchemaContract | None:
    """Return the version before a contract's, by its history; None where that does not say enough. Pure."""
    if not contract.history or contract.history[-1]["version"] != contract.version:
        return None
    *earlier, entry = contract.history
    hints = hints_of(earlier)
    if hints_of(contract.history) != dict(contract.hints):
        # Somebody wrote hints past the changes by hand: they were there before, as far as anybody can tell.
        hints = {
            **hints,
            **{path: text for path, text in contract.hints.items() if path not in _touched(entry)},
        }
    former = replace(contract, version=contract.version - 1, history=tuple(earlier), hints=hints)
    if entry["kind"] != CHANGED_BY_HAND:
        types: dict[str, ColumnType] | None = dict(contract.types)
        for path in entry["added"]:
            types = None if types is None else _without(types, path)
        has_rescued = contract.has_rescued and entry.get("adds_rescued") is not True
        return None if types is None else replace(former, types=types, has_rescued=has_rescued)
    change = str(entry["change"])
    if change.endswith((_LATER, _TAKEN_BACK)) or change == _NO_COLUMN:
        return former
    types = _with_former_type(contract.types, str(entry["path"]), change)
    return None if types is None else replace(former, types=types, generation=max(0, contract.generation - 1))


def hints_of(history: Any) -> dict[str, str]:
    """Return the hints that the changes by hand of a history leave; pure."""
    hints: dict[str, str] = {}
    for entry in history:
        if entry["kind"] != CHANGED_BY_HAND:
            continue
        path, change = str(entry["path"]), str(entry["change"])
        steps = steps_of(path)
        hints = {each: text for each, text in hints.items() if steps_of(each)[: len(steps)] != steps}
        if change.endswith(_LATER):
            hints[path] = change.removesuffix(_LATER)
        elif change.endswith(_DROPPED) or change == _NO_COLUMN:
            hints[path] = NO_COLUMN
        elif not change.endswith(_TAKEN_BACK) and (wanted := _second(change)) is not None:
            hints[path] = wanted
    return hints


def _touched(entry: Mapping[str, Any]) -> set[str]:
    return {str(entry["path"])} if entry["kind"] == CHANGED_BY_HAND else set()


def _kept(desk: Desk, current: SchemaContract, number: int) -> SchemaContract | None:
    """Return a version as the bucket keeps it; None where it does not."""
    bucket, key = split_s3_uri(store_of(desk).uri)
    try:
        ids = list(_version_ids(desk, bucket, key))
    except ClientError as error:
        if is_denied(error):
            return None
        raise
    # Each write is a version of both, the newest first; only a contract that was restored shifts them.
    place = current.version - number
    seen: set[int] = set()
    while 0 <= place < len(ids) and place not in seen and len(seen) < _MOST_LOOKS:
        seen.add(place)
        found = _read(desk, bucket, key, ids[place])
        if found is None:
            return None
        if found.version == number:
            return found
        place += found.version - number
    return None


def _version_ids(desk: Desk, bucket: str, key: str) -> Iterator[str]:
    pages = desk.s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix=key, PaginationConfig={"MaxItems": _MOST_LISTED}
    )
    for page in pages:
        for each in page.get("Versions", []):
            if each["Key"] == key:
                yield each["VersionId"]


def _read(desk: Desk, bucket: str, key: str, version_id: str) -> SchemaContract | None:
    try:
        answer = desk.s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)
    except ClientError as error:
        if is_denied(error):
            return None
        raise
    try:
        return SchemaContract.from_json(answer["Body"].read(_MOST_BYTES))
    except ValueError:
        return None


def _with_former_type(
    types: Mapping[str, ColumnType], path: str, change: str
) -> dict[str, ColumnType] | None:
    steps = steps_of(path)
    if change.endswith(_DROPPED):
        former = _parsed(change.removesuffix(_DROPPED))
        return None if former is None else _with(types, steps, former)
    former = _first(change)
    if former is None or find_type(types, steps) is None:
        return None
    return replaced(types, steps, lambda _: former)


def _without(types: Mapping[str, ColumnType], path: str) -> dict[str, ColumnType] | None:
    steps = steps_of(path)
    return dict(types) if find_type(types, steps) is None else replaced(types, steps, lambda _: None)


def _with(
    types: Mapping[str, ColumnType], steps: tuple[str, ...], column: ColumnType
) -> dict[str, ColumnType] | None:
    """Return types with another column or member, at the end: where it stood is not known any more."""
    name = steps[-1][1:]
    if len(steps) == 1:
        return {**types, name: column}
    parent = find_type(types, steps[:-1])
    if parent is None or parent.kind is not Kind.STRUCT:
        return None
    return replaced(types, steps[:-1], lambda found: struct_of({**found.by_name, name: column}))


def _first(change: str) -> ColumnType | None:
    """Return the former type of `bigint to decimal(12,2)`."""
    for text, other in _halves(change):
        if (found := _parsed(text)) is not None and _parsed(other) is not None:
            return found
    return None


def _second(change: str) -> str | None:
    """Return the later type of a change."""
    return next((other for _, other in _halves(change) if _parsed(other) is not None), None)


def _halves(change: str) -> Iterator[tuple[str, str]]:
    """Yield a change's two types; a name in quotes may hold the word between them, too."""
    at = change.find(_TO)
    while at >= 0:
        yield change[:at], change[at + len(_TO) :]
        at = change.find(_TO, at + 1)


def _parsed(text: str) -> ColumnType | None:
    try:
        return parse_type(text)
    except ValueError:
        return None
