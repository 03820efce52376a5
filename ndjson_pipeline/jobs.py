"""Jobs of a feed: what sensors launch, and what an operator launches from the UI, with the ops of these."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from pydantic import Field

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.dates import parse_date
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.assets import feed_assets
from ndjson_pipeline.claims.dagster_runs import CONVERSION_JOB, PRIORITY_TAG, REBUILD_TAG, SHOWS_FAILED_TAG
from ndjson_pipeline.conversion.older_output import older_dates
from ndjson_pipeline.deployment.feed import IMPLICIT_ASSET_JOB, Feed
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.errors import SweeperError
from ndjson_pipeline.resources import PipelineResource

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
    from mypy_boto3_lambda.client import LambdaClient

REPROCESS_JOB = "reprocess_failed_manifests"
SWEEP_JOB = "sweep_now"
AUDIT_JOB = "audit_input_listing"
REBUILD_JOB = "rebuild_changed_dates"
# Behind what is live, and behind the backfills that somebody waits for.
REBUILD_PRIORITY = -10
_GOING = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]


class RebuildConfig(dg.Config):
    """What a launch of the rebuild may be told."""

    most_dates: int = Field(
        default=31, ge=1, le=1000, description="So many dates are converted again at most; the newest first."
    )
    before: str | None = Field(
        default=None,
        description="Only dates before this one, such as 2026-01-30: where an earlier launch left off.",
    )


@dg.op(
    description="Marks the date's failed manifests for another attempt, which the manifest sensor launches.",
    out=dg.Out(dg.Nothing),
)
def retry_failed(context: dg.OpExecutionContext, pipeline: PipelineResource) -> None:
    """Mark each failed manifest of the partition's date; whatever has another status is not touched."""
    records = pipeline.records()
    marked: list[str] = []
    moved: list[str] = []
    untouched = 0
    for record in records.of_date(context.partition_key):
        if record.status is not ManifestStatus.FAILED:
            untouched += 1
        elif records.retry_later(record):
            marked.append(record.name.filename)
            context.log.info(
                f"{record.name.filename} is tried again; "
                f"attempt {record.attempt} failed: {record.error_message}"
            )
        else:
            moved.append(record.name.filename)
            context.log.info(f"Left {record.name.filename} alone: it has moved on meanwhile")
    if not marked:
        context.log.info(f"No manifest of {context.partition_key} has failed")
    context.add_output_metadata(
        {
            "manifests_marked": dg.MetadataValue.int(len(marked)),
            "manifests_moved_on": dg.MetadataValue.int(len(moved)),
            "manifests_untouched": dg.MetadataValue.int(untouched),
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


@dg.op(
    description="Has dates converted again whose files are older than the newest change of columns by hand.",
    out=dg.Out(dg.Nothing),
)
def rebuild_changed(
    context: dg.OpExecutionContext, config: RebuildConfig, pipeline: PipelineResource
) -> None:
    """Launch a backfill of some dates that need it.

    A backfill converts each date in a run of its own, so that live dates go between, and a date's output is
    replaced file by file. What it did is seen by the files: a later launch finds what is left.

    Raises:
        Failure: `before` is no date.
        ContractReadError: the schema contract is none.
        ClientError: AWS refused or failed.
    """
    if config.before is not None:
        try:
            parse_date(config.before)
        except ValueError as error:
            raise dg.Failure(
                description=f"before must be a date such as 2026-01-30, got {config.before!r}",
                allow_retries=False,
            ) from error
    feed = Feed(pipeline.deployment.names.feed)
    going = [
        backfill.backfill_id
        for backfill in context.instance.get_backfills(BulkActionsFilter(statuses=_GOING))
        if backfill.tags.get(REBUILD_TAG) == feed.merged_parquet.to_user_string()
    ]
    if going:
        context.log.info(f"Backfill {going[0]} is still at it: launch this again when it has ended")
        context.add_output_metadata({"backfill": dg.MetadataValue.text(going[0])})
        return
    found = older_dates(
        pipeline.deployment,
        clock=utc_now,
        log=context.log,
        most_dates=config.most_dates,
        before=config.before,
    )
    metadata: dict[str, dg.MetadataValue] = {
        "generation": dg.MetadataValue.int(found.generation),
        "dates_seen": dg.MetadataValue.int(found.dates_seen),
        "dates": dg.MetadataValue.json(list(found.dates)),
    }
    if found.dates:
        backfill = _rebuild_of(context, pipeline, feed, found.dates)
        context.instance.add_backfill(backfill)
        metadata["backfill"] = dg.MetadataValue.text(backfill.backfill_id)
        context.log.info(f"Backfill {backfill.backfill_id} converts {len(found.dates)} dates again")
    elif not found.generation:
        context.log.info("No column of the dataset was changed by hand")
    else:
        context.log.info(
            f"Nothing is older than generation {found.generation} of the {found.dates_seen} dates"
        )
    if found.go_on_before is not None:
        metadata["go_on_before"] = dg.MetadataValue.text(found.go_on_before)
        context.log.info(
            "There may be more: launch this again when the backfill has ended. Where dates of it can't be "
            f"converted, pass over them with before: {found.go_on_before}"
        )
    context.add_output_metadata(metadata)


def _rebuild_of(
    context: dg.OpExecutionContext, pipeline: PipelineResource, feed: Feed, dates: Sequence[str]
) -> PartitionBackfill:
    """Return the backfill of some dates, as the UI would store it; its id derives from the run's."""
    partitions = daily_partitions(pipeline.deployment.settings.partition_start_date)
    definitions = dg.Definitions(assets=feed_assets(feed, partitions), resources={"pipeline": pipeline})
    return PartitionBackfill.from_asset_partitions(
        # A run that is executed again after a crash makes no second one.
        backfill_id=f"rebuild-{context.run_id[:8]}",
        asset_graph=definitions.resolve_asset_graph(),
        partition_names=list(dates),
        asset_selection=[feed.merged_parquet],
        backfill_timestamp=utc_now().timestamp(),
        tags={
            **feed.run_tags,
            PRIORITY_TAG: str(REBUILD_PRIORITY),
            REBUILD_TAG: feed.merged_parquet.to_user_string(),
        },
        dynamic_partitions_store=context.instance,
        all_partitions=False,
        title="Dates older than a change of columns",
        description=None,
        run_config=None,
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

    @dg.job(
        name=REBUILD_JOB,
        tags=tags,
        description=(
            "After a change of columns by hand: converts again, as a backfill, the dates whose files are "
            "older than it; the newest first, and 31 at most. Live dates go ahead, and readers have each row "
            "all the time. Launch it until it finds no date any more. Safe at any time."
        ),
    )
    def rebuild_changed_dates() -> None:
        rebuild_changed()

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
        rebuild_changed_dates,
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


def call_sweeper(
    functions: "LambdaClient", function_name: str, event: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Call the sweeper, wait for its end and return its answer.

    Args:
        functions: the client.
        function_name: the sweeper's.
        event: what it is asked, such as `{}` or `{"dates": ["2026-01-30"]}`.

    Raises:
        SweeperError: the function failed as a whole, or answered in another shape.
        ClientError: Lambda did not call it.
    """
    response = functions.invoke(
        FunctionName=function_name, InvocationType="RequestResponse", Payload=json.dumps(event).encode()
    )
    text = response["Payload"].read().decode()
    if kind := response.get("FunctionError"):
        raise SweeperError(f"{function_name} failed ({kind}): {text}")
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise SweeperError(f"{function_name} answered no JSON: {text!r}") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("failed"), list):
        raise SweeperError(f"{function_name} answered in another shape, without a list `failed`: {text}")
    return answer


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
