"""One line judged by the rules: a record in two parts, or no record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glue_jobs.parsing.records import dump
from glue_jobs.schema.split import split_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glue_jobs.schema.reasons import Reason
    from glue_jobs.schema.types import ColumnType


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of a record.

    Attributes:
        kept: what its columns take; `rows_of` makes Arrow of it, and `dump` JSON that fits the columns.
        rest: JSON text of what is left over; None where nothing is.
        rest_names: the names that are in it.
        rescued: path and reason of what is left over and counts.
    """

    kept: dict[str, Any]
    rest: str | None
    rest_names: tuple[str, ...]
    rescued: frozenset[tuple[str, Reason]]


def judge(record: dict[str, Any], types: Mapping[str, ColumnType]) -> Judged:
    """Hold a record against its columns.

    Args:
        record: as `records.load_record` reads it, which says where a line is none. What it teaches of the
            columns is `Learning`'s, and comes before: its columns are to hold it.
        types: of the columns, by name.
    """
    split = split_record(record, types)
    if not split.rest:
        return Judged(split.kept, None, (), split.rescued)
    return Judged(split.kept, dump(split.rest), tuple(split.rest), split.rescued)
