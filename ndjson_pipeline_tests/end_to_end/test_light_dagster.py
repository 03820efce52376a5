"""What is left out of a platform's processes really is, and out of no other process."""

import os
import subprocess
import sys

import pytest

from ndjson_pipeline_tests.end_to_end.light_dagster import use_light_dagster
from ndjson_pipeline_tests.patience import PATIENCE

AS_CODE_SERVER = """
import multiprocessing, os, sitecustomize
sitecustomize.lighten(["python", "-m", "dagster", "api", "grpc", "-m", "json.tool"])
imported = {"dagster._grpc.server", "json.tool", "ndjson_pipeline_tests.dagster_storages"}
told = f"import os, sys; print(os.getppid(), {imported} <= set(sys.modules))"
context = multiprocessing.get_context("spawn")
for _ in range(2):
    run = context.Process(target=exec, args=(told, {}))
    run.start()
    run.join()
print(os.getpid())
"""
AS_DAEMON = """
import sitecustomize
sitecustomize.lighten(["python", PROGRAM, "run", "-m", "json.tool"])
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.sql import get_alembic_config
from dagster._daemon import controller
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool
a, b = (sqlite_run_storage.create_engine(f"sqlite:////tmp/{name}.db", poolclass=NullPool) for name in "ab")
again, timed = (
    sqlite_run_storage.create_engine("sqlite:////tmp/a.db", poolclass=NullPool, **options)
    for options in ({}, {"connect_args": {"timeout": 5}})
)
assert a is again and a is not b and a is not timed
config = get_alembic_config(sqlite_run_storage.__file__)
assert ScriptDirectory.from_config(config) is ScriptDirectory.from_config(config)
print(controller.RELOAD_WORKSPACE_INTERVAL)
"""
AS_ANOTHER = """
import sys
assert "light_dagster" in sys.modules["sitecustomize"].__file__
print({"dagster", "sqlalchemy", "alembic", "multiprocessing"} & set(sys.modules))
"""


def told_by(code: str) -> list[str]:
    """Return the lines of a Python that was started as a platform's are."""
    with pytest.MonkeyPatch.context() as patch:
        use_light_dagster(patch)
        done = subprocess.run(
            [sys.executable, "-c", code],
            # It puts a flag before what each further Python of it runs.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_runs_of_a_code_server_are_forks_of_one_process_that_has_imported() -> None:
    *runs, code_server = told_by(AS_CODE_SERVER)
    assert len(set(runs)) == 1
    parent, has_imported = runs[0].split()
    assert has_imported == "True"
    assert parent != code_server


@pytest.mark.parametrize("program", ['"/bin/dagster-daemon"', '"-B", "-X", "dev", "-m", "dagster._daemon"'])
def test_a_daemon_keeps_its_code_servers_engines_and_migrations(program: str) -> None:
    """By the command, and as `dagster dev` starts it."""
    assert told_by(AS_DAEMON.replace("PROGRAM", program)) == ["3600.0"]


def test_no_other_process_is_touched() -> None:
    assert told_by(AS_ANOTHER) == ["set()"]
