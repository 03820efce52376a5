"""Runs of a Glue job: the real script in a process, its fate shown as the state of the run."""

import logging
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import split_s3_uri
from ndjson_pipeline.local_aws import lifeline
from ndjson_pipeline.local_aws.errors import LocalAwsError
from ndjson_pipeline.local_aws.glue.java import find_java_home
from ndjson_pipeline.local_aws.glue.python_modules import MODULES_ARGUMENT, installed_modules
from ndjson_pipeline.local_aws.log_shipping import LogShipper

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OUTPUT_LOG_GROUP = "/aws-glue/jobs/output"
ERROR_LOG_GROUP = "/aws-glue/jobs/error"
LOG_GROUP = "/aws-glue/jobs"
CUT_OFF = "The local AWS ended while this run was going"

_LIFELINE = Path(lifeline.__file__)
# Glue 5's own default, in minutes.
_DEFAULT_TIMEOUT_MINUTES = 480
_POLL_SECONDS = 0.05
_TAIL_BYTES = 65_536
_ERROR_MESSAGE_CHARACTERS = 2_000
_TRACEBACK = "Traceback (most recent call last):"
# Spark's own log lines, such as "26/01/30 12:00:00 WARN NativeCodeLoader: ...".
_SPARK_LOG_LINE = re.compile(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d (TRACE|DEBUG|INFO|WARN|ERROR) ")

_logger = logging.getLogger(__name__)


class RunState(StrEnum):
    """The states of a Glue run that occur here."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    TIMEOUT = "TIMEOUT"

    @property
    def terminal(self) -> bool:
        """Whether a run stays in it."""
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED, RunState.TIMEOUT)


@dataclass(frozen=True)
class RunRequest:
    """What StartJobRun asks for, with the job's own values where it says nothing.

    Attributes:
        job_name: the job.
        script_location: S3 URI of the script.
        default_arguments: the job's arguments.
        arguments: the run's arguments; they win over the job's.
        fixed_arguments: the job's non-overridable arguments; they win over the run's.
        timeout_minutes: after how many minutes the run is ended; None for Glue's default.
        glue_version: such as `5.1`.
        worker_type: such as `G.1X`.
        number_of_workers: how many.
        max_capacity: in DPU.
        previous_run_id: the run that this one repeats.
    """

    job_name: str
    script_location: str
    default_arguments: Mapping[str, str]
    arguments: Mapping[str, str]
    fixed_arguments: Mapping[str, str]
    timeout_minutes: float | None = None
    glue_version: str | None = None
    worker_type: str | None = None
    number_of_workers: int | None = None
    max_capacity: float | None = None
    previous_run_id: str | None = None

    @property
    def merged_arguments(self) -> dict[str, str]:
        """What the script is given."""
        return {**self.default_arguments, **self.arguments, **self.fixed_arguments}


@dataclass(frozen=True)
class GlueSettings:
    """How runs behave.

    Attributes:
        minute_seconds: how long a minute of a job's `Timeout` lasts.
        stop_grace_seconds: how long a stopped run may take to end by itself.
        cores: how many tasks Spark runs at once.
        driver_memory: the heap of Spark's JVM, such as `1g`.
    """

    minute_seconds: float
    stop_grace_seconds: float
    cores: int
    driver_memory: str


class GlueRuns:
    """Starts runs, and ends them all when the local AWS ends.

    Args:
        s3: an S3 client of the local endpoint, from which scripts are downloaded.
        directory: where each run gets a folder.
        base_environment: what every run's process gets: paths, endpoint, credentials.
        settings: how runs behave.
        shipper: what sends output to CloudWatch Logs.
        changed: is told the id of a run whenever its state is another.
    """

    def __init__(
        self,
        s3: "S3Client",
        directory: Path,
        base_environment: Mapping[str, str],
        settings: GlueSettings,
        shipper: LogShipper,
        changed: Callable[[str], None] = lambda _run_id: None,
    ) -> None:
        self.lock = threading.RLock()
        self._s3 = s3
        self._directory = directory
        self._base_environment = dict(base_environment)
        self._settings = settings
        self._shipper = shipper
        self._runs: dict[str, GlueRun] = {}
        self.changed = changed
        self._java_home: Path | None = None

    def start(self, request: RunRequest) -> "GlueRun":
        """Start a run; it goes on in the background."""
        run_id = f"jr_{secrets.token_hex(32)}"
        run = GlueRun(request, run_id, self._directory / run_id, self)
        with self.lock:
            self._runs[run_id] = run
        self.changed(run_id)
        run.begin()
        return run

    def find(self, run_id: str) -> "GlueRun | None":
        """Return a run that was started here, or None."""
        with self.lock:
            return self._runs.get(run_id)

    def stop(self) -> None:
        """Kill every run, and wait for their threads."""
        with self.lock:
            runs = list(self._runs.values())
        for run in runs:
            run.abandon()
        for run in runs:
            run.join()

    def download(self, uri: str, folder: Path) -> Path:
        """Fetch an object into a folder, under the last part of its key.

        Raises:
            LocalAwsError: there is no such object, or no such bucket.
        """
        try:
            bucket, key = split_s3_uri(uri)
            path = folder / PurePosixPath(key).name
            path.write_bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except (ContractError, ClientError, BotoCoreError) as error:
            raise LocalAwsError(f"{uri} could not be read: {error}") from error
        return path

    def environment(self, folder: Path, python_path: list[Path]) -> dict[str, str]:
        """Return a run's environment: Spark finds its Java and its master in it, so that the script need not.

        Raises:
            JavaNotFoundError: there is no Java 17.
        """
        with self.lock:
            if self._java_home is None:
                self._java_home = find_java_home({**os.environ, **self._base_environment})
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        configuration = {
            "spark.ui.enabled": "false",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.local.dir": str(temporary),
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            # Tasks do their work outside of the JVM: its second compiler costs more than it gains. A JVM that
            # is killed leaves its temporary files, so they belong into the run's folder.
            "spark.driver.extraJavaOptions": (
                f'-XX:TieredStopAtLevel=1 -XX:-UsePerfData "-Djava.io.tmpdir={temporary}"'
            ),
        }
        submit = ["--master", f"local[{self._settings.cores}]"]
        submit += ["--driver-memory", self._settings.driver_memory]
        for name, value in configuration.items():
            submit += ["--conf", f"{name}={value}"]
        return {
            **self._base_environment,
            "JAVA_HOME": str(self._java_home),
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_SUBMIT_ARGS": shlex.join([*submit, "pyspark-shell"]),
            "PYTHONPATH": os.pathsep.join(map(str, python_path)),
            "PYTHONUNBUFFERED": "1",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "TMPDIR": str(temporary),
            "TZ": "UTC",
        }

    @property
    def settings(self) -> GlueSettings:
        """How runs behave."""
        return self._settings

    @property
    def shipper(self) -> LogShipper:
        """What sends output to CloudWatch Logs."""
        return self._shipper


class GlueRun:
    """One run.

    Its folder holds the script, its modules, `stdout.log`, `stderr.log`, the script's process id in `pid`.

    Attributes:
        job_run_id: its id, `jr_` with 64 hex digits.
        request: what was asked for.
    """

    def __init__(self, request: RunRequest, job_run_id: str, folder: Path, runs: GlueRuns) -> None:
        self.request = request
        self.job_run_id = job_run_id
        self._folder = folder
        self._runs = runs
        self._lock = threading.Lock()
        self._state = RunState.STARTING
        self._error_message: str | None = None
        self._started_on = datetime.now(UTC)
        self._modified_on = self._started_on
        self._completed_on: datetime | None = None
        self._stop_wanted = threading.Event()
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name=f"glue-{job_run_id[:11]}", daemon=True)

    @property
    def state(self) -> RunState:
        """Where it stands."""
        with self._lock:
            return self._state

    @property
    def started_on(self) -> datetime:
        """When it was started."""
        return self._started_on

    def begin(self) -> None:
        """Start the process in the background."""
        self._thread.start()

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def request_stop(self) -> bool:
        """Ask it to stop; False where it has ended already, or been asked before."""
        with self._lock:
            if self._state.terminal or self._state is RunState.STOPPING:
                return False
            self._state = RunState.STOPPING
            self._modified_on = datetime.now(UTC)
        self._runs.changed(self.job_run_id)
        self._stop_wanted.set()
        return True

    def abandon(self) -> None:
        """Ask it to stop, with no time to end by itself."""
        self._abandoned = True
        self.request_stop()

    def as_dict(self) -> dict[str, Any]:
        """Return it as GetJobRun shows it."""
        request = self.request
        with self._lock:
            end = self._completed_on or datetime.now(UTC)
            description: dict[str, Any] = {
                "Id": self.job_run_id,
                "Attempt": 0,
                "JobName": request.job_name,
                "StartedOn": self._started_on,
                "LastModifiedOn": self._modified_on,
                "JobRunState": self._state.value,
                "PredecessorRuns": [],
                "ExecutionTime": int((end - self._started_on).total_seconds()),
                "LogGroupName": LOG_GROUP,
                "Arguments": dict(request.arguments),
            }
            optional = {
                "CompletedOn": self._completed_on,
                "ErrorMessage": self._error_message,
                "Timeout": None if request.timeout_minutes is None else int(request.timeout_minutes),
                "GlueVersion": request.glue_version,
                "WorkerType": request.worker_type,
                "NumberOfWorkers": request.number_of_workers,
                "MaxCapacity": request.max_capacity,
                "PreviousRunId": request.previous_run_id,
            }
        description.update({name: value for name, value in optional.items() if value is not None})
        return description

    def _run(self) -> None:
        try:
            self._folder.mkdir(parents=True)
            command, environment = self._prepare()
            process = self._launch(command, environment)
        except (LocalAwsError, OSError, subprocess.SubprocessError) as error:
            _logger.warning("run %s of %s did not start: %s", self.job_run_id, self.request.job_name, error)
            self._finish(RunState.FAILED, str(error))
            return
        with self._lock:
            if self._state is RunState.STARTING:
                self._state = RunState.RUNNING
        self._runs.changed(self.job_run_id)
        try:
            self._watch(process)
        finally:
            _kill_group(process)
            if process.stdin is not None:
                process.stdin.close()

    def _prepare(self) -> tuple[list[str], dict[str, str]]:
        request = self.request
        arguments = request.merged_arguments
        script = self._runs.download(request.script_location, self._folder)
        modules = [
            self._runs.download(uri.strip(), self._folder)
            for uri in arguments.get("--extra-py-files", "").split(",")
            if uri.strip()
        ]
        installed = installed_modules(arguments.get(MODULES_ARGUMENT, ""), self._runs.download, self._folder)
        if installed is not None:
            modules.append(installed)
        arguments |= {"--JOB_NAME": request.job_name, "--JOB_RUN_ID": self.job_run_id}
        command = [sys.executable, str(script)]
        for name, value in arguments.items():
            command += [name, value]
        return command, self._runs.environment(self._folder, modules)

    def _launch(self, command: list[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        with (
            (self._folder / "stdout.log").open("wb") as stdout,
            (self._folder / "stderr.log").open("wb") as stderr,
        ):
            return subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LIFELINE), str(self._folder / "pid"), *command],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                cwd=self._folder,
                env=environment,
                start_new_session=True,
            )

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        settings = self._runs.settings
        minutes = self.request.timeout_minutes or _DEFAULT_TIMEOUT_MINUTES
        deadline = time.monotonic() + minutes * settings.minute_seconds
        logs = [
            _LogFile(self._folder / "stdout.log", OUTPUT_LOG_GROUP, self.job_run_id, self._runs.shipper),
            _LogFile(self._folder / "stderr.log", ERROR_LOG_GROUP, self.job_run_id, self._runs.shipper),
        ]
        while True:
            status = _wait(process, _POLL_SECONDS)
            for log in logs:
                log.ship(to_the_end=status is not None)
            if status is not None:
                break
            if self._stop_wanted.is_set():
                self._terminate(process)
                break
            if time.monotonic() >= deadline:
                _kill_group(process)
                break
        for log in logs:
            log.ship(to_the_end=True)
        if self._stop_wanted.is_set():
            self._finish(RunState.STOPPED, None)
        elif status is None:
            self._finish(RunState.TIMEOUT, f"Job run timed out after {minutes:g} minutes")
        elif status == 0:
            self._finish(RunState.SUCCEEDED, None)
        else:
            self._finish(RunState.FAILED, _failure(status, self._folder / "stderr.log"))

    def _terminate(self, process: "subprocess.Popen[bytes]") -> None:
        if not self._abandoned:
            os.killpg(process.pid, signal.SIGTERM)
            deadline = time.monotonic() + self._runs.settings.stop_grace_seconds
            while _wait(process, _POLL_SECONDS) is None:
                if self._abandoned or time.monotonic() >= deadline:
                    break
        _kill_group(process)

    def _finish(self, state: RunState, error_message: str | None) -> None:
        with self._lock:
            if self._state.terminal:
                return
            self._state = state
            self._error_message = error_message
            self._completed_on = self._modified_on = datetime.now(UTC)
        self._runs.changed(self.job_run_id)

    def to_document(self) -> dict[str, Any]:
        """Return what `from_document` needs of it, as JSON."""
        with self._lock:
            # One that the end of the local AWS cut off was not stopped by anybody.
            ended = self._state.terminal and not self._abandoned
            return {
                "request": asdict(self.request),
                "id": self.job_run_id,
                "state": self._state.value if ended else None,
                "error_message": self._error_message,
                "started_on": self._started_on.isoformat(),
                "completed_on": (self._completed_on or self._modified_on).isoformat(),
            }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], runs: GlueRuns) -> Self:
        """Return a run of a former start; one that had not ended then has failed.

        Raises:
            KeyError, TypeError, ValueError: the document is none of `to_document`.
        """
        run = cls(RunRequest(**document["request"]), document["id"], Path(), runs)
        state = document["state"]
        run._state = RunState.FAILED if state is None else RunState(state)
        run._error_message = CUT_OFF if state is None else document["error_message"]
        run._started_on = datetime.fromisoformat(document["started_on"])
        run._completed_on = run._modified_on = datetime.fromisoformat(document["completed_on"])
        return run


class _LogFile:
    """A file that grows, of which each line is sent once."""

    def __init__(self, path: Path, group: str, stream: str, shipper: LogShipper) -> None:
        self._path = path
        self._group = group
        self._stream = stream
        self._shipper = shipper
        self._position = 0

    def ship(self, *, to_the_end: bool) -> None:
        """Send what is new, up to the last complete line or to the end."""
        if self._path.stat().st_size == self._position:
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            content = file.read()
        if not to_the_end:
            content = content[: content.rfind(b"\n") + 1]
        self._position += len(content)
        for line in content.decode("utf-8", "replace").splitlines():
            self._shipper.ship(self._group, self._stream, line)


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> int | None:
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    # Spark's JVM and Python workers are in the group, and may outlive the script.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        _logger.debug("process group %d has ended", process.pid)
    process.wait()


def _failure(status: int, stderr: Path) -> str:
    if status < 0:
        return f"killed by signal {-status} ({signal.strsignal(-status)})"
    with stderr.open("rb") as file:
        file.seek(max(0, stderr.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    message = _exception_line(lines) or _last_line(lines) or f"exit code {status}"
    return message[:_ERROR_MESSAGE_CHARACTERS]


def _exception_line(lines: list[str]) -> str | None:
    """Return the line that ends the last traceback, such as `ValueError: no such column`."""
    starts = [number for number, line in enumerate(lines) if line.strip() == _TRACEBACK]
    if not starts:
        return None
    for line in lines[starts[-1] + 1 :]:
        if line.strip() and not line.startswith((" ", "\t")):
            return line.strip()
    return None


def _last_line(lines: list[str]) -> str | None:
    for line in reversed(lines):
        if line.strip() and not _SPARK_LOG_LINE.match(line):
            return line.strip()
    return None
