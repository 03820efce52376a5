"""Dagster's migrations, read from disk once by all of its storages of a process of tests."""

from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory


def share_migrations(patch: pytest.MonkeyPatch) -> None:
    """Let each further storage take what another has read.

    A new storage notes the newest migration as its own, and one that is opened is held against it. For that
    Alembic loads all of them, some ninety modules, each time: most of what a storage's making takes.
    """
    read: dict[str | None, ScriptDirectory] = {}
    read_anew = ScriptDirectory.from_config

    def from_config(config: Config) -> Any:
        place = config.get_main_option("script_location")
        if place not in read:
            read[place] = read_anew(config)
        return read[place]

    patch.setattr(ScriptDirectory, "from_config", from_config)
