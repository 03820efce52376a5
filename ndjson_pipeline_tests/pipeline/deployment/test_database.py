"""As whom a process connects to PostgreSQL, and what it does when that changes."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy

from ndjson_pipeline.deployment.instance.database import (
    Database,
    DatabaseSecretError,
    DatabaseSettings,
)
from ndjson_pipeline.deployment.instance.storage import PoolRules, TablesError, engine_of, only_one
from ndjson_pipeline.errors import SettingsError
from ndjson_pipeline_tests.postgresql import PostgresServer, postgres_server

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds-abc"
WHERE = {"DAGSTER_POSTGRES_HOST": "db.internal", "DAGSTER_POSTGRES_DB": "dagster"}


class Secrets:
    """A secret whose versions a test sets; counts how often it was read."""

    def __init__(self, *passwords: str) -> None:
        self.passwords = list(passwords)
        self.reads = 0

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]:  # noqa: N803
        assert SecretId == ARN
        self.reads += 1
        password = self.passwords.pop(0) if len(self.passwords) > 1 else self.passwords[0]
        return {
            "SecretString": json.dumps({"username": "dagster", "password": password, "engine": "postgres"})
        }


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server(wants_password=True) as server:
        yield server


@pytest.fixture
def settings(postgres: PostgresServer) -> DatabaseSettings:
    return DatabaseSettings("127.0.0.1", postgres.port, "postgres", ARN)


def database(settings: DatabaseSettings, secrets: Secrets) -> Database:
    clock = iter(range(1_000))
    return Database(
        settings, secrets=lambda: secrets, sleep=lambda _: None, monotonic=lambda: float(next(clock))
    )


def test_a_password_that_changed_is_read_again_and_the_pool_goes_on(
    postgres: PostgresServer, settings: DatabaseSettings
) -> None:
    postgres.set_password("first")
    # PostgreSQL has the new password for a while before the secret has.
    secrets = Secrets("first", "first", "first", "second")
    engine = engine_of(database(settings, secrets), PoolRules())
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("select 1")) == 1
    postgres.set_password("second")
    with engine.connect() as connection:
        # Who is connected stays so.
        assert connection.scalar(sqlalchemy.text("select 1")) == 1
    assert secrets.reads == 1
    postgres.cut_connections()
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("select 1")) == 1
    assert secrets.reads == 4
    engine.dispose()


def test_a_password_that_stays_wrong_is_an_error_that_does_not_tell_it(
    postgres: PostgresServer, settings: DatabaseSettings
) -> None:
    postgres.set_password("right")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed") as caught:
        database(settings, Secrets("wrong-one")).connect()
    assert "wrong-one" not in str(caught.value)


def test_a_server_that_is_away_costs_no_look_at_the_secret() -> None:
    secrets = Secrets("any")
    away = database(DatabaseSettings("127.0.0.1", 1, "postgres", ARN), secrets)
    for _ in range(3):
        with pytest.raises(psycopg2.OperationalError):
            away.connect()
    assert secrets.reads == 1


@pytest.mark.parametrize("text", ["no json", "[]", '{"username": "u"}', '"hunter2"'])
def test_a_secret_of_another_shape_is_named_and_not_told(settings: DatabaseSettings, text: str) -> None:
    class Odd:
        def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]:  # noqa: N803
            return {"SecretString": text}

    with pytest.raises(DatabaseSecretError, match="JSON object with username and password") as caught:
        Database(settings, secrets=Odd).connect()
    assert ARN in str(caught.value)
    assert text not in str(caught.value)


def test_a_secret_that_can_not_be_read_says_which_permission_is_missing(settings: DatabaseSettings) -> None:
    def refused() -> Secrets:
        raise PermissionError("AccessDenied")

    with pytest.raises(DatabaseSecretError, match="secretsmanager:GetSecretValue"):
        Database(settings, secrets=refused).connect()


def test_credentials_are_not_shown() -> None:
    given = {"DAGSTER_POSTGRES_USER": "u", "DAGSTER_POSTGRES_PASSWORD": "hunter2"}
    assert "hunter2" not in repr(DatabaseSettings.from_environment({**WHERE, **given}))


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, ["DAGSTER_POSTGRES_HOST", "DAGSTER_POSTGRES_DB", "DAGSTER_POSTGRES_SECRET_ARN"]),
        ({**WHERE, "DAGSTER_POSTGRES_USER": "u"}, ["DAGSTER_POSTGRES_PASSWORD"]),
        ({**WHERE, "DAGSTER_POSTGRES_SECRET_ARN": ARN, "DAGSTER_POSTGRES_USER": "u"}, ["must not be"]),
        ({**WHERE, "DAGSTER_POSTGRES_SECRET_ARN": ARN, "DAGSTER_POSTGRES_PORT": "0"}, ["_PORT"]),
    ],
)
def test_everything_that_is_wrong_is_named_at_once(variables: dict[str, str], named: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        DatabaseSettings.from_environment(variables)
    assert [name for name in named if name not in str(caught.value)] == []


def test_the_pool_is_bounded_and_gives_back(postgres: PostgresServer, settings: DatabaseSettings) -> None:
    postgres.set_password("p")
    rules = PoolRules(size=1, overflow=1, wait_seconds=1)
    engine = engine_of(database(settings, Secrets("p")), rules)
    with engine.connect(), engine.connect(), pytest.raises(sqlalchemy.exc.TimeoutError):
        engine.connect()
    for _ in range(20):
        with engine.connect() as connection:
            connection.scalar(sqlalchemy.text("select 1"))
    assert postgres.count("select count(*) from pg_stat_activity where usename = 'dagster'") == 1
    engine.dispose()


def test_a_fork_makes_connections_of_its_own(postgres: PostgresServer, settings: DatabaseSettings) -> None:
    """In a process of its own, for a fork takes along what other threads were at."""
    postgres.set_password("p")
    code = f"""
