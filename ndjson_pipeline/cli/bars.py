"""How far something is: a bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lambda_ingest.contract.text import printable
from ndjson_pipeline.cli.output import WIDTH, Output

Advance = Callable[[int, str], None]


@contextmanager
def bar(output: Output, doing: str, total: int) -> Iterator[Advance]:
    """Show how many of some things are done.

    Args:
        output: of the command.
        doing: what goes on.
        total: how many there are.

    Yields:
        A function that is told how many are done, and what is to be said besides; empty for nothing.
    """
    if not sys.stderr.isatty():
        with output.progress(doing) as tell:
            yield lambda done, said: tell(f"{done:,} of {total:,}{said and f'; {said}'}")
        return
    console = Console(file=sys.stderr, markup=False, highlight=False)
    console.width = min(WIDTH, console.width)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as bars:
        task = bars.add_task(printable(doing), total=total)
        yield lambda done, said: bars.update(
            task, completed=done, description=printable(f"{doing}; {said}" if said else doing)
        )
