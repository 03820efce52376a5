"""Resources: what assets and sensors need of AWS."""

import logging
import os
from datetime import timedelta

import dagster as dg
from pydantic import Field

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import split_s3_uri
from ndjson_pipeline.claims.retries import RETRY_WAITS
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.deployment.clients import Deployment, current_deployment, deployment_of
from ndjson_pipeline.deployment.deadlines import Deadlines
from ndjson_pipeline.deployment.settings import FEED_VARIABLE
from ndjson_pipeline.glue.capacity import Capacity
from ndjson_pipeline.glue.cost import LIST_PRICE_USD
from ndjson_pipeline.glue.reconciliation import ReconcileRules
from ndjson_pipeline.glue.runs import GlueRuns, WatchRules

_MOST_LIST_BYTES = 16 * 1_048_576
_RULES = ReconcileRules()
_DEADLINES = Deadlines()


class PipelineResource(dg.ConfigurableResource[None]):
    """The deployment's records, Glue job and buckets.

    Attributes:
        feed: the name of the feed, empty for the one that has none; None is what the environment names.
        shortest_poll_seconds: between two looks at a Glue run that just began.
        longest_poll_seconds: between two looks at a Glue run that goes on.
        deadline_seconds: a Glue run older than this is stopped.
        concurrency_wait_seconds: the first wait where too many Glue runs are going; each is twice the last.
        concurrency_retries: how many such waits there are.
        settle_grace_seconds: a run whose Glue run ended this long ago, and that has not said so, is gone.
        start_grace_seconds: so is one that claimed manifests this long ago and has not started Glue.
        abandoned_grace_seconds: what a run that is gone has left is settled after this.
        claim_grace_seconds: what a run has not claimed within this from its start is launched again.
        idle_run_seconds: a run that goes on this long and holds no manifest is ended.
        retry_waits_seconds: how long another attempt waits after the first failure, the second, and so on;
            after all others as the last.
        dpu_hour_price_usd: what a DPU-hour costs; the default is us-east-1's list price.
    """

    feed: str | None = None
    shortest_poll_seconds: float = 1.0
    longest_poll_seconds: float = 10.0
    deadline_seconds: float = _DEADLINES.watch.total_seconds()
    concurrency_wait_seconds: float = 60.0
    concurrency_retries: int = 3
    settle_grace_seconds: float = _RULES.settle_grace.total_seconds()
    start_grace_seconds: float = _RULES.start_grace.total_seconds()
    abandoned_grace_seconds: float = _RULES.abandoned_grace.total_seconds()
    claim_grace_seconds: float = _RULES.claim_grace.total_seconds()
    idle_run_seconds: float = _RULES.idle_run.total_seconds()
    retry_waits_seconds: list[float] = Field(default=[wait.total_seconds() for wait in RETRY_WAITS])
    dpu_hour_price_usd: float = LIST_PRICE_USD

    @property
    def deployment(self) -> Deployment:
        """Names and clients."""
        if self.feed is None:
            return current_deployment()
        return deployment_of({**os.environ, FEED_VARIABLE: self.feed})

    @property
    def capacity(self) -> Capacity:
        """How much a Glue run is given, and how many workers."""
        settings = self.deployment.settings
        return Capacity(settings.worker_type, settings.number_of_workers, settings.max_workers)

    @property
    def reconcile_rules(self) -> ReconcileRules:
        """When a run counts as gone; it stops its own Glue run at the deadline, the reconciler after that."""
        return ReconcileRules(
            settle_grace=timedelta(seconds=self.settle_grace_seconds),
            start_grace=timedelta(seconds=self.start_grace_seconds),
            abandoned_grace=timedelta(seconds=self.abandoned_grace_seconds),
            claim_grace=timedelta(seconds=self.claim_grace_seconds),
            idle_run=timedelta(seconds=self.idle_run_seconds),
            deadline=timedelta(seconds=self.deadline_seconds) + _DEADLINES.reconcile_grace,
        )

    def records(self) -> ManifestRecordStore:
        """The manifest records."""
        deployment = self.deployment
        return ManifestRecordStore(
            deployment.dynamodb,
            table=deployment.names.tracking_table,
            manifest_bucket=deployment.names.manifest_bucket,
            clock=utc_now,
            ttl=timedelta(days=deployment.settings.ttl_days),
            retry_waits=tuple(timedelta(seconds=wait) for wait in self.retry_waits_seconds),
        )

    def glue_runs(self, log: logging.Logger) -> GlueRuns:
        """The Glue job's runs; what happens to them is told to `log`."""
        waits = tuple(self.concurrency_wait_seconds * 2**retry for retry in range(self.concurrency_retries))
        return GlueRuns(
            self.deployment.glue,
            starter=self.deployment.glue_starts,
            job_name=self.deployment.names.glue_job,
            rules=WatchRules(
                shortest_poll_seconds=self.shortest_poll_seconds,
                longest_poll_seconds=self.longest_poll_seconds,
                deadline_seconds=self.deadline_seconds,
                concurrency_waits=waits,
            ),
            log=log,
            read_list=self._read_text,
        )

    def _read_text(self, uri: str) -> str:
        """Return the text of an object."""
        bucket, key = split_s3_uri(uri)
        content = self.deployment.s3.get_object(Bucket=bucket, Key=key)["Body"].read(_MOST_LIST_BYTES)
        # What is no text is not the list that a run was started with, and its SHA-256 shows it.
        return content.decode(errors="replace")


def default_resources(feed: str | None = None) -> dict[str, object]:
    """Return the resources of a code location, by the names that assets and sensors ask for.

    Args:
        feed: the feed's name, empty for the one that has none; None is what the environment names.
    """
    return {"pipeline": PipelineResource(feed=feed)}
