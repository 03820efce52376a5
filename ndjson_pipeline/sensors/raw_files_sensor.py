"""Observes the input files of the dates that are open: what came in, what waits for a batch, since when.

What waits is in an index of pending files, which holds nothing of history. What came in and what was refused
is told by the Lambda's reports, as the materializations of `manifests` sum them up for each date. A date is
observed where one of its figures has changed since it was observed last, so an idle date costs no event.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import dagster as dg

from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.contract.keys import s3_uri
from ndjson_pipeline.conversion.console import console_of
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors.arrived import Arrived, arrived_of
from ndjson_pipeline.sensors.pending_files import PENDING_PER_LOOK, PendingFiles, pending_by_date

# Materializations of `manifests` that a tick looks at; the next one goes on from there.
DATES_PER_TICK = 100
INTERVAL_SECONDS = 60


@dataclass(frozen=True)
class Figures:
    """What is observed of a date.

    Attributes:
        pending: its files that wait.
        arrived: its files that came in, as far as Dagster knows.
        is_cut: whether more wait than were counted.
    """

    pending: PendingFiles = field(default_factory=PendingFiles)
    arrived: Arrived = field(default_factory=Arrived)
    is_cut: bool = False

    def dump(self) -> list[Any]:
        """Write what is compared with the next tick's."""
        return [self.pending.files, self.pending.oldest, *asdict(self.arrived).values(), self.is_cut]


@dataclass(frozen=True)
class ObservedCursor:
    """What was observed.

    Attributes:
        after: the storage id of the newest materialization of `manifests` that was looked at.
        observed: the figures of the dates that had waiting files, by date.
    """

    after: int | None = None
    observed: Mapping[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, text: str | None) -> "ObservedCursor":
        """Read a cursor; without one nothing was observed."""
        if not text:
            return cls()
        document = json.loads(text)
        return cls(document["after"], document["observed"])

    def dump(self) -> str:
        """Write it."""
        return json.dumps({"after": self.after, "observed": dict(sorted(self.observed.items()))})


@dg.sensor(
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Observes raw_ndjson: files that came in, that were refused and that wait for a batch, of each date "
        "where one of these has changed."
    ),
)
def raw_files_sensor(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Observe the open dates once."""
    deployment = pipeline.deployment
    settings = deployment.settings
    feed, partitions = Feed(settings.feed), daily_partitions(settings.partition_start_date)
    cursor = ObservedCursor.load(context.cursor)
    pending, is_cut = pending_by_date(deployment.dynamodb, deployment.names.tracking_table)
    newest, arrived_dates = _arrivals(context.instance, feed, cursor.after)
    found: dict[str, Figures] = {}
    for date_prefix in sorted({*pending, *cursor.observed, *arrived_dates}):
        if partitions.has_partition_key(date_prefix):
            arrived = arrived_of(context.instance, feed.manifests, date_prefix)
            found[date_prefix] = Figures(pending.get(date_prefix, PendingFiles()), arrived, is_cut)
    changed = {
        date_prefix: figures
        for date_prefix, figures in found.items()
        if figures.dump() != cursor.observed.get(date_prefix)
    }
    following = ObservedCursor(
        newest, {date: figures.dump() for date, figures in found.items() if figures.pending.files}
    )
    return dg.SensorResult(
        asset_events=[_observation(deployment, feed, date, figures) for date, figures in changed.items()],
        cursor=following.dump(),
        skip_reason=(
            f"Observed {', '.join(changed)}" if changed else f"No change; files of {len(pending)} dates wait"
        ),
    )


def _arrivals(instance: dg.DagsterInstance, feed: Feed, after: int | None) -> tuple[int | None, set[str]]:
    """Return the newest materialization of `manifests` that was looked at, and the dates of those since then.

    Without a last look the newest ones count.
    """
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(feed.manifests, after_storage_id=after),
        limit=DATES_PER_TICK,
        ascending=after is not None,
    ).records
    dates = {record.partition_key for record in records if record.partition_key is not None}
    return max((record.storage_id for record in records), default=after), dates


def _observation(
    deployment: Deployment, feed: Feed, date_prefix: str, figures: Figures
) -> dg.AssetObservation:
    names, prefix = deployment.names, deployment.settings.input_prefix
    pending, arrived, console = figures.pending, figures.arrived, console_of(deployment)
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/uri": dg.MetadataValue.text(s3_uri(names.input_bucket, prefix)),
        "files_seen": dg.MetadataValue.int(arrived.accepted + arrived.refused),
        "files_accepted": dg.MetadataValue.int(arrived.accepted),
        "files_refused": dg.MetadataValue.int(arrived.refused),
        "files_pending": dg.MetadataValue.int(pending.files),
        "pending_size_mb": dg.MetadataValue.float(round(pending.size_mb, 3)),
    }
    if pending.oldest is not None:
        metadata["oldest_pending"] = dg.MetadataValue.timestamp(parse_utc_timestamp(pending.oldest))
    if figures.is_cut:
        metadata["note"] = dg.MetadataValue.text(
            f"more than {PENDING_PER_LOOK:,} files wait, and these were counted: `ndjson-pipeline status`"
        )
    if console is not None:
        metadata["input"] = dg.MetadataValue.url(console.folder(names.input_bucket, prefix))
    return dg.AssetObservation(feed.raw_ndjson, partition=date_prefix, metadata=metadata)
