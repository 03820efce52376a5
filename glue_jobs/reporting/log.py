"""The job's log, of which no line can be forged by what comes from outside."""

import logging
import sys

from lambda_ingest.contract.text import printable_lines

_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_LONGEST_ENTRY = 50_000
# Lines after an entry's first begin so: a key with a line break can't begin an entry of its own.
_CONTINUED = "\n  | "


class PrintableFormatter(logging.Formatter):
    """Formats entries so that each begins one line, and nothing in it acts on whoever shows it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return an entry; its traceback and other further lines are indented."""
        return printable_lines(super().format(record), _LONGEST_ENTRY).replace("\n", _CONTINUED)


def set_up_log() -> None:
    """Send the log of this process to its standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
