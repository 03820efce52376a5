"""Alerts each failed or canceled run once SNS accepts it, whatever crashed in between.

Two places say that an alert is due: the records of the manifests that failed, which outlive Dagster's
storage, and Dagster's own runs, which tell of a run that failed before it claimed any. A run is alerted first
and noted as alerted after, so that a crash between alerts it twice, and never not at all. Each run's alert
fails alone, and is due again at the next tick.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import ManifestName
from ndjson_pipeline.claims.dagster_runs import (
    ENDED_BADLY,
    IN_FLIGHT,
    PARTITION_TAG,
    SENSOR_HOLDER_PREFIX,
    is_handed_over,
)
from ndjson_pipeline.claims.due_alerts import DueAlert
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.errors import RecordFormatError
from ndjson_pipeline.jobs import converts
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors.failure_alert import FailedRun, alert_document, publish
from ndjson_pipeline.sensors.location import location_of

# Its value is the run's own id: a run that is executed again inherits its tags.
ALERTED_TAG = "ndjson/alerted"
# Dagster's own: set together with a run's failure, where the instance launches the run again.
WILL_RETRY_TAG = "dagster/will_retry"
# As many manifests as a run may have, so that one alert tells of all of them.
RECORDS_PER_TICK = 2000
RUNS_PER_TICK = 100
# A tick has a minute; this leaves time to note what was published last.
SECONDS_PER_TICK = 30.0
# No more runs are looked for while so many could not be alerted.
MOST_UNSENT = 500
# Runs that ended this long before the newest one seen are looked at again: storages of several processes
# do not become visible in order.
SETTLE_TIME = timedelta(minutes=5)
FIRST_LOOK_BACK = timedelta(days=2)

Failures: TypeAlias = list[tuple[ManifestRecord, DueAlert]]


@dataclass(frozen=True)
class AlertCursor:
    """Where a tick goes on.

    Attributes:
        since: Dagster's runs that ended before were looked at.
        unsent: of these, the ones whose alert could not be published.
        after: where the index of what is due was left, if it holds more than a tick reads.
    """

    since: datetime
    unsent: tuple[str, ...] = ()
    after: dict[str, str] | None = None

    @classmethod
    def load(cls, text: str | None, now: datetime) -> "AlertCursor":
        """Read a cursor; without one, begin a while ago."""
        if not text:
            return cls(now - FIRST_LOOK_BACK)
        document = json.loads(text)
        since = datetime.fromisoformat(document["since"])
        return cls(since, tuple(document.get("unsent", ())), document.get("after"))

    def dump(self) -> str:
        """Write a cursor."""
        return json.dumps({"since": self.since.isoformat(), "unsent": self.unsent, "after": self.after})


@dg.sensor(
    minimum_interval_seconds=9,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Publishes one alert for each failed or canceled run of merged_parquet.",
)
def failure_alert_sensor(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Alert what is due."""
    until = time.monotonic() + SECONDS_PER_TICK
    cursor = AlertCursor.load(context.cursor, utc_now())
    due, after = _due(pipeline, cursor)
    since, ended = _ended_badly(context, Feed(pipeline.deployment.names.feed), cursor)
    # What could not be published comes last, so that it holds up no other.
    ended = [run_id for run_id in ended if run_id not in cursor.unsent] + list(cursor.unsent)
    alerted: list[str] = []
    unsent: list[str] = []
    for run_id in dict.fromkeys([*due, *ended]):
        if time.monotonic() > until:
            unsent.append(run_id)
            continue
        try:
            if _alert(context, pipeline, run_id, due.get(run_id, [])):
                alerted.append(run_id)
        except Exception as error:
            context.log.warning(f"Run {run_id} could not be alerted, trying again: {error}", exc_info=error)
            unsent.append(run_id)
    # What the records say is due is found again by itself.
    left = tuple(run_id for run_id in ended if run_id in unsent)
    # Dagster calls every tick that requests no run skipped; what it shows beside it is this text.
    return dg.SensorResult(
        cursor=AlertCursor(since, left, after).dump(), skip_reason=_summary(alerted, unsent)
    )


def _summary(alerted: Sequence[str], unsent: Sequence[str]) -> str:
    """Say what a tick did, for the list of ticks."""
    parts = [
        f"{verb} {len(run_ids)} runs: {', '.join(run_ids[:5])}{' ...' if len(run_ids) > 5 else ''}"
        for verb, run_ids in (("Alerted", alerted), ("Could not alert, and try again,", unsent))
        if run_ids
    ]
    return ". ".join(parts) or "No failure to alert"


