"""Dagster's processes with less work in them that no test of a platform is about.

On SQLite and with code servers of its own, which is how a laptop has it, Dagster does a lot again and again:

- A run's process imports for seconds before it begins. Here it is a fork of one that imported already.
- The daemon replaces its code servers each minute, none of which has changed. Here it lets them be.
- Each access to SQLite makes an engine, which compiles each statement anew. Here there is one a database.
- Each tick reads some ninety files of Alembic's to learn the storage's newest version. Here the first does.

Half of what a platform of tests worked was this. The processes, their calls and their deaths are the same.
Where a user's Dagster is itself what is proven, it is not asked for: the deployment, the instance on
PostgreSQL, the commands and the steps of the guide.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

# After how many seconds the daemon replaces its code servers; Dagster's own is 60.
RELOAD_VARIABLE = "NDJSON_TESTS_CODE_SERVER_SECONDS"


def use_light_dagster(patch: "pytest.MonkeyPatch") -> None:
    """Have the processes that are started from now on load `sitecustomize.py`, as Python does by itself."""
    folders = [str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))
    patch.setenv(RELOAD_VARIABLE, "3600")
