"""What a command shows: blocks for a person, or one JSON object for a program.

A command says the same thing twice: a document, and blocks. The console prints the blocks, within 100 columns
and with every text escaped; `--json` prints the document. Progress and questions go to stderr.
"""

import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.text import printable, printable_lines

WIDTH = 100
# Work that takes longer tells how far it is.
_PROGRESS_AFTER_SECONDS = 1.0
_PROGRESS_EVERY_SECONDS = 5.0
_LONGEST_LINE = 4_000

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Column:
    """A column of a listing.

    Attributes:
        name: its heading.
        is_number: whether it stands to the right.
        is_whole: whether its values are short and never broken.
    """

    name: str
    is_number: bool = False
    is_whole: bool = False


@dataclass(frozen=True)
class Facts:
    """Names with values.

    Attributes:
        title: of all.
        values: by name, in order.
    """

    title: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Listing:
    """Rows.

    Attributes:
        title: of all.
        columns: their headings.
        rows: each with as many texts.
        empty: what is said where there is none.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    empty: str = "none"


@dataclass(frozen=True)
class Line:
    """A sentence; line breaks in it stay."""

    text: str


Block = Facts | Listing | Line


class Output(ABC):
    """Where a command's result and its errors go."""

    is_json = False

    @abstractmethod
    def show(self, document: Mapping[str, Any], blocks: Sequence[Block]) -> None:
        """Show a result.

        Args:
            document: the result for a program.
            blocks: the same for a person.
        """

    @abstractmethod
    def fail(self, message: str, exit_code: int) -> None:
        """Show why nothing came of it."""

    @contextmanager
    def progress(self, doing: str) -> Iterator[Tell]:
        """Tell what goes on, where it takes over a second; a terminal has one line of it, a log several.

        Yields:
            A function that is told how far it is.
        """
        began = told = time.monotonic()
        if sys.stderr.isatty():
            with _console(sys.stderr).status(Text(printable(doing))) as status:
                yield lambda far: status.update(Text(printable(f"{doing}: {far}")))
            return

        def tell(far: str) -> None:
            nonlocal told
            now = time.monotonic()
            is_first = told == began
            if now - told >= (_PROGRESS_AFTER_SECONDS if is_first else _PROGRESS_EVERY_SECONDS):
                told = now
                sys.stderr.write(f"{printable(f'{doing}: {far}')}\n")

        yield tell


class ConsoleOutput(Output):
    """Tables on stdout, errors on stderr."""

    def show(self, document: Mapping[str, Any], blocks: Sequence[Block]) -> None:  # noqa: ARG002 - a program's
        """Print the blocks."""
        console = _console(sys.stdout)
        for number, block in enumerate(blocks):
            if number and not (isinstance(block, Line) and isinstance(blocks[number - 1], Line)):
                console.print()
            _print(console, block)

    def fail(self, message: str, exit_code: int) -> None:  # noqa: ARG002 - a process shows it
        """Print one line."""
        sys.stderr.write(f"ndjson-pipeline: {printable(message, _LONGEST_LINE)}\n")


class JsonOutput(Output):
    """One JSON object on stdout, whatever happens."""

    is_json = True

    def show(self, document: Mapping[str, Any], blocks: Sequence[Block]) -> None:  # noqa: ARG002 - a person's
        """Print the document."""
        sys.stdout.write(json.dumps(document, default=_plain) + "\n")

    def fail(self, message: str, exit_code: int) -> None:
        """Print the error as an object."""
        document = {"error": {"message": message, "exit_code": int(exit_code)}}
        sys.stdout.write(json.dumps(document) + "\n")


def _console(file: TextIO) -> Console:
    found = Console(file=file, highlight=False, markup=False, emoji=False)
    return Console(
        file=file, width=min(WIDTH, found.width) if file.isatty() else WIDTH, highlight=False, markup=False
    )


def _print(console: Console, block: Block) -> None:
    match block:
        case Line(text):
            console.print(Text(printable_lines(text, _LONGEST_LINE)), overflow="fold")
        case Facts(title, values):
            _print_title(console, title)
            table = _table(show_header=False)
            table.add_column(no_wrap=True)
            table.add_column(overflow="fold")
            for name, value in values.items():
                table.add_row(_text(name), _text(value))
            console.print(table)
        case Listing(title, columns, rows, empty):
            if not rows:
                console.print(Text(printable(f"{title}: {empty}")), overflow="fold")
                return
            _print_title(console, title)
            table = _table(show_header=True)
            for column in columns:
                table.add_column(
                    _text(column.name),
                    justify="right" if column.is_number else "left",
                    no_wrap=column.is_number or column.is_whole,
                    overflow="fold",
                )
            for row in rows:
                table.add_row(*map(_text, row))
            console.print(table)


def _print_title(console: Console, title: str) -> None:
    """Print it above its table, whose own title would be as narrow as the table is."""
    console.print(Text(printable(title), style="bold"), overflow="fold")


def _table(*, show_header: bool) -> Table:
    return Table(
        show_header=show_header,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _text(value: str) -> Text:
    return Text(printable(value))


def _plain(value: Any) -> Any:
    """Write what JSON has no kind for."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return utc_timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
