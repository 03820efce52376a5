"""The job's log, of which no line can be forged."""

import logging

from glue_jobs.errors import GlueJobError, MissingInputError
from glue_jobs.reporting.log import PrintableFormatter


def formatted(message, *arguments, error=None):
    info = None if error is None else (type(error), error, None)
    record = logging.LogRecord("job", logging.WARNING, __file__, 1, message, arguments, info)
    return PrintableFormatter("%(levelname)s %(message)s").format(record)


def test_a_line_break_in_a_key_begins_no_entry_of_its_own():
    shown = formatted("%s is missing", "a\nERROR all is lost\x1b[2J\u202e\x85b")
    assert shown == "WARNING a\n  | ERROR all is lost\\x1b[2J\\u202e\\x85b is missing"


def test_a_traceback_is_indented_and_an_entry_bounded():
    shown = formatted("failed", error=ValueError("x\nERROR forged"))
    assert "\nERROR" not in shown
    assert len(formatted("x" * 1_000_000)) <= 50_000


def test_an_error_as_text_is_one_line():
    assert str(GlueJobError("a\nERROR forged")) == r"a\nERROR forged"
    assert MissingInputError("s3://b/k\n", "why\n").reason == r"why\n"
    assert "\n" not in str(MissingInputError("s3://b/k\n", "why\n"))
