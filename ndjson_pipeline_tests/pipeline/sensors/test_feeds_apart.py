"""Two feeds on one Dagster: what the sensors of one see, and leave alone, of the other's."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.test_utils import create_run_for_test

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import report_key
from ndjson_pipeline.claims.dagster_runs import ATTEMPT_TAG, MANIFESTS_TAG, handed_over_tags, manifests_tag
from ndjson_pipeline.conversion.failed_dates import show_failed
from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.deployment.feed import FEED_TAG, IMPLICIT_ASSET_JOB, Feed
from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.glue.reconciliation import ReconcileRules
from ndjson_pipeline.local_aws import create_resources
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors import (
    failure_alert_sensor,
    handover_sensor,
    lambda_report_sensor,
    manifest_sensor,
    reconcile_sensor,
)
from ndjson_pipeline.sensors.launches import MAX_LAUNCHES
from ndjson_pipeline_tests.moto_state import empty_bucket, empty_table
from ndjson_pipeline_tests.pipeline.asset_runner import StubPipeline
from ndjson_pipeline_tests.pipeline.code_location import shared_defs
from ndjson_pipeline_tests.pipeline.harness import (
    DATE,
    FakeGlue,
    ManifestTable,
    PipesScript,
    day,
    glue_report_document,
    make_name,
    make_record,
    outcome,
)

# A name with a hyphen, which neither an operation of Dagster nor a catalog takes.
NAMES = ["", "web-orders"]
ENDED = dg.DagsterRunStatus.FAILURE


@pytest.fixture(scope="module", autouse=True)
def both_feeds(module_deployment: Deployment) -> None:
    create_resources(feed=NAMES[1])


@dataclass
class Side:
    """One feed, on a Dagster that it shares.

    Attributes:
        feed: the feed.
        instance: Dagster's.
        manifests: its manifests.
        cursors: where each sensor goes on.
    """

    feed: Feed
    instance: dg.DagsterInstance
    manifests: ManifestTable
    cursors: dict[str, str | None] = field(default_factory=dict)

    @property
    def location(self) -> str:
        return self.feed.name or "ndjson_pipeline"

    def tick(self, module: ModuleType) -> dg.SensorResult | dg.SkipReason:
        """Let the sensor of a module tick."""
        name = module.__name__.rpartition(".")[2]
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(name),
            sensor_name=name,
            resources={"pipeline": PipelineResource(feed=self.feed.name)},
            definitions=shared_defs(feed=self.feed.name),
        ) as context:
            # As the daemon says it; the builder of contexts has no argument for it.
            context._code_location_origin = RegisteredCodeLocationOrigin(self.location)
            result = getattr(module, name)(context)
        if isinstance(result, dg.SensorResult):
            self.cursors[name] = result.cursor
        return result

    def launches(self) -> list[dg.RunRequest]:
        return requests_of(self.tick(manifest_sensor))

    def note_run(
        self,
        status: dg.DagsterRunStatus,
        job_name: str = "convert_manifests",
        tags: dict[str, str] | None = None,
        **fields: Any,
    ) -> dg.DagsterRun:
        """Note a run as the daemon makes it of a job of this feed's."""
        origin = RemoteJobOrigin(
            RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(self.location), "__repository__"), job_name
        )
        job_tags = {} if job_name == IMPLICIT_ASSET_JOB else self.feed.run_tags
        return create_run_for_test(
            self.instance,
            job_name=job_name,
            status=status,
            remote_job_origin=origin,
            tags={**job_tags, "dagster/partition": day(), **(tags or {})},
            **fields,
        )

    def note_launched(self, sequence: int, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """Note a run that this feed's sensor launched for a manifest of today."""
        names = [make_name(sequence, day())]
        return self.note_run(status, tags={MANIFESTS_TAG: manifests_tag(names), ATTEMPT_TAG: "1"})

    def status_of(self, run: dg.DagsterRun) -> dg.DagsterRunStatus:
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.status


@pytest.fixture
def sides(deployment: Deployment, instance: dg.DagsterInstance) -> Iterator[dict[str, Side]]:
    """Both feeds; what the test leaves in their tables and buckets is removed."""
    deployments = {name: PipelineResource(feed=name).deployment for name in NAMES}
    yield {name: Side(Feed(name), instance, ManifestTable(of_feed)) for name, of_feed in deployments.items()}
    names = deployments[NAMES[1]].names
    empty_table(names.tracking_table)
    for bucket in (names.manifest_bucket, names.output_bucket):
        empty_bucket(bucket)


@pytest.fixture(params=NAMES, ids=["the unnamed feed", "a named feed"])
def own(request: pytest.FixtureRequest, sides: dict[str, Side]) -> Side:
    """The feed whose sensors tick."""
    return sides[request.param]


@pytest.fixture
def other(own: Side, sides: dict[str, Side]) -> Side:
    """The one that is not to be noticed."""
    (found,) = [side for side in sides.values() if side is not own]
    return found


def test_each_has_names_of_its_own(own: Side, other: Side) -> None:
    mine, others = own.manifests.deployment.names, other.manifests.deployment.names
    attributes = [name for name in vars(Names) if isinstance(vars(Names)[name], property)]
    # What is in another database may have the same name there.
    same = {name for name in attributes if getattr(mine, name) == getattr(others, name)}
    assert same == {"catalog_table"}


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED])
def test_a_date_is_launched_though_the_others_run_of_it_waits(
    own: Side, other: Side, status: dg.DagsterRunStatus
) -> None:
    own.manifests.commit(1, day())
    other.note_launched(1, status)
    (request,) = own.launches()
    assert request.partition_key == day()
    assert request.tags.get(FEED_TAG) == (own.feed.name or None)
    own.note_launched(1, status)
    assert own.launches() == []


