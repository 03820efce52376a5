"""The command line as a person meets it, run as a process."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndjson_pipeline_tests.patience import PATIENCE

COMMAND = str(Path(sys.executable).parent / "ndjson-pipeline")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """The folder that the command puts its temporary files into."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def run(scratch: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
        env={**environment, "TMPDIR": str(scratch), "COLUMNS": "200", **variables},
    )


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def assert_one_sentence(done: "subprocess.CompletedProcess[str]", code: int = 1) -> None:
    assert done.returncode == code
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("ndjson-pipeline: ")


def test_help_names_the_commands(scratch: Path) -> None:
    done = run(scratch, "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "demo" in done.stdout
    assert "dev" in done.stdout


def test_a_taken_port_of_the_ui_is_one_sentence(scratch: Path, taken_port: int) -> None:
    done = run(scratch, "dev", "--port", str(taken_port), "--aws-port", "0")
    assert_one_sentence(done)
    assert str(taken_port) in done.stderr
    assert list(scratch.iterdir()) == []


def test_a_taken_port_of_the_local_aws_is_one_sentence(scratch: Path, taken_port: int) -> None:
    done = run(scratch, "dev", "--port", "0", "--aws-port", str(taken_port))
    assert_one_sentence(done)
    assert str(taken_port) in done.stderr
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--feed", "Orders"],
        ["dev", "--port", "0", "--aws-port", "0", "--feed", "", "--feed", "Orders"],
        ["generate", "--feed", "Orders"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_feed_whose_name_makes_no_sense_is_one_sentence(scratch: Path, arguments: list[str]) -> None:
    done = run(scratch, *arguments)
    assert_one_sentence(done, code=2)
    assert "must be a small letter" in done.stderr
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_an_input_folder_that_is_none_is_one_sentence(scratch: Path, as_json: list[str]) -> None:
    absent = scratch.parent / "absent"
    done = run(scratch, "demo", "--input", str(absent), *as_json)
    if as_json:
        assert str(absent) in json.loads(done.stdout)["error"]["message"]
    else:
        assert_one_sentence(done)
        assert str(absent) in done.stderr
    # Nothing was begun, so nothing is kept for a look.
    assert list(scratch.iterdir()) == []


def test_an_option_out_of_range_is_told_with_the_range(scratch: Path) -> None:
    done = run(scratch, "demo", "--files", "0")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--files" in done.stderr


def test_a_smoke_test_of_what_can_not_be_is_wrong_usage(scratch: Path) -> None:
    done = run(scratch, "smoke", "--env", "nowhere")
    assert done.returncode == 2
    assert "NDJSON_ENVIRONMENT must be one of dev, prod" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_smoke_test_that_aws_does_not_let_in_is_one_sentence(scratch: Path) -> None:
    none = str(scratch / "none")
    nobody = {
        "AWS_CONFIG_FILE": none,
        "AWS_SHARED_CREDENTIALS_FILE": none,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = run(scratch, "smoke", "--env", "dev", "--region", "us-east-1", **nobody)
    assert_one_sentence(done)
    assert "there are no AWS credentials to be had" in done.stderr
