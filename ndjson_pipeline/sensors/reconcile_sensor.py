"""Settles what a run left behind whose process is gone: the truth is asked of Glue."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeAlias

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.assets import merged_parquet
from ndjson_pipeline.claims.dagster_runs import RunView, view_of
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.retries import FailureKind
from ndjson_pipeline.claims.store import Claim, ManifestRecordStore
from ndjson_pipeline.conversion.failed_dates import FAILED_READ, show_failed
from ndjson_pipeline.conversion.metadata import (
    Metadata,
    charge_of,
    date_metadata,
    numbers_of,
    run_metadata,
)
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.errors import GlueBusyError, StaleHolderError
from ndjson_pipeline.glue.ended_runs import EndedRuns
from ndjson_pipeline.glue.reconciliation import Verdict, judge
from ndjson_pipeline.glue.runs import GlueRuns
from ndjson_pipeline.glue.session import Conversion
from ndjson_pipeline.glue.settlement import Settlement, settle
from ndjson_pipeline.jobs import converts
from ndjson_pipeline.resources import PipelineResource

RECORDS_PER_TICK = 1000

Settled: TypeAlias = tuple[Settlement, Conversion | None]


@dg.sensor(
    minimum_interval_seconds=29,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Settles manifests whose run is gone, by asking Glue, and ends runs whose process is gone.",
)
def reconcile_sensor(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Look at every record that is processing."""
    records, now = pipeline.records(), utc_now()
    runs = pipeline.glue_runs(context.log)
    deployment = pipeline.deployment
    ended_runs = EndedRuns(runs, deployment.s3, deployment.names.manifest_bucket, context.log)
    processing = records.with_status(ManifestStatus.PROCESSING, RECORDS_PER_TICK)
    settled: list[Settled] = []
    for record in processing:
        try:
            settled += _reconcile(context, pipeline, records, runs, ended_runs, record, now)
        except (BotoCoreError, ClientError, GlueBusyError) as error:
            # One record that AWS would not tell of leaves the others alone; the next tick asks again.
            context.log.warning(f"Could not reconcile {record.manifest_path}: {error}")
    events = _materializations(context.instance, pipeline, settled)
    holders = {record.dagster_run_id for record in processing}
    idle = _idle_runs(context, holders, now - pipeline.reconcile_rules.idle_run)
    ended = _end_runs(context, [run for run in idle if run.run_id in _read_cursor(context.cursor)])
    cursor = json.dumps({"idle": [run.run_id for run in idle]})
    if not events and not ended:
        reason = f"{len(processing)} manifests are being converted; none was left behind"
        return dg.SensorResult(skip_reason=reason, cursor=cursor)
    return dg.SensorResult(asset_events=events, cursor=cursor)


def _reconcile(
    context: dg.SensorEvaluationContext,
    pipeline: PipelineResource,
    records: ManifestRecordStore,
    runs: GlueRuns,
    ended_runs: EndedRuns,
    record: ManifestRecord,
    now: datetime,
) -> list[Settled]:
    """Bring one record to where it belongs, and return how it ended by that."""
    run = context.instance.get_run_by_id(record.dagster_run_id or "")
    view = view_of(run)
    glue = runs.find_begun(record.name.filename, record.attempt, record.glue_job_run_id)
    claimed_at = parse_utc_timestamp(record.processing_start_time or record.created_at)
    verdict = judge(claimed_at=claimed_at, run=view, glue=glue, now=now, rules=pipeline.reconcile_rules)
    if verdict is Verdict.LEAVE:
        return []
    claim = Claim(record, record.dagster_run_id or "")
    if verdict is Verdict.STOP and glue is not None:
        context.log.warning(f"Glue run {glue.run_id} is past its deadline: stopping it")
        runs.stop(glue.run_id)
        return []
    conversion = None if glue is None else ended_runs.conversion(glue)
    if conversion is not None:
        records.charge(charge_of(record.date_prefix, conversion, pipeline.dpu_hour_price_usd))
    settlement = (
        settle([claim], conversion.run, conversion.report)[0]
        if conversion is not None
        else Settlement(
            claim,
            f"run {record.dagster_run_id} is gone and left no Glue run for attempt {record.attempt}",
            kind=FailureKind.CRASHED,
        )
    )
    try:
        if settlement.failure is None:
            report = conversion.report if conversion is not None else None
            records.complete(claim, numbers_of(report, record.manifest_path))
        else:
            records.fail(
                claim,
                settlement.failure,
                settlement.kind,
                group_size=settlement.group_size,
                glue_job_run_id=settlement.glue_job_run_id,
            )
    except StaleHolderError as error:
        context.log.info(f"Settled meanwhile: {error}")
        return []
    context.log.warning(f"Settled {record.manifest_path}: {settlement.failure or 'completed'}")
    if run is not None and view is RunView.IN_FLIGHT:
        reason = "Its process is gone; its manifests were settled by asking Glue"
        context.instance.report_run_failed(run, reason)
    return [(settlement, conversion)]


def _materializations(
    instance: dg.DagsterInstance, pipeline: PipelineResource, settled: Iterable[Settled]
) -> list[dg.AssetMaterialization | dg.AssetObservation]:
    """Return what became of each date by each Glue run: a materialization, or an observation.

    A date that has failed manifests is shown as failed, and what was completed of it is only observed.
    """
    records = pipeline.records()
    by_date: dict[str, list[Settled]] = {}
    for one in settled:
        by_date.setdefault(one[0].claim.record.date_prefix, []).append(one)
    events: list[dg.AssetMaterialization | dg.AssetObservation] = []
    for date_prefix, of_date in sorted(by_date.items()):
        if not daily_partitions.has_partition_key(date_prefix):
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
            events.append(event(merged_parquet.key, partition=date_prefix, metadata=metadata))
        if failed:
            show_failed(instance, date_prefix, failed)
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
    context: dg.SensorEvaluationContext, holders: set[str | None], started_before: datetime
) -> list[dg.DagsterRun]:
    """Return the runs of `merged_parquet` that were started long ago and hold no manifest.

    Between two dates a live run holds none for a moment, so two ticks in a row must find it so.
    """
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    idle = []
    for record in context.instance.get_run_records(filters):
        run = record.dagster_run
        began = record.start_time or record.create_timestamp.timestamp()
        started = datetime.fromtimestamp(began, UTC)
        if run.run_id in holders or not converts(run) or started > started_before:
            continue
        idle.append(run)
    return idle


def _end_runs(context: dg.SensorEvaluationContext, runs: Iterable[dg.DagsterRun]) -> int:
    """Mark runs failed whose process is gone: a run whose process was killed stays started for ever.

    It would keep its place in the pool, and the manifests it was launched for from being launched again.
    """
    ended = 0
    for run in runs:
        context.instance.report_run_failed(
            run, "Its process is gone: it was started long ago and holds no manifest"
        )
        context.log.warning(f"Ended run {run.run_id}, which was started long ago and holds no manifest")
        ended += 1
    return ended
