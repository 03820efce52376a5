"""Waiting with a deadline, and processes as the system shows them."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ndjson_pipeline_tests.patience import PATIENCE

Value = TypeVar("Value")


def await_true(look: Callable[[], Value], seconds: float, every: float = 0.1) -> Value:
    """Return what `look` returns once it is true; fail with the last value after a deadline."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if value := look():
            return value
        assert time.monotonic() < deadline, f"not within {seconds:g} s; last seen: {value!r}"
        # A look that is slow is a machine that is busy, and better not with looks.
        took = time.monotonic() - began
        time.sleep(max(every, 2 * took, min(9 * took, 2.0)))


def process_exists(process_id: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def processes_with_variable(name: str, value: str) -> set[int]:
    """Return the processes that were started with this variable, whoever their parents are."""
    wanted = f"{name}={value}".encode()
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = path.read_bytes().split(b"\0")
        except OSError:
            continue
        process_id = int(path.parent.name)
        if wanted in variables and process_id != os.getpid() and process_exists(process_id):
            found.add(process_id)
    return found


def parent_of(process_id: int) -> int | None:
    """Return a process's parent; None where the process is gone."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(status.rpartition(")")[2].split()[1])


def command_of(process_id: int) -> str:
    """Return a process's command line, its words joined by spaces; empty where the process is gone."""
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
