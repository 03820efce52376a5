"""Dagster's view of the run: log lines, and the report as a message."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dagster_pipes import PipesContext
    from mypy_boto3_s3 import S3Client

    from glue_jobs.arguments import PipesParameters

logger = logging.getLogger(__name__)

REPORT_KIND: Final = "glue_report"
_UPLOAD_SECONDS: Final = 1.0


class Announcer:
    """Tells the log and, where Dagster started the run, Dagster.

    Args:
        context: the open Pipes context; None without Dagster.
    """

    def __init__(self, context: PipesContext | None = None) -> None:
        self._context = context

    def line(self, text: str) -> None:
        """Tell a line of progress."""
        logger.info("%s", text)
        if self._context is not None:
            context = self._context
            self._guarded("a line", lambda: context.log.info(text))

    def report(self, uri: str | None, report: Mapping[str, Any]) -> None:
        """Send the report as a custom message.

        Args:
            uri: where it lies; None where it could not be written.
            report: its content.
        """
        if self._context is not None:
            context = self._context
            message = {"kind": REPORT_KIND, "report_uri": uri, "report": dict(report)}
            self._guarded("the report", lambda: context.report_custom_message(message))

    def _guarded(self, what: str, send: Callable[[], None]) -> None:
        try:
            send()
        except Exception:
            logger.exception("Dagster can't be told %s; the work goes on", what)


@contextmanager
def open_announcer(parameters: PipesParameters | None, client: S3Client) -> Iterator[Announcer]:
    """Open the channel to Dagster for the block under it, if Dagster started the run.

    An exception of the block is told to Dagster and goes on. A channel that can't be opened is logged: the
    run then does its work without it, and its report in S3 says what became of it.

    Args:
        parameters: None without Dagster.
        client: S3, for context and messages.
    """
    context = None if parameters is None else _open(parameters, client)
    if context is None:
        yield Announcer()
        return
    try:
        with context:
            yield Announcer(context)
    finally:
        logger.info("messages to Dagster are closed")


def _open(parameters: PipesParameters, client: S3Client) -> PipesContext | None:
    try:
        import dagster_pipes  # noqa: PLC0415 - absent where Dagster is
    except ImportError:
        logger.error(
            "dagster_pipes is not installed, so Dagster learns nothing of this run; add it to the job"
        )
        return None
    try:
        return dagster_pipes.open_dagster_pipes(
            # The arguments are parsed already, and by rules of Glue's that its own command line parser lacks.
            params_loader=dagster_pipes.PipesMappingParamsLoader(
                {
                    dagster_pipes.DAGSTER_PIPES_CONTEXT_ENV_VAR: parameters.context,
                    dagster_pipes.DAGSTER_PIPES_MESSAGES_ENV_VAR: parameters.messages,
                }
            ),
            context_loader=dagster_pipes.PipesS3ContextLoader(client),
            message_writer=dagster_pipes.PipesS3MessageWriter(client, interval=_UPLOAD_SECONDS),
        )
    except Exception:
        logger.exception("the channel to Dagster can't be opened, so it learns nothing of this run")
        return None
