"""What a run does to one date: claims its manifests, has Glue convert them, records how each ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import ancestry_of, is_termination_asked_for, tagged_manifests
from ndjson_pipeline.claims.decision import LeftAlone, decide
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.retries import FailureKind
from ndjson_pipeline.claims.store import Claim, ManifestRecordStore
from ndjson_pipeline.deployment.deadlines import Deadlines
from ndjson_pipeline.errors import (
    GlueBusyError,
    GlueDeadlineError,
    GlueStartRefusedError,
    PipelineError,
    RecordFormatError,
    StaleHolderError,
)
from ndjson_pipeline.glue.begun_runs import BegunRuns
from ndjson_pipeline.glue.ended_runs import EndedRuns
from ndjson_pipeline.glue.runs import GlueRuns
from ndjson_pipeline.glue.session import Conversion, Converter
from ndjson_pipeline.glue.settlement import Settlement, settle
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
    ended_runs = EndedRuns(runs, deployment.s3, deployment.names.manifest_bucket, context.log)
    moves = _moves(context, records, ended_runs, date_prefix, result)
    for batch in _batches(runs, moves):
        if _age(context) > Deadlines().begin_within:
            context.log.warning(
                "This run is too old to begin another Glue run; what is left waits for the next"
            )
            break
        if not _convert_batch(context, records, converter, batch, result):
            break
    if not moves:
        context.log.info(f"Nothing to convert for {date_prefix}, or nothing any more")
    for filename, reason in result.skipped.items():
        context.log.warning(f"Skipped {filename}: {reason}")
    return result


def _age(context: dg.AssetExecutionContext) -> timedelta:
    """Return how long ago the run was started."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    if record is None or record.start_time is None:
        return timedelta(0)
    return utc_now() - datetime.fromtimestamp(record.start_time, UTC)


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
        decision = decide(record, context.run.run_id, ancestry, utc_now())
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
    begun_runs = BegunRuns(runs)
    by_run: dict[str, list[PlannedMove]] = {}
    fresh: list[PlannedMove] = []
    for planned in moves:
        record, move = planned
        if move is not Move.TAKE_OVER:
            fresh.append(planned)
            continue
        try:
            begun = begun_runs.find(record.name.filename, record.attempt, record.glue_job_run_id)
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
) -> bool:
    """Claim a batch, convert it, and record how each of its manifests ended; False ends the run's work."""
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
        left = [claim for claim in unsettled if converter.may_be_going(claim)]
        _leave(context, records, left, error, result)
        # Whatever else ended the run early, its other claims must not stay processing without a reason.
        settlements = [
            Settlement(claim, _describe(error), kind=_kind(error), glue_job_run_id=converter.run_id_of(claim))
            for claim in unsettled
            if claim not in left
        ]
        _record(context, records, settlements, result)
        if is_interrupted or not (left or isinstance(error, PipelineError)):
            raise
        # A run that lost sight of Glue begins no other Glue run.
        return not left
    return True


def _leave(
    context: dg.AssetExecutionContext,
    records: ManifestRecordStore,
    claims: Sequence[Claim],
    error: BaseException,
    result: DateResult,
) -> None:
    """Let go of claims whose Glue run goes on, or may: they stay processing, and the reconciler asks Glue."""
    if claims:
        context.log.error("Lost sight of a Glue run", exc_info=error)
    for claim in claims:
        path = claim.record.manifest_path
        reason = f"its Glue run goes on, or may, and the reconcile sensor settles it: {_describe(error)}"
        result.failures[path] = reason
        context.log.error(f"{path}: {reason}")
        try:
            records.note_left(claim, _describe(error))
        except (StaleHolderError, BotoCoreError, ClientError) as note_error:
            context.log.warning(f"That could not be noted on {path}: {note_error}")


def _kind(error: BaseException) -> FailureKind:
    """Tell what an error that ended a run early means to another attempt."""
    if isinstance(error, dg.DagsterExecutionInterruptedError | GlueDeadlineError):
        # A stop and a deadline are decisions; whatever else it was may not be there the next time.
        return FailureKind.FINAL
    is_refused = isinstance(error, GlueStartRefusedError)
    return FailureKind.NOT_STARTED if is_refused else FailureKind.CRASHED


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
                records.fail(
                    claim,
                    settlement.failure,
                    settlement.kind,
                    group_size=settlement.group_size,
                    glue_job_run_id=settlement.glue_job_run_id,
                )
                result.failures[path] = settlement.failure
                context.log.error(f"{path} failed: {settlement.failure}")
        except StaleHolderError as error:
            context.log.warning(str(error))
            result.skipped[claim.record.name.filename] = str(error)
        except (BotoCoreError, ClientError) as error:
            # One by one: the others' ends count all the same.
            reason = f"how it ended could not be recorded, and the reconcile sensor settles it: {error}"
            result.failures[path] = reason
            context.log.error(f"{path}: {reason}")


def _describe(error: BaseException) -> str:
    if isinstance(error, dg.DagsterExecutionInterruptedError):
        return "the Dagster run was terminated, and its Glue run was told to stop"
    return str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
