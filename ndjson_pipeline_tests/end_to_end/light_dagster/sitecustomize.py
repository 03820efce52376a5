"""What each Python loads that has this folder on its path, before anything else; the package tells why.

A Glue run's Python and a function's have the folder on their path, too, and are left as they are.
"""

import os
import sys
from itertools import pairwise
from typing import Any


def fork_runs(modules: list[str]) -> None:
    """Let this code server's runs be forks of a process that has imported modules."""
    from multiprocessing import context, forkserver, popen_forkserver  # noqa: PLC0415

    forkserver.set_forkserver_preload(modules)
    # Dagster asks for `spawn`, and names it in no setting.
    context.SpawnProcess._Popen = staticmethod(popen_forkserver.Popen)  # type: ignore[method-assign]


def keep_code_servers(seconds: float) -> None:
    """Let this daemon replace its code servers as often as that."""
    from dagster._daemon import controller  # noqa: PLC0415

    controller.RELOAD_WORKSPACE_INTERVAL = seconds  # type: ignore[assignment]


def keep_engines() -> None:
    """Have one engine a database and process; it keeps no connection, so it may outlive its use."""
    import sqlalchemy  # noqa: PLC0415 - before Dagster does, which takes the function from it

    make, kept = sqlalchemy.create_engine, {}

    def create_engine(url: str, **settings: Any) -> Any:
        if not str(url).startswith("sqlite:///") or settings.get("poolclass") is not sqlalchemy.NullPool:
            return make(url, **settings)
        key = (url, repr(sorted(settings.items(), key=lambda each: each[0])))
        if key not in kept:
            kept[key] = make(url, **settings)
        return kept[key]

    sqlalchemy.create_engine = create_engine  # type: ignore[assignment]


def read_migrations_once() -> None:
    """Read the folder of a storage's migrations once a process."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    read = ScriptDirectory.from_config
    kept: dict[str | None, ScriptDirectory] = {}

    def from_config(config: Any) -> ScriptDirectory:
        location = config.get_main_option("script_location")
        if location not in kept:
            kept[location] = read(config)
        return kept[location]

    ScriptDirectory.from_config = staticmethod(from_config)  # type: ignore[assignment]


def lighten(words: list[str]) -> None:
    """Do what concerns this process.

    Args:
        words: its command line.
    """
    program, *arguments = words[2:] if words[1] in ("-m", "-c") else words[1:]
    name = program.rpartition("/")[2]
    is_daemon = name in ("dagster-daemon", "dagster._daemon")
    is_code_server = [name, *arguments[:2]] == ["dagster", "api", "grpc"]
    forks_runs = "forkserver" in program and "dagster" in program
    if not (is_daemon or is_code_server or forks_runs):
        return
    # First: Dagster takes from SQLAlchemy what it makes engines by as it is imported.
    keep_engines()
    read_migrations_once()
    if is_daemon:
        keep_code_servers(float(os.environ["NDJSON_TESTS_CODE_SERVER_SECONDS"]))
    if is_code_server:
        named = [value for flag, value in pairwise(arguments) if flag in ("-m", "--module-name")]
        fork_runs(["dagster._grpc.server", *named])


if len(sys.orig_argv) > 1:
    lighten(sys.orig_argv)
