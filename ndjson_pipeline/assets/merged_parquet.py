"""The Parquet of a date, converted by Glue from its manifests."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import dagster as dg

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.assets.manifests import manifests
from ndjson_pipeline.checks import (
    CHECK_SPECS,
    all_manifests_completed,
    rejected_fraction,
    row_conservation,
)
from ndjson_pipeline.errors import GlueDeadlineError, PipelineError, RecordFormatError, StaleHolderError
from ndjson_pipeline.glue.conversion import Conversion, Converter
from ndjson_pipeline.glue.settlement import Settlement, may_retry, settle
from ndjson_pipeline.manifest_records.record import ManifestRecord
from ndjson_pipeline.manifest_records.store import Claim, ManifestRecordStore
from ndjson_pipeline.manifest_records.transitions import Move
from ndjson_pipeline.partitions import daily_partitions
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.run_tags import tagged_manifests

# Runs that hold Glue's places: the instance's limit on this pool keeps them below Glue's MaxConcurrentRuns.
GLUE_POOL = "glue"
# How many open records of each status the check of the dates' manifests reads.
OPEN_RECORDS_READ = 1000


@dataclass
class DateResult:
    """What a run did to one date.

    Attributes:
        completed: manifests converted.
        failures: why each other manifest that was claimed is not.
        skipped: why each manifest was left alone.
        conversion: the Glue run, where there was one.
    """

    completed: list[Settlement] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    conversion: Conversion | None = None


@dg.asset(
    deps=[manifests],
    partitions_def=daily_partitions,
    group_name="ndjson",
    kinds={"glue", "spark", "parquet"},
    pool=GLUE_POOL,
    check_specs=CHECK_SPECS,
)
def merged_parquet(
    context: dg.AssetExecutionContext, pipeline: PipelineResource
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Convert manifests of the run's dates with Glue.

    A run of the manifest sensor converts the manifests that its tags name. A run that a person launches, or
    a backfill, converts every manifest of its dates again, whatever became of it, and replaces its output.
    """
    results = {
        date_prefix: _convert_date(context, pipeline, date_prefix) for date_prefix in context.partition_keys
    }
    failures = {path: reason for result in results.values() for path, reason in result.failures.items()}
    metadata = _metadata(results)
    checks = _checks(pipeline.records(), results)
    if not failures:
        yield dg.MaterializeResult(metadata=metadata, check_results=checks)
        return
    yield from checks
    if any(result.completed for result in results.values()):
        # The run fails for its other manifests, but these are converted and their figures count.
        for date_prefix in results:
            context.log_event(
                dg.AssetMaterialization(context.asset_key, partition=date_prefix, metadata=metadata)
            )
    reasons = "\n".join(f"{path}: {reason}" for path, reason in failures.items())
    raise dg.Failure(
        description=f"{len(failures)} manifests were not converted:\n{reasons}",
        metadata=metadata,
        allow_retries=False,
    )


def _convert_date(
    context: dg.AssetExecutionContext, pipeline: PipelineResource, date_prefix: str
) -> DateResult:
    """Claim the date's manifests that this run is for, run Glue for them, and record how each ended."""
    records = pipeline.records()
    deployment = pipeline.deployment
    result = DateResult()
    converter = Converter(
        pipeline.glue_runs(context.log),
        records,
        deployment.s3,
        manifest_bucket=deployment.names.manifest_bucket,
    )
    claims: list[Claim] = []
    try:
        for claim in _claim(context, records, date_prefix, result):
            # One by one: those made before an error must not stay processing.
            claims.append(claim)
        if not claims:
            context.log.info(f"Nothing to convert for {date_prefix}")
            return result
        result.conversion = converter.convert(context, claims)
    except (Exception, dg.DagsterExecutionInterruptedError) as error:
        # Whatever ended the run early, its claims must not stay processing without a reason.
        # A stop and a deadline are decisions; whatever else it was may not be there the next time.
        is_decision = isinstance(error, dg.DagsterExecutionInterruptedError | GlueDeadlineError)
        settlements = [
            Settlement(claim, _describe(error), retry_due=not is_decision and may_retry(claim))
            for claim in claims
        ]
        _record(context, records, settlements, result)
        if not isinstance(error, PipelineError):
            raise
        return result
    _record(context, records, settle(claims, result.conversion.run, result.conversion.report), result)
    return result


