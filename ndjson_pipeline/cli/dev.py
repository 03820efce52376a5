"""The command `dev`."""

import os
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.laptop.dagster_process import dev_command
from ndjson_pipeline.laptop.job_arguments import settings_with
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline.laptop.workspace import check_feeds, definitions_of

_SECONDS_TO_UI = 90.0
_POLL_SECONDS = 0.5


class PortTakenError(PipelineError):
    """Another process listens on a port that was asked for."""


def run(*, port: int, aws_port: int, feeds: Sequence[str] = ("",), settings: Sequence[str] = ()) -> None:
    """Run the platform until SIGINT or SIGTERM, then end everything it started.

    Args:
        port: the UI's; 0 for a free one.
        aws_port: the local AWS's; 0 for a free one.
        feeds: the names of the feeds that it carries; an empty one is the feed that has none.
        settings: of their Glue jobs, each as `NAME=VALUE`.

    Raises:
        PipelineError: it could not be started, or a part of it ended.
    """
    console = Console()
    check_feeds(feeds)
    local_settings = settings_with(settings)
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    ui_port = free_port(port, "--port")
    if aws_port:
        free_port(aws_port, "--aws-port")
    directory = Path(tempfile.mkdtemp(prefix="ndjson-dev-"))
    try:
        console.print("Starting the local AWS and Dagster ...")
        address = f"http://127.0.0.1:{ui_port}"
        command = dev_command(ui_port, definitions_of(directory, feeds))
        with LocalPlatform(
            directory,
            command,
            port=aws_port,
            settings=local_settings,
            dagster_url=address,
            feeds=feeds,
        ) as platform:
            _await_ui(platform, address, stopped)
            if not stopped.is_set():
                _print_addresses(console, platform, address)
            while not stopped.wait(_POLL_SECONDS):
                platform.check_alive()
            console.print("Ending everything that was started ...")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    console.print("Ended.")


def free_port(port: int, option: str) -> int:
    """Return a port that can be listened on: the given one, or any free one for 0.

    Raises:
        PortTakenError: the given one is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTakenError(
                f"port {port} is taken ({error.strerror}); end what listens there, or pass {option} 0 for "
                "a free one"
            ) from error
        return int(probe.getsockname()[1])


def _await_ui(platform: LocalPlatform, address: str, stopped: threading.Event) -> None:
    deadline = time.monotonic() + _SECONDS_TO_UI
    # A proxy of the environment knows nothing of this machine's own addresses.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while not stopped.is_set():
        platform.check_alive()
        try:
            with opener.open(f"{address}/server_info", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            if time.monotonic() > deadline:
                raise PipelineError(
                    f"the Dagster UI did not answer at {address} within {_SECONDS_TO_UI:g} s ({error}); "
                    f"see {platform.dagster_log}"
                ) from error
        stopped.wait(_POLL_SECONDS)


def _print_addresses(console: Console, platform: LocalPlatform, address: str) -> None:
    command = Path(sys.executable).with_name("ndjson-pipeline")
    environment = platform.environment
    exports = " ".join(
        f"{name}={environment[name]}"
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    )
    console.print(f"Dagster UI      {address}", highlight=False)
    console.print(f"local AWS       {platform.aws.endpoint_url}", highlight=False)
    console.print(f"logs            {platform.directory}", highlight=False, soft_wrap=True)
    console.print(
        f"credentials     made for this start; for a shell: source {_write_environment(platform)}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    console.print("Try next, in another terminal; ten files of today make a batch:", highlight=False)
    for feed in platform.feeds:
        which = f" --feed {feed}" if feed else ""
        console.print(
            f"  {exports} {command} generate --files 10 --size-mb 0.1{which}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
    console.print("Ctrl-C ends everything.", highlight=False)


def _write_environment(platform: LocalPlatform) -> Path:
    """Write what points a shell at the platform, for this person's eyes alone."""
    path = platform.directory / "environment.sh"
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in platform.environment.items()]
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(lines)
    return path
