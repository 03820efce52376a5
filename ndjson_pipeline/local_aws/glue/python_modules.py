"""The Python modules that a Glue job asks for: what Glue would install, or fail by, before the script begins.

Here most are installed already, and are taken as pip takes them: as satisfied. No index is asked, so what is
neither installed nor among the job's wheels fails the run, as it does in a Glue job with `--no-index`.
https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html
"""

import importlib.metadata
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ndjson_pipeline.deployment.packaging import REQUIREMENTS, WHEELS_ENDING, WHEELS_FOLDER
from ndjson_pipeline.local_aws.errors import LocalAwsError

MODULES_ARGUMENT = "--additional-python-modules"

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)")
_WHEEL = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-[^-]+){3,4}\.whl")
_SECONDS_TO_INSTALL = 300
_SHOWN_CHARACTERS = 1_000

Download = Callable[[str, Path], Path]


@dataclass(frozen=True)
class _Wanted:
    """One thing to install.

    Attributes:
        name: of the distribution.
        version: of it.
    """

    name: str
    version: str

    @property
    def is_installed(self) -> bool:
        try:
            return importlib.metadata.version(self.name) == self.version
        except importlib.metadata.PackageNotFoundError:
            return False

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def installed_modules(argument: str, download: Download, folder: Path) -> Path | None:
    """Install what the argument names and this Python lacks.

    Args:
        argument: of `--additional-python-modules`: zips of wheels, wheels and pins, comma-separated.
        download: fetches an S3 URI into a folder, and returns the file.
        folder: the run's own.

    Returns:
        The folder that Python has to import from besides; None where nothing was lacking.

    Raises:
        LocalAwsError: an object is not there, the argument names something else, or a module can't be had.
    """
    wheels = folder / WHEELS_FOLDER
    wheels.mkdir()
    lacking = [
        wanted
        for one in argument.split(",")
        if one.strip()
        for wanted in _wanted(one.strip(), download, wheels)
        if not wanted.is_installed
    ]
    if not lacking:
        return None
    target = folder / "modules"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-index", "--no-deps", "--find-links", str(wheels), "--target", str(target)]
    done = subprocess.run(
        # Settings of the machine's pip name indexes and wheels of others.
        [*command, "--isolated", *map(str, lacking)],
        capture_output=True,
        text=True,
        timeout=_SECONDS_TO_INSTALL,
        check=False,
    )
    if done.returncode:
        raise LocalAwsError(
            f"{MODULES_ARGUMENT}: {', '.join(map(str, lacking))} can't be installed: "
            f"{done.stderr.strip()[-_SHOWN_CHARACTERS:]}"
        )
    return target


def _wanted(one: str, download: Download, wheels: Path) -> list[_Wanted]:
    """Read one part of the argument; its wheels are in the folder afterwards."""
    if one.endswith(WHEELS_ENDING) and one.startswith("s3://"):
        return [_pin(line) for line in _requirements(download(one, wheels), one, wheels)]
    if one.startswith("s3://"):
        name = PurePosixPath(one).name
        found = _WHEEL.fullmatch(name)
        if found is None:
            raise LocalAwsError(
                f"{MODULES_ARGUMENT} must name wheels, or zips of them that end in {WHEELS_ENDING}; got {one}"
            )
        download(one, wheels)
        return [_Wanted(found["name"].replace("_", "-"), found["version"])]
    return [_pin(one)]


def _requirements(archive: Path, uri: str, wheels: Path) -> list[str]:
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if name.endswith(".whl"):
                    (wheels / PurePosixPath(name).name).write_bytes(opened.read(name))
            text = opened.read(REQUIREMENTS).decode()
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise LocalAwsError(f"{uri} is no zip of wheels with a {REQUIREMENTS}: {error}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _pin(text: str) -> _Wanted:
    found = _PIN.fullmatch(text)
    if found is None:
        raise LocalAwsError(f"{MODULES_ARGUMENT} must pin each module as name==version; got {text!r}")
    return _Wanted(found["name"], found["version"])
