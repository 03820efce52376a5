"""Which runs are launched again after a deployment, and as what."""

from types import SimpleNamespace

import dagster as dg
import pytest

from ndjson_pipeline.claims.dagster_runs import (
    CLAIMED_TAG,
    CONVERSION_JOB,
    HANDED_OVER_TAG,
    MANIFESTS_TAG,
    PARTITION_TAG,
    Purpose,
    RunView,
    ancestry_of,
    handed_over_tags,
)
from ndjson_pipeline.sensors.handover_sensor import handover_sensor, request_of

DATE = "2026-01-30"
ASSET = frozenset({dg.AssetKey("merged_parquet")})


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def interrupted(instance: dg.DagsterInstance, run_id: str, tags: dict[str, str]) -> dg.DagsterRun:
    """Store a run that failed."""
    run = dg.DagsterRun(
        job_name=CONVERSION_JOB,
        run_id=run_id,
        asset_selection=ASSET,
        status=dg.DagsterRunStatus.FAILURE,
        tags={PARTITION_TAG: DATE, **tags},
    )
    instance.add_run(run)
    return run


def requested(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    deployment = SimpleNamespace(names=SimpleNamespace(feed=""))
    pipeline = SimpleNamespace(deployment=deployment)
    result = handover_sensor(dg.build_sensor_context(instance, cursor=cursor), pipeline=pipeline)
    assert isinstance(result, dg.SensorResult)
    return result


def test_what_was_handed_over_is_launched_again_and_descends_from_it(instance: dg.DagsterInstance) -> None:
    run = interrupted(
        instance,
        "one",
        {MANIFESTS_TAG: "000001-1f0c2a9b", CLAIMED_TAG: "one", **handed_over_tags("one")},
    )
    (request,) = requested(instance).run_requests or []
    assert request.run_key == "handed-over/one"
    assert request.partition_key == DATE
    follower = dg.DagsterRun(job_name=CONVERSION_JOB, run_id="two", tags=dict(request.tags))
    ancestry = ancestry_of(follower, instance.get_run_by_id)
    assert ancestry.is_automatic
    assert ancestry.purpose is Purpose.LAUNCH
    assert dict(ancestry.ancestors) == {run.run_id: RunView.ENDED}
    # It may be handed over itself, and crash, like any other.
    assert HANDED_OVER_TAG not in request.tags
    assert "dagster/max_retries" not in request.tags


def test_a_persons_run_goes_on_as_one_and_a_backfills_stays_in_its_backfill(
    instance: dg.DagsterInstance,
) -> None:
    own = {
        "dagster/backfill": "b",
        "team": "night",
        "dagster/will_retry": "false",
        ".dagster/repository": "r",
    }
    run = interrupted(instance, "one", {**own, **handed_over_tags("one")})
    request = request_of(run)
    assert {name: request.tags.get(name) for name in own} == {
        "dagster/backfill": "b", "team": "night", "dagster/will_retry": None, ".dagster/repository": None
    }  # fmt: skip
    follower = dg.DagsterRun(job_name=CONVERSION_JOB, run_id="two", tags=dict(request.tags))
    assert ancestry_of(follower, instance.get_run_by_id).purpose is Purpose.DATES


def test_others_are_left_alone(instance: dg.DagsterInstance) -> None:
    interrupted(instance, "failed", {})
    # Inherited, from a run that was handed over.
    interrupted(instance, "inherited", handed_over_tags("another"))
    # It had claimed nothing, so the manifest sensor launches what waits.
    interrupted(instance, "unclaimed", {MANIFESTS_TAG: "000001-1f0c2a9b", **handed_over_tags("unclaimed")})
    assert not requested(instance).run_requests


def test_a_tick_goes_on_from_the_one_before(instance: dg.DagsterInstance) -> None:
    interrupted(instance, "one", handed_over_tags("one"))
    first = requested(instance)
    # Looked at again, as storages do not become visible in order; the run key launches it once.
    again = requested(instance, first.cursor)
    keys = [[one.run_key for one in result.run_requests or []] for result in (first, again)]
    assert keys == [["handed-over/one"], ["handed-over/one"]]
