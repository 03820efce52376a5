"""The code location with short graces, whose processes die at the AWS call that a test names.

A test lays a file `{date}` into the folder that `MORTAL_DEATHS` names. The first process that makes the call
it describes, for a manifest of that date, is killed by SIGKILL before or after that call; the file is gone.
"""

import os
import signal
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from ndjson_pipeline.aws import Deployment, current_deployment
from ndjson_pipeline.build import build_defs
from ndjson_pipeline.resources import PipelineResource

DEATHS_VARIABLE = "MORTAL_DEATHS"
BEFORE, AFTER = "before", "after"


class Deaths:
    """Which calls kill this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls: Counter[tuple[str, str, str]] = Counter()
        # A look at a Glue run names no manifest, and a process works on one date at a time.
        self._last_date = ""

    def watch(self, client: Any, service: str) -> None:
        """Look at every call of a client."""
        client.meta.events.register(f"before-parameter-build.{service}", self._before)
        client.meta.events.register(f"after-call.{service}", self._after)

    def _before(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        date = self._date_of(params)
        if date is None:
            return
        self._last_date = date
        self._die(date, model.name, BEFORE)

    def _after(self, http_response: Any, model: Any, **_: Any) -> None:
        # What is refused, such as a run too many, has had no effect.
        if http_response.status_code < 300:
            self._die(self._last_date, model.name, AFTER)

    def _date_of(self, params: dict[str, Any]) -> str | None:
        if "Key" in params and "date_prefix" in params["Key"]:
            return str(params["Key"]["date_prefix"]["S"])
        if "Arguments" in params:
            return str(params["Arguments"]["--MANIFEST_PATH"].split("/")[4])
        return self._last_date if "RunId" in params else None

    def _die(self, date: str, operation: str, phase: str) -> None:
        self._calls[date, operation, phase] += 1
        path = self._folder / date
        try:
            wanted = path.read_text()
        except (FileNotFoundError, IsADirectoryError):
            return
        if wanted != f"{phase} {operation} {self._calls[date, operation, phase]}":
            return
        path.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


class MortalPipelineResource(PipelineResource):
    """The pipeline's AWS, whose calls may be the last."""

    @property
    def deployment(self) -> Deployment:
        """Names and clients that look at each call."""
        deployment = current_deployment()
        _watch(deployment)
        return deployment


@cache
def _watch(deployment: Deployment) -> None:
    deaths = Deaths(Path(os.environ[DEATHS_VARIABLE]))
    deaths.watch(deployment.dynamodb, "dynamodb")
    deaths.watch(deployment.glue, "glue")


defs = build_defs(
    resource_overrides={
        "pipeline": MortalPipelineResource(
            shortest_poll_seconds=0.5,
            longest_poll_seconds=1.0,
            concurrency_wait_seconds=2.0,
            settle_grace_seconds=6.0,
            start_grace_seconds=60.0,
            orphan_grace_seconds=4.0,
            claim_grace_seconds=8.0,
            idle_run_seconds=20.0,
        )
    }
)
