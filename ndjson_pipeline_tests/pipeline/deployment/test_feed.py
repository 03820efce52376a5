"""Whose a run is, on a Dagster that several feeds share."""

from collections.abc import Mapping

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from ndjson_pipeline.deployment.feed import FEED_TAG, IMPLICIT_ASSET_JOB, Feed
from ndjson_pipeline.jobs import REPROCESS_JOB, converts

UNNAMED, ORDERS, CLICKS = Feed(), Feed("web-orders"), Feed("clicks")
FEEDS = [UNNAMED, ORDERS, CLICKS]
LOCATIONS = {UNNAMED: "ndjson_pipeline", ORDERS: "web-orders", CLICKS: "clicks"}


def run_of(
    feed: Feed,
    job_name: str = "convert_manifests",
    *,
    selection: dg.AssetKey | None = None,
    tags: Mapping[str, str] | None = None,
) -> dg.DagsterRun:
    """Return a run as Dagster launches it in the feed's code location."""
    origin = RemoteJobOrigin(
        RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATIONS[feed]), "__repository__"), job_name
    )
    return dg.DagsterRun(
        job_name,
        tags=feed.run_tags if tags is None else tags,
        asset_selection=None if selection is None else frozenset({selection}),
        remote_job_origin=origin,
    )


def kinds_of_runs(feed: Feed) -> dict[str, dg.DagsterRun]:
    return {
        "of the sensor": run_of(feed),
        "of a job with chosen assets": run_of(feed, selection=feed.merged_parquet),
        # Dagster knows no tags for its own job of all assets.
        "of a backfill": run_of(feed, IMPLICIT_ASSET_JOB, selection=feed.merged_parquet, tags={}),
        "of a whole code location": run_of(feed, IMPLICIT_ASSET_JOB, tags={}),
    }


@pytest.mark.parametrize("kind", sorted(kinds_of_runs(UNNAMED)))
@pytest.mark.parametrize("owner", FEEDS, ids=lambda feed: feed.name or "unnamed")
def test_a_run_is_of_one_feed_alone(kind: str, owner: Feed) -> None:
    run = kinds_of_runs(owner)[kind]
    assert [feed for feed in FEEDS if feed.owns(run, LOCATIONS[feed])] == [owner]
    assert [feed for feed in FEEDS if converts(run, feed, LOCATIONS[feed])] == [owner]


@pytest.mark.parametrize("owner", FEEDS, ids=lambda feed: feed.name or "unnamed")
def test_a_job_of_an_operator_is_of_one_feed_and_converts_for_none(owner: Feed) -> None:
    run = run_of(owner, REPROCESS_JOB)
    assert [feed for feed in FEEDS if feed.owns(run, LOCATIONS[feed])] == [owner]
    assert not any(converts(run, feed, LOCATIONS[feed]) for feed in FEEDS)


def test_a_run_of_a_strangers_code_location_is_of_no_feed() -> None:
    origin = RemoteJobOrigin(
        RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("sales"), "__repository__"), IMPLICIT_ASSET_JOB
    )
    whole = dg.DagsterRun(IMPLICIT_ASSET_JOB, remote_job_origin=origin)
    chosen = dg.DagsterRun(IMPLICIT_ASSET_JOB, asset_selection=frozenset({dg.AssetKey("orders")}))
    for run in (whole, chosen):
        assert not any(converts(run, feed, LOCATIONS[feed]) for feed in FEEDS)


def test_a_run_that_only_stands_for_failed_manifests_converts_for_none() -> None:
    run = run_of(ORDERS, selection=ORDERS.merged_parquet, tags={"ndjson/shows_failed": "2026-01-30"})
    assert not converts(run, ORDERS)


def test_without_a_name_keys_pool_and_tags_are_those_of_one_stream_alone() -> None:
    keys = [key.to_user_string() for key in (UNNAMED.raw_ndjson, UNNAMED.manifests, UNNAMED.merged_parquet)]
    assert keys == ["raw_ndjson", "manifests", "merged_parquet"]
    assert (UNNAMED.pool, UNNAMED.run_tags) == ("glue", {})


def test_a_name_is_the_prefix_of_the_keys_the_pool_and_the_tag() -> None:
    keys = [key.path for key in (ORDERS.raw_ndjson, ORDERS.manifests, ORDERS.merged_parquet)]
    assert keys == [["web-orders", asset] for asset in ("raw_ndjson", "manifests", "merged_parquet")]
    assert (ORDERS.pool, ORDERS.run_tags) == ("web-orders", {FEED_TAG: "web-orders"})
