"""The command `preview`."""

import json
import math
import tempfile
from collections.abc import Sequence
from datetime import date as day
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from lambda_ingest.contract.dates import utc_timestamp
from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.cli.texts import size_mb
from ndjson_pipeline.desk.output.preview import VIEW, Answer, Overview, opened
from ndjson_pipeline.desk.output.preview_files import Brought, bring

# Of more columns a row is shown as a list of its own.
_MOST_ACROSS = 6
_MOST_ROWS_DOWN = 5
_MOST_COLUMNS = 300
_LONGEST_CELL = 200
_MOST_NAMED = 3


def run(session: Session, date: str, sql: str | None, *, limit: int, most_mb: int, timeout: float) -> None:
    """Show a date's rows, or what a query over them gives.

    Raises:
        QueryError: the query is none, or can't be answered.
        PreviewFilesError: the files can't be brought here.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    with tempfile.TemporaryDirectory(prefix="ndjson-preview-") as name:
        folder = Path(name)
        with session.output.progress(f"reading the rows of {date}") as tell:
            brought = bring(session.desk, date, folder, most_mb, tell)
            document = {"date": date, **_part(brought), "sql": sql}
            if not brought.paths:
                _show_none(session, date, brought, document)
                return
            tell("asking DuckDB")
            with opened(brought.paths, folder, timeout) as database:
                if sql is not None:
                    answer = database.query(sql, limit)
                    overview = None
                else:
                    overview = database.overview(limit)
                    answer = overview.first
    document |= _answer(answer)
    loud = [Line(_loud(brought, most_mb))] if brought.is_part else []
    if overview is None:
        session.output.show(document, [*loud, *_answer_blocks("answer", answer), *loud])
        return
    document |= {
        "row_count": overview.rows,
        "schema": [{"name": name, "type": kind, "values": count} for name, kind, count in overview.columns],
    }
    session.output.show(document, [*loud, *_overview_blocks(date, overview, brought), *loud])


def _show_none(session: Session, date: str, brought: Brought, document: dict[str, Any]) -> None:
    said = (
        f"None of the {brought.files_of_date} files of {date} is Parquet: {_named(brought)}."
        if brought.files_of_date
        else f"{date} has no Parquet: nothing was converted of it yet. Dates are of UTC, and a batch "
        "of today waits until it is full."
    )
    session.output.show(
        {**document, "columns": [], "rows": [], "is_cut": False, "row_count": 0}, [Line(said)]
    )


def _part(brought: Brought) -> dict[str, Any]:
    return {
        "files": len(brought.paths),
        "mb": round(brought.size_mb, 3),
        "files_of_date": brought.files_of_date,
        "mb_of_date": round(brought.mb_of_date, 3),
        "unreadable": list(brought.unreadable),
        "is_part": brought.is_part,
    }


def _loud(brought: Brought, most_mb: int) -> str:
    why = (
        f"{len(brought.unreadable)} are no Parquet ({_named(brought)})"
        if brought.unreadable
        else f"--most-mb {most_mb} has no room for the others"
    )
    return (
        f"ONLY A PART OF THE DATE: {len(brought.paths)} of {brought.files_of_date} files, "
        f"{size_mb(brought.size_mb)} of {size_mb(brought.mb_of_date)} MB; {why}. Counts and sums are of "
        "this part alone."
    )


def _named(brought: Brought) -> str:
    more = len(brought.unreadable) - _MOST_NAMED
    return ", ".join(brought.unreadable[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "columns": [{"name": name, "type": kind} for name, kind in answer.columns],
        "rows": [[plain(value) for value in row] for row in answer.rows],
        "is_cut": answer.is_cut,
    }


def _overview_blocks(date: str, overview: Overview, brought: Brought) -> list[Block]:
    return [
        Line(
            f"{overview.rows:,} rows in {len(brought.paths):,} Parquet files of {date}, "
            f"{size_mb(brought.size_mb)} MB; "
            f"{len(overview.columns):,} columns."
        ),
        Listing(
            f"columns of {VIEW}",
            [Column("column"), Column("type"), Column("values", is_number=True)],
            [
                [name, kind[:_LONGEST_CELL], "-" if count is None else f"{count:,}"]
                for name, kind, count in overview.columns[:_MOST_COLUMNS]
            ],
        ),
        *_answer_blocks("first rows", overview.first, is_overview=True),
    ]


def _answer_blocks(title: str, answer: Answer, *, is_overview: bool = False) -> list[Block]:
    blocks: list[Block] = []
    shown = answer.rows
    if len(answer.columns) <= _MOST_ACROSS:
        columns = [Column(name, is_number=_is_number(kind)) for name, kind in answer.columns]
        blocks.append(Listing(title, columns, [[_cell(value) for value in row] for row in answer.rows]))
    else:
        shown = answer.rows[:_MOST_ROWS_DOWN]
        blocks += [
            Facts(
                f"row {number}",
                {
                    f"{name}{' ' * (place if names.count(name) > 1 else 0)}": _cell(value)
                    for place, (name, value) in enumerate(zip(names, row, strict=True))
                },
            )
            for names in ([name for name, _ in answer.columns],)
            for number, row in enumerate(shown, start=1)
        ]
    if not is_overview and (answer.is_cut or len(shown) < len(answer.rows)):
        more = (
            "--limit shows more"
            if len(shown) == len(answer.rows)
            else "--json has all that --limit lets through"
        )
        blocks.append(Line(f"The first {len(shown):,} rows; there are more: {more}."))
    return blocks


def _is_number(kind: str) -> bool:
    return kind.upper().startswith(("BIGINT", "HUGEINT", "DECIMAL", "DOUBLE", "INTEGER", "NUMBER", "UBIGINT"))


def _cell(value: Any) -> str:
    found = plain(value)
    text = (
        found if isinstance(found, str) else "-" if found is None else json.dumps(found, ensure_ascii=False)
    )
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}..."


def plain(value: Any) -> Any:  # noqa: PLR0911 - a kind a line
    """Return a value of DuckDB's as JSON has it; what JSON can't give back exactly is text. Pure."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            # A JSON reader makes a double of it.
            return float(value) if Decimal(repr(float(value))) == value else str(value)
        case datetime():
            return utc_timestamp(value) if value.tzinfo is not None else value.isoformat()
        case day() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case bytes() | bytearray():
            return bytes(value).hex()
        case dict():
            return {str(name): plain(each) for name, each in value.items()}
        case _ if isinstance(value, Sequence):
            return [plain(each) for each in value]
    return str(value)
