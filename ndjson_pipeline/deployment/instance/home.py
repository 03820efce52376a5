"""Makes a DAGSTER_HOME ready for the processes that share it."""

import contextlib
import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_ingest.contract.settings import SettingsReader
from ndjson_pipeline.deployment.names import GLUE_POOL
from ndjson_pipeline.errors import SettingsError

if TYPE_CHECKING:
    from dagster import DagsterInstance

# Settings of instances, files of this package.
LOCAL = "local.yaml"
PRODUCTION = "production.yaml"
MAX_RUNS_VARIABLE = "DAGSTER_MAX_CONCURRENT_RUNS"
_MAX_RUNS = re.compile(r"^( *max_concurrent_runs: )\d+$", re.MULTILINE)


def prepare_home(home: Path, settings: str = LOCAL) -> None:
    """Lay an instance's settings into a home, and make its storage's tables and the pool's places.

    Two processes that open a fresh storage at the same time both try to make the tables, and one of them
    dies. In PostgreSQL, which the services of a deployment share, one waits for the other; a laptop's SQLite
    is opened by one process first.

    Args:
        home: the folder.
        settings: a file of this package; what it takes from the environment must be there.

    Raises:
        SettingsError: the environment says something else than is expected.
        TablesError: another process does not come to an end with the tables.
    """
    import dagster as dg  # noqa: PLC0415 - loads for a second, while the local AWS starts

    home.mkdir(parents=True, exist_ok=True)
    text = resources.files("ndjson_pipeline.deployment.instance").joinpath(settings).read_text()
    (home / "dagster.yaml").write_text(_with_runs_at_once(text, os.environ))
    with contextlib.ExitStack() as stack:
        if settings == PRODUCTION:
            # Needs dagster-postgres, which a laptop lacks.
            from ndjson_pipeline.deployment.instance import storage  # noqa: PLC0415
            from ndjson_pipeline.deployment.instance.database import DatabaseSettings  # noqa: PLC0415

            database = storage.shared_database(DatabaseSettings.from_environment(os.environ))
            stack.enter_context(storage.only_one(database))
            storage.make_tables(database)
        make_places(stack.enter_context(dg.DagsterInstance.from_config(str(home))))


def _with_runs_at_once(text: str, variables: Mapping[str, str]) -> str:
    """Return settings with the number of runs that the environment wants; Dagster reads it from no variable.

    Raises:
        SettingsError: it is no number.
    """
    reader = SettingsReader(variables)
    if reader.text(MAX_RUNS_VARIABLE) is None:
        return text
    most = reader.whole(MAX_RUNS_VARIABLE, 1, lowest=1)
    if reader.problems:
        raise SettingsError("Environment variables need mending: " + "; ".join(reader.problems) + ".")
    changed, count = _MAX_RUNS.subn(rf"\g<1>{most}", text)
    if count != 1:
        raise SettingsError(
            f"The instance's settings must say max_concurrent_runs once, and do {count} times."
        )
    return changed


def make_places(instance: "DagsterInstance") -> None:
    """Give the pool as many places as the settings say, unless a person has given it others.

    Left alone, Dagster does it too late: it makes a pool known after it has looked for its limit, so that of
    the first runs in a fresh storage more go than there are places. And a limit that has changed since it
    can't write to PostgreSQL: it tries to insert what is there, goes on in the transaction that failed, and
    launches every run for want of a limit.
    """
    storage = instance.event_log_storage
    known = {limit.name: limit for limit in storage.get_pool_limits()}.get(GLUE_POOL)
    if known is not None and known.from_default:
        if known.limit == instance.global_op_concurrency_default_limit:
            return
        storage.delete_concurrency_limit(GLUE_POOL)
        known = None
    if known is None:
        storage.initialize_concurrency_limit_to_default(GLUE_POOL)
