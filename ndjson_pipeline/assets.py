"""The assets of a feed, each partitioned by UTC date: raw files, manifests, Parquet."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TypeAlias

import dagster as dg

from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import is_termination_asked_for
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.conversion.asset_pages import (
    MANIFESTS,
    MERGED_PARQUET,
    RAW_NDJSON,
    TABLE_NAME,
    AssetPages,
)
from ndjson_pipeline.conversion.checks import check_specs, date_checks, evaluation
from ndjson_pipeline.conversion.date import DateResult, convert_date
from ndjson_pipeline.conversion.date_page import (
    Dataset,
    conversion_metadata,
    dataset_of,
    rejected_lines_of,
)
from ndjson_pipeline.conversion.failed_dates import FAILED_READ, show_failed
from ndjson_pipeline.conversion.metadata import Metadata
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.resources import PipelineResource

DateEvent: TypeAlias = (
    dg.MaterializeResult[None]
    | dg.AssetMaterialization
    | dg.AssetObservation
    | dg.AssetCheckResult
    | dg.AssetCheckEvaluation
    | dg.Output[None]
)

# A date's last files are flushed after midnight, so where every day has files, two conversions lie a day and
# some minutes apart at most; an hour more is late. Three more is longer than any run may take.
FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=25), fail_window=timedelta(hours=28))

_GROUP = "ndjson"


def feed_assets(
    feed: Feed, partitions: dg.PartitionsDefinition, settings: PipelineSettings | None = None
) -> tuple[dg.AssetSpec, dg.AssetSpec, dg.AssetsDefinition]:
    """Return the assets of a feed, from what comes in to what comes out.

    Args:
        feed: the feed.
        partitions: its dates.
        settings: say whose the assets are and where their code lies; the defaults say nothing of it.
    """
    pages = AssetPages(settings or PipelineSettings(feed=feed.name))
    raw_ndjson = dg.AssetSpec(
        feed.raw_ndjson,
        description=RAW_NDJSON,
        partitions_def=partitions,
        group_name=_GROUP,
        owners=pages.owners,
        kinds={"s3", "json"},
        metadata=pages.metadata("ndjson_pipeline/sensors/raw_files_sensor.py"),
    )
    manifests = dg.AssetSpec(
        feed.manifests,
        deps=[raw_ndjson],
        description=MANIFESTS,
        partitions_def=partitions,
        group_name=_GROUP,
        owners=pages.owners,
        kinds={"lambda", "dynamodb"},
        metadata=pages.metadata("lambda_ingest/manifest_builder.py"),
    )
    parquet = dg.asset(
        key=feed.merged_parquet,
        deps=[manifests],
        description=MERGED_PARQUET,
        partitions_def=partitions,
        group_name=_GROUP,
        owners=pages.owners,
        kinds={"glue", "spark", "parquet"},
        metadata={TABLE_NAME: pages.table_name, **pages.metadata(merged_parquet)},
        pool=feed.pool,
        check_specs=check_specs(feed.merged_parquet, partitions),
        freshness_policy=FRESHNESS,
        # A date with failed manifests is not materialized, whatever else of it was converted.
        output_required=False,
    )(merged_parquet)
    return raw_ndjson, manifests, parquet


def merged_parquet(context: dg.AssetExecutionContext, pipeline: PipelineResource) -> Iterator[DateEvent]:
    """Convert manifests of the run's dates with Glue.

    A run of the manifest sensor converts the manifests that its tags name. A run that a person launches, or
    a backfill, converts every manifest of its dates again, whatever became of it, and replaces its output.
    A run that is executed again goes on with the Glue run that its former self began, where it left one;
    what has ended it converts again where a person asked for it, and not where Dagster did by itself.

    Each date is told for itself, as soon as it is done: it is materialized with its totals, or, while it has
    failed manifests, observed with the same numbers and shown as failed.
    """
    failures: dict[str, str] = {}
    completed = 0
    first_error: Exception | None = None
    for date_prefix in context.partition_keys:
        result = DateResult()
        error: Exception | None = None
        try:
            convert_date(context, pipeline, date_prefix, result)
        except dg.DagsterExecutionInterruptedError:
            _show_terminated(context, pipeline, date_prefix, result)
            raise
        except Exception as caught:  # noqa: BLE001 -- raised again after the other dates, which it must not stop
            context.log.error(f"{date_prefix} could not be converted: {type(caught).__name__}: {caught}")
            error = first_error = first_error or caught
        yield from _tell(context, pipeline, date_prefix, result, error)
        failures.update(result.failures)
        completed += len(result.completed)
    if len(context.partition_keys) > 1:
        # Each date's results were told above; Dagster wants to hear that each check ran.
        specs = context.assets_def.check_specs
        yield from (dg.Output(None, output_name=spec.get_python_identifier()) for spec in specs)
    _allow_no_result(context)
    if first_error is not None:
        raise first_error
    if failures:
        reasons = "\n".join(f"{path}: {reason}" for path, reason in failures.items())
        raise dg.Failure(
            description=f"{len(failures)} manifests were not converted:\n{reasons}",
            metadata={"manifests_failed": len(failures), "manifests_completed": completed},
            allow_retries=False,
        )


def _allow_no_result(context: dg.AssetExecutionContext) -> None:
    """Let the step succeed without a materialization.

    `open_pipes_session` makes Dagster demand one of the step, whatever `output_required` says, and has no
    argument against it.
    """
    context.op_execution_context.get_step_execution_context()._requires_typed_event_stream = False


def _tell(
    context: dg.AssetExecutionContext,
    pipeline: PipelineResource,
    date_prefix: str,
    result: DateResult,
    error: Exception | None,
) -> Iterator[DateEvent]:
    """Yield what became of a date, and make its partition failed where manifests of it have failed.

    Args:
        context: of the run.
        pipeline: the deployment.
        date_prefix: the date.
        result: what this run did to it.
        error: why the run ended its work on the date early, where it did.
    """
    records, feed = pipeline.records(), Feed(pipeline.deployment.names.feed)
    is_failing = error is not None or bool(result.failures)
    failed = records.failed_of(date_prefix, FAILED_READ, _names(result.failures))
    dataset = dataset_of(pipeline.deployment, context.log)
    checks = _checks(context, pipeline, dataset, date_prefix, result, failed)
    if len(context.partition_keys) > 1:
        yield from (evaluation(check, context.asset_key, date_prefix) for check in checks)
    elif failed or is_failing:
        yield from checks
    if not failed and not is_failing:
        metadata = _metadata(pipeline, dataset, date_prefix, result, failed)
        if len(context.partition_keys) > 1:
            yield dg.AssetMaterialization(context.asset_key, partition=date_prefix, metadata=metadata)
        else:
            yield dg.MaterializeResult(metadata=metadata, check_results=checks)
        # Another run's failure that the index did not show a moment ago must not be painted over.
        if late := records.failed_of(date_prefix, FAILED_READ):
            show_failed(context.instance, feed, date_prefix, late)
        return
    metadata = _metadata(pipeline, dataset, date_prefix, result, failed)
    yield dg.AssetObservation(context.asset_key, partition=date_prefix, metadata=metadata)
    failing_run_id = context.run.run_id if is_failing else None
    show_failed(context.instance, feed, date_prefix, failed, failing_run_id=failing_run_id)
    if not is_failing and not records.failed_of(date_prefix, FAILED_READ):
        # Another run mended the last of them meanwhile, and its materialization may lie before the above.
        metadata = _metadata(pipeline, dataset, date_prefix, result, [])
        yield dg.AssetMaterialization(context.asset_key, partition=date_prefix, metadata=metadata)


def _show_terminated(
    context: dg.AssetExecutionContext, pipeline: PipelineResource, date_prefix: str, result: DateResult
) -> None:
    """Show a date as failed whose manifests a termination failed: the run itself ends canceled."""
    if not is_termination_asked_for(context.instance, context.run.run_id):
        return
    if failed := pipeline.records().failed_of(date_prefix, FAILED_READ, _names(result.failures)):
        show_failed(context.instance, Feed(pipeline.deployment.names.feed), date_prefix, failed)


def _checks(
    context: dg.AssetExecutionContext,
    pipeline: PipelineResource,
    dataset: Dataset,
    date_prefix: str,
    result: DateResult,
    failed: Sequence[ManifestRecord],
) -> list[dg.AssetCheckResult]:
    """Return what the run proves or warns of; costs what is open, never the date's history."""
    records = pipeline.records()
    # By run: a retry may meet one Glue run twice, in what it had completed and in what it was still at.
    report_of_run = {
        conversion.run.run_id: conversion.report
        for conversion in result.conversions
        if conversion.report is not None
    }
    # The index lags behind what this very run has just written.
    ended = {settlement.claim.record.name for settlement in result.completed}
    ended |= {*_names(result.failures)}
    going = [
        record
        for status in (ManifestStatus.PENDING, ManifestStatus.PROCESSING)
        for record in records.of_date_with_status(date_prefix, status)
        if record.name not in ended
    ]
    reports = list(report_of_run.values())
    rejected = rejected_lines_of(pipeline.deployment, reports, context.log)
    return date_checks(reports, [*going, *failed], dataset.checked(date_prefix), rejected)


def _names(manifest_paths: Iterable[str]) -> list[ManifestName]:
    return [ManifestName.from_uri(path) for path in manifest_paths]


def _metadata(
    pipeline: PipelineResource,
    dataset: Dataset,
    date_prefix: str,
    result: DateResult,
    failed: Sequence[ManifestRecord],
) -> Metadata:
    """Return the numbers of one date that the UI plots, and what this run did."""
    return {
        **conversion_metadata(
            dataset,
            date_prefix,
            pipeline.records().totals(date_prefix),
            failed,
            result.conversions,
            result.completed,
            dpu_hour_price_usd=pipeline.dpu_hour_price_usd,
        ),
        "run_manifests_completed_before": dg.MetadataValue.int(result.completed_before),
        "run_manifests_failed": dg.MetadataValue.int(len(result.failures)),
        "run_manifests_skipped": dg.MetadataValue.int(len(result.skipped)),
    }
