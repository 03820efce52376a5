"""Lambda functions run in processes of their own, as the service runs them."""

import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ndjson_pipeline.local_aws.errors import FunctionNotFoundError
from ndjson_pipeline.local_aws.functions.function import Invocation, LambdaFunction
from ndjson_pipeline.local_aws.functions.worker import END_OF_OUTPUT
from ndjson_pipeline.local_aws.log_shipping import LogShipper

VERSION = "$LATEST"

_WORKER = Path(__file__).with_name("worker.py")
_SECONDS_TO_START = 30.0
_SECONDS_TO_END = 2.0

_logger = logging.getLogger(__name__)


class LambdaRuntime:
    """Invokes functions; each invocation at a time has a process, which later ones use again.

    Args:
        base_environment: what every function's process gets besides its own variables.
        directory: where log files are kept.
        shipper: what sends output to CloudWatch Logs.
    """

    def __init__(self, base_environment: Mapping[str, str], directory: Path, shipper: LogShipper) -> None:
        self._functions: dict[str, LambdaFunction] = {}
        self._base_environment = dict(base_environment)
        self._directory = directory
        self._shipper = shipper
        self._lock = threading.Lock()
        self._idle: dict[str, list[_ExecutionEnvironment]] = {}
        self._busy: set[_ExecutionEnvironment] = set()
        self._stopped = False

    @property
    def process_ids(self) -> list[int]:
        """The processes that run now."""
        with self._lock:
            environments = [*self._busy, *(each for idle in self._idle.values() for each in idle)]
        return [environment.process_id for environment in environments if environment.alive]

    def register(self, functions: Iterable[LambdaFunction]) -> None:
        """Make functions known."""
        with self._lock:
            for function in functions:
                self._functions[function.name] = function
                self._idle[function.name] = []

    def knows(self, function_name: str) -> bool:
        """Tell whether there is a function of that name."""
        return function_name in self._functions

    def function(self, function_name: str) -> LambdaFunction | None:
        """Return what is known of a function."""
        return self._functions.get(function_name)

    def invoke(self, function_name: str, event: Any) -> Invocation:
        """Run a function with an event, and wait for it.

        Args:
            function_name: one of the functions.
            event: any JSON value.

        Returns:
            What it answered; a function that fails, hangs or dies is an answer too.

        Raises:
            FunctionNotFoundError: there is no such function.
        """
        function = self._functions.get(function_name)
        if function is None:
            raise FunctionNotFoundError(
                f"function {function_name!r} does not exist; there are {', '.join(sorted(self._functions))}"
            )
        environment = self._take(function)
        try:
            invocation = environment.invoke(event)
        except BaseException:
            environment.kill()
            raise
        finally:
            with self._lock:
                self._busy.discard(environment)
                keep = environment.alive and not self._stopped
                if keep:
                    self._idle[function_name].append(environment)
            if not keep:
                environment.stop()
        return invocation

    def stop(self) -> None:
        """End every process; invocations in progress fail."""
        with self._lock:
            self._stopped = True
            idle = [each for environments in self._idle.values() for each in environments]
            self._idle = {name: [] for name in self._functions}
            busy = list(self._busy)
        for environment in busy:
            environment.kill()
        for environment in idle:
            environment.stop()

    def _take(self, function: LambdaFunction) -> "_ExecutionEnvironment":
        with self._lock:
            idle = self._idle[function.name]
            while idle:
                environment = idle.pop()
                if environment.alive:
                    self._busy.add(environment)
                    return environment
                _logger.warning("process %d of %s ended while idle", environment.process_id, function.name)
            if self._stopped:
                raise FunctionNotFoundError(f"function {function.name!r} cannot run: the local AWS has ended")
            environment = _ExecutionEnvironment(
                function, self._base_environment, self._directory, self._shipper
            )
            self._busy.add(environment)
            return environment


