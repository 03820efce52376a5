"""The commands that bring files in, as they are typed: `load` and `load-test`."""

from pathlib import Path
from typing import Annotated

import typer

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.options import command
from ndjson_pipeline.cli.reading import as_date
from ndjson_pipeline.cli.session import Session

PANEL = "Change"


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""

    @command(app, "load", panel=PANEL, changes=True)
    def load(
        session: Session,
        source: Annotated[
            str,
            typer.Argument(
                help="A folder of this machine, s3://bucket/prefix, or a prefix below the feed's input."
            ),
        ],
        rate: Annotated[float, typer.Option(min=0.1, max=1_000, help="Files a second.")] = 20.0,
        date: Annotated[
            str | None,
            typer.Option(
                metavar="YYYY-MM-DD",
                parser=as_date,
                help="Of files that have none in their names and folders.",
            ),
        ] = None,
        date_from: Annotated[
            str | None,
            typer.Option(metavar="modified", help="Date such files by their last modification, in UTC."),
        ] = None,
        skip_refused: Annotated[
            bool, typer.Option("--skip-refused", help="Leave what would be quarantined where it is.")
        ] = False,
        include_refused: Annotated[
            bool, typer.Option("--include-refused", help="Load it all the same, into quarantine.")
        ] = False,
        max_backlog: Annotated[
            int, typer.Option(min=1, help="Pause while more messages than these wait in the queue.")
        ] = 1_000,
        patience: Annotated[
            float, typer.Option(min=1, help="Stop where a pause brings nothing for so many minutes.")
        ] = 30.0,
        restart: Annotated[bool, typer.Option("--restart", help="Begin anew, not where it stopped.")] = False,
        take_over: Annotated[
            bool, typer.Option("--take-over", help="Go on with a load that somebody else seems to be at.")
        ] = False,
        wait: Annotated[bool, typer.Option("--wait", help="Wait, and say what became of the files.")] = False,
        timeout: Annotated[float, typer.Option(min=1, help="Seconds that --wait waits.")] = 3_600.0,
    ) -> ExitCode:
        """Bring files in: one's own, or objects that were there before; exits 3 where it goes wrong there."""
        from ndjson_pipeline.cli.load import LoadRequest, run  # noqa: PLC0415 - loads what it needs

        return run(
            session,
            LoadRequest(
                source=source,
                rate=rate,
                date=date,
                date_from=date_from,
                skip_refused=skip_refused,
                include_refused=include_refused,
                max_backlog=max_backlog,
                patience_seconds=patience * 60,
                restart=restart,
                take_over=take_over,
                wait_seconds=timeout if wait else None,
            ),
        )

    @command(app, "load-test", panel=PANEL, changes=True)
    def load_test(
        session: Session,
        files: Annotated[int, typer.Option(min=1, max=100_000, help="How many.")],
        rate: Annotated[float, typer.Option(min=0.1, max=1_000, help="Files a second.")] = 10.0,
        concurrency: Annotated[int, typer.Option(min=1, max=64, help="So many put files at once.")] = 8,
        file_size_kb: Annotated[
            int | None, typer.Option(min=1, max=100_000, help="About how large; else as expected, or 100.")
        ] = None,
        out: Annotated[Path, typer.Option(help="The folder that gets the plot and the times.")] = Path(
            "load-tests"
        ),
        timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the end.")] = 1_800.0,
        on_prod: Annotated[
            bool, typer.Option("--on-prod", help="Needed where the environment is prod.")
        ] = False,
        mix: Annotated[
            bool, typer.Option("--mix", help="Needed where the dataset has other columns than made-up files.")
        ] = False,
    ) -> ExitCode:
        """Put made-up files in at a rate, and time them up to the Parquet; exits 3 where one is missing."""
        from ndjson_pipeline.cli.load_test import LoadTestRequest, run  # noqa: PLC0415 - loads what it needs

        return run(
            session,
            LoadTestRequest(
                files=files,
                rate=rate,
                concurrency=concurrency,
                file_size_kb=file_size_kb,
                out=out,
                timeout=timeout,
                on_prod=on_prod,
                mix=mix,
            ),
        )
