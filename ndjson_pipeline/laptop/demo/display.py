"""The demonstration on the screen: progress while it works, a table at its end."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from lambda_ingest.contract.records import BYTES_PER_MB, ManifestStatus
from ndjson_pipeline.laptop.demo.result import DemoResult
from ndjson_pipeline.laptop.demo.run import Progress


class ProgressDisplay:
    """Shows bars in a terminal, and a line a change elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_line = ""
        self._bars = Bars(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks = {
            name: self._bars.add_task(name, total=None)
            for name in ("files in manifests", "manifests converted", "manifests reported")
        }

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def tell(self, progress: Progress) -> None:
        """Show how far it is."""
        line = progress.stage
        if progress.tracked is not None and progress.dagster is not None:
            tracked = progress.tracked
            count = len(tracked.manifests)
            counts = {
                "files in manifests": (tracked.manifested_files, progress.files),
                "manifests converted": (tracked.count(ManifestStatus.COMPLETED), count),
                "manifests reported": (progress.dagster.manifests_converted, count),
            }
            for name, (done, total) in counts.items():
                self._bars.update(self._tasks[name], completed=done, total=total or None)
            line = f"{progress.stage}: " + ", ".join(
                f"{name} {done}/{total}" for name, (done, total) in counts.items()
            )
        shown = progress.stage if self._console.is_terminal else line
        if shown != self._last_line:
            self._console.print(shown, highlight=False, soft_wrap=True)
            self._last_line = shown


def result_table(result: DemoResult) -> Table:
    """Return the table that ends a demonstration."""
    table = Table(title="NDJSON to Parquet", show_header=False, title_justify="left")
    table.add_column("what")
    table.add_column("number", justify="right")
    table.add_row("files put in", f"{result.files:,}")
    table.add_row("manifests", f"{result.manifests:,}")
    table.add_row("Dagster runs", f"{result.runs:,}")
    table.add_row("records in", f"{result.records_in:,}")
    table.add_row("rows out", f"{result.rows_out:,}")
    table.add_row("NDJSON, MB", f"{result.input_bytes / BYTES_PER_MB:,.2f}")
    table.add_row("Parquet, MB", f"{result.output_bytes / BYTES_PER_MB:,.2f}")
    table.add_row("Parquet files", f"{result.parquet_files:,}", end_section=True)
    stages = result.stages
    table.add_row("start of AWS and Dagster, s", f"{stages.start:.1f}")
    table.add_row("upload, s", f"{stages.upload:.1f}")
    table.add_row("first upload to last manifest, s", f"{stages.ingest:.1f}")
    table.add_row("manifest to Glue's start, median, s", f"{stages.launch_median:.1f}")
    table.add_row("manifest to Glue's start, longest, s", f"{stages.launch_longest:.1f}")
    table.add_row("first Glue start to last end, s", f"{stages.convert:.1f}")
    table.add_row("last completion to last report, s", f"{stages.report:.1f}")
    table.add_row("all, s", f"{result.seconds:.1f}")
    return table
