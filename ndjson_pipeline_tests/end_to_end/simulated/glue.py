"""Glue under simulated time: the real job's code without Spark, with the ends that Glue's runs may have."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from botocore.exceptions import ReadTimeoutError
from dagster_pipes import decode_param

from glue_jobs.arguments import parse_arguments
from glue_jobs.errors import GlueJobError
from glue_jobs.job import Environment, run_job
from glue_jobs.manifests.reading import listed_manifests
from glue_jobs.reporting.pipes import REPORT_KIND, Announcer
from glue_jobs.reporting.seal import NONCE_ARGUMENT, sealed
from glue_jobs.task import PartResult, PartTask, convert_part
from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.glue.runs import ATTEMPTS_ARGUMENT
from ndjson_pipeline_tests.end_to_end.simulated.clock import Simulation
from ndjson_pipeline_tests.pipeline.harness import client_error

START_SECONDS = 30.0
LIST_LAG = timedelta(seconds=8)
MAX_CONCURRENT_RUNS = 3
RUNS_A_PAGE = 100
_TERMINAL = {"SUCCEEDED", "FAILED", "STOPPED"}


class Fate(Enum):
    """What becomes of a start, or of the run that it starts."""

    WELL = "nothing happens to it"
    REFUSED = "Glue has as many runs going as it allows"
    LOST_ANSWER = "it takes effect, and its answer is lost"
    CALLER_DIES_BEFORE = "the caller's process dies before the call"
    CALLER_DIES_AFTER = "the caller's process dies before it has the answer"
    CALLER_DIES_WATCHING = "the caller's process dies while Glue works"
    DIES_EARLY = "Glue's run dies before it has done anything"
    DIES_LATE = "Glue's run dies after its output is visible, without a report"
    VANISHES = "Glue forgets the run"


@dataclass
class SimulatedRun:
    """A run of the job.

    Attributes:
        run_id: its id.
        request: what it was started with.
        attempts: its manifests' URIs, and the attempt of each.
        fate: what becomes of it.
        started: when.
        state: as Glue shows it.
        completed: when it ended.
        error: why it failed.
    """

    run_id: str
    request: Mapping[str, Any]
    attempts: Mapping[str, int]
    fate: Fate
    started: datetime
    state: str = "RUNNING"
    completed: datetime | None = None
    error: str | None = None

    @property
    def manifests(self) -> list[str]:
        """The URIs of its manifests."""
        return list(self.attempts)

    def described(self, now: datetime) -> dict[str, Any]:
        """Return it as GetJobRun does."""
        worked = ((self.completed or now) - self.started).total_seconds() - START_SECONDS
        described = {
            "Id": self.run_id,
            "JobName": self.request["JobName"],
            "Arguments": self.request["Arguments"],
            "JobRunState": self.state,
            "StartedOn": self.started,
            "ExecutionTime": max(int(worked), 0),
            "WorkerType": self.request["WorkerType"],
            "NumberOfWorkers": self.request["NumberOfWorkers"],
            "GlueVersion": "5.1",
        }
        if self.completed is not None:
            described["CompletedOn"] = self.completed
        return described if self.error is None else {**described, "ErrorMessage": self.error}


@dataclass
class SimulatedGlue:
    """A Glue client whose one job converts for real, at the end of each run's time.

    Attributes:
        simulation: gives the time.
        names: of the deployment.
        s3: a client of the job's own.
        fate_of: what becomes of a start for some manifests.
        seconds_of: how long a run of so many manifests works.
        runs: every run, in order of their starts.
        fates: how many starts had which fate.
    """

    simulation: Simulation
    names: Names
    s3: Any
    fate_of: Callable[[list[str]], Fate]
    seconds_of: Callable[[int], float]
    runs: dict[str, SimulatedRun] = field(default_factory=dict)
    fates: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    _announced: set[str] = field(default_factory=set)
    _announcement: threading.Condition = field(default_factory=threading.Condition)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start_job_run(self, **request: Any) -> dict[str, Any]:
        manifests = list(listed_manifests(self.s3, request["Arguments"]["--MANIFEST_PATH"].split(","), {}))
        fate = self.fate_of(manifests)
        going = sum(1 for run in self.runs.values() if run.state not in _TERMINAL)
        if going >= MAX_CONCURRENT_RUNS:
            fate = Fate.REFUSED
        self.fates[fate] += 1
        if fate is Fate.REFUSED:
            raise client_error("ConcurrentRunsExceededException", "StartJobRun")
        if fate is Fate.CALLER_DIES_BEFORE:
            self.simulation.die()
        attempts = self._attempts(request["Arguments"][ATTEMPTS_ARGUMENT], manifests)
        run = SimulatedRun(f"jr_{next(self._numbers):06d}", request, attempts, fate, self.simulation.now)
        self.runs[run.run_id] = run
        seconds = START_SECONDS + self.seconds_of(len(manifests))
        self.simulation.after(seconds, lambda: self._end(run))
        if fate is Fate.CALLER_DIES_AFTER:
            self.simulation.die()
        if fate is Fate.CALLER_DIES_WATCHING:
            self.simulation.after(START_SECONDS, self.simulation.current().abandon)
        if fate is Fate.LOST_ANSWER:
            raise ReadTimeoutError(endpoint_url="https://glue.us-east-1.amazonaws.com")
        return {"JobRunId": run.run_id}

    def _attempts(self, argument: str, manifests: Sequence[str]) -> dict[str, int]:
        """Return the attempt of each manifest, as the argument names it or the list in S3 that it names."""
        if argument.startswith("s3://"):
            bucket, _, key = argument.removeprefix("s3://").partition("/")
            content = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
            words = [line.split() for line in content.splitlines()]
            return {uri: int(attempt) for uri, attempt, *_ in words}
        named = dict(each.rsplit("@", 1) for each in argument.split(","))
        return {uri: int(named[uri.rpartition("/")[2]]) for uri in manifests}

    def get_job(self, *, JobName: str) -> dict[str, Any]:  # noqa: N803
        return {"Job": {"Name": JobName}}

    def get_job_run(self, *, JobName: str, RunId: str) -> dict[str, Any]:  # noqa: N803
        run = self.runs.get(RunId)
        if run is None or (run.fate is Fate.VANISHES and run.state in _TERMINAL):
            raise client_error("EntityNotFoundException", "GetJobRun")
        return {"JobRun": run.described(self.simulation.now)}

    def batch_stop_job_run(self, *, JobName: str, JobRunIds: list[str]) -> dict[str, Any]:  # noqa: N803
        for run_id in JobRunIds:
            if (run := self.runs.get(run_id)) is not None and run.state not in _TERMINAL:
                run.state, run.completed = "STOPPED", self.simulation.now
        return {"SuccessfulSubmissions": [], "Errors": []}

    def get_paginator(self, operation: str) -> "SimulatedGlue":
        assert operation == "get_job_runs"
        return self

    def paginate(self, *, JobName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        now = self.simulation.now
        shown = (
            run.described(now)
            for run in reversed(self.runs.values())
            if now - run.started >= LIST_LAG and not (run.fate is Fate.VANISHES and run.state in _TERMINAL)
        )
        while page := list(itertools.islice(shown, RUNS_A_PAGE)):
            yield {"JobRuns": page}

    def announce(self, prefix: str) -> None:
        """Tell those who wait for them that messages lie below a prefix."""
        with self._announcement:
            self._announced.add(prefix)
            self._announcement.notify_all()

    def has_announced(self, prefix: str) -> bool:
        """Tell whether messages lie below a prefix; waits a little, for who asks will ask again."""
        with self._announcement:
            if prefix not in self._announced:
                self._announcement.wait(0.2)
            return prefix in self._announced

    def _end(self, run: SimulatedRun) -> None:
        """Do what the run's script does, at the end of its time."""
        if run.state in _TERMINAL:
            return
        run.state, run.completed = "SUCCEEDED", self.simulation.now
        if run.fate in {Fate.DIES_EARLY, Fate.VANISHES}:
            run.state, run.error = "FAILED", "the driver's container was killed"
            return
        try:
            self._convert(run)
        except GlueJobError as error:
            run.state, run.error = "FAILED", str(error)
        if run.fate is Fate.DIES_LATE:
            run.state, run.error = "FAILED", "the driver's container was killed"

    def _convert(self, run: SimulatedRun) -> None:
        names = self.names
        arguments = {
            "--JOB_NAME": names.glue_job,
            "--INPUT_BUCKET": names.input_bucket,
            "--MANIFEST_BUCKET": names.manifest_bucket,
            "--OUTPUT_BUCKET": names.output_bucket,
            "--QUARANTINE_BUCKET": names.quarantine_bucket,
            "--COMPRESSION_TYPE": "snappy",
            "--JOB_RUN_ID": run.run_id,
            **run.request["Arguments"],
        }
        place = None
        if run.fate is not Fate.DIES_LATE:
            place = decode_param(run.request["Arguments"]["--dagster-pipes-messages"])
        run_job(
            parse_arguments([part for pair in arguments.items() for part in pair]),
            Environment(
                s3=self.s3,
                make_glue=lambda: self,  # type: ignore[arg-type,return-value]
                # Its table's arguments are the job's own, which this one has not.
                make_catalog=lambda: self,  # type: ignore[arg-type,return-value]
                region="us-east-1",
                now=self.simulation,
                sleep=lambda _seconds: None,
                unique=lambda: f"{len(self.runs):08x}",
                start_runner=lambda: nullcontext(_InProcessRunner(self.s3)),
                announcer=_PipesAnnouncer(self, place, run.request["Arguments"][NONCE_ARGUMENT]),
            ),
        )


