"""Dagster's process, played by commands that are quicker to start."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ndjson_pipeline.laptop.dagster_process import (
    DagsterProcess,
    DagsterProcessError,
    daemon_command,
    dev_command,
)
from ndjson_pipeline_tests.end_to_end.processes import await_true, process_exists

DEADLINE = 10.0
# Says where it is, and ends by an interrupt as Dagster does.
PATIENT = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(300)"]
STUBBORN = [
    *(sys.executable, "-c"),
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), flush=True)\n"
    "time.sleep(300)",
]
PARENT = """
import sys, time
from pathlib import Path
from ndjson_pipeline.laptop.dagster_process import DagsterProcess
home = Path(sys.argv[1])
with DagsterProcess(sys.argv[2:], home=home, environment={}, log_path=home / "log"):
    time.sleep(300)
"""


def process_of(home: Path, command: list[str], **environment: str) -> DagsterProcess:
    return DagsterProcess(command, home=home, environment=environment, log_path=home / "log")


def written_pid(home: Path) -> int:
    log = home / "log"
    return int(await_true(lambda: log.exists() and log.read_text().strip(), DEADLINE))


def test_leaving_ends_the_command(tmp_path: Path) -> None:
    with process_of(tmp_path, PATIENT) as process:
        pid = written_pid(tmp_path)
        process.check_alive()
        assert process_exists(pid)
        began = time.monotonic()
    assert not process_exists(pid)
    assert time.monotonic() - began < DEADLINE


def test_leaving_at_once_does_not_wait(tmp_path: Path) -> None:
    began = time.monotonic()
    with process_of(tmp_path, PATIENT):
        pass
    assert time.monotonic() - began < DEADLINE


def test_the_command_gets_its_home_and_environment(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "import os; print(os.environ['DAGSTER_HOME'], os.environ['X'], os.getcwd())",
    ]
    with process_of(tmp_path, command, X="y"):
        text = await_true(lambda: (tmp_path / "log").read_text().strip(), DEADLINE)
    assert text == f"{tmp_path} y {tmp_path}"


def test_a_command_that_ended_by_itself_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with process_of(
        tmp_path, [sys.executable, "-c", "print('no such port'); raise SystemExit(3)"]
    ) as process:

        def ended() -> str:
            try:
                process.check_alive()
            except DagsterProcessError as error:
                return str(error)
            return ""

        message = await_true(ended, DEADLINE)
    assert "status 3" in message
    assert "no such port" in message


@pytest.mark.parametrize("command", [PATIENT, STUBBORN], ids=["patient", "stubborn"])
def test_the_command_does_not_outlive_a_parent_that_is_killed(tmp_path: Path, command: list[str]) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), *command]) as parent:
        try:
            pid = written_pid(tmp_path)
        finally:
            os.kill(parent.pid, signal.SIGKILL)
    await_true(lambda: not process_exists(pid), DEADLINE)


def test_the_commands_name_the_code_location_and_this_machine_only() -> None:
    for command in (daemon_command(), dev_command(3210)):
        assert "ndjson_pipeline.definitions" in command
    assert dev_command(3210)[-8:-4] == ["-h", "127.0.0.1", "-p", "3210"]
