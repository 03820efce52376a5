"""Launches a run again that a deployment interrupted, so that it goes on with its work.

A run is a process of its code server, and a deployment replaces that. The server marks its runs as handed
over and interrupts them; their Glue runs go on. Dagster's own retry comes at once, finds no code server, and
forgets the run. A sensor is evaluated by the next code server, once that is there.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from lambda_ingest.contract.clock import utc_now
from ndjson_pipeline.claims.dagster_runs import (
    CONVERSION_JOB,
    HANDED_OVER_TAG,
    MANIFESTS_TAG,
    PARENT_RUN_TAG,
    PARTITION_TAG,
    RETRY_NUMBER_TAG,
    ROOT_RUN_TAG,
    has_claimed,
    is_handed_over,
)
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.jobs import converts
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors.location import location_of

RUNS_PER_TICK = 100
# Runs that ended this long before the newest one seen are looked at again: storages of several processes do
# not become visible in order. A run key launches each once.
SETTLE_TIME = timedelta(minutes=5)
FIRST_LOOK_BACK = timedelta(days=1)
# What of Dagster's own tags says what a run is for; the others say what became of it.
_KEPT_TAGS = frozenset(
    {
        "dagster/priority",
        "dagster/backfill",
        "dagster/asset_partition_range_start",
        "dagster/asset_partition_range_end",
    }
)
_DAGSTERS_OWN = ("dagster/", ".dagster/")


@dg.sensor(
    job_name=CONVERSION_JOB,
    minimum_interval_seconds=9,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches runs again that a deployment interrupted; they attach to their Glue runs.",
)
def handover_sensor(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Launch what was handed over since the last tick."""
    since = _since(context.cursor, utc_now())
    found = context.instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since),
        limit=RUNS_PER_TICK,
        order_by="update_timestamp",
        ascending=True,
    )
    feed, location = Feed(pipeline.deployment.names.feed), location_of(context)
    requests = [
        request_of(record.dagster_run)
        for record in found
        if needs_another(record.dagster_run, feed, location)
    ]
    newest = max((record.update_timestamp.replace(tzinfo=UTC) for record in found), default=since)
    # Never so far back that the same full page is read for ever.
    following = newest if len(found) == RUNS_PER_TICK else max(since, newest - SETTLE_TIME)
    return dg.SensorResult(
        run_requests=requests,
        cursor=json.dumps({"since": following.isoformat()}),
        skip_reason=None if requests else "No run was handed over",
    )


def needs_another(run: dg.DagsterRun, feed: Feed, location: str | None = None) -> bool:
    """Tell whether a run is one of a feed's that was handed over, with work that waits for another run.

    What a run of the manifest sensor had not claimed still waits, and that sensor launches it again.
    """
    if not (is_handed_over(run) and converts(run, feed, location)):
        return False
    return MANIFESTS_TAG not in run.tags or has_claimed(run)


def request_of(run: dg.DagsterRun) -> dg.RunRequest:
    """Return the request of a run in the place of one that was handed over.

    It descends from that run as Dagster's own retries do, and so takes its manifests over.
    """
    return dg.RunRequest(
        run_key=f"handed-over/{run.run_id}",
        partition_key=run.tags.get(PARTITION_TAG),
        tags={
            **dict(_kept(run)),
            PARENT_RUN_TAG: run.run_id,
            ROOT_RUN_TAG: run.tags.get(ROOT_RUN_TAG, run.run_id),
            RETRY_NUMBER_TAG: str(int(run.tags.get(RETRY_NUMBER_TAG, "0")) + 1),
        },
    )


def _kept(run: dg.DagsterRun) -> Iterator[tuple[str, str]]:
    for name, value in run.tags.items():
        is_dagsters = name.startswith(_DAGSTERS_OWN)
        if name in _KEPT_TAGS or not (is_dagsters or name == HANDED_OVER_TAG):
            yield name, value


def _since(cursor: str | None, now: datetime) -> datetime:
    if not cursor:
        return now - FIRST_LOOK_BACK
    return datetime.fromisoformat(json.loads(cursor)["since"])
