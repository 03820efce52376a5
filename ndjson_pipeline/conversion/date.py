"""What a run does to one date: claims its manifests, has Glue convert them, records how each ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.completion import Completion
from ndjson_pipeline.claims.dagster_runs import (
    MANIFESTS_TAG,
    Ancestry,
    Purpose,
    ancestry_of,
    claimed_tags,
    has_claimed,
    is_termination_asked_for,
)
from ndjson_pipeline.claims.decision import LeftAlone, decide
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.retries import FailureKind
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.concurrency import do_all
from ndjson_pipeline.conversion.metadata import charge_of, numbers_of
from ndjson_pipeline.conversion.rebuild import rebuild_records
from ndjson_pipeline.deployment.deadlines import Deadlines
from ndjson_pipeline.errors import (
    GlueBusyError,
    GlueDeadlineError,
    GlueStartRefusedError,
    PipelineError,
    StaleHolderError,
)
from ndjson_pipeline.glue.begun_runs import BegunRuns
from ndjson_pipeline.glue.capacity import Capacity
from ndjson_pipeline.glue.ended_runs import EndedRuns
from ndjson_pipeline.glue.grouping import groups
from ndjson_pipeline.glue.report import GlueReport
from ndjson_pipeline.glue.runs import GlueRuns
from ndjson_pipeline.glue.session import Conversion, Converter
from ndjson_pipeline.glue.settlement import Settlement, settle
from ndjson_pipeline.resources import PipelineResource

# How many manifests that are to be tried again a run looks at, to find those of its date.
RETRIES_READ = 10_000

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
        output_bucket=deployment.names.output_bucket,
        capacity=pipeline.capacity,
        clock=utc_now,
    )
    ended_runs = EndedRuns(
        runs,
        deployment.s3,
        manifest_bucket=deployment.names.manifest_bucket,
        output_bucket=deployment.names.output_bucket,
        log=context.log,
    )
    ancestry = ancestry_of(context.run, context.instance.get_run_by_id)
    if ancestry.purpose is Purpose.DATES:
        rebuild_records(deployment, records, date_prefix, utc_now(), context.log)
    moves = _moves(context, records, ended_runs, ancestry, date_prefix, result)
    is_launched = MANIFESTS_TAG in context.run.tags
    for batch in _batches(context, runs, pipeline.capacity, moves, takes_one_share=is_launched):
        if _age(context) > Deadlines().begin_within:
            context.log.warning(
                "This run is too old to begin another Glue run; what is left waits for the next"
            )
            break
        if not _convert_batch(context, records, converter, batch, result, pipeline.dpu_hour_price_usd):
            break
    if is_launched:
        _note_claims(context, [])
    if not moves:
        context.log.info(f"Nothing to convert for {date_prefix}, or nothing any more")
    for filename, reason in result.skipped.items():
        context.log.warning(f"Skipped {filename}: {reason}")


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
    ancestry: Ancestry,
    date_prefix: str,
    result: DateResult,
) -> list[PlannedMove]:
    """Return the moves that the run is to make, and note why each other manifest is left alone."""
    moves: list[PlannedMove] = []
    for record in _candidates(records, context.run.run_id, ancestry, date_prefix):
        decision = decide(record, context.run.run_id, ancestry, utc_now())
        if not isinstance(decision, LeftAlone):
            moves.append((record, decision))
        elif not _counts_as_completed(record, ended_runs, result):
            result.skipped[record.name.filename] = decision.reason
    if result.completed_before:
        context.log.info(f"{result.completed_before} manifests were converted before; their numbers count")
    return moves


def _candidates(
    records: ManifestRecordStore, run_id: str, ancestry: Ancestry, date_prefix: str
) -> list[ManifestRecord]:
    """Return the records that a run may be for, in order of their names.

    A run of the sensor is for what waits when it starts, and costs what is open. One in a dead run's place is
    also for what that one had, and a person's or a backfill's for all of its date: both read the date.
    """
    if ancestry.purpose is Purpose.DATES:
        return records.of_date(date_prefix)
    retries = records.retries_due(utc_now(), RETRIES_READ)
    found = {
        record.name: record
        for record in (
            *records.of_date_with_status(date_prefix, ManifestStatus.PENDING),
            *(record for record in retries if record.date_prefix == date_prefix),
        )
    }
    holders = {run_id, *ancestry.ancestors}
    former = (
        records.of_date(date_prefix)
        if ancestry.ancestors
        else records.of_date_with_status(date_prefix, ManifestStatus.PROCESSING)
    )
    # Strongly read, or held by this very run: it says more than an index that lags.
    found |= {record.name: record for record in former if record.dagster_run_id in holders}
    return [found[name] for name in sorted(found)]


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


def _batches(
    context: dg.AssetExecutionContext,
    runs: GlueRuns,
    capacity: Capacity,
    moves: Sequence[PlannedMove],
    *,
    takes_one_share: bool,
) -> Iterator[list[PlannedMove]]:
    """Yield what is claimed together: the takeovers of each Glue run, then all that needs a fresh one.

    A batch is claimed only once the one before it has ended, so that no claim waits for another Glue run: the
    reconciler would take it for one whose process is gone.

    Args:
        context: of the run.
        runs: of the Glue job.
        capacity: bounds what one Glue run is given.
        moves: that the run is to make.
        takes_one_share: whether what exceeds one Glue run is left to wait: for a run of the sensor, which
            launches the next one, and which other dates wait for, too.
    """
    begun_runs = BegunRuns(runs)
    by_run: dict[str, list[PlannedMove]] = {}
    fresh: dict[ManifestName, PlannedMove] = {}
    for planned in moves:
        record, move = planned
        if move is not Move.TAKE_OVER:
            fresh[record.name] = planned
            continue
        try:
            begun = begun_runs.find(record.name.filename, record.attempt, record.glue_job_run_id)
        except GlueBusyError:
            # The stored id says as much as is needed here; it is asked again once the record is held.
            by_run.setdefault(record.glue_job_run_id or "", []).append(planned)
        else:
            by_run.setdefault(begun.run_id if begun else "", []).append(planned)
    yield from by_run.values()
    shares = capacity.shares(record for record, _ in fresh.values())
    if takes_one_share and len(shares) > 1:
        left = sum(map(len, shares[1:]))
        context.log.info(f"{left} manifests wait for the next run: one Glue run is given no more than this")
        shares = shares[:1]
    for share in shares:
        for group in groups(share):
            yield [fresh[record.name] for record in group]


def _convert_batch(
    context: dg.AssetExecutionContext,
    records: ManifestRecordStore,
    converter: Converter,
    batch: Sequence[PlannedMove],
    result: DateResult,
    dpu_hour_price_usd: float,
) -> bool:
    """Claim a batch, convert it, and record how each of its manifests ended; False ends the run's work."""
    unsettled: list[Claim] = []
    try:
        _claim(context.run.run_id, records, batch, unsettled, result)
        if MANIFESTS_TAG in context.run.tags:
            _note_claims(context, unsettled)
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
    run_id: str,
    records: ManifestRecordStore,
    batch: Sequence[PlannedMove],
    unsettled: list[Claim],
    result: DateResult,
) -> None:
    """Make the moves of a batch, several at once, and note why a manifest was not to be had.

    Every claim that was made is noted before an error is raised, for it must not stay processing.
    """

    def take(planned: PlannedMove) -> Claim | None:
        record, move = planned
        if move is Move.TAKE_OVER:
            return records.take_over(record, run_id)
        return records.claim(record, run_id, move)

    done, error = do_all(take, batch)
    unsettled += [claim for _, claim in done if claim is not None]
    if error is not None:
        raise error
    for (record, _), claim in done:
        if claim is not None:
            continue
        holder = records.find(record.name) or record
        is_held = holder.status is ManifestStatus.PROCESSING
        result.skipped[record.name.filename] = (
            f"run {holder.dagster_run_id} is converting it"
            if is_held
            else f"it is {holder.status.value} already"
        )


