"""Alerts each failed or canceled run once SNS accepts it, whatever crashed in between.

Two places say that an alert is due: the records of the manifests that failed, which outlive Dagster's
storage, and Dagster's own runs, which tell of a run that failed before it claimed any. A run is alerted first
and noted as alerted after, so that a crash between alerts it twice, and never not at all.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg

from lambda_ingest.contract.clock import utc_now
from ndjson_pipeline.claims.dagster_runs import ENDED_BADLY, IN_FLIGHT, PARTITION_TAG, SENSOR_HOLDER_PREFIX
from ndjson_pipeline.claims.due_alerts import DueAlert
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.jobs import converts
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors.failure_alert import FailedRun, alert_document, publish

ALERTED_TAG = "ndjson/alerted"
# Dagster's own: set together with a run's failure, where the instance launches the run again.
WILL_RETRY_TAG = "dagster/will_retry"
RECORDS_PER_TICK = 1000
RUNS_PER_TICK = 100
# Runs that ended this long before the newest one seen are looked at again: storages of several processes
# do not become visible in order.
SETTLE_TIME = timedelta(minutes=5)
FIRST_LOOK_BACK = timedelta(days=2)


@dg.sensor(
    minimum_interval_seconds=9,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Publishes one alert for each failed or canceled run of merged_parquet.",
)
def failure_alert_sensor(
    context: dg.SensorEvaluationContext, pipeline: PipelineResource
) -> dg.SensorResult | dg.SkipReason:
    """Alert what is due."""
    deployment, records = pipeline.deployment, pipeline.records()
    now = utc_now()
    by_run: dict[str, list[tuple[ManifestRecord, DueAlert]]] = {}
    pending, _ = records.alerts_pending(RECORDS_PER_TICK)
    for record in pending:
        for alert in record.alerts_due:
            by_run.setdefault(alert.run_id, []).append((record, alert))
    since, ended = _ended_badly(context, now)
    alerted = 0
    for run_id in dict.fromkeys([*by_run, *(record.dagster_run.run_id for record in ended)]):
        run = context.instance.get_run_by_id(run_id)
        if run is not None and run.status in IN_FLIGHT:
            # It is still writing how its manifests ended; one alert tells of all of them.
            continue
        failed = FailedRun(
            run_id=run_id,
            date_prefix=run.tags.get(PARTITION_TAG) if run is not None else None,
            failures=sorted(by_run.get(run_id, []), key=lambda failure: failure[0].name),
            error=_kind(run_id, run),
            cause=_cause(context, run_id) if run is not None else "Dagster no longer knows the run",
            is_retried=run is not None and run.tags.get(WILL_RETRY_TAG) == "true",
            url=_url(deployment.settings.dagster_url, run_id) if run is not None else None,
        )
        publish(
            deployment.sns, deployment.alert_topic_arn, alert_document(failed, deployment.names.glue_job, now)
        )
        for record in {record.name: record for record, _ in failed.failures}.values():
            records.alerted(record, [alert for _, alert in failed.failures])
        if run is not None:
            context.instance.add_run_tags(run_id, {ALERTED_TAG: now.isoformat(timespec="seconds")})
        alerted += 1
        context.log.info(f"Alerted the end of run {run_id}")
    if not alerted and since == context.cursor:
        return dg.SkipReason("No failure to alert")
    return dg.SensorResult(cursor=since)


def _ended_badly(context: dg.SensorEvaluationContext, now: datetime) -> tuple[str, Iterable[dg.RunRecord]]:
    """Return where to look from at the next tick, and the runs of our asset that nobody was told of."""
    since = _read_cursor(context.cursor) or now - FIRST_LOOK_BACK
    found = context.instance.get_run_records(
        dg.RunsFilter(statuses=ENDED_BADLY, updated_after=since),
        limit=RUNS_PER_TICK,
        order_by="update_timestamp",
        ascending=True,
    )
    due = [
        record
        for record in found
        if ALERTED_TAG not in record.dagster_run.tags and converts(record.dagster_run)
    ]
    newest = max((record.update_timestamp.replace(tzinfo=UTC) for record in found), default=since)
    # Never so far back that the same full page is read for ever.
    following = newest if len(found) == RUNS_PER_TICK else max(since, newest - SETTLE_TIME)
    return json.dumps({"since": following.isoformat()}), due


def _read_cursor(cursor: str | None) -> datetime | None:
    return datetime.fromisoformat(json.loads(cursor)["since"]) if cursor else None


def _kind(run_id: str, run: dg.DagsterRun | None) -> str:
    """Name the kind of failure."""
    if run_id.startswith(SENSOR_HOLDER_PREFIX):
        return "ManifestNotLaunched"
    is_canceled = run is not None and run.status is dg.DagsterRunStatus.CANCELED
    return "DagsterRunCanceled" if is_canceled else "DagsterRunFailed"


def _cause(context: dg.SensorEvaluationContext, run_id: str) -> str:
    """Return what Dagster says of a run's end."""
    events = context.instance.get_records_for_run(
        run_id,
        of_type={
            dg.DagsterEventType.RUN_FAILURE,
            dg.DagsterEventType.RUN_CANCELED,
            dg.DagsterEventType.STEP_FAILURE,
        },
        limit=10,
    ).records
    messages = [record.event_log_entry.message for record in events if record.event_log_entry.message]
    return messages[-1] if messages else "Dagster gives no reason"


def _url(dagster_url: str | None, run_id: str) -> str | None:
    return f"{dagster_url}/runs/{run_id}" if dagster_url else None
