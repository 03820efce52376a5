"""A day of steady arrivals: what waits, how late files are, what Glue costs, at each rate and dial.

    python -m benchmarks.orchestration.steady [--hours 24]

The planner, the sensor and the bounds of a run are the product's own. Time, Dagster's queue and Glue are
simulated: the daemon looks every five seconds, a run's process takes three to claim, a Glue run starts for 30
seconds and works for 40 plus its bytes, by the speed and the workers that the product counts on. Glue bills
the work by the second, at least a minute, and not the start. These paces are `ndjson_pipeline.costs.pace`'s,
and a test holds the days that `ndjson-pipeline cost` simulates to this one's.
"""

import argparse
import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
from dagster._core.storage.event_log.base import PoolLimit

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import CLAIMED_TAG, PARTITION_TAG
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.costs.bill import MB_PER_TB
from ndjson_pipeline.costs.pace import (
    CLAIM_SECONDS,
    GLUE_START_SECONDS,
    TICK_SECONDS,
    billed_dpu_seconds,
    working_seconds,
)
from ndjson_pipeline.deployment.names import GLUE_POOL
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.glue.capacity import Capacity
from ndjson_pipeline.glue.cost import LIST_PRICE_USD
from ndjson_pipeline.sensors import manifest_sensor as sensor_module

RATES = (0.1, 0.3, 1.2, 12.0, 100.0)
DIALS = (0, 5, 15)
PLACES = 2
FILE_MB = 3.5
FILES_PER_MANIFEST = 10
DAY = "2026-01-30"
MIDNIGHT = datetime(2026, 1, 30, tzinfo=UTC)


@dataclass
class Run:
    """A run of the sensor.

    Attributes:
        run_id: its id.
        tags: as it was launched, with what it says later.
        launched_at: seconds since midnight.
        priority: in the queue.
        starts_at: when its process began; None while it is queued.
    """

    run_id: str
    tags: dict[str, str]
    launched_at: float
    priority: int
    starts_at: float | None = None


@dataclass
class Figures:
    """What a day came to."""

    most_waiting_runs: int = 0
    runs: int = 0
    dpu_seconds: float = 0.0
    mb: float = 0.0
    latencies: Counter[int] = field(default_factory=Counter)

    def note(self, longest: float, shortest: float) -> None:
        """Take in the latencies of one batch's files, from its first to its last, in whole seconds."""
        step = (longest - shortest) / (FILES_PER_MANIFEST - 1)
        self.latencies.update(round(shortest + position * step) for position in range(FILES_PER_MANIFEST))

    def percentile(self, share: float) -> float:
        """Return the latency that so many files do not exceed, in seconds."""
        wanted = share * self.latencies.total()
        reached = 0
        for latency in sorted(self.latencies):
            reached += self.latencies[latency]
            if reached >= wanted:
                return float(latency)
        return 0.0