class _InProcessRunner:
    """Runs the job's tasks here, one after the other."""

    cores = 1

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def run(self, tasks: Sequence[PartTask]) -> list[PartResult]:
        return [convert_part(task, self._s3) for task in tasks]


class _PipesAnnouncer(Announcer):
    """Sends the report as Dagster Pipes does, in one piece; None sends nothing."""

    def __init__(self, glue: SimulatedGlue, place: Mapping[str, str] | None, nonce: str) -> None:
        super().__init__()
        self._nonce = nonce
        self._glue = glue
        self._place = place

    def line(self, text: str) -> None:
        """Progress is nothing to judge by."""

    def report(self, uri: str | None, report: Mapping[str, Any]) -> None:
        if self._place is None:
            return
        payload = {"kind": REPORT_KIND, "report_uri": uri, "report": report}
        messages = [
            ("opened", {"extras": {}}),
            ("report_custom_message", {"payload": payload}),
            ("closed", {}),
        ]
        lines = [
            json.dumps({"__dagster_pipes_version": "0.1", "method": method, "params": params})
            for method, params in messages
        ]
        prefix = self._place["key_prefix"]
        self._glue.s3.put_object(
            Bucket=self._place["bucket"],
            Key=f"{prefix}/1.json",
            Body=sealed("\n".join(lines).encode(), self._nonce, 1),
        )
        self._glue.announce(prefix)
