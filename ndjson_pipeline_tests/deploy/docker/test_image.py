"""The image's steps, done in an empty folder, and the services that start from what they made."""

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ndjson_pipeline_tests.deploy.docker.dockerfile import Build, Context, Stage, stages
from ndjson_pipeline_tests.end_to_end.processes import await_true
from ndjson_pipeline_tests.postgresql import PostgresServer, postgres_server
from ndjson_pipeline_tests.test_architecture import ROOT

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(300)]

BUNDLE = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"


@dataclass(frozen=True)
class Image:
    """What the steps made.

    Attributes:
        last: the last stage.
        root: its root.
        variables: what a process of its container has.
    """

    last: Stage
    root: Path
    variables: dict[str, str]

    @property
    def entry(self) -> list[str]:
        (entry,) = self.last.all("ENTRYPOINT")
        program, *arguments = entry.words
        # The first of the image's PATH that has it.
        found = [Path(folder, program) for folder in self.variables["PATH"].split(os.pathsep)]
        return [str(next(one for one in found if one.exists())), *arguments]

    @property
    def python(self) -> str:
        return self.entry[0]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        folder = Path(name)
        programs = folder / "programs"
        programs.mkdir()
        # The base image's Python: this one's own, without what is installed beside it.
        base = Path(sysconfig.get_config_var("BINDIR"), f"python{sys.version_info[0]}.{sys.version_info[1]}")
        (programs / "python").symlink_to(base)
        context = Context(ROOT, (ROOT / ".dockerignore").read_text())
        build = Build(folder, context, programs, {BUNDLE: b"-- certificates --\n"})
        read = stages((ROOT / "deploy/docker/Dockerfile").read_text())
        root = build.run(read)
        yield Image(read[-1], root, build.environment(read[-1]))


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(image: Image, variables: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [image.python, *arguments],
        env=variables,
        cwd=image.root / "opt/app",
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def service(image: Image, variables: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a service; it ends by the image's signal."""
    log = Path(variables["DAGSTER_HOME"]).with_suffix(".log")
    (stop,) = image.last.all("STOPSIGNAL")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*image.entry, *arguments],
            env=variables,
            cwd=image.root / "opt/app",
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
        process.send_signal(signal.Signals[stop.text])
        process.wait(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_it_has_what_the_lock_pins_and_nothing_that_builds(image: Image) -> None:
    listed = ask(image, image.variables, "-c", "import importlib.metadata as m;"
                 "print(*(d.name for d in m.distributions()))")  # fmt: skip
    names = {name.lower().replace("_", "-") for name in listed.stdout.split()}
    assert {"dagster", "dagster-postgres", "dagster-webserver", "boto3"} <= names, listed.stderr
    assert not names & {"pip", "setuptools", "wheel", "moto", "pyspark", "pytest"}
    assert not (image.root / "opt/app/ndjson_pipeline/local_aws").exists()
    assert (image.root / "opt/rds/global-bundle.pem").read_bytes() == b"-- certificates --\n"


def test_the_three_services_start_and_pass_their_health_checks(
    image: Image, postgres: PostgresServer, tmp_path: Path
) -> None:
    code, web = free_port(), free_port()
    given = {
        **image.variables,
        **postgres.environment,
        # The test's server has no certificate.
        "PGSSLMODE": "disable",
        "NDJSON_CODE_SERVERS": f"ndjson=127.0.0.1:{code}",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    homes = {name: {**given, "DAGSTER_HOME": str(tmp_path / name)} for name in ("code", "daemon", "web")}
    with ExitStack() as stack:
        listen = ["--host", "127.0.0.1", "--port"]
        processes = [
            stack.enter_context(service(image, homes["code"], "code-server", *listen, str(code))),
            stack.enter_context(service(image, homes["daemon"], "daemon")),
            stack.enter_context(service(image, homes["web"], "webserver", "--read-only", *listen, str(web))),
        ]

        def all_run() -> bool:
            assert [process.poll() for process in processes] == [None] * 3, logs(tmp_path)
            return True

        def passes(variables: dict[str, str], *arguments: str) -> bool:
            return all_run() and ask(image, variables, "-m", *arguments).returncode == 0

        # A health check of Dagster's is a process that works for seconds, so it begins when it can pass.
        await_true(lambda: all_run() and is_up(f"http://127.0.0.1:{web}/server_info"), 60)
        await_true(lambda: all_run() and listens(code), 60)
        await_true(lambda: passes(homes["code"], "dagster", "api", "grpc-health-check", "-p", str(code)), 60)
        await_true(lambda: all_run() and daemons_are_healthy(f"http://127.0.0.1:{web}/graphql"), 60)
        await_true(lambda: passes(homes["daemon"], "dagster._daemon", "liveness-check"), 60)


def is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            return True
    except OSError:
        return False


def daemons_are_healthy(address: str) -> bool:
    query = "{ instance { daemonHealth { allDaemonStatuses { required healthy } } } }"
    request = urllib.request.Request(
        address, json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        told = json.load(answer)["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    required = [one["healthy"] for one in told if one["required"]]
    return bool(required) and all(required)


def logs(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(folder.glob("*.log")))