class Day:
    """One simulated day at one rate."""

    def __init__(self, files_per_second: float, dial_minutes: int, hours: float) -> None:
        self.rate = files_per_second
        self.end = hours * 3600.0
        self.now = 0.0
        self.capacity = Capacity()
        self.dial = timedelta(minutes=dial_minutes)
        self.waiting: dict[ManifestName, ManifestRecord] = {}
        self.queued: list[Run] = []
        self.going: list[tuple[float, Run]] = []
        self.figures = Figures()
        self._ids = itertools.count(1)

    def run(self) -> Figures:
        """Let the day pass, and what waits at its end be converted."""
        arrivals = self._manifests()
        following = next(arrivals, None)
        while following is not None or self.waiting or self.queued or self.going:
            while following is not None and self._committed_at(following) <= self.now:
                self.waiting[following.name] = following
                following = next(arrivals, None)
            self.going = [(ends_at, run) for ends_at, run in self.going if ends_at > self.now]
            self._tick()
            self._start()
            self.now += TICK_SECONDS
        return self.figures

    def _manifests(self) -> Iterator[ManifestRecord]:
        """Yield each manifest as it is committed: once its last file has come."""
        seconds = FILES_PER_MANIFEST / self.rate
        for sequence in range(1, int(self.end / seconds) + 1):
            yield ManifestRecord(
                name=ManifestName(DAY, sequence, f"{sequence:08x}"),
                status=ManifestStatus.PENDING,
                manifest_path="",
                file_count=FILES_PER_MANIFEST,
                total_size_mb=FILES_PER_MANIFEST * FILE_MB,
                attempt=0,
                created_at=utc_timestamp(MIDNIGHT + timedelta(seconds=sequence * seconds)),
            )

    def _tick(self) -> None:
        """Let the product's sensor look, and queue what it requests."""
        sensor_module.utc_now = self._clock  # type: ignore[attr-defined]
        raw: Any = sensor_module.manifest_sensor
        result = raw._raw_fn(self._context(), self._pipeline())
        requests: Sequence[dg.RunRequest] = getattr(result, "run_requests", None) or ()
        for request in requests:
            tags = {**request.tags, PARTITION_TAG: str(request.partition_key)}
            priority = int(request.tags[sensor_module.PRIORITY_TAG])
            self.queued.append(Run(f"run-{next(self._ids)}", tags, self.now, priority))
        self.figures.most_waiting_runs = max(self.figures.most_waiting_runs, len(self.queued))

    def _start(self) -> None:
        """Give free places to queued runs; each claims what waits once its process is up."""
        self.queued.sort(key=lambda run: (-run.priority, run.launched_at))
        while self.queued and len(self.going) < PLACES:
            run = self.queued.pop(0)
            claims_at = self.now + CLAIM_SECONDS
            # They are put in in order of their names, and what comes within these seconds waits for the next.
            share = self.capacity.shares(self.waiting.values())[0]
            for record in share:
                del self.waiting[record.name]
            run.tags[CLAIMED_TAG] = run.run_id
            run.starts_at = self.now
            self.going.append((self._convert(share, claims_at), run))

    def _convert(self, share: Sequence[ManifestRecord], claims_at: float) -> float:
        """Run Glue, and return when its run ends."""
        total_mb = sum(record.total_size_mb for record in share)
        workers = self.capacity.workers_for(total_mb)
        works = working_seconds(total_mb, workers)
        ends_at = claims_at + GLUE_START_SECONDS + works
        figures = self.figures
        figures.runs += 1
        figures.mb += total_mb
        figures.dpu_seconds += billed_dpu_seconds(works, workers, self.capacity)
        for record in share:
            # A batch's first file waited for all that came after it.
            first = self._committed_at(record) - (FILES_PER_MANIFEST - 1) / self.rate
            figures.note(ends_at - first, ends_at - self._committed_at(record))
        return ends_at

    def _context(self) -> Any:
        return SimpleNamespace(instance=_Instance(self), log=logging.getLogger(__name__), sensor_name="s")

    def _pipeline(self) -> Any:
        records = SimpleNamespace(
            with_status=lambda _status, _limit: list(self.waiting.values()),
            retries_due=lambda *_: [],
        )
        settings = PipelineSettings(launch_max_wait=self.dial, max_concurrent_runs=PLACES)
        return SimpleNamespace(
            records=lambda: records,
            deployment=SimpleNamespace(settings=settings),
            reconcile_rules=SimpleNamespace(claim_grace=timedelta(minutes=2)),
        )

    def _clock(self) -> datetime:
        return MIDNIGHT + timedelta(seconds=self.now)

    def _committed_at(self, record: ManifestRecord) -> float:
        return record.name.sequence * FILES_PER_MANIFEST / self.rate


class _Instance:
    """Dagster's storage as far as the sensor asks it."""

    event_log_storage = SimpleNamespace(
        get_pool_limits=lambda: [PoolLimit(name=GLUE_POOL, limit=PLACES, from_default=False)]
    )

    def __init__(self, day: Day) -> None:
        self._day = day

    def get_run_records(self, filters: dg.RunsFilter) -> list[Any]:
        """Return the runs that have not ended; none ends without a claim here."""
        if dg.DagsterRunStatus.QUEUED not in filters.statuses:
            return []
        runs = [*self._day.queued, *(run for _, run in self._day.going)]
        return [
            SimpleNamespace(
                dagster_run=dg.DagsterRun("convert_manifests", run.run_id, tags=run.tags),
                start_time=None if run.starts_at is None else MIDNIGHT.timestamp() + run.starts_at,
            )
            for run in runs
        ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    options = parser.parse_args()
    print("| files/s | dial, min | waiting runs | p50, min | p95, min | p99, min | runs | DPU-h | USD a TB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for rate in options.rates:
        for dial in DIALS:
            figures = Day(rate, dial, options.hours).run()
            dpu_hours = figures.dpu_seconds / 3600.0
            terabytes = figures.mb / MB_PER_TB
            minutes = [figures.percentile(share) / 60.0 for share in (0.5, 0.95, 0.99)]
            print(
                f"| {rate:g} | {dial or 'off'} | {figures.most_waiting_runs} | "
                + " | ".join(f"{one:.1f}" for one in minutes)
                + f" | {figures.runs:,} | {dpu_hours:.1f} | {dpu_hours * LIST_PRICE_USD / terabytes:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
