"""Starts a Glue run at most once for each identity, and watches it to its end."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.reporting.seal import NONCE_ARGUMENT
from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.text import printable
from ndjson_pipeline.deployment.deadlines import Deadlines
from ndjson_pipeline.errors import (
    GlueBusyError,
    GlueDeadlineError,
    GlueRunError,
    GlueRunLostError,
    GlueStartRefusedError,
    GlueStartUnclearError,
)
from ndjson_pipeline.glue.start_answers import StartAnswer, answer_of, http_status

__all__ = ["NONCE_ARGUMENT"]

if TYPE_CHECKING:
    from mypy_boto3_glue.client import GlueClient

# The script's own: manifests, comma-separated, or an object that lists them.
MANIFESTS_ARGUMENT = "--MANIFEST_PATH"
# The SHA-256 of each, or of the object that lists them.
SHA256_ARGUMENT = "--MANIFEST_SHA256"
# Stands for one that is not known.
NO_SHA256 = "-"
# Glue has no idempotency token, so a run is found again by this argument; the script ignores it.
IDENTITY_ARGUMENT = "--RUN_IDENTITY"
# Which manifests a run is for, at which attempts, so that a run is found by any one of them.
ATTEMPTS_ARGUMENT = "--MANIFEST_ATTEMPTS"
# How many of the job's newest runs are searched for an identity: a caller that died after StartJobRun is
# followed within minutes, and the job runs a few at a time.
SEARCHED_RUNS = 200
# Glue's list of runs lags: a run that was just started is shown, and known by its id, within this.
LIST_LAG = timedelta(seconds=30)
_THROTTLED = frozenset({"ThrottlingException", "OperationTimeoutException", "InternalServiceException"})
# https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
LONGEST_ERROR = 4_000
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
            error_message=printable(job_run.get("ErrorMessage") or "", LONGEST_ERROR) or None,
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
    deadline_seconds: float = Deadlines().watch.total_seconds()
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
    """The runs of one Glue job.

    Args:
        glue: reads and stops runs, and may try again by itself.
        starter: starts runs, and makes one attempt only: a second one, after an answer that was lost, would
            start a second run.
        job_name: the job.
        rules: how runs are started and watched.
        log: takes what happens.
        sleep: lets seconds pass.
        monotonic: tells seconds that have passed.
    """

    def __init__(
        self,
        glue: "GlueClient",
        *,
        starter: "GlueClient",
        job_name: str,
        rules: WatchRules,
        log: logging.Logger,
        read_list: Callable[[str], str],
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._glue = glue
        self._starter = starter
        self._attempts: dict[str, frozenset[str]] = {}
        self._job_name = job_name
        self._rules = rules
        self._log = log
        self._read_list = read_list
        self._sleep = sleep
        self._monotonic = monotonic

    @property
    def job_name(self) -> str:
        """The job."""
        return self._job_name

    def find(self, identity: str) -> GlueRun | None:
        """Return the newest run that was started with this identity, or None."""
        return next(
            (run for run in self._searched() if run.arguments.get(IDENTITY_ARGUMENT) == identity), None
        )

    def newest(self) -> list[GlueRun]:
        """Return the newest runs, as many as are searched, the newest first."""
        return list(self._searched())

    def attempts_of(self, run: GlueRun) -> frozenset[str]:
        """Return what a run was started for, each as `attempts_argument` writes it; a list is read once."""
        if run.run_id not in self._attempts:
            argument = run.arguments.get(ATTEMPTS_ARGUMENT, "")
            sha256 = run.arguments.get(SHA256_ARGUMENT)
            self._attempts[run.run_id] = frozenset(self._listed(argument, sha256) if argument else ())
        return self._attempts[run.run_id]

    def _listed(self, argument: str, sha256: str | None) -> Iterable[str]:
        """Return the attempts of an argument, or of the object that lists them where it names one.

        Raises:
            GlueBusyError: the object can't be read now; that the run is not the one looked for, is not known.
        """
        if not argument.startswith("s3://"):
            return argument.split(",")
        try:
            text = self._read_list(argument)
        except ClientError as error:
            if error_code(error) != "NoSuchKey":
                raise GlueBusyError(f"{argument} can't be read: {error}") from error
            self._log.warning("%s, which lists the manifests of a Glue run, is gone", argument)
            return ()
        except BotoCoreError as error:
            raise GlueBusyError(f"{argument} can't be read: {error}") from error
        if sha256 is not None and sha256 != hashlib.sha256(text.encode()).hexdigest():
            self._log.warning("%s is not the list that its Glue run was started with", argument)
            return ()
        words = [line.split() for line in text.splitlines()]
        return [f"{each[0].rpartition('/')[2]}@{each[1]}" for each in words if len(each) >= 2]

    def _searched(self) -> Iterator[GlueRun]:
        searched = 0
        for page in self._glue.get_paginator("get_job_runs").paginate(JobName=self._job_name):
            for job_run in page["JobRuns"]:
                yield GlueRun.from_response(job_run)
                searched += 1
            if searched >= SEARCHED_RUNS:
                return

    def find_run(self, run_id: str) -> GlueRun | None:
        """Return a run as Glue shows it, or None where Glue does not know it.

        Raises:
            GlueBusyError: Glue would not say.
        """
        try:
            found = self.read(run_id)
        except GlueRunLostError:
            return None
        if found is None:
            raise GlueBusyError(f"Glue would not say how run {run_id} is")
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
        note: Callable[[bool], None] = lambda _: None,
    ) -> str:
        """Start a run and return its id; waits, a few times, where too many runs are going.

        After an answer that leaves it unclear the identity is looked for before anything else; a run that
        bears it is the one that was started.

        Args:
            arguments: of the script.
            identity: by which the run is found again.
            workers: what it is given; the job's own numbers don't count.
            confirm: called right before each try; what it raises ends the tries.
            note: told True right before Glue is asked, for a run may be going from there on, whatever comes;
                told False once it is certain that none was started.

        Raises:
            GlueStartRefusedError: Glue refused to start it.
            GlueStartUnclearError: Glue may have started it.
        """
        waits = iter(self._rules.concurrency_waits)
        while True:
            confirm()
            note(True)
            try:
                response = self._starter.start_job_run(
                    JobName=self._job_name,
                    Arguments={**arguments, IDENTITY_ARGUMENT: identity},
                    WorkerType=workers.kind,  # type: ignore[arg-type]
                    NumberOfWorkers=workers.count,
                )
                return response["JobRunId"]
            except Exception as error:
                answer = answer_of(error)
                if answer in {StartAnswer.UNCLEAR, StartAnswer.THROTTLED}:
                    begun = self._look_for(identity, error)
                    if begun is not None:
                        return begun.run_id
                if answer is StartAnswer.UNCLEAR:
                    raise GlueStartUnclearError(
                        f"Glue may have started a run of {self._job_name} with identity {identity}, which "
                        f"its list does not show: {error}"
                    ) from error
                note(False)
                wait = None if answer is StartAnswer.REFUSED else next(waits, None)
                if wait is None:
                    raise GlueStartRefusedError(f"Glue refused to start {self._job_name}: {error}") from error
                self._log.warning(
                    "Glue did not start a run of %s, because %s; trying again in %.0f s",
                    self._job_name,
                    answer.value,
                    wait,
                )
                self._sleep(wait)

    def _look_for(self, identity: str, error: Exception) -> GlueRun | None:
        """Look for a run that may have been started, until Glue's list must show it.

        Raises:
            GlueStartUnclearError: Glue would not tell.
        """
        self._log.warning(
            "Glue may have started a run of %s with identity %s, looking for it: %s",
            self._job_name,
            identity,
            error,
        )
        try:
            begun = self.find(identity)
            if begun is None:
                self._sleep(LIST_LAG.total_seconds())
                begun = self.find(identity)
        except (BotoCoreError, ClientError) as search_error:
            raise GlueStartUnclearError(
                f"Glue may have started a run of {self._job_name} with identity {identity} ({error}), and "
                f"would not tell: {search_error}"
            ) from search_error
        if begun is not None:
            self._log.info("Glue had started run %s, and its answer was lost", begun.run_id)
        return begun

    def watch(self, run_id: str) -> GlueRun:
        """Return a run once it has ended, however it ended.

        Raises:
            GlueDeadlineError: it took longer than allowed; it was told to stop.
            GlueRunLostError: Glue does not know it.
            GlueRunError: it took longer than allowed, and Glue does not stop it.
        """
        began = self._monotonic()
        state = ""
        while True:
            run = self._read_young(run_id, self._monotonic() - began)
            if run is not None:
                if run.state != state:
                    self._log.info("Glue run %s is %s", run_id, run.state)
                    state = run.state
                if run.is_terminal:
                    return run
            age = self._monotonic() - began
            if age > self._rules.deadline_seconds:
                return self._end_late(run_id, f"was still {state} after {age:.0f} s")
            # A tenth of its age: a short run is noticed at once, a long one costs few calls.
            self._sleep(
                min(max(age / 10, self._rules.shortest_poll_seconds), self._rules.longest_poll_seconds)
            )

    def _end_late(self, run_id: str, lateness: str) -> GlueRun:
        """Stop a run that is past its deadline; returns it where it has ended meanwhile.

        Raises:
            GlueDeadlineError: it was told to stop.
            GlueRunError: Glue does not stop it.
        """
        if self.stop(run_id):
            raise GlueDeadlineError(
                f"Glue run {run_id} of {self._job_name} {lateness} and was stopped; raise the deadline if "
                "such runs are expected"
            )
        run = self.read(run_id)
        if run is not None and run.is_terminal:
            return run
        raise GlueRunError(f"Glue run {run_id} of {self._job_name} {lateness}, and Glue does not stop it")

    def _read_young(self, run_id: str, age_seconds: float) -> GlueRun | None:
        """Read a run that may be too young for Glue to know it."""
        try:
            return self.read(run_id)
        except GlueRunLostError as error:
            if age_seconds > LIST_LAG.total_seconds():
                raise
            self._log.warning("%s yet", error)
            return None

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
            if error_code(error) not in _THROTTLED and http_status(error) < 500:
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
