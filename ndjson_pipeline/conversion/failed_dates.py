"""Shows a date in Dagster's UI as failed, for as long as manifests of it have failed.

The bar of the partitions goes by the newest of two events: a materialization makes a partition green, and an
intention to materialize makes it what became of the run that had it (Dagster's `partition_status_cache`,
`build_failed_and_in_progress_partition_subset`). A run that succeeds without a materialization would turn a
failed date back into what it was before, and of two runs at once the later success would hide that the
other failed. So the intention of the run that failed is told once more, after both: the partition is red and
leads to the run that has the reason, and no other run has to fail in its place.
"""

import logging
import uuid
from collections.abc import Iterable

import dagster as dg
from dagster._core.errors import DagsterRunAlreadyExists
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent, DagsterEventType

from ndjson_pipeline.claims.dagster_runs import (
    CONVERSION_JOB,
    MAX_RETRIES_TAG,
    PARTITION_TAG,
    SHOWS_FAILED_TAG,
)
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.deployment.feed import Feed

# How many failed manifests of a date are read: enough to show it and to name some.
FAILED_READ = 100
_MOST_NAMED = 20


def show_failed(
    instance: dg.DagsterInstance,
    feed: Feed,
    date_prefix: str,
    failed: Iterable[ManifestRecord],
    *,
    failing_run_id: str | None = None,
) -> None:
    """Make a date's partition failed.

    Args:
        instance: Dagster's.
        feed: whose date it is.
        date_prefix: the date, a partition.
        failed: its failed manifests.
        failing_run_id: the run that is about to fail for them, where one is. Otherwise it is the run that
            failed for the newest of them, where Dagster knows one; after a termination by a person, or where
            Dagster lost its storage, it is a run that only stands for them.
    """
    records = list(failed)
    run_id = failing_run_id or _failed_run(instance, records)
    if run_id is None:
        run_id = _stand_in(instance, feed, date_prefix, records)
    event = DagsterEvent(
        event_type_value=DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
        job_name=CONVERSION_JOB,
        message=f"{date_prefix} has failed manifests, so its partition is failed",
        event_specific_data=AssetMaterializationPlannedData(feed.merged_parquet, partition=date_prefix),
        step_key=feed.merged_parquet.to_python_identifier(),
    )
    instance.report_dagster_event(event, run_id=run_id, log_level=logging.INFO)


def _failed_run(instance: dg.DagsterInstance, records: Iterable[ManifestRecord]) -> str | None:
    """Return the run that failed for the newest of some manifests, of those that Dagster knows."""
    newest_first = sorted(records, key=lambda record: record.processing_start_time or "", reverse=True)
    for run_id in dict.fromkeys(record.dagster_run_id for record in newest_first):
        run = instance.get_run_by_id(run_id) if run_id else None
        if run is not None and run.status is dg.DagsterRunStatus.FAILURE:
            return run.run_id
    return None


def _stand_in(
    instance: dg.DagsterInstance, feed: Feed, date_prefix: str, records: Iterable[ManifestRecord]
) -> str:
    """Return the failed run that stands for a date's failed manifests, one a date; it is never alerted."""
    asset = feed.merged_parquet
    run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{asset.to_user_string()}/{date_prefix}/failed"))
    run = instance.get_run_by_id(run_id)
    if run is None:
        # One that only stands for others is not launched again.
        run = dg.DagsterRun(
            job_name=CONVERSION_JOB,
            run_id=run_id,
            tags={
                **feed.run_tags,
                PARTITION_TAG: date_prefix,
                SHOWS_FAILED_TAG: date_prefix,
                MAX_RETRIES_TAG: "0",
            },
            asset_selection=frozenset({asset}),
        )
        try:
            instance.add_run(run)
        except DagsterRunAlreadyExists:
            logging.getLogger(__name__).info("Run %s was made by another process just now", run_id)
    if run.status is not dg.DagsterRunStatus.FAILURE:
        reasons = [f"{record.name.filename}: {record.error_message}" for record in records][:_MOST_NAMED]
        instance.report_run_failed(
            run,
            f"This run converted nothing. It stands for manifests of {date_prefix} that failed without a run "
            "that failed for them, such as after a termination:\n" + "\n".join(reasons),
        )
    return run_id
