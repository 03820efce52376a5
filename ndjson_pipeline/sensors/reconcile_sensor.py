"""Settles what a run left behind whose process is gone: the truth is asked of Glue."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

import dagster as dg

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.dagster_runs import RunView, view_of
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.retries import FailureKind
from ndjson_pipeline.conversion.failed_dates import FAILED_READ, show_failed
from ndjson_pipeline.conversion.metadata import (
    Metadata,
    charge_of,
    date_metadata,
    numbers_of,
    run_metadata,
)
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.errors import StaleHolderError
from ndjson_pipeline.glue.begun_runs import BegunRuns
from ndjson_pipeline.glue.ended_runs import EndedRuns
from ndjson_pipeline.glue.reconciliation import Verdict, judge
from ndjson_pipeline.glue.runs import GlueRun
from ndjson_pipeline.glue.session import Conversion
from ndjson_pipeline.glue.settlement import Settlement, settle
from ndjson_pipeline.jobs import converts
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors.location import location_of

# Far more than the places of Glue can hold; a tick has a minute, of which so much is spent on settling.
RECORDS_PER_TICK = 10_000
SECONDS_PER_TICK = 40.0

Settled: TypeAlias = tuple[Settlement, Conversion | None]


@dataclass
class Done:
    """What a tick did.

    Attributes:
        settled: how manifests ended by it, each with its Glue run where there is one.
        stopped: Glue runs that it told to stop.
        lost_runs: Dagster runs whose manifests it settled, although they seemed to go on.
        undone: how many manifests it could not settle, for the next tick.
    """

    settled: list[Settled] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)
    lost_runs: dict[str, dg.DagsterRun] = field(default_factory=dict)
    undone: int = 0

    @property
    def completed(self) -> int:
        """How many manifests it settled as completed."""
        return sum(1 for settlement, _ in self.settled if settlement.failure is None)

    @property
    def failed(self) -> int:
        """How many it settled as failed."""
        return len(self.settled) - self.completed


@dg.sensor(
    minimum_interval_seconds=29,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Settles manifests whose run is gone, by asking Glue, and ends runs whose process is gone.",
)
def reconcile_sensor(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Look at every record that is processing."""
    processing = pipeline.records().with_status(ManifestStatus.PROCESSING, RECORDS_PER_TICK)
    done = Reconciliation(context, pipeline, utc_now()).settle_all(processing)
    # What is recorded as settled is not read again, so nothing that fails from here on may lose it.
    events = _materializations(context.instance, pipeline, done.settled)
    idle: list[dg.DagsterRun] = []
    if len(processing) < RECORDS_PER_TICK:
        # Else a live run may hold some that were not read.
        holders = {record.dagster_run_id for record in processing}
        feed = Feed(pipeline.deployment.names.feed)
        idle = _idle_runs(context, feed, holders, utc_now() - pipeline.reconcile_rules.idle_run)
    idle_again = [run for run in idle if run.run_id in _read_cursor(context.cursor)]
    ended = _end_runs(
        context, done.lost_runs.values(), "its manifests were settled by asking Glue"
    ) + _end_runs(context, idle_again, "it was started long ago and holds no manifest")
    cursor = json.dumps({"idle": [run.run_id for run in idle]})
    # Dagster calls every tick that requests no run skipped; what it shows beside it is this text.
    return dg.SensorResult(
        asset_events=events, cursor=cursor, skip_reason=_summary(len(processing), done, ended)
    )


def _summary(processing: int, done: Done, ended: int) -> str:
    """Say what a tick did, for the list of ticks."""
    parts = [
        text
        for count, text in (
            (done.completed, f"settled {done.completed} manifests as completed"),
            (done.failed, f"settled {done.failed} manifests as failed"),
            (len(done.stopped), f"told {len(done.stopped)} Glue runs to stop"),
            (ended, f"ended {ended} runs without a process"),
            (done.undone, f"could not settle {done.undone} manifests; the next tick tries again"),
        )
        if count
    ]
    if parts:
        return f"Of {processing} manifests in work: {', '.join(parts)}"
    return f"{processing} manifests are being converted; none was left behind"


