"""A change of columns by hand: what it would do, and writing it; pure but for the contract's object."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ndjson_pipeline.errors import PipelineError

if TYPE_CHECKING:
    from glue_jobs.schema.change import Author
    from glue_jobs.schema.contract import SchemaContract, SchemaContractStore

# As people write what the contract calls otherwise.
_ALIASES = {
    "bool": "boolean",
    "int": "bigint",
    "int64": "bigint",
    "integer": "bigint",
    "long": "bigint",
    "float": "double",
    "float64": "double",
    "real": "double",
    "text": "string",
    "varchar": "string",
    "str": "string",
    "datetime": "timestamp",
    "iso8601": "timestamp",
}
_EPOCH = re.compile(r"epoch[ _]?\(?(s|ms|us|seconds|milliseconds|microseconds)\)?")
_UNITS = {"seconds": "s", "milliseconds": "ms", "microseconds": "us"}
_DECIMAL = re.compile(r"(?:decimal|numeric|dec) *\( *(\d+) *(?:, *(\d+) *)?\)")
_MOST_NAMED = 3


class SchemaChangeRefusedError(PipelineError):
    """A change is none that can be made, or the contract has moved on meanwhile."""


class SchemaAction(Enum):
    """A change of columns by hand."""

    SET_TYPE = "set_type"
    TO_MAP = "to_map"
    DROP = "drop"
    KEEP_OUT = "keep_out"
    CLEAR_HINT = "clear_hint"


@dataclass(frozen=True)
class Wanted:
    """A change that a person asks for.

    Attributes:
        path: of the place, such as `user.tags[].price`.
        action: what is done to it.
        type: SET_TYPE: its type; TO_MAP: of the map's values, None for what the members tell.
    """

    path: str
    action: SchemaAction
    type: str | None = None


@dataclass(frozen=True)
class Planned:
    """What a change would do to the contract as it is.

    Attributes:
        wanted: the change.
        what: in a few words, such as `bigint to decimal(12,2)`; None where it is so already.
        rebuilds: whether files that are there come to be older than the contract.
        notes: what a person should know before.
    """

    wanted: Wanted
    what: str | None
    rebuilds: bool
    notes: tuple[str, ...] = ()


def changed_by(
    contract: "SchemaContract", path: str, action: SchemaAction, type_text: str | None, author: "Author"
) -> "SchemaContract":
    """Return the next version of a contract; pure.

    Raises:
        SchemaChangeError: the change is none that can be made.
    """
    # The code location loads this, and each second of its start counts.
    from glue_jobs.errors import SchemaChangeError  # noqa: PLC0415
    from glue_jobs.schema.change import clear_hint, drop, keep_out, set_type, to_map  # noqa: PLC0415

    if action is SchemaAction.TO_MAP:
        return to_map(contract, path, author, type_text)
    if action is SchemaAction.SET_TYPE:
        if type_text is None:
            raise SchemaChangeError("SET_TYPE needs a type, such as decimal(12,2)")
        return set_type(contract, path, type_text, author)
    if type_text is not None:
        raise SchemaChangeError(f"{action.name} takes no type, got {type_text!r}")
    change = {SchemaAction.DROP: drop, SchemaAction.KEEP_OUT: keep_out, SchemaAction.CLEAR_HINT: clear_hint}
    return change[action](contract, path, author)


def type_named(text: str) -> str:
    """Return a type as the contract writes it, of one that a person wrote, such as `epoch ms`; pure."""
    plain = " ".join(text.lower().split())
    if (epoch := _EPOCH.fullmatch(plain)) is not None:
        return f"timestamp({_UNITS.get(epoch[1], epoch[1])})"
    if (digits := _DECIMAL.fullmatch(plain)) is not None:
        return f"decimal({digits[1]},{digits[2] or 0})"
    return _ALIASES.get(plain, text)


def plan(contract: "SchemaContract", wanted: Wanted, author: "Author") -> Planned:
    """Return what a change would do; pure.

    Args:
        contract: as it is.
        wanted: the change.
        author: of it.

    Raises:
        SchemaChangeRefusedError: it is none that can be made; says what was expected.
    """
    from glue_jobs.errors import SchemaChangeError  # noqa: PLC0415 - as above
    from glue_jobs.schema.paths import path_of, steps_of  # noqa: PLC0415

    try:
        wanted = Wanted(path_of(steps_of(wanted.path)), wanted.action, wanted.type)
        if is_so(contract, wanted):
            return Planned(wanted, None, rebuilds=False)
        changed = changed_by(contract, wanted.path, wanted.action, wanted.type, author)
        notes = _notes(contract, wanted)
    except (SchemaChangeError, ValueError) as error:
        raise SchemaChangeRefusedError(f"{error}{_meant(contract, wanted.path)}") from error
    what = str(changed.history[-1]["change"])
    return Planned(wanted, what, changed.generation > contract.generation, tuple(notes))


def is_so(contract: "SchemaContract", wanted: Wanted) -> bool:
    """Tell whether a contract has a change already, so that a person who asks again goes on; pure.

    Raises:
        SchemaChangeError: what is above the place can't have it.
        ValueError: path or type is none.
    """
    from glue_jobs.schema.change import find_type  # noqa: PLC0415 - as above
    from glue_jobs.schema.hints import NO_COLUMN, parse_type  # noqa: PLC0415
    from glue_jobs.schema.paths import steps_of  # noqa: PLC0415
    from glue_jobs.schema.types import Kind  # noqa: PLC0415

    found, hint = find_type(contract.types, steps_of(wanted.path)), contract.hints.get(wanted.path)
    match wanted.action:
        case SchemaAction.SET_TYPE:
            asked = parse_type(wanted.type or "")
            return found == asked if found is not None else hint is not None and _is_type(hint, asked)
        case SchemaAction.TO_MAP:
            is_map = found is not None and found.kind is Kind.MAP
            return is_map and (wanted.type is None or (found and found.item) == parse_type(wanted.type))
        case SchemaAction.DROP | SchemaAction.KEEP_OUT:
            return found is None and hint == NO_COLUMN
    return False


def has_column(contract: "SchemaContract", path: str) -> bool:
    """Tell whether a place has a column; what can't have one has none. Pure."""
    from glue_jobs.errors import SchemaChangeError  # noqa: PLC0415 - as above
    from glue_jobs.schema.change import find_type  # noqa: PLC0415
    from glue_jobs.schema.paths import steps_of  # noqa: PLC0415

    try:
        return find_type(contract.types, steps_of(path)) is not None
    except (SchemaChangeError, ValueError):
        return False


