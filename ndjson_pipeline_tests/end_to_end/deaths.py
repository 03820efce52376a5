"""Processes that die at the AWS call that a test names.

A test lays a file, named by who is to die and the date, into a folder. The first process that makes the call
it describes, for a manifest of that date, is killed by SIGKILL before or after that call; the file is gone.
"""

import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

BEFORE, AFTER = "before", "after"
RUN, GLUE = "run", "glue"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def death_of(folder: Path, who: str, date: str) -> Path:
    """Return the file that says at which call a process dies: `before UpdateItem 1`, say."""
    return folder / f"{who}-{date}"


class Deaths:
    """Which calls kill this process.

    Args:
        folder: where the files lie.
        who: whose deaths are this process's.
    """

    def __init__(self, folder: Path, who: str) -> None:
        self._folder = folder
        self._who = who
        self._calls: Counter[tuple[str, str, str]] = Counter()
        # A call that names no date belongs to the one before: a process works on one date at a time.
        self._last_date: str | None = None

    def watch(self, client: Any, service: str) -> None:
        """Look at every call of a client."""
        client.meta.events.register(f"before-parameter-build.{service}", self._before)
        client.meta.events.register(f"after-call.{service}", self._after)

    def _before(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self._last_date = _date_of(params) or self._last_date
        self._die(model.name, BEFORE)

    def _after(self, http_response: Any, model: Any, **_: Any) -> None:
        # What is refused, such as a run too many, has had no effect.
        if http_response.status_code < 300:
            self._die(model.name, AFTER)

    def _die(self, operation: str, phase: str) -> None:
        if self._last_date is None:
            return
        call = (self._last_date, operation, phase)
        self._calls[call] += 1
        path = death_of(self._folder, self._who, self._last_date)
        try:
            wanted = path.read_text()
        except (FileNotFoundError, IsADirectoryError):
            return
        if wanted != f"{phase} {operation} {self._calls[call]}":
            return
        path.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def _date_of(params: dict[str, Any]) -> str | None:
    """Return the date of a call's item, arguments or object; reports bear the day they were written."""
    key = params.get("Key")
    if isinstance(key, dict) and "date_prefix" in key:
        return str(key["date_prefix"]["S"])
    text = params.get("Arguments", {}).get("--MANIFEST_PATH") or key
    if not isinstance(text, str) or text.startswith("logs/"):
        return None
    found = _DATE.search(text)
    return found[0] if found else None
