"""Starts one of Dagster's services in a deployment, or has the UI load the code anew.

A service lays its DAGSTER_HOME, makes what tables are missing, and becomes the Dagster process, which so gets
the container's signals.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.instance.home import PRODUCTION, prepare_home
from ndjson_pipeline.deployment.services.commands import (
    CODE_SERVER_PORT,
    DEFINITIONS,
    WEBSERVER_PORT,
    WORKSPACE,
    code_server_command,
    daemon_command,
    webserver_command,
    workspace,
)
from ndjson_pipeline.deployment.services.reloading import asker, reload_all
from ndjson_pipeline.deployment.services.settings import code_servers_of, home_of
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.errors import PipelineError

# How libpq tells PostgreSQL who a connection is of; shown in pg_stat_activity.
_APPLICATION_VARIABLE = "PGAPPNAME"

Become = Callable[[str, list[str], dict[str, str]], object]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ndjson_pipeline.deployment.services", description=__doc__
    )
    services = parser.add_subparsers(dest="service", required=True)
    code = services.add_parser("code-server", help="loads the code location, and runs its runs")
    code.add_argument("--host", default="0.0.0.0")
    code.add_argument("--port", type=int, default=CODE_SERVER_PORT)
    code.add_argument("--definitions", default=DEFINITIONS, help="the module that has defs")
    services.add_parser("daemon", help="ticks sensors and launches runs; one of it, never two")
    web = services.add_parser("webserver", help="the UI")
    web.add_argument("--host", default="0.0.0.0")
    web.add_argument("--port", type=int, default=WEBSERVER_PORT)
    web.add_argument("--read-only", action="store_true", help="a UI that changes nothing, for viewers")
    again = services.add_parser("reload", help="has a UI load every code location anew, and waits for it")
    again.add_argument("--url", default=f"http://127.0.0.1:{WEBSERVER_PORT}", help="where the UI answers")
    again.add_argument("--seconds", type=float, default=300.0, help="how long to wait")
    return parser


def main(arguments: Sequence[str], variables: Mapping[str, str], become: Become = os.execve) -> int:
    """Do what the arguments ask for; return the exit status where the process does not become another.

    Args:
        arguments: of the command.
        variables: the environment.
        become: replaces this process's program.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.service == "reload":
            names = reload_all(asker(options.url), seconds=options.seconds)
            print(f"Loaded anew: {', '.join(names)}")  # noqa: T201 - the command's answer
            return 0
        home = home_of(variables)
        command = _command(options, home, variables)
    except PipelineError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line that says what to do
        return 1
    environment = {_APPLICATION_VARIABLE: f"dagster-{options.service}", **variables}
    become(command[0], command, environment)
    return 0


def _command(options: argparse.Namespace, home: Path, variables: Mapping[str, str]) -> list[str]:
    """Make the home ready, and return the command of the service.

    Raises:
        PipelineError: a setting makes no sense, or the database can't be used.
    """
    if options.service == "code-server":
        own = PipelineSettings.from_environment(variables)
        prepare_home(home, PRODUCTION, places={Feed(own.feed).pool: own.max_concurrent_runs})
        return code_server_command(options.host, options.port, options.definitions)
    servers = code_servers_of(variables)
    prepare_home(home, PRODUCTION)
    (home / WORKSPACE).write_text(workspace(servers))
    if options.service == "daemon":
        return daemon_command(home)
    return webserver_command(home, options.host, options.port, read_only=options.read_only)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
