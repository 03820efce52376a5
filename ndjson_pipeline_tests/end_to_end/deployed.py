"""Dagster as a deployment runs it: code server, daemon and UI as processes of their own, on PostgreSQL.

They are what a container would start, and have what a container would have: their environment alone, in which
there is no password. It lies in Secrets Manager.
"""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from types import TracebackType
from typing import Any, Self

import pytest

from ndjson_pipeline.deployment.instance.home import PRODUCTION
from ndjson_pipeline.laptop.dagster_process import DagsterProcess
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline.local_aws import LocalAwsSettings
from ndjson_pipeline_tests.end_to_end.killable import Killable
from ndjson_pipeline_tests.end_to_end.light_glue import install_light_glue
from ndjson_pipeline_tests.end_to_end.mortal_definitions import DEATHS_VARIABLE
from ndjson_pipeline_tests.end_to_end.processes import await_true, process_exists, processes_with_variable
from ndjson_pipeline_tests.postgresql import PostgresServer, postgres_server

DEFINITIONS = "ndjson_pipeline_tests.end_to_end.released_definitions"
SERVICES = "ndjson_pipeline.deployment.services"
LOCATION = "ndjson"
SETTINGS = LocalAwsSettings(sweep_interval_seconds=5.0, lambda_variables={"MAX_FILES_PER_MANIFEST": "1"})


class Service:
    """One service: it can be told to end, as ECS does, and be started again.

    Args:
        arguments: of the services' command.
        home: its DAGSTER_HOME.
        environment: its variables.
    """

    def __init__(self, arguments: list[str], home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.environment = dict(environment)
        self.log_path = home.with_suffix(".log")
        self._arguments = arguments
        self._process: DagsterProcess | None = None

    def start(self) -> None:
        """Start it; it may not answer yet."""
        self.home.mkdir(exist_ok=True)
        self._process = DagsterProcess(
            [sys.executable, "-m", SERVICES, *self._arguments],
            home=self.home,
            environment=self.environment,
            log_path=self.log_path,
        )
        self._process.__enter__()

    @property
    def process_id(self) -> int:
        """The process that a container's signals would reach."""
        return int((self.home / "command.pid").read_text())

    def end(self, seconds: float) -> None:
        """Send SIGTERM, as ECS does, and return once it has ended."""
        process_id = self.process_id
        os.kill(process_id, SIGTERM)
        await_true(lambda: not process_exists(process_id), seconds)
        self.stop()

    def stop(self) -> None:
        """End it, however."""
        process, self._process = self._process, None
        if process is not None:
            process.__exit__(None, None, None)

    def check_alive(self) -> None:
        if self._process is not None:
            self._process.check_alive()


class DeployedPlatform(LocalPlatform):
    """The local AWS, with the three services in place of a laptop's Dagster.

    Args:
        directory: where everything it writes goes.
        postgres: where Dagster's storage is.
    """

    def __init__(self, directory: Path, postgres: PostgresServer) -> None:
        super().__init__(directory, [], settings=SETTINGS, instance=PRODUCTION)
        self.postgres = postgres
        self.services: dict[str, Service] = {}
        self.ports = {"code-server": _free_port(), "webserver": _free_port()}
        self.secret_arn = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.aws)
            self.secret_arn = self._make_secret()
            for name, arguments in (
                ("code-server", ["--definitions", DEFINITIONS]),
                ("daemon", []),
                ("webserver", []),
            ):
                listens = (
                    ["--host", "127.0.0.1", "--port", str(self.ports[name])] if name in self.ports else []
                )
                # The daemon's home is the one that a test opens, too.
                home = self.dagster_home if name == "daemon" else self.directory / name
                self.services[name] = Service([name, *listens, *arguments], home, self._service_variables())
                stack.callback(self.services[name].stop)
            # All at once, on a storage without tables.
            for service in self.services.values():
                service.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def check_alive(self) -> None:
        for service in self.services.values():
            service.check_alive()

    def database_variables(self) -> dict[str, str]:
        """What says where PostgreSQL is; the password is not among them."""
        known = self.postgres.environment
        return {
            **{name: known[name] for name in known if not name.endswith(("_USER", "_PASSWORD"))},
            "DAGSTER_POSTGRES_SECRET_ARN": self.secret_arn,
        }

    def _service_variables(self) -> dict[str, str]:
        return {
            **self.environment,
            **self.database_variables(),
            "NDJSON_CODE_SERVERS": f"{LOCATION}=127.0.0.1:{self.ports['code-server']}",
        }

    def _make_secret(self) -> str:
        secret = self.aws.client("secretsmanager").create_secret(
            Name="dagster", SecretString=self._secret(self.postgres.environment["DAGSTER_POSTGRES_PASSWORD"])
        )
        return str(secret["ARN"])

    def put_secret(self, password: str) -> None:
        """Give the secret a new version, as a rotation does."""
        self.aws.client("secretsmanager").put_secret_value(
            SecretId=self.secret_arn, SecretString=self._secret(password)
        )

    def _secret(self, password: str) -> str:
        user = self.postgres.environment["DAGSTER_POSTGRES_USER"]
        return json.dumps({"username": user, "password": password})

    @property
    def ui(self) -> str:
        """Where the UI answers."""
        return f"http://127.0.0.1:{self.ports['webserver']}"

    def ask(self, query: str) -> Any:
        """Return the UI's answer to a query; None where it gives none."""
        request = urllib.request.Request(
            f"{self.ui}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return json.load(response).get("data")
        except OSError:
            return None

    def is_serving(self) -> bool:
        """Tell whether the code server passes its health check."""
        port = str(self.ports["code-server"])
        checked = subprocess.run(
            [sys.executable, "-m", "dagster", "api", "grpc-health-check", "-p", port],
            capture_output=True,
            check=False,
        )
        return checked.returncode == 0


@dataclass
class Deployed(Killable):
    """A running deployment."""

    platform: DeployedPlatform

    @property
    def code(self) -> Service:
        """The code server."""
        return self.platform.services["code-server"]

    @property
    def ui_service(self) -> Service:
        """The UI."""
        return self.platform.services["webserver"]

    @property
    def daemon_service(self) -> Service:
        """The daemon."""
        return self.platform.services["daemon"]


@contextmanager
def deployed_platform(scratch: Path) -> Iterator[Deployed]:
    """Run a deployment whose Glue runs are light.

    Args:
        scratch: a folder with a short name.
    """
    deaths = scratch / "deaths"
    deaths.mkdir(parents=True)
    with (
        pytest.MonkeyPatch.context() as patch,
        postgres_server(wants_password=True, settings=["log_connections=on"]) as postgres,
    ):
        # Every process of the platform inherits it, so that those left can be found.
        patch.setenv("TMPDIR", str(scratch))
        patch.setenv(DEATHS_VARIABLE, str(deaths))
        with DeployedPlatform(scratch / "platform", postgres) as platform:
            deployment = platform.deployment()
            for name, value in platform.database_variables().items():
                patch.setenv(name, value)
            install_light_glue(deployment, deaths)
            # The daemon lays it; the test opens the same.
            await_true((platform.dagster_home / "workspace.yaml").exists, 60)
            with platform.instance() as storage:
                platform.await_sensors(storage)
                yield Deployed(platform, deployment, storage, postgres)
        await_true(lambda: not processes_with_variable("TMPDIR", str(scratch)), 10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
