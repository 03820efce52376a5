"""Each command of the documentation does what a reader expects of it, on a busy pipeline.

A command that changes something is only shown, by `--dry-run`: what it does has tests of its own. What needs
more than an AWS in this process is in `ELSEWHERE`, with the test that runs it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_ingest.contract.manifest import Manifest, ManifestFile
from ndjson_pipeline_tests.docs.pages import PROGRAM, ROOT, CommandLine, command_lines
from ndjson_pipeline_tests.pipeline.cli.conftest import CONVERTED, INPUT_PREFIX, REFUSED, Busy, Cli
from ndjson_pipeline_tests.pipeline.harness import DATE, make_name

pytestmark = pytest.mark.usefixtures("deployment", "emptied")

READING = {
    "alerts",
    "cost",
    "dlq list",
    "doctor",
    "file",
    "files",
    "lock show",
    "manifests",
    "preview",
    "quarantine list",
    "quarantine show",
    "rejects",
    "report",
    "rescued",
    "schema diff",
    "schema history",
    "schema show",
    "status",
}
CHANGING = {
    "accept",
    "dlq redrive",
    "lock break",
    "quarantine purge",
    "quarantine release",
    "reprocess",
}
# Only their lines are read here, by docs/test_command_lines.py.
ELSEWHERE = {
    "demo": "end_to_end/test_commands.py",
    "dev": "end_to_end/test_commands.py",
    "dlq show": "pipeline/cli/test_reading.py",
    "fetch": "end_to_end/test_getting_started.py",
    "flush": "pipeline/cli/test_changing.py",
    "generate": "end_to_end/test_getting_started.py",
    "load": "end_to_end/test_getting_started.py",
    "load-test": "pipeline/loading",
    "reconcile": "pipeline/cli/test_changing.py",
    "schema rebuild": "pipeline/cli",
    "schema set": "pipeline/cli",
    "smoke": "pipeline/smoke/test_smoke.py",
}
# What a page calls a file or a manifest, and what it is called here.
FAILED = make_name(2)
GONE = f"{DATE}-gone.ndjson"


def name_of(line: CommandLine) -> str:
    """Return the command's name, of one word or two."""
    words = [word for word in line.words[1:] if not word.startswith("-")]
    pair = " ".join(words[:2])
    return pair if pair in READING | CHANGING | ELSEWHERE.keys() else words[0]


# This page is run as a whole, in its order (end_to_end/test_getting_started.py).
WALKED = "docs/getting-started.md"
LINES = [
    line for line in command_lines() if line.command == PROGRAM and line.is_typed and line.page != WALKED
]


@pytest.fixture
def documented(busy: Busy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Put what the pages name into the pipeline; returns what a page's word is called here."""
    monkeypatch.chdir(tmp_path)
    # What a line before writes.
    (tmp_path / "prices.json").write_text('{"dpu_hour": 0.29}')
    uri = busy.file(GONE, "manifested", manifest_path=busy.table.path(FAILED))
    manifest = Manifest(FAILED, f"{DATE}T00:00:00Z", (ManifestFile(uri, 3, "e" * 32),))
    busy.object(busy.deployment.names.manifest_bucket, FAILED.key, manifest.to_json())
    # Not there: what `accept` asks about.
    busy.deployment.s3.delete_object(Bucket=busy.deployment.names.input_bucket, Key=f"{INPUT_PREFIX}{GONE}")
    files = {"accept": GONE, "quarantine show": REFUSED, "file": CONVERTED, "reprocess": GONE}

    def here(command: str, word: str) -> str:
        word = word.replace("2026-01-30/000001-1f0c2a9b", f"{DATE}/000002-00000002")
        return word.replace("2026-01-30-a.ndjson", files.get(command, CONVERTED)).replace("2026-01-30", DATE)

    return here


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_documented_command_works(
    cli: Cli, documented: Callable[[str, str], str], line: CommandLine
) -> None:
    command = name_of(line)
    if command in ELSEWHERE:
        assert (ROOT / "ndjson_pipeline_tests" / ELSEWHERE[command]).exists(), command
        return
    assert command in READING | CHANGING, f"{line}: say here how it is run"
    # The deployment of the test is the one that has no other name.
    words = [documented(command, word) for word in line.words[1:]]
    words = ["dev" if word == "prod" else word for word in words]
    if command in CHANGING and "--dry-run" not in words:
        words.append("--dry-run")
    done = cli(*words)
    # 3 says that something is wrong with the pipeline, as there is.
    assert done.code in {0, 3}, f"{line}: {done}"
    assert done.out.strip()


def test_every_command_of_the_program_is_in_some_page() -> None:
    """A command that no page shows is found by nobody."""
    shown = {name_of(line) for line in LINES}
    assert shown <= READING | CHANGING | ELSEWHERE.keys()
    text = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    for command in READING | CHANGING | ELSEWHERE.keys():
        assert command in shown or f"{PROGRAM} {command}" in text, command
