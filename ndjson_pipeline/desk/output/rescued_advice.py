"""What to do about values that did not fit a column, from their reasons and some of them; pure."""

import json
import shlex
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from glue_jobs.errors import SchemaChangeError
from glue_jobs.schema.change import find_type
from glue_jobs.schema.column_names import fold
from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.hints import NO_COLUMN
from glue_jobs.schema.instants import day_of_text, instant_of_text
from glue_jobs.schema.paths import path_of, steps_of
from glue_jobs.schema.reasons import Reason
from glue_jobs.schema.types import MAX_PRECISION, Kind
from ndjson_pipeline.desk.output.rescued import OTHER_PLACES, RescuedPlace

# So many digits before the point, where less were seen.
_DIGITS = 10
_MOST_SCALE = 12
_SIBLINGS = 5


def next_step(  # noqa: PLR0911 - a reason a line
    place: RescuedPlace, contract: SchemaContract, places: Sequence[RescuedPlace]
) -> str:
    """Return a sentence, with the command where one does it.

    Args:
        place: what did not fit.
        contract: of now.
        places: all of the date.
    """
    if place.path == OTHER_PLACES or not place.reasons:
        return "more places than a report names; their values are in _rescued"
    try:
        steps = steps_of(place.path)
    except ValueError:
        return "look into _rescued"
    reason, values = place.reasons.most_common(1)[0][0], [_parsed(each.value) for each in place.samples]
    if reason == Reason.NO_COLUMN:
        return _without_column(place, steps, values, contract, places)
    if reason == Reason.NOT_A_NUMBER:
        return "NaN and Infinity are no JSON: mend the producer"
    if reason == Reason.NOT_STORABLE:
        return "no column can hold the name or the text: mend the producer"
    if reason == Reason.TOO_DEEP:
        return f"it is nested too deep: {_set(path_of(steps[:1]), 'json')}"
    known = [value for value in values if value is not _UNKNOWN]
    if not known:
        return "change the column's type by hand (`schema set`), or mend the producer"
    wanted = _type_for(place.type, known)
    if wanted is None or wanted == place.type:
        return "the values are of many kinds: mend the producer"
    mended = ", or mend the producer" if reason == Reason.OTHER_KIND else ""
    return f"{_set(place.path, wanted)}{mended}"


def _without_column(
    place: RescuedPlace,
    steps: tuple[str, ...],
    values: Sequence[Any],
    contract: SchemaContract,
    places: Sequence[RescuedPlace],
) -> str:
    if contract.hints.get(place.path) == NO_COLUMN:
        return "it is declared to have no column; `schema set PATH TYPE` gives it one"
    try:
        parent = find_type(contract.types, steps[:-1]) if len(steps) > 1 else None
    except SchemaChangeError:
        parent = None
    members = contract.types if len(steps) == 1 else parent.by_name if parent else {}
    other = next((name for name in members if fold(name) == fold(steps[-1][1:])), None)
    if other is not None:
        return f"another spelling of {path_of((*steps[:-1], f'.{other}'))}: mend the producer"
    siblings = sum(_above(each.path) == steps[:-1] and Reason.NO_COLUMN in each.reasons for each in places)
    if parent is not None and parent.kind is Kind.STRUCT and siblings >= _SIBLINGS:
        command = f"schema set {shlex.quote(path_of(steps[:-1]))} --map"
        return f"where the names are data (ids, dates): `ndjson-pipeline {command}`"
    known = [value for value in values if value is not _UNKNOWN]
    wanted = _type_for(None, known) if known else None
    if wanted is None:
        return "`schema set PATH TYPE` gives it a column"
    return f"{_set(place.path, wanted)}, then `reprocess --date D --everything`"


def _above(path: str) -> tuple[str, ...] | None:
    try:
        return steps_of(path)[:-1]
    except ValueError:
        return None


def _set(path: str, wanted: str) -> str:
    return f"`ndjson-pipeline schema set {shlex.quote(path)} {shlex.quote(wanted)}`"


def _type_for(now: str | None, values: Sequence[Any]) -> str | None:
    """Return a type that takes the values, and what the column has; None where there is none but text."""
    if all(isinstance(value, bool) for value in values):
        return "boolean" if now is None else "json"
    if all(_is_number(value) for value in values):
        return _number_type(now, [Decimal(value) for value in values])
    if all(isinstance(value, str) and not isinstance(value, _Number) for value in values):
        return _text_type(now, values)
    if now is None and all(isinstance(value, dict) for value in values):
        return "json"
    return "json"


def _number_type(now: str | None, numbers: Sequence[Decimal]) -> str:
    if now is not None and not now.startswith(("bigint", "double", "decimal")):
        return "json"
    digits = [number.as_tuple() for number in numbers if number.is_finite()]
    scale = max((max(0, -int(one.exponent)) for one in digits), default=0)
    whole = max((max(0, len(one.digits) + int(one.exponent)) for one in digits), default=0)
    if now is None and scale == 0:
        return "bigint" if all(-(2**63) <= number < 2**63 for number in numbers) else "decimal(38,0)"
    if now is None and all(_is_double(number) for number in numbers):
        return "double"
    scale = max(scale, _scale_of(now))
    whole = max(whole, _DIGITS, _whole_of(now))
    if scale <= _MOST_SCALE and whole + scale <= MAX_PRECISION:
        return f"decimal({whole + scale},{scale})"
    if now == "bigint" and all(_is_double(number) for number in numbers):
        return "double"
    return "json"


def _scale_of(now: str | None) -> int:
    return int(now[8:-1].split(",")[1]) if now is not None and now.startswith("decimal(") else 0


def _whole_of(now: str | None) -> int:
    if now is None or not now.startswith("decimal("):
        return 0
    precision, scale = map(int, now[8:-1].split(","))
    return precision - scale


def _text_type(now: str | None, values: Sequence[str]) -> str:
    if now is None:
        if all(not isinstance(day_of_text(value), Reason) for value in values):
            return "date"
        if all(not isinstance(instant_of_text(value), Reason) for value in values):
            return "timestamp"
        return "string"
    # A column of text in place of one of instants takes all of both; numbers beside text are JSON.
    return "string" if now.startswith(("timestamp", "date")) and "(" not in now else "json"


def _is_double(number: Decimal) -> bool:
    return Decimal(repr(float(number))) == number


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


class _Unknown:
    """A value that was cut."""


_UNKNOWN = _Unknown()


def _is_number(value: Any) -> bool:
    if not isinstance(value, _Number):
        return False
    try:
        return Decimal(value).is_finite()
    except InvalidOperation:
        return False


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return _UNKNOWN