def test_what_waits_for_the_other_is_not_launched(own: Side, other: Side) -> None:
    other.manifests.commit(1, day())
    assert own.launches() == []
    assert len(other.launches()) == 1


def test_launches_of_the_other_that_came_to_nothing_fail_no_manifest(own: Side, other: Side) -> None:
    long_ago = "2020-01-01T00:00:00.000000Z"
    name = own.manifests.commit(1, day(), created_at=long_ago)
    for _ in range(MAX_LAUNCHES):
        other.note_launched(1, ENDED)
    (request,) = own.launches()
    assert str(request.run_key).endswith("launch-1")
    for _ in range(MAX_LAUNCHES):
        own.note_launched(1, ENDED)
    assert own.launches() == []
    assert own.manifests.item(name)["status"] == "failed"


def runs_that_convert(side: Side, status: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
    """Note a run of each kind that converts: of the sensor, of a person, a backfill, a whole location."""
    selection = frozenset({side.feed.merged_parquet})
    return [
        side.note_launched(1, status),
        side.note_run(status),
        side.note_run(status, IMPLICIT_ASSET_JOB, asset_selection=selection),
        side.note_run(status, IMPLICIT_ASSET_JOB),
    ]


def test_failures_of_the_other_are_alerted_by_itself_alone_on_its_own_topic(
    own: Side, other: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[tuple[str, dict[str, Any]]] = []

    def publish(_sns: Any, topic_arn: str, document: dict[str, Any]) -> None:
        published.append((topic_arn, json.loads(json.dumps(document))))

    monkeypatch.setattr(failure_alert_sensor, "publish", publish)
    failed = {run.run_id for run in runs_that_convert(other, ENDED)}
    own.tick(failure_alert_sensor)
    assert published == []
    other.tick(failure_alert_sensor)
    names = other.manifests.deployment.names
    assert {document["DagsterRunId"] for _, document in published} == failed
    assert {topic_arn.rpartition(":")[2] for topic_arn, _ in published} == {names.alert_topic}
    assert {document["JobName"] for _, document in published} == {names.glue_job}
    assert {document.get("Feed") for _, document in published} == {other.feed.name or None}


def test_a_run_of_the_other_that_holds_none_of_our_manifests_is_not_ended(
    own: Side, other: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = runs_that_convert(other, dg.DagsterRunStatus.STARTED)
    ours = runs_that_convert(own, dg.DagsterRunStatus.STARTED)
    later = utc_now() + ReconcileRules().idle_run + timedelta(minutes=1)
    monkeypatch.setattr(reconcile_sensor, "utc_now", lambda: later)
    for _ in range(2):
        own.tick(reconcile_sensor)
    assert {own.status_of(run) for run in ours} == {ENDED}
    assert {own.status_of(run) for run in others} == {dg.DagsterRunStatus.STARTED}


def test_what_a_deployment_interrupted_of_the_other_is_launched_by_itself_alone(
    own: Side, other: Side
) -> None:
    for run in runs_that_convert(other, ENDED)[1:]:
        other.instance.add_run_tags(run.run_id, handed_over_tags(run.run_id))
    assert requests_of(own.tick(handover_sensor)) == []
    requests = requests_of(other.tick(handover_sensor))
    assert len(requests) == 3
    assert {request.tags.get(FEED_TAG) for request in requests} <= {other.feed.name or None, None}


def requests_of(result: dg.SensorResult | dg.SkipReason) -> list[dg.RunRequest]:
    return list(result.run_requests or []) if isinstance(result, dg.SensorResult) else []


def put_report(side: Side, instant: datetime, files: int) -> None:
    """Lay down a Lambda report that has the same key in both feeds."""
    counts = {"files_processed": files, "files_quarantined": 0, "manifests_created": 1}
    side.manifests.deployment.s3.put_object(
        Bucket=side.manifests.deployment.names.manifest_bucket,
        Key=report_key("lambda", instant, "aaaaaaaa"),
        Body=json.dumps({"dates": {day(): counts}}).encode(),
    )


def test_reports_are_counted_once_for_each_feed(own: Side, other: Side) -> None:
    now = utc_now()
    put_report(own, now, 3)
    put_report(other, now, 5)
    counted = {}
    for side in (other, own):
        result = side.tick(lambda_report_sensor)
        assert isinstance(result, dg.SensorResult)
        (event,) = result.asset_events
        own.instance.report_runless_asset_event(event)
        counted[side.feed] = (event.asset_key, event.metadata["files_processed"].value)
    assert counted == {own.feed: (own.feed.manifests, 3), other.feed: (other.feed.manifests, 5)}
    # Without its cursor a sensor meets its report again, and finds it counted by its own materialization.
    own.cursors.clear()
    again = own.tick(lambda_report_sensor)
    assert isinstance(again, dg.SensorResult)
    assert not again.asset_events


def test_a_failed_date_of_the_other_is_not_shown_as_failed(own: Side, other: Side) -> None:
    record = make_record(dagster_run_id="unknown", error_message="the disk is full")
    for side in (own, other):
        show_failed(own.instance, side.feed, DATE, [record])
    planned = {}
    for side in (own, other):
        found = own.instance.get_latest_planned_materialization_info(side.feed.merged_parquet, partition=DATE)
        assert found is not None
        planned[side.feed] = found.run_id
        run = own.instance.get_run_by_id(found.run_id)
        assert run is not None
        assert side.feed.owns(run)
    assert planned[own.feed] != planned[other.feed]


@pytest.mark.parametrize("dates", [[DATE], [DATE, "2026-01-31"]], ids=["a date", "two dates"])
def test_a_run_tells_everything_by_its_own_keys(own: Side, other: Side, dates: list[str]) -> None:
    names = [own.manifests.commit(1, date) for date in dates]
    left_alone = other.manifests.commit(1, DATE)
    bucket = own.manifests.deployment.names.output_bucket

    def converted(paths: list[str]) -> dict[str, Any]:
        return glue_report_document(*(outcome(path, bucket=bucket) for path in paths))

    glue = FakeGlue(("SUCCEEDED",), PipesScript(own.manifests.deployment.s3, converted))
    pipeline = StubPipeline(own.manifests, glue)
    job = build_defs(feed=own.feed.name, resource_overrides={"pipeline": pipeline}).resolve_job_def(
        "convert_manifests"
    )
    if len(dates) == 1:
        tags = {"dagster/partition": DATE}
    else:
        tags = {
            "dagster/asset_partition_range_start": dates[0],
            "dagster/asset_partition_range_end": dates[-1],
        }
    result = job.execute_in_process(instance=own.instance, tags=tags)
    assert {own.manifests.item(name)["status"] for name in names} == {"completed"}
    assert other.manifests.item(left_alone)["status"] == "pending"
    partitions = own.instance.get_materialized_partitions
    assert partitions(own.feed.merged_parquet) == set(dates)
    assert partitions(other.feed.merged_parquet) == set()
    evaluations = result.get_asset_check_evaluations()
    assert {evaluation.asset_key for evaluation in evaluations} == {own.feed.merged_parquet}
    assert {evaluation.partition for evaluation in evaluations} == set(dates)
    assert result.dagster_run.tags.get(FEED_TAG) == (own.feed.name or None)


def test_each_pool_has_the_places_of_its_own_feeds_setting(
    own: Side, other: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side, places in ((own, "5"), (other, "3")):
        monkeypatch.setenv("GLUE_MAX_CONCURRENT_RUNS", places)
        side.tick(manifest_sensor)
    limits = {limit.name: limit.limit for limit in own.instance.event_log_storage.get_pool_limits()}
    assert limits == {own.feed.pool: 5, other.feed.pool: 3}


def test_a_pool_that_can_not_be_set_holds_up_no_manifest(own: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("not on this Dagster")

    monkeypatch.setattr(manifest_sensor, "make_places", refuse)
    own.manifests.commit(1, day())
    assert len(own.launches()) == 1
