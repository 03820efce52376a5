"""The command that each service becomes."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ndjson_pipeline.deployment.services.settings import CodeServer

WORKSPACE = "workspace.yaml"
DEFINITIONS = "ndjson_pipeline.definitions"
CODE_SERVER_PORT = 4000
WEBSERVER_PORT = 3000


def workspace(servers: Sequence[CodeServer]) -> str:
    """Return the text of a workspace.yaml, which tells daemon and UI where the code servers answer."""
    entries = [
        {"grpc_server": {"host": one.host, "port": one.port, "location_name": one.location}}
        for one in servers
    ]
    # JSON is YAML, and quotes what must be quoted.
    return json.dumps({"load_from": entries}, indent=1) + "\n"


def code_server_command(host: str, port: int, definitions: str = DEFINITIONS) -> list[str]:
    """Return the command of a code server.

    Args:
        host: where it listens.
        port: where it listens.
        definitions: the module of the code location; what it loads is called `defs`.
    """
    return [
        *(sys.executable, "-m", "ndjson_pipeline.code_server"),
        *("--host", host, "--port", str(port), "-m", definitions, "-a", "defs"),
    ]


def daemon_command(home: Path) -> list[str]:
    """Return the command of the daemon."""
    return [sys.executable, "-m", "dagster._daemon", "run", "-w", str(home / WORKSPACE)]


def webserver_command(home: Path, host: str, port: int, *, read_only: bool) -> list[str]:
    """Return the command of the UI, with the check of where requests come from."""
    return [
        *(sys.executable, "-m", "ndjson_pipeline.webserver"),
        *("-h", host, "-p", str(port), "-w", str(home / WORKSPACE)),
        *(["--read-only"] if read_only else []),
    ]
