"""Where Dagster's PostgreSQL is, and as whom a process connects, read from the environment once and checked.

The secret of a database that RDS manages changes every seven days by default
(https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html), under processes that go on.
So a process keeps where its secret is, and reads it again where PostgreSQL refuses what it has.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import psycopg2

from lambda_ingest.contract.settings import SettingsReader
from ndjson_pipeline.errors import PipelineError, SettingsError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as PgConnection  # noqa: N812 - a class by its small name

HOST_VARIABLE = "DAGSTER_POSTGRES_HOST"
PORT_VARIABLE = "DAGSTER_POSTGRES_PORT"
DATABASE_VARIABLE = "DAGSTER_POSTGRES_DB"
SECRET_VARIABLE = "DAGSTER_POSTGRES_SECRET_ARN"
USER_VARIABLE = "DAGSTER_POSTGRES_USER"
PASSWORD_VARIABLE = "DAGSTER_POSTGRES_PASSWORD"

# An answer of PostgreSQL's while a connection is made has no code beside its text, which RDS gives in English
# (https://www.postgresql.org/docs/current/errcodes-appendix.html: 28P01, 28000).
_REFUSED = ("password authentication failed", "no password supplied", 'role "')
# Between the password's change in the database and the secret's new current version lie moments. A change
# of the secret is waited for so long, and looked for so often.
_PATIENCE_SECONDS = 20.0
_LOOK_SECONDS = 1.0
_CONNECT_SECONDS = 10

_logger = logging.getLogger(__name__)


class DatabaseSecretError(PipelineError):
    """The secret of the database could not be read, or is none."""


@dataclass(frozen=True)
class Credentials:
    """As whom to connect; never shown.

    Attributes:
        username: the user.
        password: its password.
    """

    username: str
    password: str = field(repr=False)


class SecretReader(Protocol):
    """What of Secrets Manager's client is used."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        """Return the current version of a secret."""
        ...


@dataclass(frozen=True)
class DatabaseSettings:
    """Where PostgreSQL answers, and where the credentials are.

    Attributes:
        host: its name; `verify-full` compares the certificate with it.
        port: its port.
        database: the database.
        secret_arn: the secret with user and password; None where they are given.
        given: user and password, where there is no secret.
    """

    host: str
    port: int
    database: str
    secret_arn: str | None = None
    given: Credentials | None = None

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the variables.

        Raises:
            SettingsError: names every variable that is missing or makes no sense, and what was expected.
        """
        reader = SettingsReader(variables)
        host, database = reader.required(HOST_VARIABLE), reader.required(DATABASE_VARIABLE)
        port = reader.whole(PORT_VARIABLE, 5432, lowest=1, highest=65_535)
        secret_arn = reader.text(SECRET_VARIABLE)
        username, password = reader.text(USER_VARIABLE), reader.text(PASSWORD_VARIABLE)
        if secret_arn is None and (username is None or password is None):
            reader.problems.append(
                f"either {SECRET_VARIABLE}, or {USER_VARIABLE} and {PASSWORD_VARIABLE}, must say as whom to "
                "connect"
            )
        if secret_arn is not None and (username is not None or password is not None):
            reader.problems.append(
                f"{SECRET_VARIABLE} is set, so {USER_VARIABLE} and {PASSWORD_VARIABLE} must not be"
            )
        if reader.problems:
            raise SettingsError("Environment variables need mending: " + "; ".join(reader.problems) + ".")
        given = None if username is None or password is None else Credentials(username, password)
        return cls(host, port, database, secret_arn, given)


class Database:
    """Connections to PostgreSQL, with credentials that may change while the process goes on.

    Args:
        settings: where it is.
        secrets: makes Secrets Manager's client; called only where there is a secret.
        sleep: lets seconds pass.
        monotonic: tells seconds that have passed.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        secrets: Callable[[], SecretReader],
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._secrets = secrets
        self._sleep = sleep
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._current: Credentials | None = settings.given

    def connect(self, **arguments: Any) -> "PgConnection":
        """Return a new connection; reads the secret again where PostgreSQL refuses the password.

        Args:
            arguments: what else psycopg2 is told.

        Raises:
            psycopg2.OperationalError: PostgreSQL is away, or refuses the newest password too.
            DatabaseSecretError: the secret could not be read.
        """
        used = self.credentials()
        until = self._monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return psycopg2.connect(
                    **{
                        "connect_timeout": _CONNECT_SECONDS,
                        **arguments,
                        "host": self.settings.host,
                        "port": self.settings.port,
                        "dbname": self.settings.database,
                        "user": used.username,
                        "password": used.password,
                    }
                )
            except psycopg2.OperationalError as error:
                if self.settings.secret_arn is None or not _is_refused(error):
                    raise
                newest = self.credentials(refused=used)
                if newest == used:
                    if self._monotonic() > until:
                        raise
                    self._sleep(_LOOK_SECONDS)
                else:
                    _logger.info("PostgreSQL refused the password, and the secret has another one by now")
                used = newest

    def credentials(self, refused: Credentials | None = None) -> Credentials:
        """Return the credentials; one thread at a time reads them.

        Args:
            refused: what PostgreSQL refused; where that is in mind still, the secret is read again.

        Raises:
            DatabaseSecretError: the secret could not be read.
        """
        with self._lock:
            if self._current is None or self._current == refused:
                self._current = self._read()
            return self._current

    def _read(self) -> Credentials:
        arn = self.settings.secret_arn or ""
        try:
            text = self._secrets().get_secret_value(SecretId=arn)["SecretString"]
        except Exception as error:
            raise DatabaseSecretError(
                f"The secret {arn} could not be read, so PostgreSQL can't be reached: {error}. The process's "
                "role needs secretsmanager:GetSecretValue on it, and kms:Decrypt on its key where that is "
                "not AWS's own."
            ) from error
        try:
            document = json.loads(text)
            return Credentials(str(document["username"]), str(document["password"]))
        except (ValueError, KeyError, TypeError):
            # Neither the text nor what the parser says of it may be told.
            raise DatabaseSecretError(
                f"The secret {arn} must be a JSON object with username and password, as RDS makes it"
            ) from None


def _is_refused(error: psycopg2.OperationalError) -> bool:
    text = str(error)
    return any(part in text for part in _REFUSED)


def secrets_client() -> SecretReader:
    """Return Secrets Manager's client."""
    import boto3  # noqa: PLC0415 - loads for a quarter of a second, and only a secret needs it
    from botocore.config import Config  # noqa: PLC0415

    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})
    client: SecretReader = boto3.session.Session().client("secretsmanager", config=config)
    return client
