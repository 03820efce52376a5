"""Launches a run for the committed manifests that wait.

It watches the manifests below the prefix by their committed records, not by listing the bucket: an object
without a record is no manifest, and an index of what is open costs the same whatever lies behind it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import (
    ATTEMPT_TAG,
    IN_FLIGHT,
    MANIFESTS_TAG,
    PARTITION_TAG,
    SENSOR_HOLDER_PREFIX,
    parse_manifests_tag,
)
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.deployment.partitions import daily_partitions, partition_problem
from ndjson_pipeline.jobs import convert_manifests
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors.launches import MAX_LAUNCHES, Launch, plan_launches

# How many waiting manifests a tick looks at. The index does not sort by age, so what lies beyond is reached
# only as these are claimed.
PENDING_PER_TICK = 10_000
# A tick has a minute, and each costs two writes.
FAILED_PER_TICK = 200


@dg.sensor(
    job=convert_manifests,
    # The daemon looks every five seconds. An interval of five would pass over a look that comes a moment
    # early, and the sensor would tick every ten. A tick is one query of an index, so it may be each look.
    minimum_interval_seconds=4,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches a run of merged_parquet for the manifests that wait, one a date and tick.",
)
def manifest_sensor(
    context: dg.SensorEvaluationContext, pipeline: PipelineResource
) -> dg.SensorResult | dg.SkipReason:
    """Request the runs of one tick."""
    records = pipeline.records()
    pending = records.with_status(ManifestStatus.PENDING, PENDING_PER_TICK)
    # What crashed is tried again, by the same path as what waits for the first time.
    pending += records.retries_due(utc_now(), PENDING_PER_TICK)
    if not pending:
        return dg.SkipReason("No committed manifest waits")
    failed = _fail_unlaunchable(context, records, pending)
    in_flight = _in_flight_manifests(context, pipeline.reconcile_rules.claim_grace)
    launches = plan_launches(pending, in_flight, daily_partitions.has_partition_key)
    earlier = _earlier_launches(context, launches)
    requests = [
        request
        for launch in launches
        if (request := _request(context, records, launch, earlier[launch])) is not None
    ]
    if not requests and failed:
        return dg.SkipReason(f"{failed} manifests were failed, because their dates can be no partition")
    if not requests:
        return dg.SkipReason(f"{len(pending)} manifests wait for runs that are queued, or for their day")
    return dg.SensorResult(run_requests=requests)


def _in_flight_manifests(context: dg.SensorEvaluationContext, claim_grace: timedelta) -> set[ManifestName]:
    """Return the manifests of queued and going runs; the claim guards against what this misses."""
    names: set[ManifestName] = set()
    now = utc_now()
    # By status alone: with the job's name too, SQLite walks every run the job ever had.
    for record in context.instance.get_run_records(dg.RunsFilter(statuses=IN_FLIGHT)):
        run = record.dagster_run
        if run.job_name != convert_manifests.name:
            continue
        started = record.start_time
        if started is not None and now - datetime.fromtimestamp(started, UTC) > claim_grace:
            # What still waits although its run began long ago was left behind by a process that is gone.
            continue
        try:
            names.update(
                parse_manifests_tag(run.tags.get(PARTITION_TAG, ""), run.tags.get(MANIFESTS_TAG, ""))
            )
        except ContractError as error:
            context.log.warning(f"Run {run.run_id} has a tag {MANIFESTS_TAG} of another shape: {error}")
    return names


def _fail_unlaunchable(
    context: dg.SensorEvaluationContext, records: ManifestRecordStore, pending: Iterable[ManifestRecord]
) -> int:
    """Fail the manifests whose date can be no partition: they would wait for ever, and nobody would know."""
    now = utc_now()
    problems = [
        (record, problem)
        for record in pending
        if (problem := partition_problem(record.date_prefix, now)) is not None
    ]
    for record, problem in problems[:FAILED_PER_TICK]:
        _fail(context, records, record, f"it can't be converted: {problem}")
    return len(problems[:FAILED_PER_TICK])


def _fail(
    context: dg.SensorEvaluationContext, records: ManifestRecordStore, record: ManifestRecord, reason: str
) -> None:
    """Fail a manifest that no run converts; claimed first, so that its alert goes out like a run's."""
    move = Move.CLAIM if record.status is ManifestStatus.PENDING else Move.RETRY
    claim = records.claim(record, f"{SENSOR_HOLDER_PREFIX}{context.sensor_name}", move)
    if claim is not None:
        records.fail(claim, reason)
        context.log.error(f"{record.manifest_path} failed: {reason}")


def _earlier_launches(context: dg.SensorEvaluationContext, launches: Sequence[Launch]) -> dict[Launch, int]:
    """Return how many runs there were for each launch already, at its attempt; one look for all of them."""
    if not launches:
        return {}
    filters = dg.RunsFilter(tags={MANIFESTS_TAG: [launch.tag for launch in launches]})
    runs = Counter(
        (run.tags.get(PARTITION_TAG), run.tags.get(MANIFESTS_TAG), run.tags.get(ATTEMPT_TAG))
        for run in context.instance.get_runs(filters)
    )
    return {launch: runs[launch.date_prefix, launch.tag, str(launch.attempt)] for launch in launches}


def _request(
    context: dg.SensorEvaluationContext, records: ManifestRecordStore, launch: Launch, launched: int
) -> dg.RunRequest | None:
    """Return the run request, or fail manifests that run after run did not even claim."""
    tags = {MANIFESTS_TAG: launch.tag, ATTEMPT_TAG: str(launch.attempt)}
    if launched >= MAX_LAUNCHES:
        reason = f"{launched} runs were launched for it and ended before they claimed it; look at their logs"
        for record in launch.records:
            _fail(context, records, record, reason)
        return None
    return dg.RunRequest(run_key=launch.run_key(launched), partition_key=launch.date_prefix, tags=tags)
