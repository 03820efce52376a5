"""The wheels that a lock names, for a machine that is not this one."""

import hashlib
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.driver.commands import Commands
from deploy.driver.errors import DeployError, DownloadError

# Of Lambda's runtime and of Glue 5.1; the lock's markers are read by the Python that runs this.
PYTHON = (3, 11)

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_WHEEL = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-[^-]+){3,4}\.whl")
_STAMP = "lock"


@dataclass(frozen=True)
class Target:
    """A machine that wheels are for.

    Attributes:
        name: of its lock in deploy/locks, without the ending.
        platforms: tags of the wheels that it can install, the best first.
    """

    name: str
    platforms: tuple[str, ...]


LAMBDA = Target("lambda", ("manylinux2014_aarch64",))
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html, appendix B.
GLUE = Target("glue", ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux2014_x86_64"))


def wheels_of(target: Target, *, lock: Path, folder: Path, commands: Commands) -> dict[str, bytes]:
    """Return a lock's wheels for a target, by filename.

    What is in the folder from before is taken where the lock is the same, and has each file's hash.

    Args:
        target: what they are for.
        lock: pins with hashes.
        folder: where they are kept.
        commands: runs pip, with whatever index it is set to.

    Raises:
        DownloadError: pip does not find one, or its bytes are not those of the lock.
        DeployError: this is another Python than the target's.
    """
    if sys.version_info[:2] != PYTHON:
        wanted = ".".join(map(str, PYTHON))
        raise DeployError(f"packages are made with Python {wanted}, as the targets have it; run make setup")
    text = lock.read_text()
    stamp = folder / _STAMP
    if not (stamp.is_file() and stamp.read_text() == text and not _strangers(_read(folder), text)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _download(target, lock, folder, commands)
    wheels = _read(folder)
    strangers = _strangers(wheels, text)
    if strangers or not wheels:
        raise DownloadError(f"{folder} has {strangers or 'no wheels'}, which are not those of {lock}")
    stamp.write_text(text)
    return wheels


def pins_of(wheels: Mapping[str, bytes]) -> list[str]:
    """Return `name==version` of each wheel, in order of their filenames.

    Raises:
        DownloadError: a filename is none of a wheel.
    """
    pins = []
    for filename in sorted(wheels):
        found = _WHEEL.fullmatch(filename)
        if found is None:
            raise DownloadError(f"{filename} is no wheel's name")
        pins.append(f"{found['name'].replace('_', '-')}=={found['version']}")
    return pins


def _download(target: Target, lock: Path, folder: Path, commands: Commands) -> None:
    version = ".".join(map(str, PYTHON))
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--implementation", "cp"]
    options += ["--python-version", version]
    for platform in target.platforms:
        options += ["--platform", platform]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    commands.run([*pip, *options, "--dest", str(folder), "-r", str(lock)])


def _read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.whl"))}


def _strangers(wheels: Mapping[str, bytes], lock: str) -> list[str]:
    """Return the files whose bytes the lock does not know."""
    known = set(_HASH.findall(lock))
    return [name for name, content in wheels.items() if hashlib.sha256(content).hexdigest() not in known]