def _claim(
    context: dg.AssetExecutionContext,
    records: ManifestRecordStore,
    date_prefix: str,
    result: DateResult,
) -> Iterator[Claim]:
    """Claim the manifests that the run is for, and note why each other one is left alone."""
    names = tagged_manifests(context.run.tags, date_prefix)
    found: list[ManifestRecord] = []
    if names is None:
        found = records.of_date(date_prefix)
    else:
        for name in names:
            try:
                record = records.read(name)
            except RecordFormatError as error:
                result.skipped[name.filename] = str(error)
                continue
            if record is None:
                result.skipped[name.filename] = "it has no record any more"
            else:
                found.append(record)
    for record in found:
        move = Move.RECLAIM if names is None else (Move.RETRY if record.retry_due else Move.CLAIM)
        claim = records.claim(record, context.run.run_id, move)
        if claim is not None:
            yield claim
            continue
        holder = records.read(record.name) or record
        is_held = holder.status is ManifestStatus.PROCESSING
        result.skipped[record.name.filename] = (
            f"run {holder.dagster_run_id} is converting it"
            if is_held
            else f"it is {holder.status.value} already"
        )
    for filename, reason in result.skipped.items():
        context.log.warning(f"Skipped {filename}: {reason}")


def _record(
    context: dg.AssetExecutionContext,
    records: ManifestRecordStore,
    settlements: list[Settlement],
    result: DateResult,
) -> None:
    """Write each manifest's end, unless a later attempt holds it by now."""
    for settlement in settlements:
        claim = settlement.claim
        path = claim.record.manifest_path
        try:
            if settlement.failure is None:
                records.complete(claim, settlement.records_processed)
                result.completed.append(settlement)
            else:
                records.fail(claim, settlement.failure, retry_due=settlement.retry_due)
                result.failures[path] = settlement.failure
                context.log.error(f"{path} failed: {settlement.failure}")
        except StaleHolderError as error:
            context.log.warning(str(error))
            result.skipped[claim.record.name.filename] = str(error)


def _describe(error: BaseException) -> str:
    if isinstance(error, dg.DagsterExecutionInterruptedError):
        return "the Dagster run was terminated, and its Glue run was told to stop"
    return str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"


def _checks(records: ManifestRecordStore, results: dict[str, DateResult]) -> list[dg.AssetCheckResult]:
    """Return what the run proves or warns of; costs what is open, never the dates' history."""
    reports = [
        result.conversion.report
        for result in results.values()
        if result.conversion is not None and result.conversion.report is not None
    ]
    open_records = [
        record
        for status in (ManifestStatus.PENDING, ManifestStatus.PROCESSING, ManifestStatus.FAILED)
        for record in records.with_status(status, OPEN_RECORDS_READ)
        if record.date_prefix in results
    ]
    # The index lags behind what this very run has just written.
    ended = {settlement.claim.record.name for result in results.values() for settlement in result.completed}
    still_open = [record for record in open_records if record.name not in ended]
    return [row_conservation(reports), rejected_fraction(reports), all_manifests_completed(still_open)]


def _metadata(results: dict[str, DateResult]) -> dict[str, dg.MetadataValue]:
    """Return the numbers that the UI plots, summed over the run's dates."""
    conversions = [result.conversion for result in results.values() if result.conversion is not None]
    reports = [conversion.report for conversion in conversions if conversion.report is not None]
    input_mb = sum((report.input_size_mb for report in reports), 0.0)
    output_mb = sum((report.output_size_mb for report in reports), 0.0)
    metadata: dict[str, dg.MetadataValue] = {
        "manifests_completed": dg.MetadataValue.int(sum(len(r.completed) for r in results.values())),
        "manifests_failed": dg.MetadataValue.int(sum(len(r.failures) for r in results.values())),
        "manifests_skipped": dg.MetadataValue.int(sum(len(r.skipped) for r in results.values())),
        "records_read": dg.MetadataValue.int(sum(report.records_read for report in reports)),
        "records_processed": dg.MetadataValue.int(sum(report.records_processed for report in reports)),
        "records_rejected": dg.MetadataValue.int(sum(report.records_rejected for report in reports)),
        "parquet_files_created": dg.MetadataValue.int(sum(report.parquet_files for report in reports)),
        "input_size_mb": dg.MetadataValue.float(round(input_mb, 6)),
        "output_size_mb": dg.MetadataValue.float(round(output_mb, 6)),
        "compression_ratio": dg.MetadataValue.float(
            round(100 * (1 - output_mb / input_mb), 2) if input_mb else 0.0
        ),
        "execution_time_seconds": dg.MetadataValue.float(
            round(sum((report.execution_seconds for report in reports), 0.0), 3)
        ),
    }
    if conversions:
        metadata["glue_job_run_ids"] = dg.MetadataValue.text(", ".join(c.run.run_id for c in conversions))
    if reports:
        metadata["glue_reports"] = dg.MetadataValue.text(", ".join(report.uri for report in reports))
    return metadata
