"""What can be seen of the platform at work: the tracking table, Glue, Dagster and the output."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.contract.items import from_item, to_item
from lambda_ingest.contract.records import MANIFEST_FILE_KEY_PREFIX, FileStatus, ManifestStatus
from ndjson_pipeline.claims.record import ManifestRecord, parse_record
from ndjson_pipeline.deployment.clients import Deployment

if TYPE_CHECKING:
    from dagster import DagsterInstance


@dataclass(frozen=True)
class TrackedState:
    """What the tracking table says of some dates.

    Attributes:
        files: how many files have each status.
        manifests: the manifests' records.
        completed_at: when each manifest completed, by its path.
    """

    files: Counter[str]
    manifests: list[ManifestRecord]
    completed_at: dict[str, datetime]

    def count(self, status: ManifestStatus) -> int:
        """How many manifests have a status."""
        return sum(1 for record in self.manifests if record.status is status)

    @property
    def manifested_files(self) -> int:
        """How many files are in a manifest."""
        return self.files[FileStatus.MANIFESTED]


def read_tracking(deployment: Deployment, dates: Iterable[str]) -> TrackedState:
    """Read everything that the tracking table has of these dates."""
    files: Counter[str] = Counter()
    manifests: list[ManifestRecord] = []
    completed_at: dict[str, datetime] = {}
    paginator = deployment.dynamodb.get_paginator("query")
    for date_prefix in dates:
        pages = paginator.paginate(
            TableName=deployment.names.tracking_table,
            KeyConditionExpression="date_prefix = :date",
            ExpressionAttributeValues=to_item({":date": date_prefix}),
            ConsistentRead=True,
        )
        for page in pages:
            for raw in page["Items"]:
                item = from_item(raw)
                if not item["file_key"].startswith(MANIFEST_FILE_KEY_PREFIX):
                    files[item["status"]] += 1
                    continue
                record = parse_record(item, deployment.names.manifest_bucket)
                manifests.append(record)
                if "completed_time" in item:
                    completed_at[record.manifest_path] = parse_utc_timestamp(item["completed_time"])
    return TrackedState(files, manifests, completed_at)


@dataclass(frozen=True)
class GlueTimes:
    """When a Glue run worked.

    Attributes:
        started_on: when it was started.
        completed_on: when it ended.
    """

    started_on: datetime
    completed_on: datetime


def read_glue_times(deployment: Deployment, run_ids: Iterable[str]) -> dict[str, GlueTimes]:
    """Return when Glue runs that have ended worked, by their ids."""
    times = {}
    for run_id in sorted(set(run_ids)):
        run = deployment.glue.get_job_run(JobName=deployment.names.glue_job, RunId=run_id)["JobRun"]
        if "CompletedOn" in run:
            times[run_id] = GlueTimes(run["StartedOn"], run["CompletedOn"])
    return times


@dataclass
class OutputState:
    """What the Parquet of some dates holds.

    Attributes:
        files: how many Parquet files.
        size_bytes: their size.
        rows_by_source: how many rows came from each input file.
    """

    files: int = 0
    size_bytes: int = 0
    rows_by_source: Counter[str] = field(default_factory=Counter)


def read_output(deployment: Deployment, dates: Iterable[str]) -> OutputState:
    """Count the rows of every Parquet file of these dates by the file they came from."""
    bucket = deployment.names.output_bucket
    state = OutputState()
    keys: list[str] = []
    for date_prefix in dates:
        pages = deployment.s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"merged-parquet-{date_prefix}/"
        )
        for page in pages:
            for item in page.get("Contents", []):
                keys.append(item["Key"])
                state.size_bytes += item["Size"]
    state.files = len(keys)

    def count(key: str) -> Counter[str]:
        body = deployment.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        column = pq.read_table(pa.BufferReader(body), columns=["_source_file"]).column("_source_file")
        return Counter({entry["values"]: entry["counts"] for entry in column.value_counts().to_pylist()})

    with ThreadPoolExecutor(max_workers=4) as pool:
        for rows in pool.map(count, keys):
            state.rows_by_source.update(rows)
    return state


@dataclass(frozen=True)
class DagsterState:
    """What Dagster's own storage says.

    Attributes:
        runs: runs of the conversion job that ended well.
        failed_runs: the others that ended.
        open_runs: those that have not ended.
        files_reported: files that materializations of `manifests` count.
        manifests_converted: manifests that materializations of `merged_parquet` count.
    """

    runs: int
    failed_runs: int
    open_runs: int
    files_reported: int
    manifests_converted: int


def read_dagster(instance: "DagsterInstance", feed_name: str) -> DagsterState:
    """Read the runs, and the materializations of a feed's assets."""
    import dagster as dg  # noqa: PLC0415 - loads for a second, while the platform starts

    from ndjson_pipeline.deployment.feed import Feed  # noqa: PLC0415 - it loads Dagster

    feed = Feed(feed_name)

    def total(asset: dg.AssetKey, field_name: str) -> int:
        found = instance.fetch_materializations(asset, limit=1000).records
        values: list[Any] = [
            record.asset_materialization.metadata[field_name].value
            for record in found
            if record.asset_materialization is not None
            and field_name in record.asset_materialization.metadata
        ]
        return sum(values)

    def runs(*statuses: dg.DagsterRunStatus) -> int:
        return instance.get_runs_count(dg.RunsFilter(statuses=list(statuses)))

    succeeded = runs(dg.DagsterRunStatus.SUCCESS)
    failed = runs(dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    return DagsterState(
        runs=succeeded,
        failed_runs=failed,
        open_runs=instance.get_runs_count() - succeeded - failed,
        files_reported=total(feed.manifests, "files_processed"),
        manifests_converted=total(feed.merged_parquet, "run_manifests_completed"),
    )
