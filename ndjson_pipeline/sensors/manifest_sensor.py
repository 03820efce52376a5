"""Launches a run for the committed manifests that wait.

It watches the manifests below the prefix by their committed records, not by listing the bucket: an object
without a record is no manifest, and an index of what is open costs the same whatever lies behind it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import (
    ATTEMPT_TAG,
    CONVERSION_JOB,
    IN_FLIGHT,
    MANIFESTS_TAG,
    PARTITION_TAG,
    PRIORITY_TAG,
    SENSOR_HOLDER_PREFIX,
    has_claimed,
)
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.conversion.failed_dates import show_failed
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.instance.places import make_places, places_of
from ndjson_pipeline.deployment.partitions import daily_partitions, partition_problem
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors.launches import (
    MAX_LAUNCHES,
    DateRuns,
    Launch,
    LaunchDial,
    plan_launches,
    waits_since,
)

# How many waiting manifests a tick looks at. The index does not sort by age, so what lies beyond is reached
# only as these are claimed.
PENDING_PER_TICK = 10_000
# A tick has a minute, and each costs two writes.
FAILED_PER_TICK = 200
# Launches that came to nothing are looked for this far back, however long a manifest waits.
LONGEST_LOOK_BACK = timedelta(days=1)
# Dagster's own: the queue starts runs of a higher one first; without it a run has 0.
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dg.sensor(
    job_name=CONVERSION_JOB,
    # The daemon looks every five seconds. An interval of five would pass over a look that comes a moment
    # early, and the sensor would tick every ten. A tick is one query of an index, so it may be each look.
    minimum_interval_seconds=4,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Launches a run of merged_parquet for each date whose manifests wait, unless one waits already; the "
        "run takes what waits when it starts."
    ),
)
def manifest_sensor(
    context: dg.SensorEvaluationContext, pipeline: PipelineResource
) -> dg.SensorResult | dg.SkipReason:
    """Request the runs of one tick."""
    records, settings, now = pipeline.records(), pipeline.deployment.settings, utc_now()
    feed, partitions = Feed(settings.feed), daily_partitions(settings.partition_start_date)
    _make_places(context, feed, settings)
    waiting = records.with_status(ManifestStatus.PENDING, PENDING_PER_TICK)
    # What crashed is tried again, by the same path as what waits for the first time.
    waiting += records.retries_due(now, PENDING_PER_TICK)
    if not waiting:
        return dg.SkipReason("No committed manifest waits")
    failed = _fail_unlaunchable(context, pipeline, waiting, now)
    launches = plan_launches(
        waiting,
        _runs_by_date(context, feed, pipeline.reconcile_rules.claim_grace, now),
        has_partition=partitions.has_partition_key,
        dial=LaunchDial(settings.launch_min_mb, settings.launch_max_wait),
        places=places_of(context.instance, feed.pool) or settings.max_concurrent_runs,
        now=now,
    )
    requests = _requests(context, pipeline, launches, now)
    if not requests and failed:
        return dg.SkipReason(f"{failed} manifests were failed, because their dates can be no partition")
    if not requests:
        return dg.SkipReason(
            f"{len(waiting)} manifests wait: for a run of their date that is queued, for the dial, for a "
            "place that another date holds, or for their day"
        )
    return dg.SensorResult(run_requests=requests)


def _make_places(context: dg.SensorEvaluationContext, feed: Feed, settings: PipelineSettings) -> None:
    """Give the feed's pool its places, whatever command its code server was started by."""
    try:
        make_places(context.instance, feed.pool, settings.max_concurrent_runs)
    except Exception as error:
        # The pool keeps the places it has, and what waits is not to wait for this.
        context.log.warning(f"The places of pool {feed.pool} could not be set: {error}", exc_info=error)


def _runs_by_date(
    context: dg.SensorEvaluationContext, feed: Feed, claim_grace: timedelta, now: datetime
) -> dict[str, DateRuns]:
    """Count the queued and going runs of each date that this feed's sensor launched."""
    runs: dict[str, DateRuns] = {}
    # By status alone: with the job's name too, SQLite walks every run the job ever had.
    for record in context.instance.get_run_records(dg.RunsFilter(statuses=IN_FLIGHT)):
        run = record.dagster_run
        date_prefix = run.tags.get(PARTITION_TAG)
        if date_prefix is None or not _is_launched(run, feed):
            continue
        held = runs.get(date_prefix, DateRuns())
        started = record.start_time
        if has_claimed(run):
            runs[date_prefix] = DateRuns(held.waiting, held.going + 1)
        elif started is None or now - datetime.fromtimestamp(started, UTC) <= claim_grace:
            runs[date_prefix] = DateRuns(held.waiting + 1, held.going)
        # What began long ago and has claimed nothing has no process any more.
    return runs


