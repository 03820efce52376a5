"""The page that a stranger begins with, from its top to its end: each line of it, in its order, in a shell.

`make demo` and its options are run by `test_commands.py`; `make dev` is the platform that the page is run on.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lambda_ingest.contract.clock import utc_now
from ndjson_pipeline_tests.docs.pages import CommandLine, command_lines
from ndjson_pipeline_tests.end_to_end.processes import await_true, processes_with_variable
from ndjson_pipeline_tests.patience import PATIENCE

pytestmark = [pytest.mark.daemon, pytest.mark.spark]

PAGE = "docs/getting-started.md"
BIN = Path(sys.executable).parent
YESTERDAY = (utc_now() - timedelta(days=1)).date().isoformat()
# What a line must print besides succeeding, where a reader looks for it.
EXPECTED = {
    "load my-files --date $DAY --yes": "2",
    "preview --date $DAY --sql": "Lima",
    "fetch": "200 rows",
    "python -c": "Oslo",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the reader's: with files of its own, one of which has its date in its name."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "my-files").mkdir()
    (folder / "tmp").mkdir()
    for number, name in enumerate(("orders.ndjson", f"{YESTERDAY}-orders.ndjson")):
        cities = ("Lima", "Oslo")
        records = (
            {"id": number * 100 + each, "city": cities[each % 2], "amount": each + 0.5} for each in range(100)
        )
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / "my-files" / name).write_text(text)
    return folder


def environment(folder: Path) -> dict[str, str]:
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "DAGSTER_", "NDJSON_"))
    }
    return {
        **variables,
        "TMPDIR": str(folder / "tmp"),
        "COLUMNS": "200",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }


@pytest.fixture(scope="module")
def platform(folder: Path) -> Iterator[Path]:
    """What `make dev` runs, in the reader's folder; returns where it prints."""
    printed = folder / "printed.txt"
    with printed.open("w") as output:
        command = subprocess.Popen(
            [BIN / "ndjson-pipeline", "dev", "--port", "0", "--aws-port", "0"],
            cwd=folder,
            env=environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:

        def has_started() -> bool:
            assert command.poll() is None, printed.read_text()
            return "Ctrl-C ends it all" in printed.read_text()

        await_true(has_started, 120)
        yield printed
        os.killpg(command.pid, signal.SIGINT)
        assert command.wait(timeout=60 * PATIENCE) == 0, printed.read_text()
    finally:
        for process_id in processes_with_variable("TMPDIR", str(folder / "tmp")):
            os.kill(process_id, signal.SIGKILL)
        command.wait()


def lines() -> list[CommandLine]:
    return [
        line for line in command_lines() if line.page == PAGE and line.is_typed and line.command != "make"
    ]


@pytest.mark.timeout(900)
def test_each_line_of_the_page_does_what_it_says(folder: Path, platform: Path) -> None:
    for line in lines():
        if not line.words:
            # The page's own day is of its reader.
            assert line.variables == ("DAY=2026-01-29",)
            continue
        if line.words[0] == "source":
            path = BIN / "activate" if line.words[1].endswith("activate") else folder / line.words[1]
            assert path.exists(), line
            continue
        words = " ".join(
            word if "$DAY" in word and " " not in word else shlex.quote(word) for word in line.words
        )
        script = f"DAY={YESTERDAY}; . .local/environment.sh && {words}"
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            check=False,
            timeout=400 * PATIENCE,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}\n{platform.read_text()}"
        for begin, expected in EXPECTED.items():
            if begin in " ".join(line.words):
                assert expected in done.stdout, f"{line}\n{done.stdout}"
    assert list((folder / "rows").glob("*.parquet"))
