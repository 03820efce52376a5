"""`dagster dev` with this project's web server in place of Dagster's own, which answers any page.

The options are those of `dagster dev`: `python -m ndjson_pipeline.laptop.dagster_dev -p 3000 -m
ndjson_pipeline.definitions`.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from ndjson_pipeline.errors import PipelineError

_DAGSTERS_OWN = "dagster_webserver"
_GUARDED = "ndjson_pipeline.webserver"
_DAEMON = "dagster._daemon"

Start = Callable[..., Any]


class UnknownProcessError(PipelineError):
    """`dagster dev` is about to start something that may be a web server without the check."""


def guarded_command(command: Sequence[str]) -> list[str]:
    """Return the command of a process of `dagster dev`, with the web server that checks.

    Args:
        command: an interpreter, `-m`, a module, and its arguments.

    Raises:
        UnknownProcessError: it is neither the web server nor the daemon.
    """
    interpreter, option, module, *arguments = command
    if option != "-m" or module not in (_DAGSTERS_OWN, _DAEMON):
        raise UnknownProcessError(
            f"dagster dev wants to start {' '.join(command[:3])}, and is known to start {_DAGSTERS_OWN} and "
            f"{_DAEMON}; see whether the new process answers browsers"
        )
    return [interpreter, option, _GUARDED if module == _DAGSTERS_OWN else module, *arguments]


def guarded(start: Start) -> Start:
    """Return what starts a process as `start` does, but the web server that checks."""

    def start_guarded(command: Sequence[str], **named: Any) -> Any:
        return start(guarded_command(command), **named)

    return start_guarded


def main() -> None:
    """Run `dagster dev`'s own command."""
    # Loads for a second, and only this needs it.
    dev: Any = importlib.import_module("dagster._cli.dev")
    # The command has no setting for the server that it starts.
    dev.open_ipc_subprocess = guarded(dev.open_ipc_subprocess)
    dev.dev_command()


if __name__ == "__main__":
    main()
