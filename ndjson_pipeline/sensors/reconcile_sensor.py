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
from ndjson_pipeline.conversion.metadata import conversion_metadata
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

Completed: TypeAlias = tuple[Settlement, Conversion]


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
    completed: list[Completed] = []
    for record in processing:
        try:
            completed += _reconcile(context, pipeline, records, runs, ended_runs, record, now)
        except (BotoCoreError, ClientError, GlueBusyError) as error:
            # One record that AWS would not tell of leaves the others alone; the next tick asks again.
            context.log.warning(f"Could not reconcile {record.manifest_path}: {error}")
    events = _materializations(completed, pipeline)
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
) -> list[Completed]:
    """Bring one record to where it belongs, and return what was completed by it."""
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
            records.complete(claim, settlement.records_processed)
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
    return [(settlement, conversion)] if conversion is not None and settlement.failure is None else []


def _materializations(
    completed: Iterable[Completed], pipeline: PipelineResource
) -> list[dg.AssetMaterialization]:
    """Return one materialization for each date and Glue run, so that its time and price count once."""
    groups: dict[tuple[str, str], list[Completed]] = {}
    for settlement, conversion in completed:
        place = (settlement.claim.record.date_prefix, conversion.run.run_id)
        groups.setdefault(place, []).append((settlement, conversion))
    return [
        dg.AssetMaterialization(
            asset_key=merged_parquet.key,
            partition=date_prefix,
            metadata={
                **conversion_metadata(
                    [held[0][1]],
                    [settlement for settlement, _ in held],
                    region=pipeline.deployment.region,
                    dpu_hour_price_usd=pipeline.dpu_hour_price_usd,
                ),
                "settled_by": "reconcile_sensor",
            },
        )
        for (date_prefix, _), held in sorted(groups.items())
        if daily_partitions.has_partition_key(date_prefix)
    ]


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
