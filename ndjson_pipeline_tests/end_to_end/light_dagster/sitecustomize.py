"""What each Python loads that has this folder on its path, before anything else; the package tells why.

A Glue run's Python and a function's have the folder on their path, too, and are left as they are.
"""

import os
import sys
from itertools import pairwise


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


def program_of(words: list[str]) -> list[str]:
    """Return a command line without Python and its flags: script, module or code, and the arguments."""
    for position, word in enumerate(words[1:], 1):
        if word in ("-m", "-c"):
            return words[position + 1 :]
        if not word.startswith("-") and words[position - 1] not in ("-X", "-W"):
            return words[position:]
    return []


def lighten(words: list[str]) -> None:
    """Do what concerns this process.

    Args:
        words: its command line.
    """
    program, *arguments = program_of(words) or [""]
    name = program.rpartition("/")[2]
    is_daemon = name in ("dagster-daemon", "dagster._daemon")
    is_code_server = [name, *arguments[:2]] == ["dagster", "api", "grpc"]
    forks_runs = "forkserver" in program and "dagster" in program
    if not (is_daemon or is_code_server or forks_runs):
        return
    # Only here: another Python on this path need not have the tests.
    from ndjson_pipeline_tests.dagster_storages import share_engines, share_migrations  # noqa: PLC0415
    from ndjson_pipeline_tests.end_to_end.light_dagster import RELOAD_VARIABLE  # noqa: PLC0415

    share_engines(setattr)
    share_migrations(setattr)
    if is_daemon:
        keep_code_servers(float(os.environ[RELOAD_VARIABLE]))
    if is_code_server:
        named = [value for flag, value in pairwise(arguments) if flag in ("-m", "--module-name")]
        fork_runs(["dagster._grpc.server", *named])


lighten(sys.orig_argv)