def write(store: "SchemaContractStore", planned: Planned, author: "Author") -> "SchemaContract":
    """Write the next version, on the condition that the change is still what a person agreed to.

    Raises:
        SchemaChangeRefusedError: somebody changed that place meanwhile.
        SchemaContractError: the contract can't be read or written.
    """

    def change(current: "SchemaContract") -> "SchemaContract":
        now = plan(current, planned.wanted, author)
        if now.what != planned.what:
            raise SchemaChangeRefusedError(
                f"{planned.wanted.path} was changed meanwhile: it would be {now.what or 'so already'} now, "
                "and "
                f"{planned.what} was agreed to. Nothing was written; look at `ndjson-pipeline schema "
                "history`, and set it again"
            )
        wanted = planned.wanted
        return changed_by(current, wanted.path, wanted.action, wanted.type, author)

    return store.extend(change)


def _is_type(hint: str, asked: object) -> bool:
    from glue_jobs.schema.hints import parse_type  # noqa: PLC0415 - as above

    try:
        return parse_type(hint) == asked
    except ValueError:
        return False


def _notes(contract: "SchemaContract", wanted: Wanted) -> list[str]:
    from glue_jobs.schema.change import find_type  # noqa: PLC0415 - as above
    from glue_jobs.schema.column_names import fold  # noqa: PLC0415
    from glue_jobs.schema.paths import path_of, steps_of  # noqa: PLC0415

    steps = steps_of(wanted.path)
    if wanted.action is not SchemaAction.SET_TYPE or find_type(contract.types, steps) is not None:
        return []
    for count, step in enumerate(steps, start=1):
        above = find_type(contract.types, steps[: count - 1]) if count > 1 else None
        members: Mapping[str, object] = contract.types if count == 1 else above.by_name if above else {}
        other = next((name for name in members if fold(name) == fold(step[1:]) and name != step[1:]), None)
        if step.startswith(".") and other is not None and step[1:] not in members:
            raise SchemaChangeRefusedError(
                f"{path_of(steps[:count])} differs from the column "
                f"{path_of((*steps[: count - 1], f'.{other}'))} in case alone, so it never gets one of its "
                "own; name that one"
            )
    note = f"{wanted.path} has no column yet: the type waits for the first file that has it"
    if contract.types:
        note += (
            ". What is converted already keeps it in _rescued, if it had it; `ndjson-pipeline reprocess "
            "--date D --everything` converts a date again"
        )
    return [
        f"{note}.",
        *([f"Was another one meant?{meant}"] if (meant := _meant(contract, wanted.path)) else []),
    ]


def _meant(contract: "SchemaContract", path: str) -> str:
    """Return names that are nearly the one that a person wrote."""
    from ndjson_pipeline.desk.schema.contract import leaves_of  # noqa: PLC0415 - as above

    known = {*contract.types, *(each for each, _ in leaves_of(contract.types))} - {path}
    close = difflib.get_close_matches(path, sorted(known)[:20_000], _MOST_NAMED, 0.75)
    return f" There is {', '.join(close)}." if close else ""
