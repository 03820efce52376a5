"""Dagster's storage in PostgreSQL with one bounded pool of connections a process.

dagster-postgres opens a connection for each statement, and makes three engines for each instance that a
process opens; a code server opens one at every tick of every sensor. Here all of a process's instances share
one engine. Connections come from `database`, which reads a changed password again.
"""

import functools
import multiprocessing
import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Self

import psycopg2
import sqlalchemy
import sqlalchemy.pool
from dagster._config import Field, IntSource
from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.auth import PgTokenProvider

from ndjson_pipeline.deployment.instance.database import Database, DatabaseSettings, secrets_client
from ndjson_pipeline.errors import PipelineError

# Who holds this makes tables; any number that no other program in the database uses.
_TABLES_LOCK = 7_316_120_401
_TABLES_SECONDS = 120.0
_LOOK_SECONDS = 0.5
# The dialect by its driver's name: SQLAlchemy's default is another than the one that dagster-postgres brings.
_DIALECT = "postgresql+psycopg2"
# Neither a host nor a user: connections are made by `Database.connect` alone, so that no password is in it.
_ADDRESS = sqlalchemy.URL.create(_DIALECT)


class TablesError(PipelineError):
    """The storage's tables could not be made."""


@dataclass(frozen=True)
class PoolRules:
    """How many connections a process holds.

    Attributes:
        size: kept open.
        overflow: opened beyond these while more are needed at once.
        run_size: kept open by the process of a run.
        run_overflow: opened beyond these by the process of a run.
        recycle_seconds: one older than this is replaced when it is asked for.
        wait_seconds: a statement that finds none fails after this.
    """

    size: int = 4
    overflow: int = 8
    run_size: int = 1
    run_overflow: int = 3
    recycle_seconds: int = 1800
    wait_seconds: int = 30

    @property
    def of_this_process(self) -> tuple[int, int]:
        """Size and overflow here: a run is a child of its code server, and does one thing at a time."""
        is_run = multiprocessing.parent_process() is not None
        return (self.run_size, self.run_overflow) if is_run else (self.size, self.overflow)


def engine_of(
    database: Database, rules: PoolRules, *, statement_timeout_ms: int | None = None
) -> sqlalchemy.Engine:
    """Return an engine over a bounded pool.

    Args:
        database: makes the connections.
        rules: bound the pool.
        statement_timeout_ms: PostgreSQL ends a statement after this; None sets no such bound.
    """
    size, overflow = rules.of_this_process
    options = (
        {} if statement_timeout_ms is None else {"options": f"-c statement_timeout={statement_timeout_ms}"}
    )
    engine = sqlalchemy.create_engine(
        _ADDRESS,
        creator=lambda: database.connect(**options),
        isolation_level="AUTOCOMMIT",
        poolclass=sqlalchemy.pool.QueuePool,
        pool_size=size,
        max_overflow=overflow,
        pool_timeout=rules.wait_seconds,
        pool_recycle=rules.recycle_seconds,
        # A connection that a failover or a firewall cut is replaced, not handed out.
        pool_pre_ping=True,
        # The few that are needed stay warm, and the others grow old.
        pool_use_lifo=True,
    )
    _forget_in_forks(engine)
    return engine


def _forget_in_forks(engine: sqlalchemy.Engine) -> None:
    """Let no forked process use its parent's connections, nor close them."""
    known = weakref.ref(engine)

    def forget() -> None:
        inherited = known()
        if inherited is not None:
            inherited.dispose(close=False)

    os.register_at_fork(after_in_child=forget)


@functools.lru_cache(maxsize=8)
def shared_database(settings: DatabaseSettings) -> Database:
    """Return the database that all of this process's instances use."""
    return Database(settings, secrets=secrets_client)


@functools.lru_cache(maxsize=8)
def shared_engine(
    settings: DatabaseSettings, rules: PoolRules, statement_timeout_ms: int | None = None
) -> sqlalchemy.Engine:
    """Return the engine that all of this process's instances use."""
    return engine_of(shared_database(settings), rules, statement_timeout_ms=statement_timeout_ms)


class _Shared:
    """What the three storages have in common: the engine is the process's, and tables are made elsewhere."""

    _engine: sqlalchemy.Engine

    def share(self, settings: DatabaseSettings, rules: PoolRules) -> None:
        """Take the process's engine in the place of the one without a pool, which has opened nothing."""
        self._settings, self._rules = settings, rules
        self._engine = shared_engine(settings, rules)

    def optimize_for_webserver(
        self,
        statement_timeout: int,
        pool_recycle: int,  # noqa: ARG002 - the settings of the instance bound the pool
        max_overflow: int,  # noqa: ARG002
    ) -> None:
        """Bound the time of each statement, as the UI's server asks for."""
        self._engine = shared_engine(self._settings, self._rules, statement_timeout)


