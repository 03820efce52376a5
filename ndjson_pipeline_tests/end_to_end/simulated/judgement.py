"""What must hold once the simulated time has passed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from statistics import fmean
from typing import Any

import dagster as dg

from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.manifest import Manifest
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import ENDED_BADLY, IN_FLIGHT
from ndjson_pipeline.claims.record import ManifestRecord, parse_record
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.jobs import converts
from ndjson_pipeline.laptop.demo.observation import read_output
from ndjson_pipeline_tests.end_to_end.simulated.arrivals import Arrivals
from ndjson_pipeline_tests.end_to_end.simulated.glue import Fate, SimulatedRun
from ndjson_pipeline_tests.end_to_end.simulated.orchestration import INTERVALS, Tick
from ndjson_pipeline_tests.end_to_end.simulated.platform import Platform
from ndjson_pipeline_tests.pipeline.partition_bar import bar


@dataclass(frozen=True)
class Figures:
    """What the simulated time came to."""

    files: int
    late_files: int
    refused_files: int
    overwritten_files: int
    events_lost: int
    events_twice: int
    manifests: int
    runs: int
    glue_runs: int
    ill_starts: int
    failed_attempts: int
    alerts: int
    ticks: int
    longest_queue: int

    def __str__(self) -> str:
        return ", ".join(f"{one.name.replace('_', ' ')} {getattr(self, one.name)}" for one in fields(self))


@dataclass(frozen=True)
class Windows:
    """When ticks are compared.

    Attributes:
        hours: how long each window is; the first one begins with the simulation.
        last: when the last one begins, in hours after that.
    """

    hours: float
    last: float


class Judgement:
    """Looks at a platform whose time has passed."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.arrivals: Arrivals = platform.arrivals
        self.today = platform.simulation.now.date().isoformat()

    @cached_property
    def records(self) -> dict[str, dict[str, Any]]:
        """The records of files by their sort keys."""
        found = self.platform.ingest.file_records()
        return {key: record for key, record in found.items() if "file_path" in record}

    @cached_property
    def manifest_records(self) -> list[ManifestRecord]:
        return [parse_record(item) for item in self.platform.ingest.manifest_records()]

    @cached_property
    def manifests(self) -> dict[str, Manifest]:
        """The committed manifests by their URIs."""
        store = self.platform.ingest.runtime().store
        return {record.manifest_path: store.read(record.manifest_path) for record in self.manifest_records}

    @cached_property
    def alerts(self) -> list[dict[str, Any]]:
        return self.platform.alerts()

    @cached_property
    def rows(self) -> Counter[str]:
        """The rows in the output by the URI of their file."""
        return read_output(self.platform.deployment, self.platform.dates()).rows_by_source

    def figures(self) -> Figures:
        counts, glue = self.arrivals.counts, self.platform.glue
        return Figures(
            files=counts["files"],
            late_files=counts["late files"],
            refused_files=counts["refused files"],
            overwritten_files=counts["overwritten files"],
            events_lost=counts["events lost"],
            events_twice=counts["events twice"],
            manifests=len(self.manifests),
            runs=self.platform.orchestration.launched,
            glue_runs=len(glue.runs),
            ill_starts=sum(count for fate, count in glue.fates.items() if fate is not Fate.WELL),
            failed_attempts=len(self.platform.failed_attempts),
            alerts=len(self.alerts),
            ticks=len(self.platform.orchestration.ticks),
            longest_queue=self.platform.orchestration.longest_queue,
        )

    def check(self, windows: Windows) -> None:
        """Judge all of it, and tell of everything that does not hold.

        Raises:
            ExceptionGroup: of what does not.
        """
        checks = (
            self.check_disturbances,
            self.check_nothing_is_open,
            self.check_files,
            self.check_rows,
            self.check_totals,
            self.check_glue_started_once,
            self.check_refused,
            self.check_failures_alerted,
            self.check_overwrites_alerted,
            self.check_refusals_alerted,
            self.check_reports_counted,
            self.check_partitions,
            lambda: self.check_ticks_are_flat(windows),
        )
        broken = []
        for check in checks:
            try:
                check()
            except Exception as error:  # noqa: BLE001 - what can't be judged is told beside what does not hold
                broken.append(error)
        if broken:
            raise ExceptionGroup("what must hold after the simulated time does not", broken)

    def check_disturbances(self) -> None:
        """What was planned did happen; else the rest would prove less than it says."""
        counts, fates = self.arrivals.counts, self.platform.glue.fates
        missing = [fate.name for fate, count in fates.items() if count == 0]
        names = ("late files", "refused files", "overwritten files", "events lost", "events twice")
        missing += [name for name in (*names, "events sent again") if counts[name] == 0]
        assert not missing, f"never happened: {missing}"

    def check_nothing_is_open(self) -> None:
        """No message, no run and no manifest waits, and no file of a past date."""
        assert self.arrivals.is_empty()
        assert self.arrivals.dead_letters == []
        instance = self.platform.orchestration.instance
        assert self.platform.orchestration.is_idle()
        assert [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT))] == []
        going = [
            record
            for record in self.manifest_records
            if record.status in {ManifestStatus.PENDING, ManifestStatus.PROCESSING} or record.retry_at
        ]
        assert going == []
        pending = [key for key, record in self.records.items() if record["status"] == "pending"]
        assert [key for key in pending if key[:10] < self.today] == []

    def check_files(self) -> None:
        """Each accepted file is in exactly one manifest, with a content that it had."""
        listed = Counter(file.uri for manifest in self.manifests.values() for file in manifest.files)
        assert {uri: count for uri, count in listed.items() if count > 1} == {}
        expected = {self._uri(name) for name in self.arrivals.newest if name[:10] < self.today}
        assert listed.keys() >= expected, sorted(expected - listed.keys())
        assert all(uri in expected or self.today in uri for uri in listed)
        for manifest in self.manifests.values():
            for file in manifest.files:
                assert file.etag in self.arrivals.contents[self._name(file.uri)], file

    def check_rows(self) -> None:
        """The rows of each file of a completed manifest are there once, and of a failed one none."""
        expected: Counter[str] = Counter()
        for record in self.manifest_records:
            if record.status is ManifestStatus.COMPLETED:
                for file in self.manifests[record.manifest_path].files:
                    expected[file.uri] += self.arrivals.contents[self._name(file.uri)][file.etag]
        wrong = {
            uri: (self.rows[uri], expected[uri])
            for uri in expected.keys() | self.rows.keys()
            if self.rows[uri] != expected[uri]
        }
        assert wrong == {}, f"rows in the output, and expected: {wrong}"

    def check_totals(self) -> None:
        """What the table says of a date is what lies in its output."""
        store = self._store()
        by_date: Counter[str] = Counter()
        for uri, rows in self.rows.items():
            by_date[self._name(uri)[:10]] += rows
        completed = Counter(
            record.date_prefix
            for record in self.manifest_records
            if record.status is ManifestStatus.COMPLETED
        )
        for date_prefix in self.platform.dates():
            totals = store.totals(date_prefix)
            assert totals.numbers.records_processed == by_date[date_prefix], date_prefix
            assert totals.manifests == completed[date_prefix], date_prefix

    def check_glue_started_once(self) -> None:
        """Each attempt of a manifest has one Glue run at most, and no two runs worked on one at once."""
        attempts: Counter[tuple[str, int]] = Counter()
        worked: dict[str, list[SimulatedRun]] = {}
        for run in self.platform.glue.runs.values():
            attempts.update(run.attempts.items())
            for uri in run.manifests:
                worked.setdefault(uri, []).append(run)
        assert {attempt: count for attempt, count in attempts.items() if count > 1} == {}
        for uri, runs in worked.items():
            for former, later in pairwise(sorted(runs, key=lambda run: run.started)):
                assert former.completed is not None, former
                assert former.completed <= later.started, f"{uri}: {former.run_id} beside {later.run_id}"

    def check_refused(self) -> None:
        """Each refused file lies in the quarantine alone, with a reason."""
        ingest = self.platform.ingest
        quarantined = set(ingest.keys(ingest.settings.quarantine_bucket, ingest.settings.input_prefix))
        kept = set(ingest.keys(ingest.settings.input_bucket, ingest.settings.input_prefix))
        reasons = {
            key
            for key, record in self.records.items()
            if record["status"] == "quarantined" and record["reason"]
        }
        for name in self.arrivals.refused:
            key = ingest.key(name)
            assert key in quarantined, f"{name} is not in the quarantine"
            assert key not in kept, f"{name} was left where it was"
            assert name in reasons, f"{name} has no record with a reason"

    def check_failures_alerted(self) -> None:
        """Each failed attempt and each run that ended badly is named by an alert."""
        alerts = [alert for alert in self.alerts if "DagsterRunId" in alert]
        told = {(alert["DagsterRunId"], path) for alert in alerts for path in alert["ManifestPaths"]}
        failed = {(failure.run_id, failure.manifest_path) for failure in self.platform.failed_attempts}
        assert failed <= told, sorted(failed - told)
        instance = self.platform.orchestration.instance
        ended = instance.get_runs(dg.RunsFilter(statuses=ENDED_BADLY))
        runs = {run.run_id for run in ended if converts(run, Feed())}
        untold = runs - {alert["DagsterRunId"] for alert in alerts}
        assert untold == set()

    def check_overwrites_alerted(self) -> None:
        """Where a file has other content than its manifest lists, somebody was told of it."""
        told = {(alert["FilePath"], alert["NewETag"]) for alert in self.alerts if "NewETag" in alert}
        listed = {file.uri: file.etag for manifest in self.manifests.values() for file in manifest.files}
        newest = {self._uri(name): etag for name, etag in self.arrivals.newest.items()}
        owed = {(uri, newest[uri]) for uri, etag in listed.items() if newest[uri] != etag}
        assert owed <= told, sorted(owed - told)

    def check_refusals_alerted(self) -> None:
        """While a producer sent nothing but refused files, an alert said so within the hour."""
        told = [
            parse_utc_timestamp(alert["Timestamp"])
            for alert in self.alerts
            if alert.get("Alert") == "refused"
        ]
        for time in self.platform.plan.refusal_storm:
            began = self.platform.plan.start + time
            assert any(began <= instant <= began + timedelta(hours=1.25) for instant in told), began

    def check_reports_counted(self) -> None:
        """The Lambda's reports are counted once in `manifests`, those of before the lost storage again."""
        expected: Counter[str] = Counter()
        partitions = daily_partitions(PipelineSettings.partition_start_date)
        for report in self.platform.ingest.reports():
            for date_prefix, counts in report["dates"].items():
                if partitions.has_partition_key(date_prefix):
                    expected[date_prefix] += counts["files_processed"]
        counted: Counter[str] = Counter()
        cursor, has_more = None, True
        while has_more:
            page = self.platform.orchestration.instance.fetch_materializations(
                dg.AssetKey("manifests"), limit=1000, cursor=cursor
            )
            for record in page.records:
                event = record.asset_materialization
                assert event is not None and event.partition is not None
                counted[event.partition] += int(event.metadata["files_processed"].value)
            cursor, has_more = page.cursor, page.has_more
        assert counted == expected

    def check_partitions(self) -> None:
        """A date with failed manifests is shown as failed, and the others that were converted are not."""
        orchestration = self.platform.orchestration
        shown = bar(orchestration.instance)
        since = orchestration.lost_at or self.platform.plan.start
        failed = {r.date_prefix for r in self.manifest_records if r.status is ManifestStatus.FAILED}
        assert failed, "no date is left with a failed manifest"
        # What was converted before the storage was lost is not shown; the table knows it.
        converted = {
            record.date_prefix
            for record in self.manifest_records
            if record.processing_start_time and record.processing_start_time > f"{since:%Y-%m-%dT%H:%M:%S}"
        }
        expected = {date: "failed" if date in failed else "materialized" for date in converted}
        assert {date: shown.get(date) for date in expected} == expected

    def check_ticks_are_flat(self, windows: Windows) -> None:
        """What a tick costs at last is what it costs at first."""
        for sensor, measure, early, late in self._tick_means(windows):
            assert late <= 1.5 * early + 1, f"{sensor}: {measure} a tick rose from {early:.2f} to {late:.2f}"

    def tick_costs(self, windows: Windows) -> Mapping[str, str]:
        """Return what ticks cost at first and at last, for the figures."""
        costs: dict[str, list[str]] = {}
        for sensor, measure, early, late in self._tick_means(windows):
            costs.setdefault(sensor, []).append(f"{measure} {early:.2f} -> {late:.2f}")
        return {sensor: "; ".join(means) for sensor, means in costs.items()}

    def _tick_means(self, windows: Windows) -> Iterator[tuple[str, str, float, float]]:
        """Yield each sensor's mean costs in the first and the last window, measure by measure."""
        start = self.platform.plan.start
        length, last = timedelta(hours=windows.hours), start + timedelta(hours=windows.last)
        for sensor in INTERVALS:
            ticks = [tick for tick in self.platform.orchestration.ticks if tick.sensor == sensor]
            first_window = [tick for tick in ticks if tick.at < start + length]
            last_window = [tick for tick in ticks if last <= tick.at < last + length]
            for measure in ("calls", "items", "statements"):
                yield sensor, measure, _mean(first_window, measure), _mean(last_window, measure)

    def _store(self) -> ManifestRecordStore:
        deployment, simulation = self.platform.deployment, self.platform.simulation
        return ManifestRecordStore(
            deployment.dynamodb,
            table=deployment.names.tracking_table,
            manifest_bucket=deployment.names.manifest_bucket,
            clock=simulation,
        )

    def _uri(self, name: str) -> str:
        return s3_uri(self.platform.deployment.names.input_bucket, self.platform.ingest.key(name))

    def _name(self, uri: str) -> str:
        return uri.partition(self.platform.ingest.settings.input_prefix)[2]


def _mean(ticks: Sequence[Tick], measure: str) -> float:
    return fmean(getattr(tick, measure) for tick in ticks)
