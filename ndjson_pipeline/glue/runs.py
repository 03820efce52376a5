"""Starts a Glue run at most once for each identity, and watches it to its end."""

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.items import error_code
from ndjson_pipeline.errors import GlueBusyError, GlueDeadlineError, GlueRunError, GlueRunLostError

if TYPE_CHECKING:
    from mypy_boto3_glue.client import GlueClient

# The script's own: manifests, comma-separated, or an object that lists them.
MANIFESTS_ARGUMENT = "--MANIFEST_PATH"
# Glue has no idempotency token, so a run is found again by this argument; the script ignores it.
IDENTITY_ARGUMENT = "--RUN_IDENTITY"
# Which manifests a run is for, at which attempts, so that a run is found by any one of them.
ATTEMPTS_ARGUMENT = "--MANIFEST_ATTEMPTS"
# How many of the job's newest runs are searched for an identity: a caller that died after StartJobRun is
# followed within minutes, and the job runs a few at a time.
SEARCHED_RUNS = 200
_THROTTLED = frozenset({"ThrottlingException", "OperationTimeoutException", "InternalServiceException"})
# https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
SUCCEEDED = "SUCCEEDED"
CRASHED_STATES = frozenset({"FAILED", "ERROR"})
TERMINAL_STATES = frozenset({SUCCEEDED, "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"})


