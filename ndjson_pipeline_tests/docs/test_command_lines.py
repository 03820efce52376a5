"""Every command line of the documentation is known to a test, or has its reason here.

Lines of `ndjson-pipeline` are parsed here by the command line itself, and run by
`pipeline/cli/test_documented_commands.py`, on an AWS in its process.
`end_to_end/test_getting_started.py` runs that page from its top to its end.
"""

import importlib.util
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from ndjson_pipeline.cli.app import app
from ndjson_pipeline_tests.docs.pages import PROGRAM, ROOT, CommandLine, command_lines, pages

# Commands that are nobody's to run here: how each begins, and why.
NOT_RUN = {
    "terraform": "needs an account; deploy/driver/test_with_terraform.py runs what `make deploy` runs of it",
    "cd deploy/terraform": "goes before terraform",
    "docker": "needs a container engine; deploy/docker/test_image.py runs the image's steps",
    "aws": "needs an account, and another program",
    "git": "goes back to a tag of the reader's",
    "pip install": "needs a package index; deploy/locks/test_locks.py runs each target by its lock",
    "date": "is the machine's own",
    "echo": "is the shell's own; writes a file that pipeline/cli/test_documented_commands.py has, too",
    "source": "end_to_end/test_getting_started.py sources both",
}
# Modules that need what is not here; where they run instead.
RUN_ELSEWHERE = {
    "ndjson_pipeline.deployment.services": "end_to_end/test_deployment.py",
    "ndjson_pipeline.deployment.instance": "pipeline/deployment/test_instance.py",
    "ndjson_pipeline.webserver": "pipeline/test_webserver.py",
    "ndjson_pipeline.laptop.dagster_dev": "end_to_end/test_foreign_pages.py",
    "ndjson_pipeline.cli.reference": "pipeline/cli/test_reference.py",
    "deploy.configuration": "docs/test_configuration.py",
    "deploy/terraform/generate.py": "deploy/test_terraform_written.py",
    "dagster": "end_to_end/deployed.py",
    "dagster._daemon": "end_to_end/deployed.py",
}
# What things cost is measured by hand and by `make bench`, and asserted by nobody.
BENCHMARKS = "benchmarks."


def parsed(words: list[str] | tuple[str, ...]) -> None:
    """Have the command line read a command without doing it; raises what it would say."""
    words = [word.replace("$DAY", "2026-01-30") for word in words]
    command: Any = get_command(app)
    context = command.make_context(PROGRAM, words)
    while hasattr(command, "resolve_command"):
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        name, command, arguments = command.resolve_command(context, rest)
        context = command.make_context(name, list(arguments), parent=context)


def lines_of(command: str) -> list[CommandLine]:
    return [line for line in command_lines() if line.command == command]


@pytest.mark.parametrize("line", command_lines(), ids=str)
def test_each_line_is_known(line: CommandLine) -> None:
    # Of a line that sets a variable alone there is nothing to run.
    known = line.command in {PROGRAM, "make", ""} or is_python(line)
    reasons = [reason for begin, reason in NOT_RUN.items() if f"{line.text} ".startswith(f"{begin} ")]
    assert known or reasons, f"{line}: run it by a test, or say in NOT_RUN why not"


def is_python(line: CommandLine) -> bool:
    return line.command in {"python", ".venv/bin/python"}


@pytest.mark.parametrize("line", lines_of(PROGRAM), ids=str)
def test_each_command_is_one(line: CommandLine) -> None:
    words = [word for word in line.words[1:] if word != "--install-completion"]
    try:
        parsed(words)
    except Exception as error:
        # A command's name alone, in a sentence, is one too.
        if not line.is_typed and (not words or type(error).__name__ == "MissingParameter"):
            return
        raise AssertionError(f"{line}: {error}") from error


@pytest.mark.parametrize("line", lines_of("make"), ids=str)
def test_each_target_of_make_is_one(line: CommandLine) -> None:
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    named = [word for word in line.words[1:] if "=" not in word]
    assert set(named) <= set(targets[1].split()), line
    if shutil.which("make") is None:
        pytest.skip("no make on the PATH")
    if not line.is_typed and "ENV=" not in line.text and named[0] in {"deploy", "destroy"}:
        return  # Named in a sentence, without its environment.
    # As if all was set up: what would be run is said, and nothing is done.
    done = subprocess.run(
        ["make", "--dry-run", "--old-file=.venv/.installed", "--old-file=.venv/.native", *line.words[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    for word in line.words[1:]:
        name, _, value = word.partition("=")
        if name == "ARGS":
            check_arguments(named[0], shlex.split(value))


def check_arguments(target: str, arguments: list[str]) -> None:
    """Check what stands behind a target."""
    if target in {"demo", "dev"}:
        parsed([target, *arguments])
        return
    assert target in {"test", "soak"}, target
    for argument in arguments:
        path, _, name = argument.partition("::")
        if path.startswith("ndjson_pipeline_tests"):
            assert (ROOT / path).exists(), argument
            assert not name or f"def {name}(" in (ROOT / path).read_text(), argument


@pytest.mark.parametrize("line", [line for line in command_lines() if is_python(line)], ids=str)
def test_each_module_of_python_is_one(line: CommandLine) -> None:
    if line.words[1:2] == ("-c",):
        assert line.page == "docs/getting-started.md", (
            "end_to_end/test_getting_started.py runs that page's alone"
        )
        compile(line.words[2], "<docs>", "exec")
        return
    name = line.words[2] if line.words[1:2] == ("-m",) else line.words[1]
    if name == "pytest":
        assert all((ROOT / word).exists() for word in line.words if word.startswith("ndjson_pipeline_tests"))
        return
    if name.endswith(".py"):
        assert (ROOT / name).exists()
    else:
        assert importlib.util.find_spec(name) is not None
    assert name.startswith(BENCHMARKS) or name in RUN_ELSEWHERE, f"no test runs {line}"


def test_reasons_name_tests_that_are_there() -> None:
    for reason in (*NOT_RUN.values(), *RUN_ELSEWHERE.values()):
        for path in re.findall(r"[\w/]+\.py", reason):
            assert (ROOT / "ndjson_pipeline_tests" / path).exists(), path


def test_reasons_are_of_lines_that_are_there() -> None:
    texts = [f"{line.text} " for line in command_lines()]
    for begin in NOT_RUN:
        assert any(text.startswith(f"{begin} ") for text in texts), f"{begin} is in no page any more"


def test_the_parser_of_pages_reads_what_it_should() -> None:
    """Guard against a page that nobody looks at: each has lines, or none on purpose."""
    with_lines = {line.page for line in command_lines()}
    assert {"README.md", "docs/getting-started.md", "docs/operations.md", "deploy/README.md"} <= with_lines
    assert len(command_lines()) > 100
    assert all(Path(ROOT / page).exists() for page in pages())
