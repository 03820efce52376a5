"""Jobs that change a dataset's columns by hand, and have older dates follow."""

from collections.abc import Sequence

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from pydantic import Field

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.dates import parse_date
from ndjson_pipeline.assets import feed_assets
from ndjson_pipeline.claims.dagster_runs import PRIORITY_TAG, REBUILD_PRIORITY, REBUILD_TAG
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.desk.schema.change import SchemaAction, changed_by
from ndjson_pipeline.glue.job_settings import contract_store
from ndjson_pipeline.glue.older_output import older_dates
from ndjson_pipeline.resources import PipelineResource

CHANGE_JOB = "change_schema"
REBUILD_JOB = "rebuild_changed_dates"
_GOING = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]


class SchemaChangeConfig(dg.Config):
    """What is to be changed of the dataset's columns."""

    path: str = Field(description="Of the column or the place inside one, such as user.tags[].price.")
    action: SchemaAction = Field(
        description=(
            "SET_TYPE, also of a place that has no column yet; TO_MAP, of an object whose names are data; "
            "DROP; KEEP_OUT, of a place that has no column yet, so that it gets none; or CLEAR_HINT, of one "
            "that has a hint."
        )
    )
    type: str | None = Field(
        default=None,
        description=(
            "SET_TYPE: such as bigint, double, string, decimal(12,2), timestamp, timestamp(ms), date, json, "
            "map<string,double>. TO_MAP: of the map's values, where it shall be another than the members'."
        ),
    )
    reason: str = Field(description="Why; the contract keeps it.")
    by: str = Field(description="Who changes it; the contract keeps it.")


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
    description="Writes the next version of the dataset's schema contract.",
    out=dg.Out(dg.Nothing),
)
def change_columns(
    context: dg.OpExecutionContext, config: SchemaChangeConfig, pipeline: PipelineResource
) -> None:
    """Change columns by hand; what is converting meanwhile comes to follow the new version by itself.

    Raises:
        Failure: the change is none that can be made; says what was expected.
        SchemaContractError: the contract can't be read or written.
    """
    # A run alone needs it, and each second of the code location's start counts.
    from glue_jobs.errors import SchemaChangeError  # noqa: PLC0415
    from glue_jobs.schema.change import Author  # noqa: PLC0415

    author = Author(config.by, config.reason, utc_now())
    store = contract_store(pipeline.deployment)
    try:
        contract = store.extend(
            lambda current: changed_by(current, config.path, config.action, config.type, author)
        )
    except SchemaChangeError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    change = contract.history[-1]
    context.log.info(f"{config.path}: {change['change']}; {store.uri} is at version {contract.version} now")
    context.add_output_metadata(
        {
            "contract": dg.MetadataValue.path(store.uri),
            "contract_version": dg.MetadataValue.int(contract.version),
            "generation": dg.MetadataValue.int(contract.generation),
            "change": dg.MetadataValue.text(str(change["change"])),
        }
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
        SchemaContractError: the contract can't be read.
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


def schema_jobs(feed: Feed) -> list[dg.JobDefinition]:
    """Return the jobs of a feed; each run of them bears its tag."""
    tags = dict(feed.run_tags)

    @dg.job(
        name=CHANGE_JOB,
        tags=tags,
        description=(
            "Changes columns of the dataset by hand: another type, an object turned into a map, a column "
            "dropped. Say in the Launchpad what, why and who. What is converted from then on follows it; "
            "older dates do once rebuild_changed_dates has had them converted again."
        ),
    )
    def change_schema() -> None:
        change_columns()

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

    return [change_schema, rebuild_changed_dates]
