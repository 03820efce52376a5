"""Makes a DAGSTER_HOME ready for the processes that share it."""

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ndjson_pipeline.deployment.names import GLUE_POOL

if TYPE_CHECKING:
    from dagster import DagsterInstance

# Settings of instances, files of this package.
LOCAL = "local.yaml"
PRODUCTION = "production.yaml"


def prepare_home(home: Path, settings: str = LOCAL) -> None:
    """Lay an instance's settings into a home, and make its storage's tables and the pool's places.

    Two processes that open a fresh storage at the same time both try to make the tables, and one of them
    dies.

    Args:
        home: the folder.
        settings: a file of this package; what it takes from the environment must be there.
    """
    import dagster as dg  # noqa: PLC0415 - loads for a second, while the local AWS starts

    home.mkdir(parents=True, exist_ok=True)
    text = resources.files("ndjson_pipeline.deployment.instance").joinpath(settings).read_text()
    (home / "dagster.yaml").write_text(text)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        make_places(instance)


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
