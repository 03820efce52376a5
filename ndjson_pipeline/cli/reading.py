"""The commands that only read a deployment, as they are typed."""

from typing import Annotated

import typer

from lambda_ingest.contract.dates import parse_date
from lambda_ingest.contract.records import FileStatus, ManifestStatus
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.options import command
from ndjson_pipeline.cli.session import Session

PANEL = "Look"


def as_date(text: str) -> str:
    """Read an option's date.

    Raises:
        BadParameter: it is none.
    """
    try:
        parse_date(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return text


Date = Annotated[str, typer.Option(metavar="YYYY-MM-DD", parser=as_date, help="The UTC date.")]
AnyDate = Annotated[
    str | None,
    typer.Option("--date", metavar="YYYY-MM-DD", parser=as_date, help="The UTC date; else all."),
]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="So many rows at most.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""

    @command(app, "status", panel=PANEL)
    def status(
        session: Session,
        date: AnyDate = None,
        watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
        every: Annotated[float, typer.Option(min=1, help="Seconds between two looks of --watch.")] = 5.0,
    ) -> ExitCode:
        """Show what is open, waits, goes on and failed, and the last hour; exits 3 where not all is well."""
        from ndjson_pipeline.cli.status import run  # noqa: PLC0415 - each command loads what it needs

        return run(session, date, every if watch else None)

    @command(app, "manifests", panel=PANEL)
    def manifests(
        session: Session,
        date: AnyDate = None,
        status: Annotated[ManifestStatus | None, typer.Option(help="Only these.")] = None,
        limit: Limit = 100,
    ) -> None:
        """List manifests: of a date all, without one those that wait, are being converted, or failed."""
        from ndjson_pipeline.cli.manifests import run  # noqa: PLC0415 - each command loads what it needs

        run(session, date, status, limit)

    @command(app, "file", panel=PANEL)
    def file(
        session: Session,
        name: Annotated[str, typer.Argument(help="Below the input prefix; or its key, or its URI.")],
        date: Annotated[
            str | None,
            typer.Option(metavar="YYYY-MM-DD", parser=as_date, help="Its date, where no name tells."),
        ] = None,
    ) -> None:
        """Tell one file's whole story: seen, judged, in which manifest, by which run, and to what."""
        from ndjson_pipeline.cli.files import run_file  # noqa: PLC0415 - each command loads what it needs

        run_file(session, name, date)

    @command(app, "files", panel=PANEL)
    def files(
        session: Session,
        date: Date,
        status: Annotated[FileStatus | None, typer.Option(help="Only these.")] = None,
        limit: Limit = 100,
        after: Annotated[str, typer.Option(help="Go on behind this name.")] = "",
    ) -> None:
        """List the files of a date."""
        from ndjson_pipeline.cli.files import run_files  # noqa: PLC0415 - each command loads what it needs

        run_files(session, date, status, limit, after)

    @command(app, "doctor", panel=PANEL)
    def doctor(session: Session) -> ExitCode:
        """Look at every part: each line is ok, or says what to do; exits with 3 where something is wrong."""
        from ndjson_pipeline.cli.doctor import run  # noqa: PLC0415 - each command loads what it needs

        return run(session)

    @command(app, "rejects", panel=PANEL)
    def rejects(
        session: Session,
        date: Date,
        samples: Annotated[int, typer.Option(min=0, max=1_000, help="So many are shown.")] = 10,
    ) -> None:
        """Show a date's rejected records: how many, why, in which files, and some of them."""
        from ndjson_pipeline.cli.rejects import run  # noqa: PLC0415 - each command loads what it needs

        run(session, date, samples)
