"""Dagster's view of the run: log lines, and the report as a message."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

from glue_jobs.reporting.seal import sealed
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dagster_pipes import PipesContext, PipesMessageWriter
    from mypy_boto3_s3 import S3Client

    from glue_jobs.arguments import PipesParameters

logger = logging.getLogger(__name__)

REPORT_KIND: Final = "glue_report"
_UPLOAD_SECONDS: Final = 1.0
_LONGEST_LINE: Final = 2_000


class Announcer:
    """Tells the log and, where Dagster started the run, Dagster.

    Args:
        context: the open Pipes context; None without Dagster.
    """

    def __init__(self, context: PipesContext | None = None) -> None:
        self._context = context

    def line(self, text: str) -> None:
        """Tell a line of progress."""
        text = printable(text, _LONGEST_LINE)
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
def open_announcer(
    parameters: PipesParameters | None, client: S3Client, nonce: str | None = None
) -> Iterator[Announcer]:
    """Open the channel to Dagster for the block under it, if Dagster started the run.

    An exception of the block is told to Dagster and goes on. A channel that can't be opened is logged: the
    run then does its work without it, and its report in S3 says what became of it.

    Args:
        parameters: None without Dagster.
        client: S3, for context and messages.
        nonce: seals the messages; without it Dagster takes none for this run's.
    """
    context = None if parameters is None else _open(parameters, client, nonce)
    if context is None:
        yield Announcer()
        return
    try:
        with context:
            yield Announcer(context)
    finally:
        logger.info("messages to Dagster are closed")


def _open(parameters: PipesParameters, client: S3Client, nonce: str | None) -> PipesContext | None:
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
            message_writer=_message_writer(client, nonce),
        )
    except Exception:
        logger.exception("the channel to Dagster can't be opened, so it learns nothing of this run")
        return None


def _message_writer(client: S3Client, nonce: str | None) -> PipesMessageWriter[Any]:
    """Return a writer of Dagster's whose chunks are sealed."""
    import dagster_pipes  # noqa: PLC0415 - absent where Dagster is

    if nonce is None:
        logger.warning("no nonce was given to this run, so Dagster takes no message for its own")
        return dagster_pipes.PipesS3MessageWriter(client, interval=_UPLOAD_SECONDS)

    key = nonce

    class SealingChannel(dagster_pipes.PipesS3MessageWriterChannel):
        def upload_messages_chunk(self, payload: IO[Any], index: int) -> None:
            content = sealed(payload.read().encode(), key, index)
            self._client.put_object(Body=content, Bucket=self._bucket, Key=f"{self._key_prefix}/{index}.json")

    class SealingWriter(dagster_pipes.PipesS3MessageWriter):
        def make_channel(self, params: Mapping[str, Any]) -> SealingChannel:
            return SealingChannel(client, params["bucket"], params["key_prefix"], interval=self.interval)

    return SealingWriter(client, interval=_UPLOAD_SECONDS)
