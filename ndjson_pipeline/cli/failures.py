"""Which sentence an error becomes, and which exit code."""

import traceback
from dataclasses import dataclass

import typer
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.errors import IngestError
from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.desk.aws_errors import sentence_of
from ndjson_pipeline.desk.calls import LastCalls
from ndjson_pipeline.errors import PipelineError, SettingsError


class UsageError(PipelineError):
    """A command was called in a way that makes no sense."""


class DeclinedError(PipelineError):
    """A person was asked, and said no."""


@dataclass(frozen=True)
class Failure:
    """An error as a person sees it.

    Attributes:
        message: one sentence or two: what is wrong, and what to do.
        exit_code: of the process.
    """

    message: str
    exit_code: ExitCode


def failure_of(error: Exception, calls: LastCalls) -> Failure:
    """Return what an error is to a person.

    Args:
        error: any.
        calls: of AWS, the last ones; they name what was asked.
    """
    if isinstance(error, BotoCoreError | ClientError):
        return Failure(sentence_of(error, calls), ExitCode.FAILED)
    if isinstance(error, UsageError | SettingsError):
        return Failure(str(error), ExitCode.USAGE)
    if isinstance(error, PipelineError | IngestError):
        return Failure(str(error), ExitCode.FAILED)
    if isinstance(error, typer.TyperException):
        code = ExitCode.USAGE if error.exit_code == ExitCode.USAGE else ExitCode.FAILED
        return Failure(f"{error.format_message()} (--help shows how)", code)
    where = traceback.extract_tb(error.__traceback__)
    place = f" in {where[-1].name}" if where else ""
    return Failure(
        f"{type(error).__name__}{place}, which nobody expected: {error}. Run it again with --debug, and "
        "report what that prints",
        ExitCode.FAILED,
    )
