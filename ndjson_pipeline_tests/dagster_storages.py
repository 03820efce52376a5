"""What each of Dagster's SQLite storages reads and makes anew, once for all of them in a process.

Both take what sets an attribute: a `MonkeyPatch`'s, or `setattr` in a process that ends with its platform.
"""

from collections.abc import Callable
from typing import Any

import dagster._core.storage.event_log.sqlite.sqlite_event_log as event_log
import dagster._core.storage.runs.sqlite.sqlite_run_storage as runs
import dagster._core.storage.schedules.sqlite.sqlite_schedule_storage as schedules
from alembic.config import Config
from alembic.script import ScriptDirectory

Set = Callable[[Any, str, Any], None]


def share_migrations(set_attribute: Set) -> None:
    """Let each further storage take what another has read.

    A new storage notes the newest migration as its own, and one that is opened is held against it. For that
    Alembic loads all of them, some ninety modules, each time: most of what a storage's making takes.
    """
    read: dict[str | None, ScriptDirectory] = {}
    read_anew = ScriptDirectory.from_config

    def from_config(config: Config) -> ScriptDirectory:
        place = config.get_main_option("script_location")
        if place not in read:
            read[place] = read_anew(config)
        return read[place]

    set_attribute(ScriptDirectory, "from_config", from_config)


def share_engines(set_attribute: Set) -> None:
    """Let a file of SQLite have one engine, that knows the statements it has compiled.

    Dagster makes one for each call. It keeps no connection, so each call still opens the file.
    """
    for storage in (event_log, runs, schedules):
        set_attribute(storage, "create_engine", _one_of_each(storage.create_engine))


def _one_of_each(make: Any) -> Any:
    made: dict[str, Any] = {}

    def create_engine(url: str, **options: Any) -> Any:
        asked = f"{url} {options}"
        if asked not in made:
            made[asked] = make(url, **options)
        return made[asked]

    return create_engine
