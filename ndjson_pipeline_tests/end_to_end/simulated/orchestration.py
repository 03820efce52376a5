"""Dagster under simulated time: its sensors tick, its queue gives places, and each run is a process."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg
import sqlalchemy
from botocore.exceptions import BotoCoreError, ClientError
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from ndjson_pipeline.claims.dagster_runs import CONVERSION_JOB, IN_FLIGHT, MANIFESTS_TAG, PARTITION_TAG
from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline_tests.end_to_end.simulated.clock import Process, Simulation
from ndjson_pipeline_tests.pipeline.asset_runner import ASSET

PLACES = 2
# How often the daemon evaluates each sensor; it looks every five seconds.
INTERVALS = {
    "manifest_sensor": 5.0,
    "failure_alert_sensor": 10.0,
    "lambda_report_sensor": 10.0,
    "reconcile_sensor": 30.0,
    "raw_files_sensor": 60.0,
}
PROCESS_START_SECONDS = 3.0
RUN_KEY_TAG = "dagster/run_key"
BACKFILL_TAG = "dagster/backfill"
_LOCATION = RegisteredCodeLocationOrigin("ndjson_pipeline")
_REPOSITORY = RemoteRepositoryOrigin(_LOCATION, "repository")


@dataclass(frozen=True)
class Tick:
    """What one evaluation of a sensor cost.

    Attributes:
        sensor: its name.
        at: when.
        calls: AWS calls.
        items: items that DynamoDB read and keys that S3 listed for it.
        statements: SQL statements to Dagster's storage.
    """

    sensor: str
    at: datetime
    calls: int
    items: int
    statements: int


@dataclass
class Costs:
    """Counts what is asked of AWS and of Dagster's storage while a sensor is evaluated."""

    counts: Counter[str] = field(default_factory=Counter)
    is_counting: bool = False

    def watch(self, *clients: Any) -> None:
        for client in clients:
            client.meta.events.register("before-parameter-build", self._note_call)
            client.meta.events.register("after-call", self._note_answer)

    @contextmanager
    def watching_storage(self) -> Iterator[None]:
        listener = ("before_cursor_execute", self._note_statement)
        sqlalchemy.event.listen(sqlalchemy.engine.Engine, *listener)
        try:
            yield
        finally:
            sqlalchemy.event.remove(sqlalchemy.engine.Engine, *listener)

    @contextmanager
    def counting(self) -> Iterator[Counter[str]]:
        self.counts = Counter()
        self.is_counting = True
        try:
            yield self.counts
        finally:
            self.is_counting = False

    def _note_call(self, params: Mapping[str, Any], **_: Any) -> None:
        # What a run's own thread reads of Glue's messages is none of the sensor's.
        if self.is_counting and not str(params.get("Key", "")).startswith("pipes/"):
            self.counts["calls"] += 1

    def _note_answer(self, parsed: Mapping[str, Any], **_: Any) -> None:
        if self.is_counting:
            self.counts["items"] += parsed.get("ScannedCount", 0) + len(parsed.get("Contents", ()))

    def _note_statement(self, *_: Any, **__: Any) -> None:
        if self.is_counting:
            self.counts["statements"] += 1


class _Same:
    """A resource that is there already."""

    def __init__(self, resource: PipelineResource) -> None:
        self._resource = resource

    def __getattr__(self, name: str) -> Any:
        return getattr(self._resource, name)