class _ExecutionEnvironment:
    """One process of a function."""

    def __init__(
        self,
        function: LambdaFunction,
        base_environment: Mapping[str, str],
        directory: Path,
        shipper: LogShipper,
    ) -> None:
        self._function = function
        self._shipper = shipper
        self._stream = f"{datetime.now(UTC):%Y/%m/%d}/[{VERSION}]{uuid.uuid4().hex}"
        self._log_lock = threading.Lock()
        self._output_complete = threading.Event()
        directory.mkdir(parents=True, exist_ok=True)
        self._log_path = directory / f"{function.name}.log"
        self._process = subprocess.Popen(
            # -P keeps the folder of the worker's file, with modules of common names, off the import path.
            [sys.executable, "-P", str(_WORKER), function.handler],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(base_environment),
            start_new_session=True,
        )
        self._answers = _pipe(self._process.stdout)
        self._unread = b""
        self._is_ready = False
        self._log_reader = threading.Thread(
            target=self._forward_output, name=f"lambda-log-{self._process.pid}", daemon=True
        )
        self._log_reader.start()

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def invoke(self, event: Any) -> Invocation:
        request_id = str(uuid.uuid4())
        failure = self._await_ready()
        started = time.monotonic()
        self._log(f"START RequestId: {request_id} Version: {VERSION}")
        document = failure or self._exchange(request_id, event)
        if not self._output_complete.wait(_SECONDS_TO_END):
            _logger.warning("the log of %s in %s may be incomplete", request_id, self._log_path)
        duration_ms = (time.monotonic() - started) * 1000
        self._log(f"END RequestId: {request_id}")
        self._log(
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
            f"Billed Duration: {int(duration_ms) + 1} ms\tMemory Size: {self._function.memory_mb} MB"
        )
        if "error" in document:
            return Invocation(request_id, document["error"], "Unhandled")
        return Invocation(request_id, document["answer"], None)

    def stop(self) -> None:
        """Let the process end by itself, or kill it."""
        stdin = _pipe(self._process.stdin)
        if not stdin.closed:
            try:
                stdin.close()
            except BrokenPipeError:
                _logger.debug("process %d has ended already", self._process.pid)
        try:
            self._process.wait(timeout=_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            _logger.warning("process %d of %s does not end; killed", self._process.pid, self._function.name)
        self.kill()
        self._log_reader.join(timeout=_SECONDS_TO_END)
        self._answers.close()

    def kill(self) -> None:
        """End the process with all that it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            _logger.debug("process group %d has ended already", self._process.pid)
        self._process.wait()

    def _environment(self, base: Mapping[str, str]) -> dict[str, str]:
        function = self._function
        return {
            **base,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
            "PYTHONUNBUFFERED": "1",
            "TZ": ":UTC",
            "_HANDLER": function.handler,
            **function.variables,
        }

    def _await_ready(self) -> dict[str, Any] | None:
        """Wait for the import of the handler, once; return what to answer where it fails."""
        if self._is_ready:
            return None
        line = self._read_line(time.monotonic() + _SECONDS_TO_START)
        if line is None:
            self.kill()
            return _error(
                "Runtime.InitTimeout", f"{self._function.handler} not imported in {_SECONDS_TO_START:g} s"
            )
        if not line:
            return self._died("init")
        document: dict[str, Any] = json.loads(line)
        if "error" in document:
            return document
        self._is_ready = True
        self._output_complete.wait(_SECONDS_TO_END)
        return None

    def _exchange(self, request_id: str, event: Any) -> dict[str, Any]:
        function = self._function
        context = {
            "function_name": function.name,
            "function_version": VERSION,
            "invoked_function_arn": function.arn,
            "memory_limit_in_mb": str(function.memory_mb),
            "aws_request_id": request_id,
            "log_group_name": function.log_group,
            "log_stream_name": self._stream,
            "deadline": time.time() + function.timeout_seconds,
        }
        deadline = time.monotonic() + function.timeout_seconds
        request = json.dumps({"event": event, "context": context}).encode() + b"\n"
        self._output_complete.clear()
        stdin = _pipe(self._process.stdin)
        try:
            stdin.write(request)
            stdin.flush()
        except BrokenPipeError:
            return self._died(request_id)
        line = self._read_line(deadline)
        if line is None:
            self.kill()
            message = (
                f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z {request_id} "
                f"Task timed out after {function.timeout_seconds:.2f} seconds"
            )
            self._log(message)
            return _error("Sandbox.Timedout", message)
        if not line:
            return self._died(request_id)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _died(self, request_id: str) -> dict[str, Any]:
        status = self._process.wait()
        reason = f"signal: {signal.strsignal(-status)}" if status < 0 else f"exit status {status}"
        message = f"RequestId: {request_id} Error: Runtime exited with error: {reason}"
        self._log(message)
        return _error("Runtime.ExitError", message)

    def _read_line(self, deadline: float) -> bytes | None:
        """Return the next answer, nothing where the process ended, None where the deadline passed."""
        while b"\n" not in self._unread:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([self._answers], [], [], remaining)[0]:
                return None
            chunk = os.read(self._answers.fileno(), 65_536)
            if not chunk:
                return b""
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _forward_output(self) -> None:
        with _pipe(self._process.stderr) as output:
            for raw_line in output:
                line = raw_line.decode("utf-8", "replace").rstrip("\n")
                text = line.removesuffix(END_OF_OUTPUT)
                if text or text == line:
                    self._log(text)
                if text != line:
                    self._output_complete.set()
        self._output_complete.set()

    def _log(self, line: str) -> None:
        with self._log_lock, self._log_path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._shipper.ship(self._function.log_group, self._stream, line)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the process was started without its pipes")
    return stream


def _error(error_type: str, message: str) -> dict[str, Any]:
    return {"error": {"errorType": error_type, "errorMessage": message}}