class Reconciliation:
    """One tick's work: asks Glue once a Glue run and Dagster once a run, and settles each record alone.

    Args:
        context: of the tick.
        pipeline: the deployment.
        now: the present instant.
        monotonic: tells seconds that have passed.
    """

    def __init__(
        self,
        context: dg.SensorEvaluationContext,
        pipeline: PipelineResource,
        now: datetime,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context = context
        self._rules = pipeline.reconcile_rules
        self._dpu_hour_price_usd = pipeline.dpu_hour_price_usd
        self._records = pipeline.records()
        self._now = now
        self._monotonic = monotonic
        self._runs = pipeline.glue_runs(context.log)
        self._begun = BegunRuns(self._runs)
        deployment = pipeline.deployment
        self._ended = EndedRuns(
            self._runs,
            deployment.s3,
            manifest_bucket=deployment.names.manifest_bucket,
            output_bucket=deployment.names.output_bucket,
            log=context.log,
        )
        self._dagster_runs: dict[str, dg.DagsterRun | None] = {}
        self._done = Done()

    def settle_all(self, processing: Sequence[ManifestRecord]) -> Done:
        """Bring every record that was left behind to where it belongs."""
        until = self._monotonic() + SECONDS_PER_TICK
        ended: dict[str, tuple[GlueRun, list[Claim]]] = {}
        for record in processing:
            with self._alone(record.manifest_path, 1):
                self._judge(record, ended)
        for run, claims in ended.values():
            with self._alone(f"Glue run {run.run_id}", len(claims)):
                conversion = self._ended.conversion(run)
                for date_prefix in sorted({claim.record.date_prefix for claim in claims}):
                    self._records.charge(charge_of(date_prefix, conversion, self._dpu_hour_price_usd))
                self._settle_run(conversion, claims, until)
        return self._done

    @contextmanager
    def _alone(self, what: str, manifests: int) -> Iterator[None]:
        """Keep what goes wrong with one record, or one Glue run, from the others; told, and tried again."""
        try:
            yield
        except Exception as error:
            self._done.undone += manifests
            self._context.log.warning(f"Could not reconcile {what}: {error}", exc_info=error)

    def _judge(self, record: ManifestRecord, ended: dict[str, tuple[GlueRun, list[Claim]]]) -> None:
        """Do with a record what its run and its Glue run ask for; those to settle are added to `ended`."""
        glue = self._begun.find(record.name.filename, record.attempt, record.glue_job_run_id)
        verdict = judge(
            claimed_at=parse_utc_timestamp(record.processing_start_time or record.created_at),
            run=view_of(self._dagster_run(record)),
            glue=glue,
            now=self._now,
            rules=self._rules,
        )
        claim = Claim(record, record.dagster_run_id or "")
        match verdict:
            case Verdict.LEAVE:
                return
            case Verdict.LOST:
                self._settle(_lost(claim), None)
            case Verdict.STOP if glue is not None and glue.run_id not in self._done.stopped:
                self._context.log.warning(f"Glue run {glue.run_id} is past its deadline: stopping it")
                self._done.stopped.add(glue.run_id)
                self._runs.stop(glue.run_id)
            case Verdict.SETTLE if glue is not None:
                ended.setdefault(glue.run_id, (glue, []))[1].append(claim)

    def _settle_run(self, conversion: Conversion, claims: Sequence[Claim], until: float) -> None:
        """Settle the manifests of a Glue run, as far as the tick's time goes."""
        manifests = len(self._runs.attempts_of(conversion.run))
        settlements = settle(claims, conversion.run, conversion.report, manifests=manifests)
        for position, settlement in enumerate(settlements):
            if self._monotonic() > until:
                self._done.undone += len(settlements) - position
                return
            with self._alone(settlement.claim.record.manifest_path, 1):
                self._settle(settlement, conversion)

    def _settle(self, settlement: Settlement, conversion: Conversion | None) -> None:
        """Write a manifest's end, unless its run has done so meanwhile."""
        claim = settlement.claim
        try:
            if settlement.failure is None:
                report = conversion.report if conversion is not None else None
                self._records.complete(claim, numbers_of(report, claim.record.manifest_path))
            else:
                self._records.fail(
                    claim,
                    settlement.failure,
                    settlement.kind,
                    group_size=settlement.group_size,
                    glue_job_run_id=settlement.glue_job_run_id,
                )
        except StaleHolderError as error:
            self._context.log.info(f"Settled meanwhile: {error}")
            return
        path = claim.record.manifest_path
        self._context.log.warning(f"Settled {path}: {settlement.failure or 'completed'}")
        self._done.settled.append((settlement, conversion))
        run = self._dagster_run(claim.record)
        if run is not None and view_of(run) is RunView.IN_FLIGHT:
            self._done.lost_runs[run.run_id] = run

    def _dagster_run(self, record: ManifestRecord) -> dg.DagsterRun | None:
        """Return the run that holds a record, as Dagster had it when the tick first asked."""
        run_id = record.dagster_run_id or ""
        if run_id not in self._dagster_runs:
            self._dagster_runs[run_id] = self._context.instance.get_run_by_id(run_id)
        return self._dagster_runs[run_id]


def _lost(claim: Claim) -> Settlement:
    """Return the end of a claim whose Glue run nobody knows."""
    record = claim.record
    failure = f"run {claim.run_id} is gone and left no Glue run for attempt {claim.attempt}"
    if record.error_message is None or record.glue_job_run_id is not None:
        return Settlement(claim, failure, kind=FailureKind.CRASHED)
    # The run had told why it let go: it could not know whether Glue had started anything, and it had not.
    return Settlement(claim, f"{failure}: {record.error_message}", kind=FailureKind.NOT_STARTED)


def _materializations(
    instance: dg.DagsterInstance, pipeline: PipelineResource, settled: Iterable[Settled]
) -> list[dg.AssetMaterialization | dg.AssetObservation]:
    """Return what became of each date by each Glue run: a materialization, or an observation.

    A date that has failed manifests is shown as failed, and what was completed of it is only observed.
    """
    records, settings = pipeline.records(), pipeline.deployment.settings
    feed, partitions = Feed(settings.feed), daily_partitions(settings.partition_start_date)
    by_date: dict[str, list[Settled]] = {}
    for one in settled:
        by_date.setdefault(one[0].claim.record.date_prefix, []).append(one)
    events: list[dg.AssetMaterialization | dg.AssetObservation] = []
    for date_prefix, of_date in sorted(by_date.items()):
        if not partitions.has_partition_key(date_prefix):
            continue
        names = [settlement.claim.record.name for settlement, _ in of_date if settlement.failure is not None]
        failed = records.failed_of(date_prefix, FAILED_READ, names)
        for conversion, completed in _by_glue_run(of_date):
            metadata: Metadata = {
                **date_metadata(records.totals(date_prefix)),
                "manifests_failed": dg.MetadataValue.int(len(failed)),
                **run_metadata(
                    [conversion],
                    completed,
                    region=pipeline.deployment.region,
                    dpu_hour_price_usd=pipeline.dpu_hour_price_usd,
                ),
                "settled_by": dg.MetadataValue.text("reconcile_sensor"),
            }
            event = dg.AssetObservation if failed else dg.AssetMaterialization
            events.append(event(feed.merged_parquet, partition=date_prefix, metadata=metadata))
        if failed:
            show_failed(instance, feed, date_prefix, failed)
    return events


def _by_glue_run(settled: Iterable[Settled]) -> list[tuple[Conversion, list[Settlement]]]:
    """Return what each Glue run completed, so that its time and price are told once."""
    groups: dict[str, tuple[Conversion, list[Settlement]]] = {}
    for settlement, conversion in settled:
        if conversion is not None and settlement.failure is None:
            groups.setdefault(conversion.run.run_id, (conversion, []))[1].append(settlement)
    return [groups[run_id] for run_id in sorted(groups)]


def _read_cursor(cursor: str | None) -> set[str]:
    """Return the runs that were idle at the last tick."""
    return set(json.loads(cursor)["idle"]) if cursor else set()


def _idle_runs(
    context: dg.SensorEvaluationContext, feed: Feed, holders: set[str | None], started_before: datetime
) -> list[dg.DagsterRun]:
    """Return the feed's runs of `merged_parquet` that were started long ago and hold no manifest.

    A run of another feed holds none of this one's manifests, however long it goes on.
    Between two dates a live run holds none for a moment, so two ticks in a row must find it so.
    """
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    idle = []
    for record in context.instance.get_run_records(filters):
        run = record.dagster_run
        began = record.start_time or record.create_timestamp.timestamp()
        started = datetime.fromtimestamp(began, UTC)
        is_own = converts(run, feed, location_of(context))
        if run.run_id in holders or not is_own or started > started_before:
            continue
        idle.append(run)
    return idle


def _end_runs(context: dg.SensorEvaluationContext, runs: Iterable[dg.DagsterRun], reason: str) -> int:
    """Mark runs failed whose process is gone: a run whose process was killed stays started for ever.

    It would keep its place in the pool, and the manifests it was launched for from being launched again.

    Args:
        context: of the tick.
        runs: the runs.
        reason: how it is known that the process is gone.
    """
    ended = 0
    for run in runs:
        try:
            context.instance.report_run_failed(run, f"Its process is gone: {reason}")
        except Exception as error:
            # It holds no manifest, so the next ticks find it idle.
            context.log.warning(f"Run {run.run_id} could not be ended: {error}", exc_info=error)
            continue
        context.log.warning(f"Ended run {run.run_id}, whose process is gone: {reason}")
        ended += 1
    return ended
