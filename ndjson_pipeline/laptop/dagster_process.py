"""Dagster as a child process that never outlives its parent."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.local_aws import lifeline

DEFINITIONS = "ndjson_pipeline.definitions"
_SECONDS_TO_END = 20.0
_LOG_TAIL_CHARACTERS = 3000


class DagsterProcessError(PipelineError):
    """A Dagster process could not be started, or ended by itself."""


def daemon_command(definitions: str | Path = DEFINITIONS) -> list[str]:
    """Return the command of a daemon with its code locations, without the UI.

    Args:
        definitions: the module of the code location, in which it is called `defs`; or a workspace file.
    """
    return [_script("dagster-daemon"), "run", *_locations(definitions)]


def dev_command(port: int, definitions: str | Path = DEFINITIONS) -> list[str]:
    """Return the command of daemon, code locations and UI together; the UI listens on this machine only.

    Args:
        port: the UI's.
        definitions: the module of the code location, in which it is called `defs`; or a workspace file.
    """
    return [
        *(sys.executable, "-m", "ndjson_pipeline.laptop.dagster_dev"),
        *("-h", "127.0.0.1", "-p", str(port), *_locations(definitions)),
    ]


def _locations(definitions: str | Path) -> list[str]:
    return ["-w", str(definitions)] if isinstance(definitions, Path) else ["-m", definitions, "-a", "defs"]


class DagsterProcess:
    """A context manager that runs a Dagster command, and ends it with everything it started.

    Args:
        command: what to run.
        home: its DAGSTER_HOME.
        environment: the variables that point it at AWS.
        log_path: where its output goes.
    """

    def __init__(
        self, command: Sequence[str], *, home: Path, environment: Mapping[str, str], log_path: Path
    ) -> None:
        self._command = command
        self._home = home
        self._environment = environment
        self.log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def _pid_path(self) -> Path:
        return self._home / "command.pid"

    def __enter__(self) -> Self:
        self._pid_path.unlink(missing_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                # The head of the group kills it once this process is gone, however that happened.
                [
                    *(sys.executable, lifeline.__file__, str(self._pid_path)),
                    *self._command,
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment, "DAGSTER_HOME": str(self._home)},
                # A .env file in the working directory would override what is passed here.
                cwd=self._home,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # Dagster ends its children on an interrupt of itself; its group gets no second one from a terminal.
        try:
            os.kill(int(self._pid_path.read_text()), signal.SIGINT)
        except ProcessLookupError:
            pass
        except (FileNotFoundError, ValueError):
            # The command has hardly begun, and nobody will ask it to end.
            os.killpg(process.pid, signal.SIGKILL)
        try:
            process.wait(timeout=_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin is not None:
                process.stdin.close()

    def check_alive(self) -> None:
        """Do nothing while it runs.

        Raises:
            DagsterProcessError: it has ended; the message has the end of its log.
        """
        if self._process is None or self._process.poll() is None:
            return
        tail = self.log_path.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]
        raise DagsterProcessError(
            f"{' '.join(self._command[:2])} ended with status {self._process.returncode}; "
            f"the end of {self.log_path}:\n{tail}"
        )


def _script(name: str) -> str:
    """Return a console script of this environment, or of the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise DagsterProcessError(f"{name} is not installed beside {sys.executable}; run make setup")
    return found
