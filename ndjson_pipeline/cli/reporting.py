"""The commands that tell of a day, one that was and one that is planned, as they are typed."""

from pathlib import Path
from typing import Annotated

import typer

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.options import command
from ndjson_pipeline.cli.reading import PANEL, Date
from ndjson_pipeline.cli.session import Session


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""

    @command(app, "report", panel=PANEL)
    def report(
        session: Session,
        date: Date,
        html: Annotated[
            Path | None,
            typer.Option("--html", metavar="FILE", help="Write the day as one page, with plots, here."),
        ] = None,
        force: Annotated[
            bool, typer.Option("--force", help="Write over a file that is no such page.")
        ] = False,
    ) -> ExitCode:
        """Tell a day on one page: files, rows, failures, latencies, cost; exits 3 where not all is well."""
        from ndjson_pipeline.cli.report import run  # noqa: PLC0415 - each command loads what it needs

        return run(session, date, html, force=force)

    @command(app, "cost", panel=PANEL)
    def cost(
        session: Session,
        files_per_day: Annotated[
            int, typer.Option(min=1, max=100_000_000, help="How many files come, evenly over the day.")
        ],
        file_mb: Annotated[
            float, typer.Option(min=0, max=1_000_000, help="How large each is, in MB of 1,048,576 bytes.")
        ] = 3.5,
        wait_seconds: Annotated[
            list[float] | None,
            typer.Option(
                min=0, max=86_400, help="LAUNCH_MAX_WAIT_SECONDS; repeated, more. 0, 300, 900 without it."
            ),
        ] = None,
        files_per_manifest: Annotated[
            list[int] | None,
            typer.Option(
                min=1, max=10_000, help="MAX_FILES_PER_MANIFEST; repeated, more. 10, 50, 100 without it."
            ),
        ] = None,
        places: Annotated[int, typer.Option(min=1, max=1_000, help="How many Glue runs go at once.")] = 2,
        keep_days: Annotated[float, typer.Option(min=0, max=36_500, help="How long input is kept.")] = 30,
        prices: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="Prices in place of the list's, by name: JSON or TOML."),
        ] = None,
    ) -> None:
        """Reckon a day's bill and its latency, by the dial and by the size of manifests; asks no AWS."""
        from ndjson_pipeline.cli.cost import run  # noqa: PLC0415 - each command loads what it needs
        from ndjson_pipeline.costs.load import Load  # noqa: PLC0415 - likewise

        load = Load(files_per_day, file_mb, places=places, input_days=keep_days)
        run(session, load, wait_seconds or (), files_per_manifest or (), prices)
