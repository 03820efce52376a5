"""The commands about a dataset's columns and rows: `schema`, `rescued` and `preview`, as they are typed."""

from typing import Annotated

import typer

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.options import command
from ndjson_pipeline.cli.reading import PANEL as READING
from ndjson_pipeline.cli.reading import Date, as_date
from ndjson_pipeline.cli.session import Session

_CHANGING = "Change"
_TYPES = (
    "bigint, double, boolean, string, date, timestamp, epoch s, epoch ms, epoch us, decimal(12,2), json, "
    "list<...>, map<string,...>, struct<a:...>, or none for a place that shall get no column."
)
Reason = Annotated[str, typer.Option(help="Why; the contract keeps it.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow until the dates are converted again.")]
MostDates = Annotated[
    int | None, typer.Option(min=1, max=1_000, help="So many dates at once; the newest first.")
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    _add_schema(app)

    @command(app, "rescued", panel=READING)
    def rescued(
        session: Session,
        date: Date,
        samples: Annotated[int, typer.Option(min=0, max=1_000, help="So many of each column.")] = 3,
        most_mb: Annotated[int, typer.Option(min=1, help="So much Parquet is read for them.")] = 64,
    ) -> None:
        """Show which columns a date's values did not fit: how many, why, samples, and what to do."""
        from ndjson_pipeline.cli.rescued import run  # noqa: PLC0415 - each command loads what it needs

        run(session, date, samples, most_mb)

    @command(app, "preview", panel=READING)
    def preview(
        session: Session,
        date: Date,
        sql: Annotated[
            str | None, typer.Option(help="A query over `merged_parquet`, or `rows`, the same.")
        ] = None,
        limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many rows are shown.")] = 10,
        most_mb: Annotated[int, typer.Option(min=1, help="So much Parquet is read.")] = 256,
        timeout: Annotated[float, typer.Option(min=1, help="Seconds that the query may take.")] = 300.0,
    ) -> None:
        """Show a date's rows, or what a query over them gives."""
        from ndjson_pipeline.cli.preview import run  # noqa: PLC0415 - each command loads what it needs

        run(session, date, sql, limit=limit, most_mb=most_mb, timeout=timeout)


def _add_schema(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The columns of the dataset.")
    app.add_typer(group, name="schema", rich_help_panel=READING)

    @command(group, "show", panel=READING)
    def schema_show(
        session: Session,
        version: Annotated[int | None, typer.Option(min=0, help="A former one; the newest without.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many columns are shown.")] = 500,
    ) -> None:
        """Show the columns: their types, since when, hints, and how much room is left."""
        from ndjson_pipeline.cli.schema import run_show  # noqa: PLC0415 - each command loads what it needs

        run_show(session, version, limit)

    @command(group, "history", panel=READING)
    def schema_history(
        session: Session,
        limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many versions, the newest.")] = 50,
        dates: Annotated[
            bool, typer.Option("--dates/--no-dates", help="Look for dates that are older; takes a while.")
        ] = True,
    ) -> None:
        """Show what each version changed, when and by whom, and which dates are older than that."""
        from ndjson_pipeline.cli.schema import run_history  # noqa: PLC0415 - each command loads what it needs

        run_history(session, limit, with_dates=dates)

    @command(group, "diff", panel=READING)
    def schema_diff(
        session: Session,
        one: Annotated[
            int | None, typer.Argument(min=0, help="A version; the one before the other without.")
        ] = None,
        other: Annotated[int | None, typer.Argument(min=0, help="A version; the newest without.")] = None,
    ) -> None:
        """Show what differs between two versions of the columns."""
        from ndjson_pipeline.cli.schema import run_diff  # noqa: PLC0415 - each command loads what it needs

        run_diff(session, one, other)

    @command(group, "set", panel=_CHANGING, changes=True)
    def schema_set(
        session: Session,
        path: Annotated[str, typer.Argument(help="Such as amount, user.tags[].price, labels{}.")],
        type_text: Annotated[
            str | None, typer.Argument(metavar="TYPE", help=_TYPES, show_default=False)
        ] = None,
        to_map: Annotated[
            bool, typer.Option("--map", help="Turn an object into a map; TYPE is of its values.")
        ] = False,
        drop: Annotated[bool, typer.Option("--drop", help="Drop the column.")] = False,
        clear: Annotated[bool, typer.Option("--clear", help="Take a hint back.")] = False,
        reason: Reason = "asked for on the command line",
        by: Annotated[str | None, typer.Option(help="Who; else whose credentials these are.")] = None,
        wait: Wait = False,
        most_dates: MostDates = None,
    ) -> ExitCode:
        """Set a column's type, turn an object into a map, or drop a column; older dates are rebuilt."""
        from ndjson_pipeline.cli.schema_setting import run_set  # noqa: PLC0415 - each command loads what it needs

        return run_set(
            session,
            path,
            type_text,
            to_map=to_map,
            drop=drop,
            clear=clear,
            reason=reason,
            by=by,
            wait=wait,
            most_dates=most_dates,
        )

    @command(group, "rebuild", panel=_CHANGING, changes=True)
    def schema_rebuild(
        session: Session,
        before: Annotated[
            str | None,
            typer.Option(metavar="YYYY-MM-DD", parser=as_date, help="Only dates before this one."),
        ] = None,
        wait: Wait = False,
        most_dates: MostDates = None,
    ) -> ExitCode:
        """Convert dates again that are older than a change of columns; goes on where it was left off."""
        from ndjson_pipeline.cli.schema_setting import run_rebuild  # noqa: PLC0415 - each command loads what it needs

        return run_rebuild(session, before, wait=wait, most_dates=most_dates)
