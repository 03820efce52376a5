"""The command `fetch`."""

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.records import BYTES_PER_MB
from ndjson_pipeline.cli.output import Line
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.deployment.clients import deployment_of
from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.laptop.fetch import Fetched, day_of, fetch_date, write_query


def run(session: Session, day: str, folder: Path | None) -> None:
    """Copy a date's Parquet into a folder, and say how to query it.

    Args:
        session: names the deployment.
        day: the date as YYYY-MM-DD, `today` or `yesterday`.
        folder: where to; one named after the date, in this folder, where it is None.

    Raises:
        PipelineError: there are no rows, or they can't be read or written.
    """
    date_prefix = day_of(day, utc_now().date())
    folder = folder or Path(f"merged-parquet-{date_prefix}")
    console = Console(file=sys.stderr)
    # boto3 loads for a moment, and the date is told to be wrong before.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    bars = Progress(
        TextColumn("files"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    try:
        deployment = deployment_of(session.variables)
        with bars:
            task = bars.add_task("files", total=None)
            fetched = fetch_date(
                deployment,
                date_prefix,
                folder,
                lambda done, total: bars.update(task, completed=done, total=total),
            )
    except (BotoCoreError, ClientError, OSError) as error:
        raise PipelineError(
            f"the rows of {date_prefix} could not be fetched: {error}. On a laptop, first: "
            "source .local/environment.sh"
        ) from error
    path, query = write_query(folder / "*.parquet", fetched.folder)
    session.output.show(
        {
            "rows": fetched.rows,
            "files": fetched.files,
            "size_bytes": fetched.size_bytes,
            "folder": str(fetched.folder.absolute()),
            "query_file": str(path),
            "query": query,
        },
        [Line(text) for text in fetched_lines(fetched, path, query)],
    )


def print_fetched(console: Console, fetched: Fetched, pattern: Path) -> None:
    """Print what was fetched, and the query that reads it."""
    path, query = write_query(pattern, fetched.folder)
    for line in fetched_lines(fetched, path, query):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def fetched_lines(fetched: Fetched, path: Path, query: str) -> tuple[str, str, str]:
    """Say what was fetched, and how it is read."""
    size_mb = fetched.size_bytes / BYTES_PER_MB
    return (
        f"{fetched.rows:,} rows in {fetched.files:,} Parquet files, {size_mb:,.2f} MB, "
        f"in {fetched.folder.absolute()}",
        f"Query them with DuckDB, such as {path}:",
        f"  {query}",
    )
