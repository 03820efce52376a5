"""The command `dev`."""

import json
import os
import shlex
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.laptop.alerts import PublishedAlerts
from ndjson_pipeline.laptop.dagster_process import dev_command
from ndjson_pipeline.laptop.folder import DEFAULT as DEFAULT_FOLDER
from ndjson_pipeline.laptop.folder import LaptopFolder
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline.laptop.settings import (
    FILE,
    SETTINGS,
    SOURCED_VARIABLE,
    START_DATE,
    LaptopSettings,
    read_settings,
)
from ndjson_pipeline.laptop.workspace import check_feeds, definitions_of

_SECONDS_TO_UI = 90.0
_POLL_SECONDS = 0.5
_UI_PORT = 3000
_SHELL_FILE = "environment.sh"
_NOT_KEPT = (
    "uploads in parts that were not completed, log events of CloudWatch (their files stay), and what you "
    "made in services other than S3, SQS, SNS, DynamoDB and Glue"
)


class PortTakenError(PipelineError):
    """Another process listens on a port that was asked for."""


def run(
    *,
    port: int,
    aws_port: int,
    feeds: Sequence[str] = ("",),
    state: Path = DEFAULT_FOLDER,
    fresh: bool = False,
    aws_only: bool = False,
    given: Sequence[str] = (),
) -> None:
    """Run the platform until SIGINT or SIGTERM, then end everything it started; what it has stays.

    Args:
        port: the UI's; 0 for a free one.
        aws_port: the local AWS's; 0 for a free one.
        feeds: the names of the feeds that it carries; an empty one is the feed that has none.
        state: the folder in which everything stays; the settings file lies there, too.
        fresh: whether what is there goes first; the settings file stays.
        aws_only: whether Dagster is left to whoever runs it by hand.
        given: settings, each as `NAME=VALUE`.

    Raises:
        PipelineError: it could not be started, or a part of it ended.
    """
    console = Console()
    check_feeds(feeds)
    folder = LaptopFolder(state)
    settings = read_settings(folder.path, os.environ, given)
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    # By hand Dagster finds its port itself.
    ui_port = port if aws_only else free_port(port, "--port")
    if aws_port:
        free_port(aws_port, "--aws-port")
    with folder.held():
        if fresh:
            folder.begin_anew()
        folder.tidy()
        folder.check_state()
        console.print(f"Starting the local AWS{'' if aws_only else ' and Dagster'} ...")
        definitions = definitions_of(folder.path, feeds)
        address = f"http://127.0.0.1:{ui_port}" if ui_port else None
        with LocalPlatform(
            folder.path,
            None if aws_only else dev_command(ui_port, definitions),
            port=aws_port,
            settings=settings.local_aws(),
            dagster_url=address,
            places=settings.places,
            feeds=feeds,
            variables=settings.dagster_variables(),
            keeps=True,
        ) as platform:
            alerts = PublishedAlerts(folder.aws)
            if address is not None and not aws_only:
                _await_ui(platform, address, stopped)
            if not stopped.is_set():
                _print_start(console, platform, settings, None if aws_only else address)
                if aws_only:
                    _print_dagster_by_hand(console, platform, definitions, ui_port)
                console.print("Ctrl-C ends it all; the next start goes on from there.", highlight=False)
            while not stopped.wait(_POLL_SECONDS):
                platform.check_alive()
                _print_alerts(console, alerts)
            console.print("Ending everything that was started ...")
    _print(
        console,
        f"Ended. {folder.path} keeps it for the next start; --fresh begins anew. Gone are {_NOT_KEPT}.",
    )


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


def _print_start(
    console: Console, platform: LocalPlatform, settings: LaptopSettings, address: str | None
) -> None:
    command = Path(sys.executable).with_name("ndjson-pipeline")
    files = settings.batch_files
    shell = _write_environment(platform, with_dagster_home=address is None)
    if address is not None:
        _print(console, f"Dagster UI      {address}")
    _print(console, f"local AWS       {platform.aws.endpoint_url}")
    restored = platform.aws.restored
    if any(restored.values()):
        counts = ", ".join(f"{count:,} {name}" for name, count in restored.items())
        _print(console, f"goes on         with {counts} of {platform.directory}; --fresh begins anew")
    else:
        _print(console, f"begins anew     in {platform.directory}, which keeps it for the next start")
    _print(console, f"not kept        {_NOT_KEPT}")
    _print(console, f"logs            {platform.directory}")
    for number, line in enumerate(
        settings.lines() or [f"defaults; yours go into {platform.directory / FILE}"]
    ):
        _print(console, f"{'' if number else 'settings':<16}{line}")
    _print(
        console,
        f"first date      {settings.partition_start_date}; {START_DATE} sets where the dates in the UI begin",
    )
    if not settings.checks_sizes:
        _print(
            console,
            "size check      off on a laptop, until expected_file_size_mb is set, such as to 3.5",
        )
    _print(console, f"credentials     made for this start; for a shell: source {shell}")
    _print(console, f"Try next, in another terminal, after: source {shell}")
    for feed in platform.feeds:
        which = f" --feed {feed}" if feed else ""
        _print(console, f"  files of yours   {command} load FOLDER --wait{which}")
        _print(
            console,
            f"  or made-up ones  {command} generate --files {files} --size-mb {settings.usual_mb:g}{which}",
        )
        _print(console, f"  the rows         {command} fetch --date today{which}   (or YYYY-MM-DD)")
    _print(console, f"A batch is {files} files of today. The columns of made-up files stay until --fresh.")


def _print_dagster_by_hand(
    console: Console, platform: LocalPlatform, definitions: str | Path, port: int
) -> None:
    _print(console, "Dagster is yours to run, in another terminal; its daemon is the only one that may:")
    _print(console, f"  source {platform.directory / _SHELL_FILE}")
    _print(console, f"  {shlex.join(dev_command(port or _UI_PORT, definitions))}")
    _print(console, "What the file sets, for other ways to start it:")
    for name in sorted(_shell_variables(platform, with_dagster_home=True)):
        _print(console, f"  {name}")


def _print_alerts(console: Console, alerts: PublishedAlerts) -> None:
    found, more = alerts.new()
    for alert in found:
        for line in alert.lines():
            _print(console, line)
    if more:
        _print(console, f"  and {more} more alerts: ndjson-pipeline alerts")


def _print(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True, markup=False)


def _shell_variables(platform: LocalPlatform, *, with_dagster_home: bool) -> dict[str, str]:
    variables = platform.environment
    sourced = {setting.variable: text for setting in SETTINGS if (text := variables.get(setting.variable))}
    home = {"DAGSTER_HOME": str(platform.dagster_home)} if with_dagster_home else {}
    return {**variables, **home, SOURCED_VARIABLE: json.dumps(sourced)}


def _write_environment(platform: LocalPlatform, *, with_dagster_home: bool) -> Path:
    """Write what points a shell at the platform, for this person's eyes alone."""
    path = platform.directory / _SHELL_FILE
    variables = _shell_variables(platform, with_dagster_home=with_dagster_home)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(lines)
    return path
