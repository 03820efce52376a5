"""Makes a DAGSTER_HOME ready for the processes that share it."""

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from ndjson_pipeline.deployment.instance.places import make_places
from ndjson_pipeline.errors import SettingsError

# Settings of instances, files of this package.
LOCAL = "local.yaml"
PRODUCTION = "production.yaml"
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
    dies.

    Args:
        home: the folder.
        settings: a file of this package; what it takes from the environment must be there.
        places: how many places the pools have whose feeds this process knows; others stay as they are.
        max_concurrent_runs: how many runs of all feeds together may go at once, where it is more than the
            settings say. `room_for` says how many the feeds need.

    Raises:
        SettingsError: the settings bound no runs.
    """
    import dagster as dg  # noqa: PLC0415 - loads for a second, while the local AWS starts

    home.mkdir(parents=True, exist_ok=True)
    text = resources.files("ndjson_pipeline.deployment.instance").joinpath(settings).read_text()
    if max_concurrent_runs is not None:
        text = _with_room(text, max_concurrent_runs)
    (home / "dagster.yaml").write_text(text)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for pool, count in (places or {}).items():
            make_places(instance, pool, count)


def room_for(places: Mapping[str, int]) -> int:
    """Return how many runs may have to go at once, so that no feed waits for another; pure.

    Args:
        places: how many places each feed's pool has.
    """
    return sum(places.values()) + ROOM_BESIDE_A_POOL * len(places)


def _with_room(text: str, max_concurrent_runs: int) -> str:
    """Return an instance's settings with room for so many runs at least."""

    def raised(found: re.Match[str]) -> str:
        return f"{found[1]}{max(int(found[2]), max_concurrent_runs)}"

    # Dagster takes a number alone here, no variable of the environment.
    text, bounds = _BOUND.subn(raised, text)
    if bounds != 1:
        raise SettingsError(
            f"The instance's settings must have one line `max_concurrent_runs: <number>`, and have {bounds}."
        )
    return text