import os, sqlalchemy
from ndjson_pipeline.deployment.instance.database import Credentials, Database, DatabaseSettings
from ndjson_pipeline.deployment.instance.storage import PoolRules, engine_of
settings = DatabaseSettings("127.0.0.1", {postgres.port}, "postgres", None, Credentials("dagster", "p"))
engine = engine_of(Database(settings, secrets=lambda: None), PoolRules())
ask = lambda: engine.connect().__enter__().scalar(sqlalchemy.text("select pg_backend_pid()"))
with engine.connect() as connection: parent = connection.scalar(sqlalchemy.text("select pg_backend_pid()"))
child = os.fork()
if child == 0:
    os._exit(0 if ask() != parent else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
with engine.connect() as connection:
    assert connection.scalar(sqlalchemy.text("select pg_backend_pid()")) == parent
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_one_process_at_a_time_makes_tables(postgres: PostgresServer, settings: DatabaseSettings) -> None:
    postgres.set_password("p")
    one, other = database(settings, Secrets("p")), database(settings, Secrets("p"))
    with only_one(one):
        clock = iter(range(100))
        with (
            pytest.raises(TablesError, match="pg_stat_activity"),
            only_one(other, seconds=3, sleep=lambda _: None, monotonic=lambda: float(next(clock))),
        ):
            pass
    with only_one(other):
        pass


def test_several_services_that_start_at_once_make_the_tables_once(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    postgres.set_password(postgres.environment["DAGSTER_POSTGRES_PASSWORD"])
    postgres.empty()
    command = [sys.executable, "-m", "ndjson_pipeline.deployment.instance", "--places", "--home"]
    results: list[subprocess.CompletedProcess[str]] = []

    def prepare(number: int) -> None:
        results.append(
            subprocess.run(
                [*command, str(tmp_path / str(number))],
                env={**os.environ, **postgres.environment},
                capture_output=True,
                text=True,
                check=False,
            )
        )

    threads = [threading.Thread(target=prepare, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(done.returncode, done.stderr[-300:]) for done in results if done.returncode] == []
    assert not any("Retrying" in done.stderr for done in results)
    assert postgres.count("select count(*) from alembic_version") == 1
    assert postgres.count("select \"limit\" from concurrency_limits where concurrency_key = 'glue'") == 2
