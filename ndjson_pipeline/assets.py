"""The assets, each partitioned by UTC date: raw files, manifests, Parquet."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.conversion.checks import (
    CHECK_SPECS,
    all_manifests_completed,
    rejected_fraction,
    row_conservation,
    schema_changed,
)
from ndjson_pipeline.conversion.date import DateResult, convert_date
from ndjson_pipeline.conversion.metadata import Metadata, conversion_metadata
from ndjson_pipeline.deployment.names import GLUE_POOL
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.resources import PipelineResource

# How many open records of each status the check of the dates' manifests reads.
OPEN_RECORDS_READ = 1000
# A date's last files are flushed after midnight, so where every day has files, two conversions lie a day and
# some minutes apart at most; an hour more is late. Three more is longer than any run may take.
FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=25), fail_window=timedelta(hours=28))

raw_ndjson = dg.AssetSpec(
    "raw_ndjson",
    description="NDJSON files in the input bucket, dropped by producers; their names begin with their date.",
    partitions_def=daily_partitions,
    group_name="ndjson",
    kinds={"s3", "json"},
)

manifests = dg.AssetSpec(
    "manifests",
    deps=[raw_ndjson],
    description=(
        "Manifests that the Lambda commits: each lists the files of one batch. A materialization sums up "
        "what the Lambda did to a date."
    ),
    partitions_def=daily_partitions,
    group_name="ndjson",
    kinds={"lambda", "dynamodb"},
)


@dg.asset(
    deps=[manifests],
    partitions_def=daily_partitions,
    group_name="ndjson",
    kinds={"glue", "spark", "parquet"},
    pool=GLUE_POOL,
    check_specs=CHECK_SPECS,
    freshness_policy=FRESHNESS,
)
def merged_parquet(
    context: dg.AssetExecutionContext, pipeline: PipelineResource
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Convert manifests of the run's dates with Glue.

    A run of the manifest sensor converts the manifests that its tags name. A run that a person launches, or
    a backfill, converts every manifest of its dates again, whatever became of it, and replaces its output.
    A run that is executed again goes on with the Glue run that its former self began, where it left one;
    what has ended it converts again where a person asked for it, and not where Dagster did by itself.
    """
    results = {
        date_prefix: convert_date(context, pipeline, date_prefix) for date_prefix in context.partition_keys
    }
    failures = {path: reason for result in results.values() for path, reason in result.failures.items()}
    metadata = {date_prefix: _metadata(result, pipeline) for date_prefix, result in results.items()}
    checks = _checks(pipeline.records(), results)
    if not failures:
        for date_prefix, numbers in metadata.items():
            # Each date's own: metadata of the result itself would go to all of them.
            context.add_asset_metadata(numbers, partition_key=date_prefix)
        yield dg.MaterializeResult(check_results=checks)
        return
    yield from checks
    for date_prefix, result in results.items():
        if result.completed or not result.failures:
            # The run fails for other manifests, but these are converted and their figures count.
            context.log_event(
                dg.AssetMaterialization(
                    context.asset_key, partition=date_prefix, metadata=metadata[date_prefix]
                )
            )
    reasons = "\n".join(f"{path}: {reason}" for path, reason in failures.items())
    raise dg.Failure(
        description=f"{len(failures)} manifests were not converted:\n{reasons}",
        metadata={
            "manifests_failed": len(failures),
            "manifests_completed": sum(len(result.completed) for result in results.values()),
        },
        allow_retries=False,
    )


def _checks(records: ManifestRecordStore, results: dict[str, DateResult]) -> list[dg.AssetCheckResult]:
    """Return what the run proves or warns of; costs what is open, never the dates' history."""
    # By run: a retry may meet one Glue run twice, in what it had completed and in what it was still at.
    report_of_run = {
        conversion.run.run_id: conversion.report
        for result in results.values()
        for conversion in result.conversions
        if conversion.report is not None
    }
    reports = list(report_of_run.values())
    open_records = [
        record
        for status in (ManifestStatus.PENDING, ManifestStatus.PROCESSING, ManifestStatus.FAILED)
        for record in records.with_status(status, OPEN_RECORDS_READ)
        if record.date_prefix in results
    ]
    # The index lags behind what this very run has just written.
    ended = {settlement.claim.record.name for result in results.values() for settlement in result.completed}
    still_open = [record for record in open_records if record.name not in ended]
    return [
        row_conservation(reports),
        rejected_fraction(reports),
        all_manifests_completed(still_open),
        schema_changed(reports),
    ]


def _metadata(result: DateResult, pipeline: PipelineResource) -> Metadata:
    """Return the numbers of one date that the UI plots."""
    return {
        **conversion_metadata(
            result.conversions,
            result.completed,
            region=pipeline.deployment.region,
            dpu_hour_price_usd=pipeline.dpu_hour_price_usd,
        ),
        "manifests_completed_before": dg.MetadataValue.int(result.completed_before),
        "manifests_failed": dg.MetadataValue.int(len(result.failures)),
        "manifests_skipped": dg.MetadataValue.int(len(result.skipped)),
    }
