"""Jobs of a feed: what sensors launch, and what an operator launches from the UI, with the ops of these."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from ndjson_pipeline.claims.dagster_runs import CONVERSION_JOB, SHOWS_FAILED_TAG
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.reprocessing import try_again
from ndjson_pipeline.deployment.feed import IMPLICIT_ASSET_JOB, Feed
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.schema_jobs import schema_jobs
from ndjson_pipeline.sweeper import call_sweeper

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition


REPROCESS_JOB = "reprocess_failed_manifests"
SWEEP_JOB = "sweep_now"
AUDIT_JOB = "audit_input_listing"


@dg.op(
    description="Marks the date's failed manifests for another attempt, which the manifest sensor launches.",
    out=dg.Out(dg.Nothing),
)
def retry_failed(context: dg.OpExecutionContext, pipeline: PipelineResource) -> None:
    """Mark each failed manifest of the partition's date; whatever has another status is not touched."""
    records = pipeline.records()

    def tell(record: ManifestRecord, is_marked: bool) -> None:
        name = record.name.filename
        said = f"is tried again; attempt {record.attempt} failed: {record.error_message}"
        context.log.info(f"{name} {said}" if is_marked else f"Left {name} alone: it has moved on meanwhile")

    retried = try_again(records, records.of_date(context.partition_key), tell)
    marked = [record.name.filename for record in retried.marked]
    if not marked:
        context.log.info(f"No manifest of {context.partition_key} has failed")
    context.add_output_metadata(
        {
            "manifests_marked": dg.MetadataValue.int(len(marked)),
            "manifests_moved_on": dg.MetadataValue.int(len(retried.moved)),
            "manifests_untouched": dg.MetadataValue.int(retried.untouched),
            "manifests": dg.MetadataValue.json(marked),
        }
    )


@dg.op(description="Calls the sweeper, waits for it and shows its answer.", out=dg.Out(dg.Nothing))
def sweep(context: dg.OpExecutionContext, pipeline: PipelineResource) -> None:
    """Sweep once, recent dates' listings included.

    Raises:
        Failure: a part of the sweep failed; the answer says which.
    """
    deployment = pipeline.deployment
    show_answer(context, call_sweeper(deployment.functions, deployment.names.sweeper_function, {}))


@dg.op(
    description="Has the sweeper compare the date's listing with its records and send lost events again.",
    out=dg.Out(dg.Nothing),
)
def audit_listing(context: dg.OpExecutionContext, pipeline: PipelineResource) -> None:
    """Audit one date.

    Raises:
        Failure: a part of the sweep failed; the answer says which.
    """
    deployment = pipeline.deployment
    answer = call_sweeper(
        deployment.functions, deployment.names.sweeper_function, {"dates": [context.partition_key]}
    )
    show_answer(context, answer)
    if context.partition_key in answer.get("events_incomplete", ()):
        context.log.warning(
            f"The sweeper's time did not reach for all of {context.partition_key}; run this once more, and "
            "it goes on from there"
        )


def feed_jobs(
    feed: Feed, partitions: dg.PartitionsDefinition
) -> "list[dg.JobDefinition | UnresolvedAssetJobDefinition]":
    """Return the jobs of a feed; each run of them bears its tag.

    Args:
        feed: the feed.
        partitions: its dates.
    """
    tags = dict(feed.run_tags)

    @dg.job(
        name=REPROCESS_JOB,
        partitions_def=partitions,
        tags=tags,
        description=(
            "Tries the failed manifests of a date again, however often they were tried. Choose the date and "
            "launch: the manifest sensor launches their conversion within seconds, as a run of "
            "merged_parquet. What is completed, waits or is being converted is not touched. Mend the cause "
            "first; the alert and this run's log say what it was."
        ),
    )
    def reprocess_failed_manifests() -> None:
        retry_failed()

    @dg.job(
        name=SWEEP_JOB,
        tags=tags,
        description=(
            "Sweeps now, as the timer does: past dates' pending files become manifests, what a crash left "
            "half done is finished, and lost events of recent dates are sent again. Safe at any time. The "
            "run's output shows the answer; the run fails, with the answer, if a part of the sweep failed."
        ),
    )
    def sweep_now() -> None:
        sweep()

    @dg.job(
        name=AUDIT_JOB,
        partitions_def=partitions,
        tags=tags,
        description=(
            "Compares the input files of a date with the tracking table, and sends an event for each file "
            "that no record knows, or knows with other content. For a date whose files are missing in the "
            "output: choose the date and launch. Files younger than 15 minutes are left to their own events; "
            "of a date so old that records may have expired, what a manifest lists is known by that. Safe at "
            "any time."
        ),
    )
    def audit_input_listing() -> None:
        audit_listing()

    convert_manifests = dg.define_asset_job(
        CONVERSION_JOB,
        selection=dg.AssetSelection.assets(feed.merged_parquet),
        tags=tags,
        description="Converts the manifests that the run's tags name; launched by the manifest sensor.",
    )
    return [
        convert_manifests,
        reprocess_failed_manifests,
        sweep_now,
        audit_input_listing,
        *schema_jobs(feed),
    ]


def converts(run: dg.DagsterRun, feed: Feed, location: str | None = None) -> bool:
    """Tell whether a run is one of a feed's `merged_parquet`, however it was launched.

    Args:
        run: of any code location of the instance.
        feed: the feed.
        location: the name of its code location, where that is known.
    """
    if SHOWS_FAILED_TAG in run.tags:
        return False
    if run.asset_selection:
        return feed.merged_parquet in run.asset_selection
    return run.job_name in {CONVERSION_JOB, IMPLICIT_ASSET_JOB} and feed.owns(run, location)


def show_answer(context: dg.OpExecutionContext, answer: Mapping[str, Any]) -> None:
    """Log a sweep's answer and keep it with the op's output.

    Raises:
        Failure: a part of the sweep failed; the failure bears the answer.
    """
    metadata = {
        "answer": dg.MetadataValue.json(dict(answer)),
        "files_flushed": dg.MetadataValue.int(_sum(answer, "flushed")),
        "events_resent": dg.MetadataValue.int(_sum(answer, "events_resent")),
        "manifests_removed": dg.MetadataValue.int(len(answer.get("manifests_removed", ()))),
    }
    for name, value in answer.items():
        context.log.info(f"{name}: {value}")
    if failed := answer["failed"]:
        raise dg.Failure(
            description=(
                f"{len(failed)} parts of the sweep failed: {', '.join(map(str, failed))}. The others are "
                "done; the sweeper's log has the reasons, and the next sweep does these again"
            ),
            metadata=metadata,
            allow_retries=False,
        )
    context.add_output_metadata(metadata)


def _sum(answer: Mapping[str, Any], name: str) -> int:
    """Return the sum of `{date: files}`."""
    return sum(int(files) for files in answer.get(name, {}).values())
