"""Dagster's UI as a program asks it: by GraphQL, over HTTP."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_ingest.contract.text import printable
from ndjson_pipeline.deployment.settings import DAGSTER_URL_VARIABLE
from ndjson_pipeline.errors import PipelineError

_SECONDS = 20
_MOST_BYTES = 16 * 1024**2
_WORKSPACE = """
{ workspaceOrError { __typename
  ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename
    ... on PythonError { message }
    ... on RepositoryLocation { repositories { name sensors { name sensorState { status } } } } } } }
  ... on PythonError { message } } }
"""
_INSTANCE = """
query($pool: String) { instance {
  daemonHealth { allDaemonStatuses { daemonType required healthy } }
  concurrencyLimit(concurrencyKey: $pool) { slotCount limit } } }
"""
_BACKFILL = """
mutation($assets: [AssetKeyInput!], $dates: [String!], $tags: [ExecutionTag!], $title: String) {
  launchPartitionBackfill(backfillParams:
      {assetSelection: $assets, partitionNames: $dates, tags: $tags, title: $title}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on PartitionKeysNotFoundError { message }
    ... on UnauthorizedError { message } } }
"""


class DagsterUnreachableError(PipelineError):
    """Dagster's UI does not answer, or not as it should."""


@dataclass(frozen=True)
class Location:
    """A code location.

    Attributes:
        name: its name.
        error: why it is not loaded; None where it is.
        sensors: whether each runs, by name.
    """

    name: str
    error: str | None
    sensors: Mapping[str, bool]


class DagsterApi:
    """One Dagster's.

    Args:
        url: where its UI answers; None where nobody said.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url

    def version(self) -> str:
        """Return Dagster's version.

        Raises:
            DagsterUnreachableError: it does not answer.
        """
        return str(self._read("server_info", None).get("dagster_version", "unknown"))

    def locations(self) -> list[Location]:
        """Return the code locations.

        Raises:
            DagsterUnreachableError: it does not answer, or refuses.
        """
        workspace = self.ask(_WORKSPACE, {})["workspaceOrError"]
        if "locationEntries" not in workspace:
            raise DagsterUnreachableError(f"Dagster has no workspace: {_said(workspace)}")
        return [_location(entry) for entry in workspace["locationEntries"]]

    def unhealthy_daemons(self, pool: str) -> tuple[list[str], int | None]:
        """Return which daemons should run and do not, and how many places a pool has.

        Raises:
            DagsterUnreachableError: it does not answer, or refuses.
        """
        instance = self.ask(_INSTANCE, {"pool": pool})["instance"]
        statuses = instance["daemonHealth"]["allDaemonStatuses"]
        limit = instance.get("concurrencyLimit") or {}
        places = limit.get("limit")
        return (
            [str(one["daemonType"]) for one in statuses if one["required"] and not one["healthy"]],
            places if isinstance(places, int) else None,
        )

    def backfill(self, asset: tuple[str, ...], dates: list[str], tags: Mapping[str, str], title: str) -> str:
        """Launch the dates of an asset again, and return the backfill's id.

        Args:
            asset: its key.
            dates: its partitions.
            tags: of the runs.
            title: of the backfill.

        Raises:
            DagsterUnreachableError: it does not answer, or refuses.
        """
        answer = self.ask(
            _BACKFILL,
            {
                "assets": [{"path": list(asset)}],
                "dates": dates,
                "tags": [{"key": key, "value": value} for key, value in tags.items()],
                "title": title,
            },
        )["launchPartitionBackfill"]
        if "backfillId" not in answer:
            raise DagsterUnreachableError(f"Dagster launched no backfill: {_said(answer)}")
        return str(answer["backfillId"])

    def ask(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a query of GraphQL answers.

        Raises:
            DagsterUnreachableError: it does not answer, or refuses.
        """
        body = json.dumps({"query": query, "variables": variables}).encode()
        answer = self._read("graphql", body)
        data = answer.get("data")
        if not isinstance(data, dict) or answer.get("errors"):
            raise DagsterUnreachableError(f"Dagster refused a query: {_said(answer)}")
        return data

    def _read(self, path: str, body: bytes | None) -> Mapping[str, Any]:
        if self._url is None:
            raise DagsterUnreachableError(
                f"nobody said where Dagster's UI answers: set {DAGSTER_URL_VARIABLE}"
            )
        request = urllib.request.Request(
            f"{self._url}/{path}", data=body, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:
                answer = json.loads(response.read(_MOST_BYTES))
        except urllib.error.HTTPError as error:
            said = printable(error.read(300).decode(errors="replace"))
            raise DagsterUnreachableError(f"{self._url} answers {error.code}: {said}") from error
        except (OSError, ValueError) as error:
            raise DagsterUnreachableError(
                f"Dagster's UI does not answer at {self._url} ({error}): does it run, and is "
                f"{DAGSTER_URL_VARIABLE} right?"
            ) from error
        if not isinstance(answer, dict):
            raise DagsterUnreachableError(f"{self._url} is no Dagster: it answers in another shape")
        return answer


def _location(entry: Mapping[str, Any]) -> Location:
    found = entry.get("locationOrLoadError") or {}
    sensors = {
        str(sensor["name"]): sensor["sensorState"]["status"] == "RUNNING"
        for repository in found.get("repositories", [])
        for sensor in repository["sensors"]
    }
    error = _said(found) if found.get("__typename") == "PythonError" else None
    return Location(str(entry["name"]), error, sensors)


def _said(answer: Mapping[str, Any]) -> str:
    """Return the message of an answer, else its shape."""
    errors = answer.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return printable(str(errors[0].get("message")), 300)
    return printable(str(answer.get("message") or answer.get("__typename") or "no reason"), 300)
