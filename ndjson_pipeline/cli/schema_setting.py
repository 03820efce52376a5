"""The commands `schema set` and `schema rebuild`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import sleep
from typing import Any

from glue_jobs.schema.change import Author
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.failures import UsageError
from ndjson_pipeline.cli.output import Block, Column, Line, Listing
from ndjson_pipeline.cli.session import Change, Session
from ndjson_pipeline.cli.texts import or_dash, size_mb
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.dagster_api import DagsterUnreachableError
from ndjson_pipeline.desk.schema.change import (
    Planned,
    SchemaAction,
    Wanted,
    has_column,
    plan,
    type_named,
    write,
)
from ndjson_pipeline.desk.schema.contract import asked, read_contract, store_of
from ndjson_pipeline.desk.schema.rebuild import (
    MOST_DATES,
    RebuildNotLaunchedError,
    Rebuilds,
    RebuiltDate,
    all_dates,
    dates_left,
    weigh,
)

_SHOWN_DATES = 31
_POLL_SECONDS = 2.0
_NONE = "none"
_AGAIN = (
    "`ndjson-pipeline schema rebuild` does that once it answers, or launch the job rebuild_changed_dates in "
    "its UI; `ndjson-pipeline schema history` shows which dates are left"
)


@dataclass
class _Outcome:
    """What became of the dates.

    Attributes:
        launched: backfills, with their dates.
        left: dates that are still older, where that was looked at.
        is_more: whether there are dates that were not launched.
        said: for a person.
    """

    launched: dict[str, list[str]] = field(default_factory=dict)
    left: list[str] | None = None
    is_more: bool = False
    said: list[str] = field(default_factory=list)

    @property
    def code(self) -> ExitCode:
        return ExitCode.PIPELINE_IS_WRONG if self.left else ExitCode.DONE

    def document(self) -> dict[str, Any]:
        return {"backfills": self.launched, "dates_left": self.left, "is_more": self.is_more}


def run_set(
    session: Session,
    path: str,
    type_text: str | None,
    *,
    to_map: bool,
    drop: bool,
    clear: bool,
    reason: str,
    by: str | None,
    wait: bool,
    most_dates: int | None,
) -> ExitCode:
    """Change a column by hand, and have older dates follow.

    Raises:
        UsageError: not one change is asked for.
        SchemaChangeRefusedError: it is none that can be made, or the contract has moved on meanwhile.
        RebuildNotLaunchedError: the change is written, and the dates are not rebuilt yet; says what to do.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    action, type_text = _action(type_text, to_map=to_map, drop=drop, clear=clear)
    desk = session.desk
    author = Author(by or _whose(desk), reason, desk.clock())
    if not author.by.strip() or not reason.strip():
        raise UsageError("--by and --reason must say something: the contract keeps them")
    with session.output.progress("reading the schema contract") as tell:
        contract = read_contract(desk)
        if action is SchemaAction.KEEP_OUT:
            # Of a place that has a column already, `none` drops it.
            action = SchemaAction.DROP if has_column(contract, path) else action
        planned = plan(contract, Wanted(path, action, type_text), author)
        if planned.what is None:
            dates = list(dates_left(desk, most_dates or MOST_DATES).dates) if contract.generation else []
        else:
            dates = all_dates(desk) if planned.rebuilds else []
        rebuilt = weigh(desk, dates, tell)
        doubt = Rebuilds(desk).unreachable() if dates else None
    if planned.what is None and not dates:
        said = f"There is nothing to do: {planned.wanted.path} is so already, and no date is older."
        session.output.show({"change": None, "version": contract.version, "dates": []}, [Line(said)])
        return ExitCode.DONE
    if not session.agree(_change(planned, rebuilt, doubt)):
        return ExitCode.DONE
    if planned.what is not None:
        contract = asked(lambda: write(store_of(desk), planned, author))
    what = planned.what or "so already"
    said = f"{planned.wanted.path}: {what}; the contract is at version {contract.version}."
    outcome = _rebuild(session, said, most_dates=most_dates, before=None, wait=wait) if dates else _Outcome()
    session.output.show(
        {
            "path": planned.wanted.path,
            "change": planned.what,
            "version": contract.version,
            "generation": contract.generation,
            "dates": dates,
            **outcome.document(),
        },
        [Line(said), *map(Line, planned.notes), *map(Line, outcome.said)],
    )
    return outcome.code