class Orchestration:
    """The daemon, the queue and the runs of one code location.

    Attributes:
        instance: Dagster's storage; another one once it was lost.
        lost_at: when it was lost.
        ticks: what each evaluation cost.
        failed_ticks: how many raised an error of AWS.
        longest_queue: the most runs that waited at the same time.
        launched: how many runs were started.
    """

    def __init__(
        self, simulation: Simulation, pipeline: PipelineResource, costs: Costs, patience: float
    ) -> None:
        self.simulation = simulation
        self.defs = build_defs(resource_overrides={"pipeline": pipeline})
        # Dagster makes a configured resource anew for each tick, which takes longer than the tick.
        self._pipeline = _Same(pipeline)
        self._patience = patience
        self.instance = _new_instance()
        self.lost_at: datetime | None = None
        self.ticks: list[Tick] = []
        self.failed_ticks = 0
        self.longest_queue = 0
        self.launched = 0
        self._costs = costs
        self._order = itertools.count()
        self._cursors: dict[str, str | None] = {}
        self._queued: list[tuple[int, int, str]] = []
        self._going: dict[str, Process] = {}
        self._lost_instances: list[dg.DagsterInstance] = []

    def begin(self) -> None:
        """Let the daemon tick."""
        for name, seconds in INTERVALS.items():
            # The daemon evaluates one after the other.
            self.simulation.every(self._patience * seconds, lambda name=name: self.tick(name), first=1.0)  # type: ignore[misc]

    def tick(self, name: str) -> None:
        """Evaluate a sensor, and do what the daemon does with its answer."""
        sensor = self.defs.resolve_sensor_def(name)
        with (
            self._costs.counting() as counts,
            dg.build_sensor_context(
                instance=self.instance,
                cursor=self._cursors.get(name),
                sensor_name=name,
                resources={"pipeline": self._pipeline},
                definitions=self.defs,
            ) as context,
        ):
            try:
                answer = sensor.evaluate_tick(context)
            except (BotoCoreError, ClientError):
                # The daemon notes the error and keeps the cursor.
                self.failed_ticks += 1
                return
        self.ticks.append(
            Tick(name, self.simulation.now, counts["calls"], counts["items"], counts["statements"])
        )
        for event in answer.asset_events:
            self.instance.report_runless_asset_event(event)
        for request in answer.run_requests or ():
            self._take(request)
        self._cursors[name] = answer.cursor
        # The reconciler may have given places back.
        self._dequeue()

    def launch(self, job_name: str, *, tags: Mapping[str, str], priority: int = 0) -> str:
        """Queue a run, and return its id."""
        is_asset_job = job_name not in {job.name for job in self.defs.jobs or ()}
        job = (
            self.defs.resolve_implicit_global_asset_job_def()
            if is_asset_job
            else self.defs.resolve_job_def(job_name)
        )
        if is_asset_job:
            job = job.get_subset(asset_selection={ASSET})
        run = self.instance.create_run_for_job(
            job_def=job,
            status=dg.DagsterRunStatus.QUEUED,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            tags=tags,
            asset_selection=frozenset({ASSET}) if is_asset_job else None,
            remote_job_origin=RemoteJobOrigin(_REPOSITORY, job_name),
        )
        self._queued.append((-priority, next(self._order), run.run_id))
        self._check_queue()
        self.simulation.after(1.0, self._dequeue)
        return run.run_id

    def backfill(self, date_prefix: str) -> str:
        """Launch a date as a backfill does."""
        return self.launch("__ASSET_JOB", tags={PARTITION_TAG: date_prefix, BACKFILL_TAG: "backfill"})

    def lose_storage(self) -> None:
        """Kill all of Dagster, empty its storage and begin anew."""
        for process in self._going.values():
            process.abandon()
        self._lost_instances.append(self.instance)
        self.instance = _new_instance()
        self.lost_at = self.simulation.now
        self._cursors, self._queued, self._going = {}, [], {}

    def is_idle(self) -> bool:
        return not self._queued and not self._held()

    def close(self) -> None:
        for instance in (self.instance, *self._lost_instances):
            instance.dispose()

    def _take(self, request: dg.RunRequest) -> None:
        """Queue what a sensor requested, unless a run of that key was."""
        known = self.instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: str(request.run_key)}), limit=1)
        if known:
            return
        self.launch(
            CONVERSION_JOB,
            tags={
                **request.tags,
                PARTITION_TAG: str(request.partition_key),
                RUN_KEY_TAG: str(request.run_key),
            },
            priority=int(request.tags["dagster/priority"]),
        )

    def _check_queue(self) -> None:
        """Judge that of each date one run of the sensor waits at most."""
        runs = [self.instance.get_run_by_id(run_id) for _, _, run_id in self._queued]
        self.longest_queue = max(self.longest_queue, len(runs))
        dates = Counter(run.tags[PARTITION_TAG] for run in runs if run and MANIFESTS_TAG in run.tags)
        assert all(count == 1 for count in dates.values()), f"runs that wait, by date: {dates}"

    def _held(self) -> list[str]:
        """Return the runs that hold a place: also one whose process is gone, until it is ended."""
        return [
            run_id
            for run_id in self._going
            if (run := self.instance.get_run_by_id(run_id)) is not None and run.status in IN_FLIGHT
        ]

    def _dequeue(self) -> None:
        """Give free places to queued runs, the highest priority first."""
        if not self._queued:
            return
        held = self._held()
        self._going = {run_id: self._going[run_id] for run_id in held}
        self._queued.sort()
        while self._queued and len(self._going) < PLACES:
            _, _, run_id = self._queued.pop(0)
            run = self.instance.get_run_by_id(run_id)
            assert run is not None
            starting = dg.DagsterEvent(dg.DagsterEventType.RUN_STARTING.value, run.job_name)
            self.instance.report_dagster_event(starting, run_id=run_id)
            self.launched += 1
            self._going[run_id] = self.simulation.spawn(run_id, self._work(run_id))

    def _work(self, run_id: str) -> Callable[[], None]:
        instance = self.instance

        def work() -> None:
            self.simulation.sleep(PROCESS_START_SECONDS)
            run = instance.get_run_by_id(run_id)
            assert run is not None
            job = (
                self.defs.resolve_job_def(run.job_name)
                if run.asset_selection is None
                else self.defs.resolve_implicit_global_asset_job_def()
            )
            execute_run(InMemoryJob(job), run, instance, raise_on_error=False)
            self.simulation.after(1.0, self._dequeue)

        return work


def _new_instance() -> dg.DagsterInstance:
    pools = {"granularity": "run", "default_limit": PLACES}
    return dg.DagsterInstance.ephemeral(settings={"concurrency": {"pools": pools}})
