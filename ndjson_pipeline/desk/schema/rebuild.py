"""Dates whose files are older than a change of columns: which they are, and having them converted again."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lambda_ingest.contract.records import BYTES_PER_MB
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.dagster_api import DagsterApi, DagsterUnreachableError
from ndjson_pipeline.desk.output.files import output_files
from ndjson_pipeline.desk.schema.contract import asked
from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.glue.older_output import OlderDates, older_dates, output_dates

Tell = Callable[[str], None]

logger = logging.getLogger(__name__)

MOST_DATES = 366
_ASSET = "merged_parquet"
_READS_AT_ONCE = 16
_GOING = ("REQUESTED", "CANCELING", "FAILING")
_MOST_BACKFILLS = 100
_BACKFILLS = """
query($statuses: [BulkActionStatus!], $limit: Int) {
  partitionBackfillsOrError(filters: {statuses: $statuses}, limit: $limit) { __typename
    ... on PartitionBackfills { results { id tags { key value } } }
    ... on PythonError { message } } }
"""
_BACKFILL = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename
  ... on PartitionBackfill { id status error { message } assetBackfillData { assetBackfillStatuses {
    ... on AssetPartitionsStatusCounts { numPartitionsTargeted numPartitionsInProgress
      numPartitionsMaterialized numPartitionsFailed } } } }
  ... on BackfillNotFoundError { message }
  ... on PythonError { message } } }
"""


class RebuildNotLaunchedError(PipelineError):
    """The dates can't be converted again now; says what to do."""


@dataclass(frozen=True)
class RebuiltDate:
    """A date that would be converted again.

    Attributes:
        date: the date.
        files: its Parquet files.
        output_mb: their size.
        manifests: its completed manifests; None where the totals do not tell.
        input_mb: what is read again; None likewise.
    """

    date: str
    files: int
    output_mb: float
    manifests: int | None
    input_mb: float | None


@dataclass(frozen=True)
class Progress:
    """How far a backfill is.

    Attributes:
        backfill: its id.
        status: as Dagster calls it, such as `COMPLETED_SUCCESS`.
        dates: of it; None while Dagster has not looked at it.
        done: dates that were converted.
        failed: dates that were not.
        error: why it ended itself, where it did.
    """

    backfill: str
    status: str
    dates: int | None = None
    done: int = 0
    failed: int = 0
    error: str | None = None

    @property
    def is_going(self) -> bool:
        """Whether it is still at it."""
        return self.status in _GOING

    def __str__(self) -> str:
        of = "" if self.dates is None else f"{self.done + self.failed} of {self.dates} dates"
        failed = f", {self.failed} of them failed" if self.failed else ""
        return f"backfill {self.backfill}: {of or 'waits for the daemon'}{failed}"


def all_dates(desk: Desk) -> list[str]:
    """Return the dates that have output, the newest first: each is older than a change that comes now.

    Raises:
        ClientError: AWS refused or failed.
    """
    return output_dates(desk, desk.output_prefix, desk.clock, logger)


def dates_left(desk: Desk, most_dates: int, before: str | None = None) -> OlderDates:
    """Return dates with files of an older generation than the contract's, the newest first.

    Raises:
        SchemaUnreadableError: the contract can't be read.
        ClientError: AWS refused or failed.
    """
    return asked(
        lambda: older_dates(desk, clock=desk.clock, log=logger, most_dates=most_dates, before=before)
    )


def weigh(desk: Desk, dates: Sequence[str], tell: Tell) -> list[RebuiltDate]:
    """Return how much there is to convert again of each date; costs a listing and a read a date.

    Raises:
        ClientError: AWS refused or failed.
    """
    _ = (desk.output_prefix, desk.dynamodb, desk.s3, desk.records)

    def weigh_one(date: str) -> RebuiltDate:
        files = output_files(desk, date)
        totals = desk.records.totals(date)
        is_known = totals.manifests > 0
        return RebuiltDate(
            date,
            len(files),
            sum(file.size_bytes for file in files) / BYTES_PER_MB,
            totals.manifests if is_known else None,
            totals.numbers.input_bytes / BYTES_PER_MB if is_known else None,
        )

    found: list[RebuiltDate] = []
    with ThreadPoolExecutor(_READS_AT_ONCE, thread_name_prefix="weigh") as pool:
        for one in pool.map(weigh_one, dates):
            found.append(one)
            tell(f"{len(found)} of {len(dates)} dates")
    return found


