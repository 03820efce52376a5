"""The structured log of ingest: JSON lines with the request id; no file content, no event bodies."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from lambda_ingest.contract.text import LONGEST_TEXT, printable_lines, printable_values

# Of a traceback; CloudWatch takes a megabyte an event.
_LONGEST_TRACEBACK = 20_000
_TRACEBACKS = ("exception", "stack_trace", "stack_info")


class _PrintableFormatter(LambdaPowertoolsFormatter):
    """Lets no text from outside (a key, an error's message) look like something else in a log."""

    def serialize(self, log: Any) -> str:
        """Write one line; powertools leaves C1 and right-to-left characters as they are."""
        shown = {
            name: printable_lines(value, _LONGEST_TRACEBACK)
            if name in _TRACEBACKS and isinstance(value, str)
            else printable_values(value, LONGEST_TEXT)
            for name, value in log.items()
        }
        return super().serialize(shown)


logger = Logger(service="ndjson-ingest", logger_formatter=_PrintableFormatter())