def _due(
    pipeline: PipelineResource, cursor: AlertCursor
) -> tuple[dict[str, Failures], dict[str, str] | None]:
    """Return the failures of manifests that nobody was told of, by run, the newest failure's run first.

    A run that can't be alerted grows old, and so comes last.
    """
    pending, after = pipeline.records().alerts_pending(RECORDS_PER_TICK, cursor.after)
    by_run: dict[str, Failures] = {}
    for record in pending:
        for alert in record.alerts_due:
            by_run.setdefault(alert.run_id, []).append((record, alert))
    newest = {run_id: max(alert.failed_time for _, alert in held) for run_id, held in by_run.items()}
    order = sorted(by_run, key=lambda run_id: newest[run_id], reverse=True)
    return {
        run_id: sorted(by_run[run_id], key=lambda held: (held[0].name, held[1].attempt)) for run_id in order
    }, after


def _alert(
    context: dg.SensorEvaluationContext, pipeline: PipelineResource, run_id: str, failures: Failures
) -> bool:
    """Alert a run and note it; False where it must wait, or was alerted already.

    Raises:
        ClientError, BotoCoreError: SNS did not take it.
    """
    deployment = pipeline.deployment
    run = context.instance.get_run_by_id(run_id)
    if run is not None and run.status in IN_FLIGHT:
        # It is still writing how its manifests ended; one alert tells of all of them.
        return False
    if not failures and (run is None or run.tags.get(ALERTED_TAG) == run_id or is_handed_over(run)):
        return False
    failed = FailedRun(
        run_id=run_id,
        date_prefix=run.tags.get(PARTITION_TAG) if run is not None else None,
        failures=failures,
        error=_kind(run_id, run),
        cause=_cause(context, run_id) if run is not None else "Dagster no longer knows the run",
        is_retried=run is not None and run.tags.get(WILL_RETRY_TAG) == "true",
        url=_url(deployment.settings.dagster_url, run_id) if run is not None else None,
    )
    document = alert_document(failed, deployment.names.glue_job, utc_now())
    if deployment.names.feed:
        document["Feed"] = deployment.names.feed
    publish(deployment.sns, deployment.alert_topic_arn, document)
    _note(context, pipeline.records(), failures)
    if run is not None:
        context.instance.add_run_tags(run_id, {ALERTED_TAG: run_id})
    context.log.info(f"Alerted the end of run {run_id}")
    return True


def _note(context: dg.SensorEvaluationContext, records: ManifestRecordStore, failures: Failures) -> None:
    """Note on each manifest's record what was published of it."""
    by_name: dict[ManifestName, Failures] = {}
    for record, alert in failures:
        by_name.setdefault(record.name, []).append((record, alert))
    for held in by_name.values():
        record = held[0][0]
        try:
            records.alerted(record, [alert for _, alert in held])
        except (BotoCoreError, ClientError, RecordFormatError) as error:
            # Its alert comes again; the other manifests' need not.
            context.log.warning(f"The alert of {record.manifest_path} could not be noted: {error}")


def _ended_badly(
    context: dg.SensorEvaluationContext, feed: Feed, cursor: AlertCursor
) -> tuple[datetime, list[str]]:
    """Return where to look from at the next tick, and the runs of our asset that nobody was told of.

    Other feeds' runs are read too, a page a tick, and left to their own sensors.
    """
    since = cursor.since
    if len(cursor.unsent) >= MOST_UNSENT:
        return since, []
    found = context.instance.get_run_records(
        dg.RunsFilter(statuses=ENDED_BADLY, updated_after=since),
        limit=RUNS_PER_TICK,
        order_by="update_timestamp",
        ascending=True,
    )
    due = [
        record.dagster_run.run_id
        for record in found
        if record.dagster_run.tags.get(ALERTED_TAG) != record.dagster_run.run_id
        and converts(record.dagster_run, feed, location_of(context))
    ]
    newest = max((record.update_timestamp.replace(tzinfo=UTC) for record in found), default=since)
    # Never so far back that the same full page is read for ever.
    following = newest if len(found) == RUNS_PER_TICK else max(since, newest - SETTLE_TIME)
    return following, due


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