@dataclass(frozen=True)
class GlueRun:
    """A job run as Glue shows it.

    Attributes:
        job_name: the job.
        run_id: such as `jr_...`.
        state: such as `RUNNING`.
        error_message: why it ended other than succeeded, where Glue says.
        execution_seconds: how long it ran, as Glue bills it.
        started_on: when it was started.
        arguments: what it was started with.
        completed_on: when it ended.
        dpu_seconds: what it is billed, where Glue says: for auto scaling and the flexible class.
        worker_type: such as `G.1X`.
        number_of_workers: how many.
        glue_version: such as `5.1`.
    """

    job_name: str
    run_id: str
    state: str
    error_message: str | None
    execution_seconds: int
    started_on: datetime | None
    arguments: Mapping[str, str]
    completed_on: datetime | None = None
    dpu_seconds: float | None = None
    worker_type: str | None = None
    number_of_workers: int | None = None
    glue_version: str | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether it will never change again."""
        return self.state in TERMINAL_STATES

    @property
    def has_succeeded(self) -> bool:
        """Whether it ended well."""
        return self.state == SUCCEEDED

    @property
    def has_crashed(self) -> bool:
        """Whether it began and ended badly, but neither by a stop nor by its time limit."""
        return self.state in CRASHED_STATES

    @classmethod
    def from_response(cls, job_run: Mapping[str, Any]) -> "GlueRun":
        """Read the `JobRun` of GetJobRun or an entry of GetJobRuns."""
        return cls(
            job_name=job_run.get("JobName", ""),
            run_id=job_run["Id"],
            state=job_run.get("JobRunState", ""),
            error_message=job_run.get("ErrorMessage") or None,
            execution_seconds=int(job_run.get("ExecutionTime") or 0),
            started_on=job_run.get("StartedOn"),
            arguments=job_run.get("Arguments") or {},
            completed_on=job_run.get("CompletedOn"),
            dpu_seconds=job_run.get("DPUSeconds"),
            worker_type=job_run.get("WorkerType"),
            number_of_workers=job_run.get("NumberOfWorkers"),
            glue_version=job_run.get("GlueVersion"),
        )

    def describe_end(self) -> str:
        """Say in a sentence how it ended."""
        cause = self.error_message or "Glue gives no reason; its log has the end of the output"
        return f"Glue run {self.run_id} of {self.job_name} ended {self.state}: {cause}"


@dataclass(frozen=True)
class WatchRules:
    """How a run is started and watched.

    Attributes:
        shortest_poll_seconds: between two looks at a run that just began.
        longest_poll_seconds: between two looks at a run that goes on; looks grow rarer with its age.
        deadline_seconds: a run older than this is stopped.
        concurrency_waits: seconds to wait before each further start, where too many runs are going.
    """

    shortest_poll_seconds: float = 1.0
    longest_poll_seconds: float = 10.0
    deadline_seconds: float = 3 * 3600.0
    concurrency_waits: tuple[float, ...] = (60.0, 120.0, 240.0)


@dataclass(frozen=True)
class Workers:
    """What a run is given to work with.

    Attributes:
        kind: such as `G.1X`.
        count: how many, driver included.
    """

    kind: str
    count: int


def run_identity(attempts: Iterable[tuple[str, int]]) -> str:
    """Return the identity of a run: the same for the same manifests at the same attempts.

    Args:
        attempts: each manifest's filename with its attempt.
    """
    text = "\n".join(f"{name}@{attempt}" for name, attempt in sorted(attempts))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def attempts_argument(attempts: Iterable[tuple[str, int]]) -> str:
    """Write manifests with their attempts as `manifest-....json@1,manifest-....json@1`."""
    return ",".join(f"{name}@{attempt}" for name, attempt in sorted(attempts))


class GlueRuns:
    """The runs of one Glue job."""

    def __init__(
        self,
        glue: "GlueClient",
        *,
        job_name: str,
        rules: WatchRules,
        log: logging.Logger,
        read_list: Callable[[str], str],
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._glue = glue
        self._job_name = job_name
        self._rules = rules
        self._log = log
        self._read_list = read_list
        self._listed: dict[str, Collection[str]] = {}
        self._sleep = sleep
        self._monotonic = monotonic

    @property
    def job_name(self) -> str:
        """The job."""
        return self._job_name

    def find(self, identity: str) -> GlueRun | None:
        """Return the newest run that was started with this identity, or None."""
        return self._find(lambda run: run.arguments.get(IDENTITY_ARGUMENT) == identity)

    def find_attempt(self, manifest_filename: str, attempt: int) -> GlueRun | None:
        """Return the newest run that was started for this attempt of a manifest, or None."""
        wanted = attempts_argument([(manifest_filename, attempt)])
        return self._find(lambda run: wanted in self._attempts_of(run))

    def _attempts_of(self, run: GlueRun) -> Collection[str]:
        """Return what a run was started for, as `attempts_argument` writes each; a list is read once."""
        argument = run.arguments.get(ATTEMPTS_ARGUMENT, "")
        if not argument.startswith("s3://"):
            return argument.split(",")
        if argument not in self._listed:
            lines = (line.split() for line in self._read_list(argument).splitlines())
            self._listed[argument] = {f"{uri.rpartition('/')[2]}@{attempt}" for uri, attempt in lines}
        return self._listed[argument]

    def _find(self, is_wanted: Callable[[GlueRun], bool]) -> GlueRun | None:
        searched = 0
        for page in self._glue.get_paginator("get_job_runs").paginate(JobName=self._job_name):
            for job_run in page["JobRuns"]:
                run = GlueRun.from_response(job_run)
                if is_wanted(run):
                    return run
                searched += 1
            if searched >= SEARCHED_RUNS:
                break
        return None

    def find_begun(self, manifest_filename: str, attempt: int, glue_job_run_id: str | None) -> GlueRun | None:
        """Return the run of a manifest's attempt, or None where Glue has none.

        Args:
            manifest_filename: the manifest.
            attempt: its attempt.
            glue_job_run_id: the run's id where one was stored; without it the run's arguments tell.

        Raises:
            GlueBusyError: Glue would not say.
        """
        if glue_job_run_id is None:
            return self.find_attempt(manifest_filename, attempt)
        try:
            found = self.read(glue_job_run_id)
        except GlueRunLostError:
            return None
        if found is None:
            raise GlueBusyError(f"Glue would not say how run {glue_job_run_id} is")
        return found

    def wait(self, seconds: float) -> None:
        """Let some time pass."""
        self._sleep(seconds)

    def start(
        self,
        arguments: Mapping[str, str],
        identity: str,
        *,
        workers: Workers,
        confirm: Callable[[], None] = lambda: None,
    ) -> str:
        """Start a run and return its id; waits, a few times, where too many runs are going.

        Args:
            arguments: of the script.
            identity: by which the run is found again.
            workers: what it is given; the job's own numbers don't count.
            confirm: called right before each try; what it raises ends the tries.

        Raises:
            GlueRunError: Glue refused to start it.
        """
        waits = iter(self._rules.concurrency_waits)
        while True:
            confirm()
            try:
                response = self._glue.start_job_run(
                    JobName=self._job_name,
                    Arguments={**arguments, IDENTITY_ARGUMENT: identity},
                    WorkerType=workers.kind,  # type: ignore[arg-type]
                    NumberOfWorkers=workers.count,
                )
            except ClientError as error:
                wait = next(waits, None)
                if error_code(error) != "ConcurrentRunsExceededException" or wait is None:
                    raise GlueRunError(f"Glue refused to start {self._job_name}: {error}") from error
                self._log.warning(
                    "Glue job %s has as many runs going as it allows; trying again in %.0f s",
                    self._job_name,
                    wait,
                )
                self._sleep(wait)
            else:
                return response["JobRunId"]

    def watch(self, run_id: str) -> GlueRun:
        """Return a run once it has ended, however it ended.

        Raises:
            GlueDeadlineError: it took longer than allowed; it was told to stop.
            GlueRunLostError: Glue does not know it.
        """
        began = self._monotonic()
        state = ""
        while True:
            run = self.read(run_id)
            if run is not None:
                if run.state != state:
                    self._log.info("Glue run %s is %s", run_id, run.state)
                    state = run.state
                if run.is_terminal:
                    return run
            age = self._monotonic() - began
            if age > self._rules.deadline_seconds:
                self.stop(run_id)
                raise GlueDeadlineError(
                    f"Glue run {run_id} of {self._job_name} was still {state} after {age:.0f} s and was "
                    "stopped; raise the deadline if such runs are expected"
                )
            # A tenth of its age: a short run is noticed at once, a long one costs few calls.
            self._sleep(
                min(max(age / 10, self._rules.shortest_poll_seconds), self._rules.longest_poll_seconds)
            )

    def read(self, run_id: str) -> GlueRun | None:
        """Return a run as Glue shows it, or None where Glue is too busy to say.

        Raises:
            GlueRunLostError: Glue does not know it.
        """
        try:
            response = self._glue.get_job_run(JobName=self._job_name, RunId=run_id)
        except ClientError as error:
            if error_code(error) == "EntityNotFoundException":
                raise GlueRunLostError(f"Glue does not know run {run_id} of {self._job_name}") from error
            if error_code(error) not in _THROTTLED:
                raise
            self._log.warning("Glue would not say how run %s is: %s", run_id, error_code(error))
            return None
        except BotoCoreError as error:
            # A connection that breaks says nothing about the run; the deadline bounds how long this goes on.
            self._log.warning("Glue could not be asked how run %s is: %s", run_id, error)
            return None
        return GlueRun.from_response(response["JobRun"])

    def stop(self, run_id: str) -> bool:
        """Tell Glue to stop a run; False, with a log line, where it refuses."""
        try:
            response = self._glue.batch_stop_job_run(JobName=self._job_name, JobRunIds=[run_id])
        except (BotoCoreError, ClientError) as error:
            self._log.warning("Glue did not stop run %s: %s", run_id, error)
            return False
        errors = response.get("Errors") or []
        for refusal in errors:
            self._log.warning("Glue did not stop run %s: %s", run_id, refusal.get("ErrorDetail"))
        return not errors
