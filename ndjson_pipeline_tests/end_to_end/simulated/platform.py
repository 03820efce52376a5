"""Ingest, Dagster and Glue on moto in this process, with what goes wrong planned from a seed."""

import gc
import json
import logging
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.sns.models import sns_backends

from lambda_ingest import invocation
from lambda_ingest.aws.log import logger
from lambda_ingest.contract.keys import split_s3_uri
from lambda_ingest.runtime import Clients
from lambda_ingest.settings import Settings
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.deployment import clients as aws
from ndjson_pipeline.deployment.clients import Deployment, current_deployment
from ndjson_pipeline.glue.messages import IdentityMessageReader
from ndjson_pipeline.glue.runs import GlueRuns
from ndjson_pipeline.jobs import REPROCESS_JOB
from ndjson_pipeline.local_aws import create_resources, lambda_environment
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline_tests.end_to_end.simulated.arrivals import Arrivals, Rates
from ndjson_pipeline_tests.end_to_end.simulated.clock import Simulation, simulated_time
from ndjson_pipeline_tests.end_to_end.simulated.glue import Fate, SimulatedGlue
from ndjson_pipeline_tests.end_to_end.simulated.orchestration import Costs, Orchestration
from ndjson_pipeline_tests.lambda_ingest.harness import FakeContext, Ingest
from ndjson_pipeline_tests.moto_in_process import mended_moto

SWEEP_SECONDS = 600.0
AUDIT_SECONDS = 1800.0
FILES_PER_MANIFEST = 5
STORM_FILES, SECONDS_BETWEEN_STORM_FILES = 20, 30.0
# Of publications to the alert topic, each so manyth is refused.
REFUSED_PUBLICATION = 7
POISON = "poison"
GARBAGE = "garbage"
ILL_FATES = [fate for fate in Fate if fate is not Fate.WELL]


@dataclass(frozen=True)
class Plan:
    """What is simulated.

    Attributes:
        start: when the first file comes, aware.
        arrivals: how long files come.
        drain: how long the platform is left to itself after that.
        rates: how often what happens to files, events and invocations.
        patience: how many times longer the daemon waits between two ticks than it really does.
        starts_between_fates: of Glue's starts, each so manyth goes ill, in one of the ways in turn.
        poisoned: when files come that kill every Glue run which they are in, after the start.
        mended: when they kill none any more; the operator then tries again what has failed.
        garbage: when files come that are no NDJSON.
        backfill: when yesterday is converted again.
        lost_storage: when Dagster's storage is emptied.
        refusal_storm: when a producer sends nothing but refused files for a while.
    """

    start: datetime
    arrivals: timedelta
    drain: timedelta
    rates: Rates
    patience: float
    starts_between_fates: int
    poisoned: Sequence[timedelta] = ()
    mended: timedelta = timedelta(days=999)
    garbage: Sequence[timedelta] = ()
    backfill: Sequence[timedelta] = ()
    lost_storage: Sequence[timedelta] = ()
    refusal_storm: Sequence[timedelta] = ()

    @property
    def end(self) -> datetime:
        return self.start + self.arrivals + self.drain


@dataclass(frozen=True)
class FailedAttempt:
    """An attempt that was recorded as failed.

    Attributes:
        manifest_path: its manifest.
        run_id: the Dagster run that held it.
    """

    manifest_path: str
    run_id: str


@dataclass
class Platform:
    """All of it, after `run`."""

    plan: Plan
    simulation: Simulation
    ingest: Ingest
    deployment: Deployment
    arrivals: Arrivals
    glue: SimulatedGlue
    orchestration: Orchestration
    failed_attempts: list[FailedAttempt] = field(default_factory=list)

    def run(self) -> None:
        """Let all of the planned time pass."""
        plan, simulation, arrivals = self.plan, self.simulation, self.arrivals
        self.orchestration.begin()
        simulation.every(SWEEP_SECONDS, lambda: arrivals.sweep(audit=False), first=SWEEP_SECONDS)
        simulation.every(AUDIT_SECONDS, lambda: arrivals.sweep(audit=True), first=AUDIT_SECONDS / 2)
        simulation.after(1.0, arrivals.arrive)
        planned: list[tuple[Sequence[timedelta], Callable[[], object]]] = [
            (plan.poisoned, lambda: arrivals.put_file(label=POISON)),
            (plan.garbage, lambda: arrivals.put_file(label=GARBAGE, lines=b"no json\n" * 200)),
            (plan.backfill, self._backfill_yesterday),
            (plan.lost_storage, self.orchestration.lose_storage),
            (plan.refusal_storm, self._refusal_storm),
            ([plan.mended], self._reprocess),
        ]
        for times, action in planned:
            for time in times:
                simulation.at(plan.start + time, action)
        simulation.run_until(plan.start + plan.arrivals)
        arrivals.is_open = False
        simulation.run_until(plan.end)

    def dates(self) -> list[str]:
        """Return the dates that may have files."""
        first = self.plan.start.date() - timedelta(days=3)
        days = (self.plan.end.date() - first).days + 2
        return [(first + timedelta(days=day)).isoformat() for day in range(days)]

    def alerts(self) -> list[dict[str, Any]]:
        """Return what was published on the topic, as subscribers get it."""
        topics = sns_backends["123456789012"]["us-east-1"].topics
        return [json.loads(sent[1]) for topic in topics.values() for sent in topic.sent_notifications]

    def _backfill_yesterday(self) -> None:
        self.orchestration.backfill((self.simulation.now.date() - timedelta(days=1)).isoformat())

    def _reprocess(self) -> None:
        """Try again what has failed so far, as an operator does once the cause is mended."""
        for date_prefix in self.dates():
            if date_prefix <= self.simulation.now.date().isoformat():
                self.orchestration.launch(REPROCESS_JOB, tags={"dagster/partition": date_prefix})

    def _refusal_storm(self) -> None:
        for number in range(STORM_FILES):
            self.simulation.after(number * SECONDS_BETWEEN_STORM_FILES, self.arrivals.put_refused)


