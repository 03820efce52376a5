"""What a run does to one date: claims its manifests, has Glue convert them, records how each ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import dagster as dg

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.completion import Completion
from ndjson_pipeline.claims.dagster_runs import ancestry_of, is_termination_asked_for, tagged_manifests
from ndjson_pipeline.claims.decision import LeftAlone, decide
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.store import Claim, ManifestRecordStore
from ndjson_pipeline.conversion.metadata import charge_of, numbers_of
from ndjson_pipeline.conversion.rebuild import rebuild_records
from ndjson_pipeline.errors import (
    GlueBusyError,
    GlueDeadlineError,
    PipelineError,
    RecordFormatError,
    StaleHolderError,
)
from ndjson_pipeline.glue.ended_runs import EndedRuns
from ndjson_pipeline.glue.report import GlueReport
from ndjson_pipeline.glue.runs import GlueRuns
from ndjson_pipeline.glue.session import Conversion, Converter
from ndjson_pipeline.glue.settlement import Settlement, may_retry, settle
from ndjson_pipeline.resources import PipelineResource

PlannedMove: TypeAlias = tuple[ManifestRecord, Move]


@dataclass
class DateResult:
    """What a run did to one date.

    Attributes:
        completed: manifests converted, with those that were converted before the run came to them.
        failures: why each other manifest that was claimed is not.
        skipped: why each manifest was left alone.
        conversions: their Glue runs; more than one where the run went on with what an earlier one had begun.
        completed_before: how many of the completed manifests an earlier run had converted.
    """

    completed: list[Settlement] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    conversions: list[Conversion] = field(default_factory=list)
    completed_before: int = 0


def convert_date(
    context: dg.AssetExecutionContext, pipeline: PipelineResource, date_prefix: str, result: DateResult
) -> None:
    """Claim the date's manifests that this run is for, run Glue for them, and record how each ended.

    Args:
        context: of the run.
        pipeline: the deployment.
        date_prefix: the date.
        result: takes what was done, step by step, so that it is known where an error ends the work.
    """
    records, runs = pipeline.records(), pipeline.glue_runs(context.log)
    deployment = pipeline.deployment
    converter = Converter(
        runs,
        records,
        deployment.s3,
        manifest_bucket=deployment.names.manifest_bucket,
        clock=utc_now,
    )
    ended_runs = EndedRuns(runs, deployment.s3, deployment.names.manifest_bucket, context.log)
    if tagged_manifests(context.run.tags, date_prefix) is None:
        rebuild_records(deployment, records, date_prefix, utc_now(), context.log)
    moves = _moves(context, records, ended_runs, date_prefix, result)
    for batch in _batches(runs, moves):
        _convert_batch(context, records, converter, batch, result, pipeline.dpu_hour_price_usd)
    if not moves:
        context.log.info(f"Nothing to convert for {date_prefix}, or nothing any more")
    for filename, reason in result.skipped.items():
        context.log.warning(f"Skipped {filename}: {reason}")


def _moves(
    context: dg.AssetExecutionContext,
    records: ManifestRecordStore,
    ended_runs: EndedRuns,
    date_prefix: str,
    result: DateResult,
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
        if not isinstance(decision, LeftAlone):
            moves.append((record, decision))
        elif not _counts_as_completed(record, ended_runs, result):
            result.skipped[record.name.filename] = decision.reason
    if result.completed_before:
        context.log.info(f"{result.completed_before} manifests were converted before; their numbers count")
    return moves


def _counts_as_completed(record: ManifestRecord, ended_runs: EndedRuns, result: DateResult) -> bool:
    """Take in what an earlier run made of a manifest that this one was for, and tell whether it could.

    A run that crashed after its work is launched again, and finds nothing to do: without the numbers of what
    was done the date's newest ones would be zeros.
    """
    if record.status is not ManifestStatus.COMPLETED:
        return False
    conversion = ended_runs.find(record.name.filename, record.attempt, record.glue_job_run_id)
    if conversion is None:
        return False
    claim = Claim(record, record.dagster_run_id or "")
    (settlement,) = settle([claim], conversion.run, conversion.report)
    if settlement.failure is not None:
        return False
    result.completed.append(settlement)
    result.completed_before += 1
    if conversion not in result.conversions:
        result.conversions.append(conversion)
    return True


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
    dpu_hour_price_usd: float,
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
            date_prefix = group.claims[0].record.date_prefix
            records.charge(charge_of(date_prefix, conversion, dpu_hour_price_usd))
            settlements = settle(group.claims, conversion.run, conversion.report)
            _record(context, records, settlements, result, conversion.report)
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
    report: GlueReport | None = None,
) -> None:
    """Write each manifest's end, unless a later attempt holds it by now."""
    completed = [settlement for settlement in settlements if settlement.failure is None]
    completions = [
        Completion(one.claim, numbers_of(report, one.claim.record.manifest_path)) for one in completed
    ]
    refused = {one.claim.record.name: str(one.error) for one in records.complete_all(completions)}
    for settlement in completed:
        name = settlement.claim.record.name
        if name in refused:
            context.log.warning(refused[name])
            result.skipped[name.filename] = refused[name]
        else:
            result.completed.append(settlement)
    for settlement in settlements:
        if settlement.failure is None:
            continue
        claim = settlement.claim
        try:
            records.fail(claim, settlement.failure, retry_due=settlement.retry_due)
            result.failures[claim.record.manifest_path] = settlement.failure
            context.log.error(f"{claim.record.manifest_path} failed: {settlement.failure}")
        except StaleHolderError as error:
            context.log.warning(str(error))
            result.skipped[claim.record.name.filename] = str(error)


def _describe(error: BaseException) -> str:
    if isinstance(error, dg.DagsterExecutionInterruptedError):
        return "the Dagster run was terminated, and its Glue run was told to stop"
    return str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
