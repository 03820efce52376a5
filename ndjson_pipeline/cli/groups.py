"""The commands that come in groups: `quarantine`, `dlq` and `lock`, as they are typed."""

from typing import Annotated

import typer

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.options import command
from ndjson_pipeline.cli.reading import PANEL as READING
from ndjson_pipeline.cli.reading import AnyDate, Date, Limit
from ndjson_pipeline.cli.session import Session

_CHANGING = "Change"
Name = Annotated[str, typer.Argument(help="Below the input prefix; or its key, or its URI.")]
Names = Annotated[
    list[str] | None, typer.Argument(help="Below the input prefix; or keys, or URIs.", show_default=False)
]


def add_commands(app: typer.Typer) -> None:
    """Add the groups to the command line."""
    _add_quarantine(app)
    _add_dead_letters(app)
    _add_locks(app)


def _add_quarantine(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Refused files.")
    app.add_typer(group, name="quarantine", rich_help_panel=READING)

    @command(group, "list", panel=READING)
    def quarantine_list(session: Session, date: AnyDate = None, limit: Limit = 100) -> None:
        """List refused files with their reasons."""
        from ndjson_pipeline.cli.quarantine import run_list  # noqa: PLC0415 - each command loads what it needs

        run_list(session, date, limit)

    @command(group, "show", panel=READING)
    def quarantine_show(session: Session, name: Name) -> None:
        """Show one refused file."""
        from ndjson_pipeline.cli.quarantine import run_show  # noqa: PLC0415 - each command loads what it needs

        run_show(session, name)

    @command(group, "release", panel=_CHANGING, changes=True)
    def quarantine_release(
        session: Session, names: Names = None, date: AnyDate = None, limit: Limit = 1_000
    ) -> ExitCode:
        """Send refused files back into the input, to be judged again by the rules of now."""
        from ndjson_pipeline.cli.quarantine import run_release  # noqa: PLC0415 - each command loads what it needs

        return run_release(session, names or [], date, limit)

    @command(group, "purge", panel=_CHANGING, changes=True)
    def quarantine_purge(
        session: Session,
        names: Names = None,
        date: AnyDate = None,
        older_than_days: Annotated[
            int | None, typer.Option(min=1, help="Only those that lie there longer.")
        ] = None,
        limit: Limit = 1_000,
    ) -> ExitCode:
        """Delete refused files for good."""
        from ndjson_pipeline.cli.quarantine import run_purge  # noqa: PLC0415 - each command loads what it needs

        return run_purge(session, names or [], date, older_than_days, limit)


def _add_dead_letters(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Messages that nobody could handle.")
    app.add_typer(group, name="dlq", rich_help_panel=READING)

    @command(group, "list", panel=READING)
    def dlq_list(session: Session, limit: Limit = 20) -> None:
        """List messages of the dead-letter queue; they stay there."""
        from ndjson_pipeline.cli.dead_letters import run_list  # noqa: PLC0415 - each command loads what it needs

        run_list(session, limit)

    @command(group, "show", panel=READING)
    def dlq_show(
        session: Session, message: Annotated[str, typer.Argument(help="Its id, or how it begins.")]
    ) -> None:
        """Show one message of the dead-letter queue with its body."""
        from ndjson_pipeline.cli.dead_letters import run_show  # noqa: PLC0415 - each command loads what it needs

        run_show(session, message)

    @command(group, "redrive", panel=_CHANGING, changes=True)
    def dlq_redrive(session: Session) -> ExitCode:
        """Move all messages back into the queue; what was handled meanwhile is counted once."""
        from ndjson_pipeline.cli.dead_letters import run_redrive  # noqa: PLC0415 - each command loads what it needs

        return run_redrive(session)


def _add_locks(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The lock of a date.")
    app.add_typer(group, name="lock", rich_help_panel=READING)

    @command(group, "show", panel=READING)
    def lock_show(session: Session, date: Date) -> None:
        """Show who holds a date, and until when."""
        from ndjson_pipeline.cli.locks import run_show  # noqa: PLC0415 - each command loads what it needs

        run_show(session, date)

    @command(group, "break", panel=_CHANGING, changes=True)
    def lock_break(session: Session, date: Date) -> ExitCode:
        """End a lock before its time; its holder gives its batch up, and no file is lost."""
        from ndjson_pipeline.cli.locks import run_break  # noqa: PLC0415 - each command loads what it needs

        return run_break(session, date)
