"""A platform whose processes a test may kill, and what must hold once all is calm again."""

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.deployment.instance.home import LOCAL, PRODUCTION, prepare_home
from ndjson_pipeline.glue.runs import ATTEMPTS_ARGUMENT
from ndjson_pipeline.laptop.dagster_process import daemon_command
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline.local_aws import LocalAwsSettings
from ndjson_pipeline_tests.end_to_end.conftest import Running
from ndjson_pipeline_tests.end_to_end.light_dagster import use_light_dagster
from ndjson_pipeline_tests.end_to_end.light_glue import install_light_glue
from ndjson_pipeline_tests.end_to_end.mortal_definitions import DEATHS_VARIABLE
from ndjson_pipeline_tests.end_to_end.processes import (
    await_true,
    command_of,
    parent_of,
    process_exists,
    processes_with_variable,
)
from ndjson_pipeline_tests.postgresql import PostgresServer, postgres_server

MORTAL_DEFINITIONS = "ndjson_pipeline_tests.end_to_end.mortal_definitions"
# A file is a manifest.
SETTINGS = LocalAwsSettings(sweep_interval_seconds=5.0, lambda_variables={"MAX_FILES_PER_MANIFEST": "1"})


@dataclass
class Killable(Running):
    """A running platform with the means to kill what runs in it.

    Attributes:
        postgres: the server that has Dagster's storage; None where it is SQLite.
    """

    postgres: PostgresServer | None = None

    @property
    def deaths(self) -> Path:
        """Where files say at which call a process dies."""
        return Path(os.environ[DEATHS_VARIABLE])

    @property
    def daemon(self) -> int:
        """The daemon's process."""
        return int((self.platform.dagster_home / "command.pid").read_text())

    def code_server(self) -> int:
        """Return the process that has loaded the code location for this daemon."""
        daemon = self.daemon
        return await_true(
            lambda: next(
                (process for process in self._dagster_processes()
                 if parent_of(process) == daemon and "grpc" in command_of(process)),
                0,
            ),
            60,
        )  # fmt: skip

    def run_worker(self, run_id: str) -> int | None:
        """Return the process of a run that is going; None where it has none (any more)."""
        events = self.instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
        for record in reversed(events):
            event = record.event_log_entry.dagster_event
            pid = event.engine_event_data.metadata.get("pid") if event else None
            if pid is not None and process_exists(int(str(pid.value))):
                return int(str(pid.value))
        return None

    def glue_process(self, record: ManifestRecord) -> int | None:
        """Return the process of the Glue run that converts a manifest; None where there is none."""
        path = self.platform.directory / "aws" / "glue" / str(record.glue_job_run_id) / "pid"
        if record.glue_job_run_id is None or not path.exists():
            return None
        text = path.read_text().strip()
        return int(text) if text and process_exists(int(text)) else None

    def kill_daemon(self) -> None:
        """Kill the daemon alone, and start another; what it started is left to itself."""
        os.kill(self.daemon, signal.SIGKILL)
        await_true(lambda: not process_exists(self.daemon), 10)
        self.platform.start_dagster_again()

    def kill_dagster(self) -> None:
        """Kill every process of Dagster's, as a machine that loses its power."""
        while processes := self._dagster_processes():
            for process in processes:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def lose_storage(self) -> None:
        """Kill every process of Dagster's, and begin again with a storage that knows nothing."""
        self.kill_dagster()
        home, instance = self.platform.dagster_home, LOCAL
        if self.postgres is not None:
            self.postgres.empty()
            instance = PRODUCTION
        home.rename(home.with_name("lost"))
        prepare_home(home, instance)
        self.platform.start_dagster_again()

    def _dagster_processes(self) -> set[int]:
        return processes_with_variable("DAGSTER_HOME", str(self.platform.dagster_home))

    def await_calm(self, dates: Sequence[str], count: int, seconds: float) -> list[ManifestRecord]:
        """Return the records of dates once there are so many, all of them completed."""

        def calm() -> list[ManifestRecord]:
            records = self.tracked(*dates).manifests
            failed = [r for r in records if r.status is ManifestStatus.FAILED and r.retry_at is None]
            assert not failed, [(r.name.filename, r.attempt, r.error_message) for r in failed]
            done = [record for record in records if record.status is ManifestStatus.COMPLETED]
            return records if len(done) == len(records) == count else []

        return await_true(calm, seconds, every=0.5)

    def glue_runs_by_attempt(self) -> Counter[str]:
        """Return for each `manifest@attempt` how many Glue runs were started for it."""
        glue = self.platform.aws.client("glue")
        counts: Counter[str] = Counter()
        for page in glue.get_paginator("get_job_runs").paginate(JobName=self.deployment.names.glue_job):
            for run in page["JobRuns"]:
                counts.update(run["Arguments"][ATTEMPTS_ARGUMENT].split(","))
        return counts

    def assert_no_attempt_has_two_glue_runs(self) -> None:
        assert {attempt: count for attempt, count in self.glue_runs_by_attempt().items() if count > 1} == {}


# Where Dagster's storage is. A server's takes longer to begin, and is a matter of explorations.
STORAGES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)]


@contextmanager
def killable_platform_on(storage: str, scratch: Path, glue_seconds: float) -> Iterator[Killable]:
    """Run a platform on one of `STORAGES`, in a folder of its own, and wait for its sensors."""
    with ExitStack() as stack:
        postgres = None if storage == "sqlite" else stack.enter_context(postgres_server())
        # Where sockets lie, so that its name must be short.
        killable = stack.enter_context(killable_platform(scratch / storage[0], glue_seconds, postgres))
        killable.platform.await_sensors(killable.instance)
        yield killable


@contextmanager
def killable_platform(
    scratch: Path, glue_seconds: float, postgres: PostgresServer | None = None
) -> Iterator[Killable]:
    """Run a platform whose Glue runs are light and take so long at least.

    Args:
        scratch: a folder with a short name.
        glue_seconds: how long a Glue run takes besides its work.
        postgres: where Dagster's storage is, with the settings of a deployment; SQLite without it.
    """
    deaths = scratch / "deaths"
    deaths.mkdir(parents=True)
    instance = LOCAL if postgres is None else PRODUCTION
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ({} if postgres is None else postgres.environment).items():
            patch.setenv(name, value)
        # Every process of the platform inherits it, so that those left can be found.
        patch.setenv("TMPDIR", str(scratch))
        use_light_dagster(patch)
        patch.setenv(DEATHS_VARIABLE, str(deaths))
        command = daemon_command(MORTAL_DEFINITIONS)
        with LocalPlatform(scratch / "platform", command, settings=SETTINGS, instance=instance) as platform:
            deployment = platform.deployment()
            install_light_glue(deployment, deaths, glue_seconds)
            with platform.instance() as storage:
                yield Killable(platform, deployment, storage, postgres)
        await_true(lambda: not processes_with_variable("TMPDIR", str(scratch)), 10)