class Rebuilds:
    """Backfills in Dagster that convert older dates again.

    Args:
        desk: the deployment.
    """

    def __init__(self, desk: Desk) -> None:
        self._api = DagsterApi(desk.settings.dagster_url)
        feed = desk.settings.feed
        self._asset = (feed, _ASSET) if feed else (_ASSET,)
        self._feed = feed

    def unreachable(self) -> str | None:
        """Return why Dagster can't be asked; None where it answers."""
        try:
            self._api.version()
        except DagsterUnreachableError as error:
            return str(error)
        return None

    def going(self) -> str | None:
        """Return the backfill that converts older dates now, if any.

        Raises:
            DagsterUnreachableError: Dagster does not answer, or refuses.
        """
        # Dagster loads for seconds.
        from ndjson_pipeline.claims.dagster_runs import REBUILD_TAG  # noqa: PLC0415

        variables = {"statuses": list(_GOING), "limit": _MOST_BACKFILLS}
        answer = self._api.ask(_BACKFILLS, variables)["partitionBackfillsOrError"]
        if "results" not in answer:
            raise DagsterUnreachableError(f"Dagster does not list its backfills: {answer.get('message')}")
        own = "/".join(self._asset)
        return next(
            (
                str(one["id"])
                for one in answer["results"]
                if any(tag["key"] == REBUILD_TAG and tag["value"] == own for tag in one["tags"])
            ),
            None,
        )

    def launch(self, dates: Sequence[str]) -> str:
        """Launch a backfill that converts dates again, behind live data, and return its id.

        Raises:
            DagsterUnreachableError: Dagster does not answer, or refuses.
        """
        from ndjson_pipeline.claims.dagster_runs import (  # noqa: PLC0415 - as above
            PRIORITY_TAG,
            REBUILD_PRIORITY,
            REBUILD_TAG,
        )
        from ndjson_pipeline.deployment.feed import Feed  # noqa: PLC0415

        tags = {
            **Feed(self._feed).run_tags,
            PRIORITY_TAG: str(REBUILD_PRIORITY),
            REBUILD_TAG: "/".join(self._asset),
        }
        return self._api.backfill(self._asset, list(dates), tags, "Dates older than a change of columns")

    def progress(self, backfill: str) -> Progress:
        """Return how far a backfill is.

        Raises:
            DagsterUnreachableError: Dagster does not answer, or does not know it.
        """
        answer = self._api.ask(_BACKFILL, {"id": backfill})["partitionBackfillOrError"]
        if "status" not in answer:
            raise DagsterUnreachableError(f"Dagster knows no backfill {backfill}: {answer.get('message')}")
        counts = _counts(answer)
        return Progress(
            backfill,
            str(answer["status"]),
            None if counts is None else int(counts["numPartitionsTargeted"]),
            0 if counts is None else int(counts["numPartitionsMaterialized"]),
            0 if counts is None else int(counts["numPartitionsFailed"]),
            None if answer.get("error") is None else str(answer["error"].get("message")),
        )

    def follow(self, backfill: str, sleep: Callable[[], None], tell: Tell) -> Progress:
        """Return how a backfill ended, once it has.

        Args:
            backfill: its id.
            sleep: waits until it is asked about again.
            tell: told how far it is.

        Raises:
            DagsterUnreachableError: Dagster does not answer; the backfill goes on without.
        """
        told = ""
        while (progress := self.progress(backfill)).is_going:
            if str(progress) != told:
                told = str(progress)
                tell(told)
            sleep()
        return progress


def _counts(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    data = answer.get("assetBackfillData") or {}
    return next(
        (one for one in data.get("assetBackfillStatuses", []) if "numPartitionsTargeted" in one), None
    )
