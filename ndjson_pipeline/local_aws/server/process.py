"""The local AWS as a process of its own."""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from botocore.exceptions import ClientError

from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.local_aws.child_environment import client_environment, inherited_environment
from ndjson_pipeline.local_aws.clients import local_client
from ndjson_pipeline.local_aws.credentials import LocalCredentials
from ndjson_pipeline.local_aws.errors import FunctionNotFoundError, LocalAwsError, ServerStartError
from ndjson_pipeline.local_aws.functions.function import Invocation, function_name
from ndjson_pipeline.local_aws.settings import LocalAwsSettings, project_directory

_SECONDS_TO_START = 60.0
_SECONDS_TO_END = 20.0
# A function's process may have to start first.
_SECONDS_BEYOND_AN_INVOCATION = 60.0
_LOG_TAIL_CHARACTERS = 3_000

_logger = logging.getLogger(__name__)


class LocalAwsProcess:
    """A context manager like `LocalAws`, whose server is a child process: it ends with this one.

    Args:
        port: which port to listen on; 0 for any free one.
        directory: where logs and folders of Glue runs are kept; the server's own log is `local_aws.log`.
        settings: what differs from the defaults.
        state: where all that clients change is kept, and found again by the next start; None keeps nothing.
        start_seconds: how long it may take to be ready.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        directory: Path,
        settings: LocalAwsSettings | None = None,
        state: Path | None = None,
        start_seconds: float = _SECONDS_TO_START,
    ) -> None:
        self.settings = settings or LocalAwsSettings()
        self.directory = directory.resolve()
        self._state = state
        self._requested_port = port
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: dict[str, Any] = {}

    @property
    def endpoint_url(self) -> str:
        """Where AWS answers, such as `http://127.0.0.1:40123`."""
        return str(self._fact("endpoint_url"))

    @property
    def credentials(self) -> LocalCredentials:
        """The only ones that it takes; it made them when it started."""
        return LocalCredentials(str(self._fact("access_key_id")), str(self._fact("secret_access_key")))

    @property
    def names(self) -> Names:
        """The names of everything made, of the first feed."""
        return Names(self.settings.environment, str(self._fact("account")), self.settings.feeds[0])

    @property
    def process_id(self) -> int:
        """The server's process."""
        return int(self._fact("process_id"))

    @property
    def restored(self) -> Mapping[str, int]:
        """How many objects, items and messages a former start left."""
        return dict(self._fact("restored"))

    @property
    def log_path(self) -> Path:
        """The server's own log."""
        return self.directory / "local_aws.log"

    def client_environment(self) -> dict[str, str]:
        """Return the environment variables that point any AWS client here, and away from real credentials."""
        return client_environment(self.endpoint_url, self.credentials, self.settings.region, self.directory)

    def client(self, service: str) -> Any:
        """Return a boto3 client of this AWS."""
        return local_client(
            service,
            self.endpoint_url,
            self.credentials,
            self.settings.region,
            self.settings.lambda_timeout_seconds + _SECONDS_BEYOND_AN_INVOCATION,
        )

    def invoke(self, function: str, payload: Any = None) -> Invocation:
        """Run one of the functions, and wait for it.

        Args:
            function: `builder`, `sweeper`, `generator` of the first feed, or a function's full name.
            payload: its event; `{}` where there is none.

        Raises:
            FunctionNotFoundError: there is no such function.
        """
        try:
            answer = self.client("lambda").invoke(
                FunctionName=function_name(self.names, function),
                Payload=json.dumps({} if payload is None else payload).encode(),
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            raise FunctionNotFoundError(
                f"function {function!r} does not exist in {self.endpoint_url}"
            ) from error
        return Invocation(
            request_id=answer["ResponseMetadata"]["RequestId"],
            payload=json.loads(answer["Payload"].read()),
            function_error=answer.get("FunctionError"),
        )

    def check_alive(self) -> None:
        """Do nothing while it runs.

        Raises:
            LocalAwsError: it has ended; the message has the end of its log.
        """
        if self._process is not None and self._process.poll() is not None:
            raise LocalAwsError(
                f"the local AWS ended with status {self._process.returncode}; "
                f"the end of {self.log_path}:\n{self._log_tail()}"
            )

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "ndjson_pipeline.local_aws"),
                    *("--port", str(self._requested_port)),
                    *("--directory", str(self.directory)),
                    *("--settings", self.settings.to_json()),
                    *(() if self._state is None else ("--state", str(self._state.resolve()))),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={
                    **inherited_environment(os.environ),
                    "PYTHONPATH": os.pathsep.join([str(project_directory()), *_python_path()]),
                },
                start_new_session=True,
            )
        try:
            self._ready = self._await_ready(self._process)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _await_ready(self, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
        lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        stdout = _pipe(process.stdout)
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=self._start_seconds)
        except queue.Empty:
            raise ServerStartError(
                f"the local AWS was not ready within {self._start_seconds:g} s; "
                f"the end of {self.log_path}:\n{self._log_tail()}"
            ) from None
        if not line:
            status = process.wait()
            raise ServerStartError(
                f"the local AWS ended with status {status} before it was ready; "
                f"the end of {self.log_path}:\n{self._log_tail()}"
            )
        ready: dict[str, Any] = json.loads(line)
        return ready

    def _end(self) -> None:
        process, self._process, self._ready = self._process, None, {}
        if process is None:
            return
        try:
            _pipe(process.stdin).close()
        except BrokenPipeError:
            _logger.debug("the local AWS ended before it was told to")
        try:
            process.wait(timeout=_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            _logger.warning("the local AWS did not end within %g s; killed", _SECONDS_TO_END)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _pipe(process.stdout).close()

    def _log_tail(self) -> str:
        return self.log_path.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]

    def _fact(self, name: str) -> Any:
        if not self._ready:
            raise LocalAwsError("the local AWS is not running; use it as a context manager")
        return self._ready[name]


def _python_path() -> list[str]:
    present = os.environ.get("PYTHONPATH", "")
    return [folder for folder in present.split(os.pathsep) if folder]


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the process was started without its pipes")
    return stream