class Fates:
    """Decides what becomes of Glue's starts: each so manyth goes ill, and what is poisoned dies each time."""

    def __init__(self, plan: Plan, simulation: Simulation, s3: Any) -> None:
        self._plan = plan
        self._simulation = simulation
        self._s3 = s3
        self._starts = 0
        self._ill = cycle(ILL_FATES)
        self._poisoned: dict[str, bool] = {}

    def __call__(self, manifests: list[str]) -> Fate:
        plan, elapsed = self._plan, self._simulation.now - self._plan.start
        if elapsed < plan.mended and any(map(self._is_poisoned, manifests)):
            return Fate.DIES_EARLY
        if elapsed > plan.arrivals:
            return Fate.WELL
        self._starts += 1
        return next(self._ill) if self._starts % plan.starts_between_fates == 0 else Fate.WELL

    def _is_poisoned(self, uri: str) -> bool:
        if uri not in self._poisoned:
            bucket, key = split_s3_uri(uri)
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            self._poisoned[uri] = POISON.encode() in body
        return self._poisoned[uri]


@contextmanager
def simulated_platform(plan: Plan, seed: int) -> Iterator[Platform]:
    """Make the platform in an AWS of its own."""
    draw, simulation = random.Random(seed), Simulation(plan.start)
    # Most of what is done here would be logged; Dagster enables loggers again that are disabled.
    noisy = (logger.name, "botocore", "dagster", "glue_jobs", "ndjson_pipeline")
    with pytest.MonkeyPatch.context() as patch, mended_moto(), silenced(noisy):
        for name in list(os.environ):
            if name.startswith("AWS_") or name == "NDJSON_ENVIRONMENT":
                patch.delenv(name)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setattr(invocation, "emit_to_cloudwatch", lambda *_: None)
        # Dagster looks once a second, and waits ten for a script that says nothing.
        patch.setattr("dagster._core.pipes.utils.DEFAULT_SLEEP_INTERVAL", 0.02)
        patch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)
        aws._connect.cache_clear()
        with simulated_time(simulation):
            create_resources()
            deployment = current_deployment()
            _prepare_input(deployment)
            costs = Costs()
            costs.watch(deployment.dynamodb, deployment.s3, deployment.sns)
            ingest = Ingest(
                replace(
                    Settings.from_environment(lambda_environment()), max_files_per_manifest=FILES_PER_MANIFEST
                ),
                Clients.from_boto3(),
                simulation,  # type: ignore[arg-type]
            )
            ingest.context = FakeContext()
            job_s3 = boto3.client("s3")
            glue = SimulatedGlue(
                simulation,
                deployment.names,
                job_s3,
                fate_of=Fates(plan, simulation, job_s3),
                seconds_of=lambda manifests: draw.uniform(20, 60) + manifests,
            )
            patch.setattr(
                IdentityMessageReader,
                "messages_are_readable",
                # The reader asks S3 again and again in real time, of which a run sleeps through hours.
                lambda self, _params: glue.has_announced(self._prefix),
            )
            _refuse_some_publications(deployment.sns, ingest.clients.sns)
            failed_attempts: list[FailedAttempt] = []
            pipeline = _pipeline(
                simulation, replace(deployment, glue=glue, glue_starts=glue), failed_attempts
            )
            orchestration = Orchestration(simulation, pipeline, costs, plan.patience)
            arrivals = Arrivals(simulation, ingest, draw, plan.rates)
            try:
                with costs.watching_storage():
                    yield Platform(
                        plan,
                        simulation,
                        ingest,
                        deployment,
                        arrivals,
                        glue,
                        orchestration,
                        failed_attempts,
                    )
            finally:
                simulation.end()
                orchestration.close()
        aws._connect.cache_clear()
    gc.collect()


@contextmanager
def silenced(names: Sequence[str]) -> Iterator[None]:
    """Let loggers say nothing below critical.

    Each remembers which levels it lets pass, and forgets that where its level is set by `setLevel` alone.
    """
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _prepare_input(deployment: Deployment) -> None:
    """Keep versions of the input, and leave its events to the simulation."""
    bucket = deployment.names.input_bucket
    deployment.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    deployment.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})


def _refuse_some_publications(*clients: Any) -> None:
    count = 0

    def refuse(model: Any, **_: Any) -> None:
        nonlocal count
        count += 1
        if count % REFUSED_PUBLICATION == 0:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "later"}}, model.name)

    for client in clients:
        client.meta.events.register("before-parameter-build.sns.Publish", refuse)


def _pipeline(
    simulation: Simulation, its_deployment: Deployment, failed_attempts: list[FailedAttempt]
) -> PipelineResource:
    """Return the resource with this deployment's clients, whose waits pass in simulated time."""

    class SimulatedPipeline(PipelineResource):
        @property
        def deployment(self) -> Deployment:
            return its_deployment

        def records(self) -> ManifestRecordStore:
            store = super().records()
            store._sleep = simulation.sleep
            fail = store.fail

            def note_failure(claim: Claim, *arguments: Any, **named: Any) -> Any:
                following = fail(claim, *arguments, **named)
                failed_attempts.append(FailedAttempt(claim.record.manifest_path, claim.run_id))
                return following

            store.fail = note_failure  # type: ignore[method-assign]
            return store

        def glue_runs(self, log: logging.Logger) -> GlueRuns:
            runs = super().glue_runs(log)
            runs._sleep, runs._monotonic = simulation.sleep, simulation.monotonic
            return runs

    return SimulatedPipeline()
