"""Commands of `ndjson-pipeline`; what each does lies in its own module."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ndjson_pipeline.cli import changing, data, groups, loading, reading, reporting
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.options import add_common_options, command
from ndjson_pipeline.cli.session import CommonOptions, Session

PROGRAM = "ndjson-pipeline"
TRYING = "Try it"
_LOCAL_FEED_HELP = "The feed's name; without it, the stream that has none."

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Turns a stream of small NDJSON files in S3 into Parquet.",
)
add_common_options(app)
reading.add_commands(app)
reporting.add_commands(app)
changing.add_commands(app)
groups.add_commands(app)
loading.add_commands(app)
data.add_commands(app)


@app.command(rich_help_panel=TRYING)
def demo(
    files: Annotated[int, typer.Option(min=1, max=10_000, help="How many files to generate.")] = 25,
    file_size_kb: Annotated[int, typer.Option(min=1, max=100_000, help="About how large each is.")] = 100,
    input_folder: Annotated[
        Path | None,
        typer.Option(
            "--input", help="A folder of real NDJSON files, plain or .gz, instead of generated ones."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON object, as the last line.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed generates the same records.")] = 1,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the end.")] = 600.0,
    feed: Annotated[str, typer.Option(help=_LOCAL_FEED_HELP)] = "",
    keep: Annotated[
        Path | None, typer.Option(help="A folder that gets the Parquet; without it, the demo's is gone.")
    ] = None,
) -> None:
    """Run the whole platform once on this machine, and check every number."""
    from ndjson_pipeline.cli.demo import run  # noqa: PLC0415 - each command loads what it needs

    run(
        files=files,
        file_size_kb=file_size_kb,
        input_folder=input_folder,
        as_json=as_json,
        seed=seed,
        timeout=timeout,
        feed=feed,
        keep=keep,
    )


@app.command(rich_help_panel=TRYING)
def dev(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The Dagster UI's port; 0 for a free one.")
    ] = 3000,
    aws_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The local AWS's port; 0 for a free one.")
    ] = 4566,
    feed: Annotated[
        list[str] | None,
        typer.Option(
            help="A feed's name; repeated, several feeds beside each other. '' is the stream without a name."
        ),
    ] = None,
    state: Annotated[
        Path, typer.Option(help="The folder in which all that it has stays, with the file settings.toml.")
    ] = Path(".local"),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew: what is kept there goes first.")
    ] = False,
    aws_only: Annotated[
        bool, typer.Option("--aws-only", help="Leave Dagster to whoever runs `dagster dev` by hand.")
    ] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, such as RECORD_FORMAT=auto; repeated, more.")
    ] = None,
) -> None:
    """Run the whole platform on this machine until Ctrl-C; the next start goes on from there."""
    from ndjson_pipeline.cli.dev import run  # noqa: PLC0415 - each command loads what it needs

    run(
        port=port,
        aws_port=aws_port,
        feeds=tuple(feed or ("",)),
        state=state,
        fresh=fresh,
        aws_only=aws_only,
        given=tuple(settings or ()),
    )


@command(app, "fetch", panel=TRYING)
def fetch(
    session: Session,
    date: Annotated[str, typer.Option(help="A UTC date as YYYY-MM-DD, today or yesterday.")],
    to: Annotated[
        Path | None, typer.Option(help="The folder that gets the Parquet; without it, merged-parquet-DATE.")
    ] = None,
) -> None:
    """Copy the rows of a date into a folder, as Parquet, with a query that reads them."""
    from ndjson_pipeline.cli.fetch import run  # noqa: PLC0415 - each command loads what it needs

    run(session, date, to)


@app.command(rich_help_panel=TRYING)
def alerts(
    state: Annotated[Path, typer.Option(help="The folder of the platform.")] = Path(".local"),
    last: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
) -> None:
    """Print the last alerts of the platform on this machine, each with its next step."""
    from ndjson_pipeline.cli.alerts import run  # noqa: PLC0415 - each command loads what it needs

    run(state, last)


@command(app, "generate", panel=TRYING)
def generate(
    session: Session,
    files: Annotated[int, typer.Option(help="How many files.")] = 20,
    rate: Annotated[str, typer.Option(help="immediate, fast, medium, slow or random.")] = "immediate",
    delay: Annotated[float | None, typer.Option(help="Seconds between files; overrides the rate.")] = None,
    date: Annotated[
        str | None, typer.Option(help="The date in their names; today in UTC without it.")
    ] = None,
    size_mb: Annotated[float, typer.Option(help="About how large each is.")] = 3.5,
    seed: Annotated[int | None, typer.Option(help="The same seed generates the same records.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Write here instead of the deployment's input bucket.")
    ] = None,
    mix: Annotated[
        bool, typer.Option("--mix", help="Needed where the dataset has other columns than made-up files.")
    ] = False,
) -> None:
    """Write test input into the input bucket, or a folder."""
    from ndjson_pipeline.cli.generate import run  # noqa: PLC0415 - each command loads what it needs

    run(
        session,
        {
            "file_count": files,
            "ingestion_rate": rate,
            "delay_seconds": delay,
            "date_prefix": date,
            "file_size_mb": size_mb,
            "seed": seed,
        },
        folder,
        mix=mix,
    )


@command(app, "smoke", panel=TRYING)
def smoke(
    session: Session,
    files: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="How many; as many as fill one batch without it.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the end.")] = 900.0,
) -> ExitCode:
    """Send one batch of today through a deployment; exits with 3 where it does not come out right."""
    from ndjson_pipeline.cli.smoke import run  # noqa: PLC0415 - each command loads what it needs

    return run(session, files=files, timeout=timeout)


def run(arguments: Sequence[str]) -> int:
    """Run a command, and return the exit code.

    Args:
        arguments: as typed, without the program's name.
    """
    # What a command can't show itself, such as an unknown option, is shown as it would.
    options = CommonOptions(debug="--debug" in arguments, json="--json" in arguments)
    try:
        return int(app(list(arguments), prog_name=PROGRAM, standalone_mode=False) or ExitCode.DONE)
    except typer.Abort:
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - whatever it is, a person reads a sentence
        if not arguments:
            # Without a command, the error is the help.
            sys.stderr.write(f"{error}\n")
            return ExitCode.USAGE
        return Session(options, {}).fail(error)


def main() -> None:
    """Run the command that was typed."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    sys.exit(run(sys.argv[1:]))
