"""Runs of the asset in this process, with a Glue that does what it is told."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from lambda_ingest.contract.keys import ManifestName, split_s3_uri
from ndjson_pipeline.claims.dagster_runs import ATTEMPT_TAG, MANIFESTS_TAG, manifests_tag
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.glue.capacity import Capacity
from ndjson_pipeline.glue.reconciliation import ReconcileRules
from ndjson_pipeline.glue.runs import GlueRuns, WatchRules
from ndjson_pipeline_tests.pipeline.harness import (
    DATE,
    FakeGlue,
    ManifestTable,
    PipesScript,
    StoppedClock,
    glue_report_document,
    outcome,
)

ASSET = dg.AssetKey("merged_parquet")


class StubPipeline:
    """The `pipeline` resource with another Glue."""

    dpu_hour_price_usd = 0.44
    capacity = Capacity()
    reconcile_rules = ReconcileRules()

    def __init__(
        self, manifests: ManifestTable, glue: FakeGlue, records: ManifestRecordStore | None = None
    ) -> None:
        self._manifests = manifests
        self._glue = glue
        self._records = records or manifests.store()
        self.clock = StoppedClock()
        self.on_sleep: Callable[[float], None] = lambda _seconds: None

    @property
    def deployment(self) -> Deployment:
        return self._manifests.deployment

    def records(self) -> ManifestRecordStore:
        return self._records

    def glue_runs(self, log: logging.Logger) -> GlueRuns:
        return GlueRuns(
            self._glue,
            starter=self._glue,
            job_name="job",
            rules=WatchRules(deadline_seconds=600),
            log=log,
            read_list=self._read_text,
            sleep=self._sleep,
            monotonic=self.clock.monotonic,
        )

    def _read_text(self, uri: str) -> str:
        bucket, key = split_s3_uri(uri)
        return self.deployment.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    def _sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.on_sleep(seconds)


class Runner:
    """Runs of the asset for one date."""

    def __init__(self, manifests: ManifestTable, instance: dg.DagsterInstance) -> None:
        self.manifests = manifests
        self.instance = instance
        self.on_sleep: Callable[[float], None] = lambda _seconds: None

    def run(
        self,
        glue: FakeGlue,
        names: Sequence[ManifestName] | None,
        records: ManifestRecordStore | None = None,
        **run_tags: str,
    ) -> dg.ExecuteInProcessResult:
        """Run for the named manifests as the sensor does, or for the whole date as a person does."""
        tags = {} if names is None else {MANIFESTS_TAG: manifests_tag(names), ATTEMPT_TAG: "1"}
        self.pipeline = StubPipeline(self.manifests, glue, records)
        self.pipeline.on_sleep = self.on_sleep
        defs = build_defs(resource_overrides={"pipeline": self.pipeline})
        return defs.resolve_job_def("convert_manifests").execute_in_process(
            instance=self.instance, partition_key=DATE, tags={**tags, **run_tags}, raise_on_error=False
        )

    def materializations(self) -> list[Mapping[str, Any]]:
        """Return the metadata of every materialization, the newest first."""
        records = self.instance.fetch_materializations(ASSET, limit=100).records
        assert all(record.partition_key == DATE for record in records)
        return [
            {name: value.value for name, value in record.asset_materialization.metadata.items()}
            for record in records
        ]

    def observations(self) -> list[Mapping[str, Any]]:
        """Return the metadata of every observation, the newest first."""
        records = self.instance.fetch_observations(ASSET, limit=100).records
        assert all(record.partition_key == DATE for record in records)
        return [
            {name: value.value for name, value in record.asset_observation.metadata.items()}
            for record in records
        ]

    def glue(
        self,
        make_report: Callable[[list[str]], dict[str, Any]] | None,
        states: Sequence[Any] = ("RUNNING", "SUCCEEDED"),
    ) -> FakeGlue:
        return FakeGlue(states, PipesScript(self.manifests.deployment.s3, make_report))

    def glue_that_converts(self) -> FakeGlue:
        return self.glue(converted)


def converted(paths: list[str]) -> dict[str, Any]:
    return glue_report_document(*(outcome(path) for path in paths))


def statuses(manifests: ManifestTable, names: Sequence[ManifestName]) -> list[tuple[str, int]]:
    items = [manifests.item(name) for name in names]
    return [(item["status"], int(item["attempt"])) for item in items]