def _is_launched(run: dg.DagsterRun, feed: Feed) -> bool:
    """Tell whether a run is one that this feed's sensor launched, or was executed again for one."""
    return run.job_name == CONVERSION_JOB and MANIFESTS_TAG in run.tags and feed.owns(run)


def _fail_unlaunchable(
    context: dg.SensorEvaluationContext,
    pipeline: PipelineResource,
    waiting: Iterable[ManifestRecord],
    now: datetime,
) -> int:
    """Fail the manifests whose date can be no partition: they would wait for ever, and nobody would know."""
    waiting = list(waiting)
    start_date = pipeline.deployment.settings.partition_start_date
    problems = {
        date_prefix: problem
        for date_prefix in {record.date_prefix for record in waiting}
        if (problem := partition_problem(date_prefix, start_date, now)) is not None
    }
    unlaunchable = [record for record in waiting if record.date_prefix in problems][:FAILED_PER_TICK]
    for record in unlaunchable:
        _fail(context, pipeline, record, f"it can't be converted: {problems[record.date_prefix]}")
    return len(unlaunchable)


def _fail(
    context: dg.SensorEvaluationContext, pipeline: PipelineResource, record: ManifestRecord, reason: str
) -> None:
    """Fail a manifest that no run converts; claimed first, so that its alert goes out like a run's.

    Where its date is a partition, it is shown as failed: no run is there to do so.
    """
    records, settings = pipeline.records(), pipeline.deployment.settings
    move = Move.CLAIM if record.status is ManifestStatus.PENDING else Move.RETRY
    try:
        claim = records.claim(record, f"{SENSOR_HOLDER_PREFIX}{context.sensor_name}", move)
        if claim is not None:
            records.fail(claim, reason)
            context.log.error(f"{record.manifest_path} failed: {reason}")
            if daily_partitions(settings.partition_start_date).has_partition_key(record.date_prefix):
                show_failed(context.instance, Feed(settings.feed), record.date_prefix, [claim.record])
    except Exception as error:
        # It is met again at the next tick, and must not keep the others from their runs.
        context.log.warning(f"{record.manifest_path} could not be failed: {error}", exc_info=error)


def _requests(
    context: dg.SensorEvaluationContext,
    pipeline: PipelineResource,
    launches: Sequence[Launch],
    now: datetime,
) -> list[dg.RunRequest]:
    """Return the run requests; manifests that run after run did not even claim are failed instead."""
    if not launches:
        return []
    oldest = min(launch.waits_since for launch in launches)
    feed = Feed(pipeline.deployment.settings.feed)
    ended = _ended_without_a_claim(context.instance, feed, max(oldest, now - LONGEST_LOOK_BACK))
    requests = []
    for launch in launches:
        ends = ended.get(launch.date_prefix, [])
        stuck = [record for record in launch.records if _later(ends, record) >= MAX_LAUNCHES]
        reason = f"{MAX_LAUNCHES} runs were launched for it and ended before they claimed it; see their logs"
        for record in stuck:
            _fail(context, pipeline, record, reason)
        left = tuple(record for record in launch.records if record not in stuck)
        if not left:
            continue
        chosen = Launch(launch.date_prefix, left, launch.priority)
        earlier = max(_later(ends, record) for record in left)
        requests.append(
            dg.RunRequest(
                run_key=chosen.run_key(earlier),
                partition_key=chosen.date_prefix,
                tags={
                    **feed.run_tags,
                    MANIFESTS_TAG: chosen.tag,
                    ATTEMPT_TAG: str(chosen.attempt),
                    PRIORITY_TAG: str(chosen.priority),
                },
            )
        )
    return requests


def _ended_without_a_claim(
    instance: dg.DagsterInstance, feed: Feed, since: datetime
) -> dict[str, list[datetime]]:
    """Return when a feed's runs of each date were created that ended, since then, and claimed nothing."""
    ends: dict[str, list[datetime]] = {}
    # By status and time of change, which is how the storage orders them: what ended before costs nothing.
    for record in instance.get_run_records(dg.RunsFilter(statuses=ENDED, updated_after=since)):
        run = record.dagster_run
        date_prefix = run.tags.get(PARTITION_TAG)
        if _is_launched(run, feed) and date_prefix is not None and not has_claimed(run):
            ends.setdefault(date_prefix, []).append(record.create_timestamp.replace(tzinfo=UTC))
    return ends


def _later(ends: Iterable[datetime], record: ManifestRecord) -> int:
    """Count the runs that were created while a manifest waited."""
    return sum(1 for created in ends if created >= waits_since(record))
