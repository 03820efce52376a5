"""Has a UI load its code locations anew, and tells how that went.

UI and daemon notice a new code server by themselves, the UI within seconds and the daemon within a minute. A
deployment asks all the same: it is told at once whether what it brought can be loaded.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from ndjson_pipeline.errors import PipelineError

_LOCATIONS = """
query Locations {
  workspaceOrError {
    __typename
    ... on Workspace { locationEntries { name } }
    ... on PythonError { message }
  }
}
"""
_RELOAD = """
mutation Reload($name: String!) {
  reloadRepositoryLocation(repositoryLocationName: $name) {
    __typename
    ... on WorkspaceLocationEntry {
      loadStatus
      locationOrLoadError { __typename ... on PythonError { message } }
    }
    ... on PythonError { message }
    ... on ReloadNotSupported { message }
    ... on RepositoryLocationNotFound { message }
    ... on UnauthorizedError { message }
  }
}
"""
_REQUEST_SECONDS = 60.0
_WAIT_SECONDS = 5.0

# Sends a query with its variables, and returns the answer's `data`.
Ask = Callable[[str, Mapping[str, str]], Mapping[str, Any]]


class ReloadError(PipelineError):
    """A code location could not be loaded, or the UI did not answer."""


def asker(url: str) -> Ask:
    """Return what sends queries to a UI.

    Args:
        url: where it answers, such as http://127.0.0.1:3000.
    """
    address = f"{url.rstrip('/')}/graphql"

    def ask(query: str, variables: Mapping[str, str]) -> Mapping[str, Any]:
        request = urllib.request.Request(
            address,
            data=json.dumps({"query": query, "variables": dict(variables)}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_REQUEST_SECONDS) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            text = error.read(1_000).decode(errors="replace").strip()
            raise ReloadError(f"{address} answered {error.code}: {text}") from error
        except (OSError, ValueError) as error:
            raise ReloadError(f"{address} did not answer: {error}") from error
        if answer.get("errors"):
            raise ReloadError(f"{address} answered with errors: {answer['errors'][0].get('message')}")
        data: Mapping[str, Any] = answer["data"]
        return data

    return ask


def reload_all(
    ask: Ask,
    *,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[str]:
    """Have every code location loaded anew, and return their names.

    A server that is starting is waited for.

    Args:
        ask: sends queries.
        seconds: how long.
        sleep: lets seconds pass.
        monotonic: tells seconds that have passed.

    Raises:
        ReloadError: names every location that is not loaded by then, and why.
    """
    until = monotonic() + seconds
    while True:
        try:
            names = _names(ask)
            problems = {name: problem for name in names if (problem := _reload(ask, name)) is not None}
        except ReloadError as error:
            names, problems = [], {"the UI": str(error)}
        if names and not problems:
            return names
        if monotonic() > until:
            told = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
            raise ReloadError(f"Not loaded within {seconds:g} s: {told or 'the workspace has no location'}")
        sleep(_WAIT_SECONDS)


def _names(ask: Ask) -> list[str]:
    workspace = ask(_LOCATIONS, {})["workspaceOrError"]
    if workspace["__typename"] != "Workspace":
        raise ReloadError(str(workspace.get("message") or workspace["__typename"]))
    return [entry["name"] for entry in workspace["locationEntries"]]


def _reload(ask: Ask, name: str) -> str | None:
    """Reload a location; tell why it is not loaded, None where it is."""
    answer = ask(_RELOAD, {"name": name})["reloadRepositoryLocation"]
    if answer["__typename"] != "WorkspaceLocationEntry":
        return str(answer.get("message") or answer["__typename"])
    location = answer["locationOrLoadError"] or {}
    if location.get("__typename") == "PythonError":
        return str(location.get("message"))
    return None if answer["loadStatus"] == "LOADED" else str(answer["loadStatus"])
