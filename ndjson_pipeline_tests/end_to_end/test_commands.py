"""The commands as a person runs them: what they print, and what they leave."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ndjson_pipeline_tests.end_to_end.processes import await_true, processes_with_variable
from ndjson_pipeline_tests.patience import PATIENCE

pytestmark = [pytest.mark.daemon, pytest.mark.spark]

COMMAND = str(Path(sys.executable).parent / "ndjson-pipeline")


@pytest.fixture
def temporary(scratch: Path) -> Iterator[Path]:
    """The folder of a command's temporary files, which every process that it starts knows."""
    folder = scratch / "tmp"
    folder.mkdir()
    yield folder
    for process_id in processes_with_variable("TMPDIR", str(folder)):
        os.kill(process_id, signal.SIGKILL)
    # Each test leaves its own; the folder is `scratch`'s to remove.
    folder.rename(tempfile.mkdtemp(prefix="left-", dir=scratch))


def environment(temporary: Path) -> dict[str, str]:
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DAGSTER_"))
    }
    return {**variables, "TMPDIR": str(temporary), "COLUMNS": "200"}


def nothing_is_left(temporary: Path) -> bool:
    return not processes_with_variable("TMPDIR", str(temporary))


@pytest.mark.timeout(150)
def test_the_demo_succeeds_and_leaves_nothing(temporary: Path) -> None:
    began = time.monotonic()
    command = subprocess.Popen(
        [COMMAND, "demo", "--files", "3", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(temporary),
    )
    with command:
        # The command, the local AWS and Dagster: the look at what is left would see them.
        await_true(lambda: len(processes_with_variable("TMPDIR", str(temporary))) >= 3, 60)
        output, errors = command.communicate(timeout=140 * PATIENCE)
    assert command.returncode == 0, errors
    document = json.loads(output.splitlines()[-1])
    fields = ("files", "manifests", "records_in", "rows_out", "runs", "seconds", "stages")
    assert {name for name in fields if name in document} == set(fields)
    assert document["files"] == 3
    assert document["records_in"] == document["rows_out"] > 0
    assert document["manifests"] >= 1
    assert 1 <= document["runs"] <= document["manifests"]
    assert 0 < document["seconds"] < time.monotonic() - began
    assert document["stages"]["convert"] > 0
    await_true(lambda: nothing_is_left(temporary), 5)
    assert list(temporary.glob("ndjson-*")) == []


@contextmanager
def dev_command(temporary: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """Run `dev` on free ports; yields it and the lines that it prints."""
    command = subprocess.Popen(
        [COMMAND, "dev", "--port", "0", "--aws-port", "0", "--state", str(temporary / "state"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(temporary),
        # A terminal's Ctrl-C goes to the whole group.
        start_new_session=True,
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(iter(command.stdout.readline, "")), daemon=True)
    reader.start()
    try:
        yield command, lines
    finally:
        if command.poll() is None:
            command.kill()
        command.wait()
        reader.join(timeout=10 * PATIENCE)
        command.stdout.close()


def addresses_of(command: "subprocess.Popen[str]", lines: list[str]) -> tuple[str, str]:
    """Wait until both addresses are printed, and all that follows; return the UI's and the local AWS's."""

    def addresses() -> list[str]:
        assert command.poll() is None, lines
        return re.findall(r"^(?:Dagster UI|local AWS)\s+(http://\S+)$", "".join(lines), re.MULTILINE)

    ui, aws = await_true(lambda: found if len(found := addresses()) == 2 else [], 90)
    await_true(lambda: "Ctrl-C" in "".join(lines), 5)
    return ui, aws


def uploaded_by_the_printed_line(lines: list[str], temporary: Path) -> int:
    """Source what is to be sourced, run the line to try as a shell does; return how many files there are."""
    told = "".join(lines)
    (sourced,) = set(re.findall(r"source (\S+)$", told, re.MULTILINE))
    assert Path(sourced).stat().st_mode & 0o077 == 0
    (generate,) = re.findall(r"^  or made-up ones  (.* generate .*)$", told, re.MULTILINE)
    assert re.search(r"^  files of yours   .* load FOLDER --wait$", told, re.MULTILINE)
    listing = "import boto3; print(boto3.client('s3').list_objects_v2(Bucket='{}')['KeyCount'])"
    bucket = "ndjson-input-sqs-123456789012-dev"
    for line in (
        generate.replace("--files 10", "--files 1"),
        f"{sys.executable} -c {shlex.quote(listing.format(bucket))}",
    ):
        command = f". {sourced} && {line}"
        done = subprocess.run(
            ["sh", "-c", command],
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
            check=False,
            env=environment(temporary),
        )
        assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.timeout(150)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_dev_prints_addresses_that_answer_and_ends_with_all_it_started(
    temporary: Path, number: signal.Signals
) -> None:
    with dev_command(temporary) as (command, lines):
        ui, aws = addresses_of(command, lines)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{ui}/server_info", timeout=10 * PATIENCE) as answer:
            assert "dagster_version" in json.loads(answer.read())
        # A foreign page is answered by neither; the printed line works.
        for address in (ui, aws):
            foreign = urllib.request.Request(f"{address}/", headers={"Origin": "https://evil.example"})
            with pytest.raises(urllib.error.HTTPError) as refused:
                opener.open(foreign, timeout=10 * PATIENCE)
            assert refused.value.code == 403
            refused.value.close()
        assert uploaded_by_the_printed_line(lines, temporary) == 1
        assert len(processes_with_variable("TMPDIR", str(temporary))) >= 4
        if number is signal.SIGINT:
            os.killpg(command.pid, number)
        else:
            command.send_signal(number)
        assert command.wait(timeout=40 * PATIENCE) == 0, lines
    await_true(lambda: nothing_is_left(temporary), 5)
    assert "Traceback" not in "".join(lines)
    assert list(temporary.glob("ndjson-*")) == []


def shell(temporary: Path, *arguments: str) -> str:
    """Run a command in a shell that has the platform's environment; return what it prints."""
    sourced = temporary / "state/environment.sh"
    done = subprocess.run(
        ["sh", "-c", f". {sourced} && exec {shlex.join([COMMAND, *arguments])}"],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
        env=environment(temporary),
    )
    return done.stdout if done.returncode == 0 else ""


@pytest.mark.timeout(600)
def test_a_platform_that_was_killed_goes_on_where_it_was(temporary: Path) -> None:
    """A batch of which nothing more than its files is there comes out as rows; Dagster comes later."""
    (temporary / "state").mkdir(mode=0o700)
    (temporary / "state/settings.toml").write_text("max_files_per_manifest = 2\n")
    with dev_command(temporary, "--aws-only") as (command, lines):
        await_true(lambda: "Ctrl-C" in "".join(lines), 90)
        assert "max_files_per_manifest = 2  (settings.toml)" in "".join(lines)
        assert "DAGSTER_HOME" in "".join(lines)
        shell(temporary, "generate", "--files", "2", "--size-mb", "0.05")
        command.kill()
    await_true(lambda: nothing_is_left(temporary), 30)
    with dev_command(temporary) as (command, lines):
        addresses_of(command, lines)
        assert re.search(r"^goes on  +with ", "".join(lines), re.MULTILINE), lines
        rows = temporary / "rows"
        fetched = await_true(lambda: shell(temporary, "fetch", "--date", "today", "--to", str(rows)), 240)
        assert re.match(r"[1-9][0-9,]* rows in 1 Parquet files", fetched)
        assert (rows / "query.sql").exists()
        os.killpg(command.pid, signal.SIGINT)
        assert command.wait(timeout=40 * PATIENCE) == 0, lines
    assert "keeps it for the next start" in "".join(lines)
    await_true(lambda: nothing_is_left(temporary), 5)
