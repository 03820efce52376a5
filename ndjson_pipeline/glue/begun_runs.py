"""Glue runs that were begun for manifests, asked for once each."""

from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ndjson_pipeline.errors import GlueBusyError
from ndjson_pipeline.glue.runs import GlueRun, GlueRuns, attempts_argument

Found = TypeVar("Found")


class BegunRuns:
    """One look at Glue: each run is read once, however many manifests it has, and the list of runs once.

    What Glue would not say is not asked again in the same look.

    Args:
        runs: of the Glue job.
    """

    def __init__(self, runs: GlueRuns) -> None:
        self._runs = runs
        self._by_id: dict[str, GlueRun | Exception | None] = {}
        self._newest: list[GlueRun] | Exception | None = None

    def find(self, manifest_filename: str, attempt: int, glue_job_run_id: str | None) -> GlueRun | None:
        """Return the run of a manifest's attempt, or None where Glue has none.

        Args:
            manifest_filename: the manifest.
            attempt: its attempt.
            glue_job_run_id: the run's id where one was stored; without it the newest runs' arguments tell.

        Raises:
            GlueBusyError: Glue would not say.
            ClientError, BotoCoreError: Glue refused to say.
        """
        if glue_job_run_id is not None:
            if glue_job_run_id not in self._by_id:
                self._by_id[glue_job_run_id] = _outcome(lambda: self._runs.find_run(glue_job_run_id))
            return _unwrapped(self._by_id[glue_job_run_id])
        if self._newest is None:
            self._newest = _outcome(self._runs.newest)
        wanted = attempts_argument([(manifest_filename, attempt)])
        newest = _unwrapped(self._newest)
        return next((run for run in newest if wanted in self._runs.attempts_of(run)), None)


def _outcome(call: Callable[[], Found]) -> Found | Exception:
    try:
        return call()
    except (GlueBusyError, ClientError, BotoCoreError) as error:
        return error


def _unwrapped(outcome: Found | Exception) -> Found:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
