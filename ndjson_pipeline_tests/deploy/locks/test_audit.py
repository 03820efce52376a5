"""What an audit of the locks says, and with which status it ends; pip-audit is played."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ndjson_pipeline_tests.test_architecture import ROOT

SCRIPT = ROOT / "deploy" / "locks" / "audit.py"
CLEAN = {"name": "a", "version": "1", "vulns": []}
VULNERABLE = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (3)"}


def audited(tmp_path: Path, output: str, errors: str, status: int) -> "subprocess.CompletedProcess[str]":
    player = tmp_path / "player.py"
    player.write_text(
        f"import sys; sys.stdout.write({output!r}); sys.stderr.write({errors!r}); sys.exit({status})"
    )
    return subprocess.run(
        [sys.executable, str(SCRIPT), sys.executable, str(player)],
        capture_output=True,
        text=True,
        check=False,
    )


def document(*dependencies: object) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_what_is_vulnerable_ends_it_with_an_error_that_says_what_mends_it(tmp_path: Path) -> None:
    done = audited(tmp_path, document(CLEAN, VULNERABLE, UNKNOWN), "Found 1 known vulnerability", 1)
    assert done.returncode == 1
    assert "lambda.lock: b 2: PYSEC-1, mended by 2.1" in done.stdout
    assert "requirements.lock: 3 packages, 1 findings, unknown to the database: c" in done.stdout


def test_what_is_not_ends_it_well(tmp_path: Path) -> None:
    done = audited(tmp_path, document(CLEAN, CLEAN), "No known vulnerabilities found", 0)
    assert done.returncode == 0
    assert done.stdout.count("2 packages, 0 findings") == 5


@pytest.mark.parametrize(
    ("output", "errors", "status"),
    [
        ("", "Traceback ...\nrequests.exceptions.ConnectionError: no route", 1),
        ("", "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed", 1),
        # What a mirror of the index without its database comes to: every package skipped, and no error.
        (document(UNKNOWN), "No known vulnerabilities found", 0),
    ],
    ids=["no network", "no feed", "a mirror"],
)
def test_a_database_that_cannot_be_asked_is_said_and_is_no_failure(
    tmp_path: Path, output: str, errors: str, status: int
) -> None:
    done = audited(tmp_path, output, errors, status)
    assert done.returncode == 0
    assert done.stdout.startswith("audit: NOT DONE, ")
    assert len(done.stdout.splitlines()) == 1


def test_any_other_failure_is_one(tmp_path: Path) -> None:
    done = audited(tmp_path, "", "ERROR:pip_audit._cli:requirement a does not contain a hash", 1)
    assert done.returncode == 1
    assert "can't be audited" in done.stderr
    assert "does not contain a hash" in done.stderr