def _note_claims(context: dg.AssetExecutionContext, claims: Sequence[Claim]) -> None:
    """Let the run's tags say what it claimed: the sensor may launch the date's next run from here on."""
    run = context.instance.get_run_by_id(context.run.run_id)
    if run is None or has_claimed(run):
        return
    context.instance.add_run_tags(
        run.run_id, claimed_tags(run.run_id, {claim.record.name: claim.attempt for claim in claims})
    )


def _record(
    context: dg.AssetExecutionContext,
    records: ManifestRecordStore,
    settlements: list[Settlement],
    result: DateResult,
    report: GlueReport | None = None,
) -> None:
    """Write each manifest's end, unless a later attempt holds it by now."""
    _complete(context, records, [one for one in settlements if one.failure is None], result, report)
    for settlement in settlements:
        if settlement.failure is None:
            continue
        claim = settlement.claim
        path = claim.record.manifest_path
        try:
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
            _note_unrecorded(context, claim, error, result)


def _complete(
    context: dg.AssetExecutionContext,
    records: ManifestRecordStore,
    settlements: Sequence[Settlement],
    result: DateResult,
    report: GlueReport | None,
) -> None:
    """Complete manifests together with their date's totals."""
    completions = [
        Completion(one.claim, numbers_of(report, one.claim.record.manifest_path)) for one in settlements
    ]
    try:
        refused = {one.claim.record.name: str(one.error) for one in records.complete_all(completions)}
    except (BotoCoreError, ClientError) as error:
        for settlement in settlements:
            _note_unrecorded(context, settlement.claim, error, result)
        return
    for settlement in settlements:
        name = settlement.claim.record.name
        if name in refused:
            context.log.warning(refused[name])
            result.skipped[name.filename] = refused[name]
        else:
            result.completed.append(settlement)


def _note_unrecorded(
    context: dg.AssetExecutionContext, claim: Claim, error: Exception, result: DateResult
) -> None:
    """Say that a manifest's end could not be written; its record stays processing."""
    path = claim.record.manifest_path
    reason = f"how it ended could not be recorded, and the reconcile sensor settles it: {error}"
    result.failures[path] = reason
    context.log.error(f"{path}: {reason}")


def _describe(error: BaseException) -> str:
    if isinstance(error, dg.DagsterExecutionInterruptedError):
        return "the Dagster run was terminated, and its Glue run was told to stop"
    return str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
