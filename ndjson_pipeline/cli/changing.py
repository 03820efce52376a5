"""The commands that change something in a deployment, as they are typed."""

from typing import Annotated

import typer

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.options import command
from ndjson_pipeline.cli.reading import Date, as_date
from ndjson_pipeline.cli.session import Session

PANEL = "Change"
_MANIFEST_HELP = "Its filename, its URI, or such as 2026-01-30/000001-1f0c2a9b."


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""

    @command(app, "reprocess", panel=PANEL, changes=True)
    def reprocess(
        session: Session,
        date: Annotated[
            str | None, typer.Option(metavar="YYYY-MM-DD", parser=as_date, help="All failed ones of a date.")
        ] = None,
        manifest: Annotated[str | None, typer.Option(help=_MANIFEST_HELP)] = None,
        file: Annotated[str | None, typer.Option(help="The manifest that it is in.")] = None,
        failed: Annotated[bool, typer.Option("--failed", help="All that have failed.")] = False,
        everything: Annotated[
            bool,
            typer.Option("--everything", help="Of --date: completed ones too, by a backfill in Dagster."),
        ] = False,
    ) -> ExitCode:
        """Try failed manifests again, once the cause is mended: of a date, one, a file's, or all."""
        from ndjson_pipeline.cli.reprocessing import run_reprocess  # noqa: PLC0415 - loads what it needs

        return run_reprocess(
            session, date=date, manifest=manifest, file=file, failed=failed, everything=everything
        )

    @command(app, "accept", panel=PANEL, changes=True)
    def accept(
        session: Session,
        manifest: Annotated[str, typer.Argument(help=_MANIFEST_HELP)],
        without: Annotated[list[str], typer.Option("--without", help="A file that is gone; repeatable.")],
    ) -> ExitCode:
        """Do a failed manifest without files that nobody will bring back."""
        from ndjson_pipeline.cli.reprocessing import run_accept  # noqa: PLC0415 - loads what it needs

        return run_accept(session, manifest, without)

    @command(app, "flush", panel=PANEL, changes=True)
    def flush(session: Session) -> ExitCode:
        """Sweep now: past dates' pending files become manifests; exits with 3 where a part failed."""
        from ndjson_pipeline.cli.sweeping import run_flush  # noqa: PLC0415 - loads what it needs

        return run_flush(session)

    @command(app, "reconcile", panel=PANEL, changes=True)
    def reconcile(session: Session, date: Date) -> ExitCode:
        """Find files of a date that no record knows, and send their events again."""
        from ndjson_pipeline.cli.sweeping import run_reconcile  # noqa: PLC0415 - loads what it needs

        return run_reconcile(session, date)