class PooledRunStorage(_Shared, PostgresRunStorage):
    """Dagster's runs."""


class PooledEventLogStorage(_Shared, PostgresEventLogStorage):
    """Dagster's events."""


class PooledScheduleStorage(_Shared, PostgresScheduleStorage):
    """Dagster's ticks and sensors' states."""


class PooledPostgresStorage(DagsterPostgresStorage):
    """Dagster's storage, as `production.yaml` names it.

    Args:
        settings: where PostgreSQL is.
        rules: bound the pool.
        inst_data: what Dagster makes it of again in another process.
    """

    def __init__(
        self, settings: DatabaseSettings, rules: PoolRules, inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__(_address(settings), should_autocreate_tables=False, inst_data=inst_data)
        self.settings = settings
        runs = PooledRunStorage(self.postgres_url, should_autocreate_tables=False)
        events = PooledEventLogStorage(self.postgres_url, should_autocreate_tables=False)
        schedules = PooledScheduleStorage(self.postgres_url, should_autocreate_tables=False)
        for storage in (runs, events, schedules):
            storage.share(settings, rules)
        self._run_storage, self._event_log_storage, self._schedule_storage = runs, events, schedules

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Return what `production.yaml` may say: the attributes of `PoolRules`."""
        return {
            one.name: Field(IntSource, is_required=False, default_value=one.default)
            for one in fields(PoolRules)
        }

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, int]
    ) -> Self:
        """Make it of its settings and of the process's environment.

        Raises:
            SettingsError: the environment does not say where PostgreSQL is.
        """
        return cls(DatabaseSettings.from_environment(os.environ), PoolRules(**config_value), inst_data)

    # Dagster asks the storage as a whole for its parts, and has these for settings that name each alone.
    @property
    def event_storage_data(self) -> ConfigurableClassData | None:
        """None: there is no setting for it alone."""
        return None

    @property
    def run_storage_data(self) -> ConfigurableClassData | None:
        """None: there is no setting for it alone."""
        return None

    @property
    def schedule_storage_data(self) -> ConfigurableClassData | None:
        """None: there is no setting for it alone."""
        return None


def _address(settings: DatabaseSettings, username: str | None = None) -> str:
    """Return an address without a password."""
    address = sqlalchemy.URL.create(
        _DIALECT, username, host=settings.host, port=settings.port, database=settings.database
    )
    return address.render_as_string(hide_password=False)


class _Passwords(PgTokenProvider):
    """Tells dagster-postgres the database's password."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def get_token(self) -> str:
        return self._database.credentials().password

    def _fetch_token(self) -> tuple[str, float]:
        return self.get_token(), 0.0


@contextmanager
def only_one(
    database: Database,
    *,
    seconds: float = _TABLES_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Let one process at a time make tables; PostgreSQL forgets a holder that dies.

    Raises:
        TablesError: PostgreSQL can't be used, or another process holds the lock for longer than that takes.
    """
    settings = database.settings
    try:
        connection = database.connect()
    except psycopg2.OperationalError as error:
        raise TablesError(
            f"PostgreSQL at {settings.host}:{settings.port} can't be used: {str(error).strip()}"
        ) from error
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            until = monotonic() + seconds
            while True:
                cursor.execute("select pg_try_advisory_lock(%s)", (_TABLES_LOCK,))
                row = cursor.fetchone()
                if row is not None and row[0]:
                    break
                if monotonic() > until:
                    raise TablesError(
                        f"Another process has been making the tables of {settings.database} for more than "
                        f"{seconds:g} s; see its log, or end its session in pg_stat_activity"
                    )
                sleep(_LOOK_SECONDS)
            yield
    finally:
        # The lock ends with the session.
        connection.close()


def make_tables(database: Database) -> None:
    """Make what tables are missing; for one process at a time, within `only_one`.

    Two that made them at once would each find the other's half done.
    """
    address = _address(database.settings, database.credentials().username)
    passwords = _Passwords(database)
    for storage in (PostgresRunStorage, PostgresEventLogStorage, PostgresScheduleStorage):
        storage(address, should_autocreate_tables=True, token_provider=passwords)
