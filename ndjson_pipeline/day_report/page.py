"""A day as one HTML file that needs nothing besides: no script, no style, no image from elsewhere."""

import os
import secrets
from pathlib import Path
from typing import Any

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.text import printable
from ndjson_pipeline.day_report.drawn import plots_of
from ndjson_pipeline.day_report.figures import Day
from ndjson_pipeline.day_report.judgement import Verdict
from ndjson_pipeline.day_report.told import key_figures, tables_of
from ndjson_pipeline.errors import PipelineError

TEMPLATE = Path(__file__).with_name("page.html.jinja")
# Stands within the first bytes of a page, so that another one is known as one that may be replaced.
MARK = '<meta name="generator" content="ndjson-pipeline report">'
_MARKED_BYTES = 1_024
_LONGEST_TEXT = 400


class PageError(PipelineError):
    """A page can't be written where it should."""


def render(day: Day, verdict: Verdict) -> str:
    """Return the page; every text in it is escaped, printable, and of a bounded length."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - no other command needs it
    from markupsafe import Markup  # noqa: PLC0415 - likewise

    def bounded(value: Any) -> Any:
        is_plain = isinstance(value, str) and not isinstance(value, Markup)
        return printable(value, _LONGEST_TEXT) if is_plain else value

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=bounded,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    plots = plots_of(day)
    drawn = {plot.name for plot in plots}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        mark=Markup(MARK),
        day=day,
        stream="ndjson" + (f"-{day.feed}" if day.feed else ""),
        at=f"{utc_timestamp(day.at)[:16].replace('T', ' ')} UTC",
        verdict=verdict,
        figures=key_figures(day),
        plots=plots,
        # What is drawn has its numbers beneath the plot.
        tables=[table for table in tables_of(day) if table.plot not in drawn],
    )


def check_place(path: Path, *, force: bool) -> None:
    """Refuse a place that no page can be written to, before the day is read.

    Raises:
        PageError: there is no such folder, or a file that is no such page.
    """
    shown = printable(str(path))
    if path.is_dir():
        raise PageError(f"{shown} is a folder; name a file, such as {printable(str(path / 'day.html'))}")
    if not path.resolve().parent.is_dir():
        raise PageError(
            f"there is no folder {printable(str(path.resolve().parent))}: make it, then try again"
        )
    if force or not path.exists():
        return
    try:
        with path.open("rb") as file:
            is_page = MARK.encode() in file.read(_MARKED_BYTES)
    except OSError as error:
        raise PageError(f"{shown} can't be looked at ({error.strerror}), so it is not replaced") from error
    if not is_page:
        raise PageError(f"{shown} is there and is no such page: name another file, or pass --force")


def write_page(path: Path, text: str, *, force: bool) -> None:
    """Write a page, whole or not at all.

    Raises:
        PageError: it can't be written there.
    """
    check_place(path, force=force)
    place = path.resolve()
    beside = place.with_name(f".{place.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        # As any file of the user's, not as a temporary one, which nobody else may read.
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise PageError(
            f"{printable(str(path))} can't be written: {error.strerror}; name another file"
        ) from error
