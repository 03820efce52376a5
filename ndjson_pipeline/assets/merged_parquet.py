"""The Parquet of a date, converted by Glue from its manifests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

import dagster as dg

from lambda_ingest.clock import utc_now
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.assets.manifests import manifests
from ndjson_pipeline.checks import (
    CHECK_SPECS,
    all_manifests_completed,
    rejected_fraction,
    row_conservation,
    schema_changed,
)
from ndjson_pipeline.claim_decision import LeftAlone, decide
from ndjson_pipeline.conversion_metadata import Metadata, Places, conversion_metadata
from ndjson_pipeline.errors import (
    GlueBusyError,
    GlueDeadlineError,
    PipelineError,
    RecordFormatError,
    StaleHolderError,
)
from ndjson_pipeline.glue.conversion import Conversion, Converter
from ndjson_pipeline.glue.runs import GlueRuns
from ndjson_pipeline.glue.settlement import Settlement, may_retry, settle
from ndjson_pipeline.manifest_records.record import ManifestRecord
from ndjson_pipeline.manifest_records.store import Claim, ManifestRecordStore
from ndjson_pipeline.manifest_records.transitions import Move
from ndjson_pipeline.partitions import daily_partitions
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.run_ancestry import ancestry_of
from ndjson_pipeline.run_states import is_termination_asked_for
from ndjson_pipeline.run_tags import tagged_manifests

# Runs that hold Glue's places: the instance's limit on this pool keeps them below Glue's MaxConcurrentRuns.
GLUE_POOL = "glue"
# How many open records of each status the check of the dates' manifests reads.
OPEN_RECORDS_READ = 1000
# A date's last files are flushed after midnight, so where every day has files, two conversions lie a day and
# some minutes apart at most; an hour more is late. Three more is as long as a Glue run may take.
FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=25), fail_window=timedelta(hours=28))

PlannedMove: TypeAlias = tuple[ManifestRecord, Move]


@dataclass
class DateResult:
    """What a run did to one date.

    Attributes:
        completed: manifests converted.
        failures: why each other manifest that was claimed is not.
        skipped: why each manifest was left alone.
        conversions: the Glue runs; more than one where the run went on with what an earlier one had begun.
    """

    completed: list[Settlement] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    conversions: list[Conversion] = field(default_factory=list)


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
        date_prefix: _convert_date(context, pipeline, date_prefix) for date_prefix in context.partition_keys
    }
    failures = {path: reason for result in results.values() for path, reason in result.failures.items()}
    metadata = {date_prefix: _metadata(result, pipeline.places) for date_prefix, result in results.items()}
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


def _convert_date(
    context: dg.AssetExecutionContext, pipeline: PipelineResource, date_prefix: str
) -> DateResult:
    """Claim the date's manifests that this run is for, run Glue for them, and record how each ended."""
    records, runs = pipeline.records(), pipeline.glue_runs(context.log)
    deployment = pipeline.deployment
    result = DateResult()
    converter = Converter(
        runs,
        records,
        deployment.s3,
        manifest_bucket=deployment.names.manifest_bucket,
        clock=utc_now,
    )
    moves = _moves(context, records, date_prefix, result)
    for batch in _batches(runs, moves):
        _convert_batch(context, records, converter, batch, result)
    if not moves:
        context.log.info(f"Nothing to convert for {date_prefix}")
    for filename, reason in result.skipped.items():
        context.log.warning(f"Skipped {filename}: {reason}")
    return result


def _moves(
    context: dg.AssetExecutionContext, records: ManifestRecordStore, date_prefix: str, result: DateResult
) -> list[PlannedMove]:
    """Return the moves that the run is to make, and note why each other manifest is left alone."""
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
    ancestry = ancestry_of(context.run, context.instance.get_run_by_id)
    moves: list[PlannedMove] = []
    for record in found:
        decision = decide(record, context.run.run_id, ancestry)
        if isinstance(decision, LeftAlone):
            result.skipped[record.name.filename] = decision.reason
        else:
            moves.append((record, decision))
    return moves


def _batches(runs: GlueRuns, moves: Sequence[PlannedMove]) -> Iterator[list[PlannedMove]]:
    """Yield what is claimed together: the takeovers of each Glue run, then all that needs a fresh one.

    A batch is claimed only once the one before it has ended, so that no claim waits for another Glue run: the
    reconciler would take it for one whose process is gone.
    """
    by_run: dict[str, list[PlannedMove]] = {}
    fresh: list[PlannedMove] = []
    for planned in moves:
        record, move = planned
        if move is not Move.TAKE_OVER:
            fresh.append(planned)
            continue
        try:
            begun = runs.find_begun(record.name.filename, record.attempt, record.glue_job_run_id)
        except GlueBusyError:
            # The stored id says as much as is needed here; it is asked again once the record is held.
            by_run.setdefault(record.glue_job_run_id or "", []).append(planned)
        else:
            by_run.setdefault(begun.run_id if begun else "", []).append(planned)
    yield from by_run.values()
    if fresh:
        yield fresh


def _convert_batch(
    context: dg.AssetExecutionContext,
    records: ManifestRecordStore,
    converter: Converter,
    batch: Sequence[PlannedMove],
    result: DateResult,
) -> None:
    """Claim a batch, convert it, and record how each of its manifests ended."""
    unsettled: list[Claim] = []
    try:
        for claim in _claim(context.run.run_id, records, batch, result):
            # One by one: those made before an error must not stay processing.
            unsettled.append(claim)
        for group in converter.group(unsettled):
            conversion = converter.convert(context, group)
            result.conversions.append(conversion)
            unsettled = [claim for claim in unsettled if claim not in group.claims]
            _record(context, records, settle(group.claims, conversion.run, conversion.report), result)
    except (Exception, dg.DagsterExecutionInterruptedError) as error:
        is_interrupted = isinstance(error, dg.DagsterExecutionInterruptedError)
        if is_interrupted and not is_termination_asked_for(context.instance, context.run.run_id):
            # The host ended the process, and Glue goes on. A retry of this run takes its claims over and
            # attaches; without one the reconciler settles them.
            raise
        # Whatever else ended the run early, its claims must not stay processing without a reason.
        # A stop and a deadline are decisions; whatever else it was may not be there the next time.
        is_decision = is_interrupted or isinstance(error, GlueDeadlineError)
        settlements = [
            Settlement(claim, _describe(error), retry_due=not is_decision and may_retry(claim))
            for claim in unsettled
        ]
        _record(context, records, settlements, result)
        if not isinstance(error, PipelineError):
            raise


def _claim(
    run_id: str, records: ManifestRecordStore, batch: Sequence[PlannedMove], result: DateResult
) -> Iterator[Claim]:
    """Make the moves of a batch, and note why a manifest was not to be had."""
    for record, move in batch:
        if move is Move.TAKE_OVER:
            claim = records.take_over(record, run_id)
        else:
            claim = records.claim(record, run_id, move)
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
        conversion.report
        for result in results.values()
        for conversion in result.conversions
        if conversion.report is not None
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
    return [
        row_conservation(reports),
        rejected_fraction(reports),
        all_manifests_completed(still_open),
        schema_changed(reports),
    ]


def _metadata(result: DateResult, places: Places) -> Metadata:
    """Return the numbers of one date that the UI plots."""
    return {
        **conversion_metadata(result.conversions, result.completed, places),
        "manifests_failed": dg.MetadataValue.int(len(result.failures)),
        "manifests_skipped": dg.MetadataValue.int(len(result.skipped)),
    }
