"""Makes a DAGSTER_HOME ready for the processes that share it."""

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

from lambda_ingest.contract.settings import SettingsReader
from ndjson_pipeline.deployment.instance.places import make_places
from ndjson_pipeline.errors import SettingsError

# Settings of instances, files of this package.
LOCAL = "local.yaml"
PRODUCTION = "production.yaml"
MAX_RUNS_VARIABLE = "DAGSTER_MAX_CONCURRENT_RUNS"
# Beside the places of its pool a feed has room for so many runs that hold none of Glue's.
ROOM_BESIDE_A_POOL = 2
_BOUND = re.compile(r"^( *max_concurrent_runs: )(\d+)$", re.MULTILINE)


def prepare_home(
    home: Path,
    settings: str = LOCAL,
    *,
    places: Mapping[str, int] | None = None,
    max_concurrent_runs: int | None = None,
) -> None:
    """Lay an instance's settings into a home, and make its storage's tables and the places of pools.

    Two processes that open a fresh storage at the same time both try to make the tables, and one of them
    dies. In PostgreSQL, which the services of a deployment share, one waits for the other; a laptop's SQLite
    is opened by one process first.

    Args:
        home: the folder.
        settings: a file of this package; what it takes from the environment must be there.
        places: how many places the pools have whose feeds this process knows; others stay as they are.
        max_concurrent_runs: how many runs of all feeds together may go at once, where it is more than the
            settings, or `DAGSTER_MAX_CONCURRENT_RUNS`, say. `room_for` says how many the feeds need.

    Raises:
        SettingsError: the environment says something else than is expected, or the settings bound no runs.
        TablesError: another process does not come to an end with the tables.
    """
    import dagster as dg  # noqa: PLC0415 - loads for a second, while the local AWS starts

    home.mkdir(parents=True, exist_ok=True)
    text = resources.files("ndjson_pipeline.deployment.instance").joinpath(settings).read_text()
    text = _bounded(text, lambda said: max(_runs_at_once(os.environ) or said, max_concurrent_runs or 0))
    (home / "dagster.yaml").write_text(text)
    with contextlib.ExitStack() as stack:
        if settings == PRODUCTION:
            # Needs dagster-postgres, which a laptop lacks.
            from ndjson_pipeline.deployment.instance import storage  # noqa: PLC0415
            from ndjson_pipeline.deployment.instance.database import DatabaseSettings  # noqa: PLC0415

            database = storage.shared_database(DatabaseSettings.from_environment(os.environ))
            stack.enter_context(storage.only_one(database))
            storage.make_tables(database)
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        for pool, count in (places or {}).items():
            make_places(instance, pool, count)


def _runs_at_once(variables: Mapping[str, str]) -> int | None:
    """Return how many runs the environment allows at once, or None where it says nothing.

    Raises:
        SettingsError: it is no number.
    """
    reader = SettingsReader(variables)
    if reader.text(MAX_RUNS_VARIABLE) is None:
        return None
    most = reader.whole(MAX_RUNS_VARIABLE, 1, lowest=1)
    if reader.problems:
        raise SettingsError("Environment variables need mending: " + "; ".join(reader.problems) + ".")
    return most


def room_for(places: Mapping[str, int]) -> int:
    """Return how many runs may have to go at once, so that no feed waits for another; pure.

    Args:
        places: how many places each feed's pool has.
    """
    return sum(places.values()) + ROOM_BESIDE_A_POOL * len(places)


def _bounded(text: str, bound: Callable[[int], int]) -> str:
    """Return an instance's settings with another bound of its runs; Dagster takes no variable there.

    Args:
        text: the settings.
        bound: returns the bound, given the one that they say.
    """
    text, count = _BOUND.subn(lambda found: f"{found[1]}{bound(int(found[2]))}", text)
    if count != 1:
        raise SettingsError(
            f"The instance's settings must have one line `max_concurrent_runs: <number>`, and have {count}."
        )
    return text