def run_rebuild(session: Session, before: str | None, *, wait: bool, most_dates: int | None) -> ExitCode:
    """Have dates follow a change by hand that do not yet.

    Raises:
        RebuildNotLaunchedError: Dagster can't be asked for it; says what to do.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    desk = session.desk
    with session.output.progress("looking at the output of each date") as tell:
        found = dates_left(desk, most_dates or MOST_DATES, before)
        rebuilt = weigh(desk, found.dates, tell)
        doubt = Rebuilds(desk).unreachable() if found.dates else None
    if not found.dates:
        said = (
            f"There is nothing to do: none of the {found.dates_seen:,} dates is older than generation "
            f"{found.generation}."
            if found.generation
            else "There is nothing to do: no column was changed by hand."
        )
        session.output.show({"dates": [], "generation": found.generation}, [Line(said)])
        return ExitCode.DONE
    blocks = _dates_blocks(rebuilt, doubt)
    document = {"dates": [vars(each) for each in rebuilt], "generation": found.generation}
    if not session.agree(
        Change(f"Convert {_dates(len(rebuilt))} again, behind live data?", document, blocks)
    ):
        return ExitCode.DONE
    outcome = _rebuild(session, "", most_dates=most_dates, before=before, wait=wait)
    session.output.show({"dates": list(found.dates), **outcome.document()}, [*map(Line, outcome.said)])
    return outcome.code


def _action(
    type_text: str | None, *, to_map: bool, drop: bool, clear: bool
) -> tuple[SchemaAction, str | None]:
    if sum((to_map, drop, clear, type_text is not None and not to_map)) != 1:
        raise UsageError(
            "say one thing: a TYPE such as 'decimal(12,2)', --map (with a type of its values or without), "
            "--drop or --clear"
        )
    named = None if type_text is None else type_named(type_text)
    if to_map:
        return SchemaAction.TO_MAP, named
    if drop or clear:
        return (SchemaAction.DROP if drop else SchemaAction.CLEAR_HINT), None
    return (SchemaAction.KEEP_OUT, None) if named == _NONE else (SchemaAction.SET_TYPE, named)


def _whose(desk: Desk) -> str:
    return str(desk.identity["Arn"])


def _change(planned: Planned, rebuilt: Sequence[RebuiltDate], doubt: str | None) -> Change:
    path = planned.wanted.path
    what = planned.what or "is so already"
    rebuilds = f", and convert {_dates(len(rebuilt))} again, behind live data" if rebuilt else ""
    question = (
        f"Change {path}: {what}{rebuilds}?" if planned.what else f"Convert {_dates(len(rebuilt))} again?"
    )
    blocks: list[Block] = [Line(f"{path}: {what}")]
    blocks += [Line(note) for note in planned.notes]
    if rebuilt:
        blocks += _dates_blocks(rebuilt, doubt)
    elif planned.what:
        blocks.append(Line("No date is converted again."))
    document = {
        "path": path,
        "action": planned.wanted.action.value,
        "type": planned.wanted.type,
        "change": planned.what,
        "notes": list(planned.notes),
        "dates": [vars(each) for each in rebuilt],
        "dagster": doubt,
    }
    return Change(question, document, blocks)


def _dates_blocks(rebuilt: Sequence[RebuiltDate], doubt: str | None) -> list[Block]:
    unknown = sum(each.manifests is None for each in rebuilt)
    total = (
        f"{_dates(len(rebuilt))}: {sum(each.manifests or 0 for each in rebuilt):,} manifests with "
        f"{size_mb(sum(each.input_mb or 0 for each in rebuilt))} MB of input, "
        f"{sum(each.files for each in rebuilt):,} Parquet files of "
        f"{size_mb(sum(each.output_mb for each in rebuilt))} MB. Their input must still be there."
    )
    blocks: list[Block] = [
        Listing(
            "dates that are converted again",
            [
                Column("date", is_whole=True),
                Column("manifests", is_number=True),
                Column("input MB", is_number=True),
                Column("Parquet files", is_number=True),
                Column("output MB", is_number=True),
            ],
            [
                [
                    each.date,
                    or_dash(each.manifests),
                    size_mb(each.input_mb),
                    f"{each.files:,}",
                    size_mb(each.output_mb),
                ]
                for each in rebuilt[:_SHOWN_DATES]
            ],
        )
    ]
    if len(rebuilt) > _SHOWN_DATES:
        blocks.append(Line(f"... and {len(rebuilt) - _SHOWN_DATES:,} earlier dates."))
    blocks.append(Line(total))
    if unknown:
        blocks.append(Line(f"Of {_dates(unknown)} nobody counted manifests and input."))
    if doubt is not None:
        blocks.append(Line(f"Dagster does not answer now, so the dates would be left for later: {doubt}"))
    return blocks


def _rebuild(
    session: Session, done: str, *, most_dates: int | None, before: str | None, wait: bool
) -> _Outcome:
    """Launch a backfill of what is older, and follow it where asked to, until nothing is left.

    Raises:
        RebuildNotLaunchedError: Dagster can't be asked for it; says what is done, and what to do.
    """
    desk, outcome, most = session.desk, _Outcome(), most_dates or MOST_DATES
    rebuilds = Rebuilds(desk)
    with session.output.progress("converting dates again") as tell:
        try:
            going = rebuilds.going()
            while True:
                found = dates_left(desk, most, before)
                if going is None and not found.dates:
                    break
                backfill = going or rebuilds.launch(found.dates)
                outcome.launched[backfill] = [] if going else list(found.dates)
                outcome.is_more = bool(going) or found.go_on_before is not None
                outcome.said.append(
                    f"Backfill {backfill} is still converting dates."
                    if going
                    else f"Backfill {backfill} converts {_dates(len(found.dates))} again."
                )
                if not wait:
                    outcome.said.append(_later(outcome.is_more))
                    return outcome
                _follow(rebuilds, backfill, outcome, tell)
                if not going:
                    before = found.go_on_before
                    if before is None:
                        break
                going = None
        except DagsterUnreachableError as error:
            said = str(error)
            raise RebuildNotLaunchedError(
                f"{f'{done} ' if done else ''}The dates are not converted again: {said}"
                f"{'' if said.endswith('?') else '.'} {_AGAIN}"
            ) from error
        left = dates_left(desk, MOST_DATES)
    outcome.left, outcome.is_more = list(left.dates), left.go_on_before is not None
    outcome.said.append(_said_of_left(outcome.left))
    return outcome


def _follow(rebuilds: Rebuilds, backfill: str, outcome: _Outcome, tell: Callable[[str], None]) -> None:
    ended = rebuilds.follow(backfill, lambda: sleep(_POLL_SECONDS), tell)
    outcome.said.append(f"{ended}, {ended.status.lower().replace('_', ' ')}.")
    if ended.error:
        outcome.said.append(f"It says: {ended.error.splitlines()[0][:500] if ended.error.strip() else '-'}")


def _said_of_left(left: Sequence[str]) -> str:
    if not left:
        return "No date is older than the change any more."
    return (
        f"{_dates(len(left))} are still older: {', '.join(left[:_SHOWN_DATES])}. `ndjson-pipeline "
        f"manifests --date {left[0]}` says why; where the input is gone they stay as they are, and `schema "
        "rebuild --before` passes over them."
    )


def _later(is_more: bool) -> str:
    more = "There may be more dates: `schema rebuild` goes on once it has ended. " if is_more else ""
    return (
        f"{more}Readers have each row all the time. `ndjson-pipeline schema history` shows which dates are "
        "left, and `schema rebuild --wait` follows it."
    )


def _dates(count: int) -> str:
    return "1 date" if count == 1 else f"{count:,} dates"
