"""The local AWS and a Dagster process against it, started together, ended together."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ndjson_pipeline.deployment.clients import Deployment, deployment_of
from ndjson_pipeline.deployment.instance.home import LOCAL, prepare_home, room_for
from ndjson_pipeline.deployment.names import GLUE_POOL
from ndjson_pipeline.deployment.settings import (
    DAGSTER_URL_VARIABLE,
    ENVIRONMENT_VARIABLE,
    FEED_VARIABLE,
    PLACES_VARIABLE,
)
from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.laptop.dagster_process import DagsterProcess
from ndjson_pipeline.laptop.left_runs import end_left_runs
from ndjson_pipeline.local_aws import LocalAwsProcess, LocalAwsSettings

if TYPE_CHECKING:
    from dagster import DagsterInstance

SECONDS_TO_FIRST_TICK = 90.0
_POLL_SECONDS = 0.5


class PlatformNotReadyError(PipelineError):
    """Dagster did not begin to work in time."""


class LocalPlatform:
    """A context manager that runs the whole platform below one folder.

    Args:
        directory: where everything it writes goes: logs, Dagster's storage, the folders of Glue runs.
        dagster_command: the Dagster command to run; None leaves it to whoever runs one by hand.
        port: the local AWS's port; 0 for any free one.
        settings: what differs from the local AWS's defaults.
        instance: the Dagster instance's settings, a file of `ndjson_pipeline.deployment.instance`; what it
            takes from the environment must be there.
        dagster_url: where the UI will answer, for the links in alerts; None gives none.
        places: how many places each feed's pool has; as many as its Glue job takes runs where it is left out.
        feeds: the names of the feeds that it carries, whose code locations the Dagster command loads; None
            are those of the settings.
        variables: what Dagster's processes are told besides; None leaves them what this process has.
        keeps: whether the local AWS goes on where the last one in this folder ended.
    """

    def __init__(
        self,
        directory: Path,
        dagster_command: Sequence[str] | None,
        *,
        port: int = 0,
        settings: LocalAwsSettings | None = None,
        instance: str = LOCAL,
        dagster_url: str | None = None,
        places: int | None = None,
        feeds: Sequence[str] | None = None,
        variables: Mapping[str, str] | None = None,
        keeps: bool = False,
    ) -> None:
        self.directory = directory
        self.dagster_home = directory / "dagster"
        self._stack = contextlib.ExitStack()
        settings = settings or LocalAwsSettings()
        if feeds is not None:
            settings = replace(settings, feeds=tuple(feeds))
        aws = directory / "aws"
        state = aws / "state" if keeps else None
        self.aws = LocalAwsProcess(port, directory=aws, settings=settings, state=state)
        self._variables = dict(variables or {})
        self._dagster_command = dagster_command
        self._instance = instance
        self._dagster_url = dagster_url
        self._places = places or self.aws.settings.resources.max_concurrent_glue_runs
        self._dagster: DagsterProcess | None = None

    @property
    def feeds(self) -> tuple[str, ...]:
        """The names of the feeds that it carries; an empty one is the feed that has none."""
        return self.aws.settings.feeds

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point a process at this platform and its first feed, and at nothing else."""
        return {
            **self._variables,
            **self.aws.client_environment(),
            ENVIRONMENT_VARIABLE: self.aws.names.environment,
            FEED_VARIABLE: self.aws.names.feed,
            PLACES_VARIABLE: str(self._places),
            # Empty says that there is none, whatever the caller's own environment has.
            DAGSTER_URL_VARIABLE: self._dagster_url or "",
            # The functions' values, so that both sides work by the same; empty where those have the default.
            **self.aws.settings.shared_variables,
        }

    @property
    def dagster_log(self) -> Path:
        """The output of Dagster's processes."""
        return self.directory / "dagster.log"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            with ThreadPoolExecutor(max_workers=1) as pool:
                home = pool.submit(self._prepare_home)
                stack.enter_context(self.aws)
                home.result()
            if self._dagster_command is not None:
                self._dagster = stack.enter_context(self._new_dagster(self._dagster_command))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def _prepare_home(self) -> None:
        places = {feed or GLUE_POOL: self._places for feed in self.feeds}
        is_new = not self.dagster_home.exists()
        prepare_home(self.dagster_home, self._instance, places=places, max_concurrent_runs=room_for(places))
        if not is_new and self._dagster_command is not None:
            end_left_runs(self.dagster_home)

    def check_alive(self) -> None:
        """Do nothing while the local AWS and Dagster run.

        Raises:
            LocalAwsError: the local AWS has ended; the message has the end of its log.
            DagsterProcessError: Dagster has ended, alike.
        """
        self.aws.check_alive()
        if self._dagster is not None:
            self._dagster.check_alive()

    @contextlib.contextmanager
    def stopped_dagster(self) -> Iterator[None]:
        """End Dagster as at the platform's end, and start it again after the block, with the same home."""
        if self._dagster is None:
            raise PlatformNotReadyError("Dagster can be stopped only while the platform runs")
        self._dagster.__exit__(None, None, None)
        yield
        self._dagster.__enter__()

    def start_dagster_again(self) -> None:
        """Start Dagster again after it died, with the same home.

        What the dead one left running stays until the platform ends.
        """
        if self._dagster_command is None:
            raise PlatformNotReadyError("this platform leaves Dagster to whoever runs it by hand")
        self._dagster = self._stack.enter_context(self._new_dagster(self._dagster_command))

    def _new_dagster(self, command: Sequence[str]) -> DagsterProcess:
        return DagsterProcess(
            command,
            home=self.dagster_home,
            environment=self.environment,
            log_path=self.dagster_log,
        )

    def deployment(self, feed: str | None = None) -> Deployment:
        """Return names and clients of this platform, for this process; sets its environment.

        boto3 finds endpoint and credentials in the environment alone, so a process that works with a local
        platform works with no other AWS.

        Args:
            feed: which of its feeds; None is the first.
        """
        os.environ.update(self.environment)
        return deployment_of(os.environ if feed is None else {**os.environ, FEED_VARIABLE: feed})

    def instance(self) -> "DagsterInstance":
        """Return Dagster's storage, to look at."""
        import dagster as dg  # noqa: PLC0415 - loads for a second, while the platform starts

        return dg.DagsterInstance.from_config(str(self.dagster_home))

    def await_sensors(
        self, instance: "DagsterInstance", monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Return once the manifest sensor of each feed has ticked.

        Raises:
            PlatformNotReadyError: it did not in time.
            DagsterProcessError: Dagster ended.
        """
        deadline = monotonic() + SECONDS_TO_FIRST_TICK
        while monotonic() < deadline:
            self.check_alive()
            sensors = [
                state
                for state in instance.all_instigator_state()
                if state.instigator_name == "manifest_sensor"
                and instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
            ]
            if len(sensors) >= len(self.feeds):
                return
            time.sleep(_POLL_SECONDS)
        raise PlatformNotReadyError(
            f"the manifest sensor did not tick within {SECONDS_TO_FIRST_TICK:g} s; see {self.dagster_log}"
        )
