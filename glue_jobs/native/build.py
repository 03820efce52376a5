"""Compiles the native parser with this machine's compiler: `python -m glue_jobs.native.build`.

Without a compiler it says so, and pyarrow's parser does the work.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from glue_jobs.errors import NativeParserError

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER: Final = Path(__file__).resolve().parent
SOURCES: Final = FOLDER / "source"
MAIN_SOURCE: Final = SOURCES / "library.cpp"
_LANGUAGE: Final = ("-std=c++17", "-fno-exceptions", "-fno-rtti")
OPTIONS: Final = (*_LANGUAGE, "-O3", "-fPIC", "-shared", "-fvisibility=hidden")
_COMPILERS: Final = ("c++", "g++", "clang++")
_DIGEST_DIGITS: Final = 16
_SHOWN_CHARACTERS: Final = 2_000


def built_name() -> str:
    """Return the filename of what these sources are compiled to on a machine like this one.

    A library of other sources, or of another machine, has another name, so it is never loaded for this one.
    """
    digest = hashlib.sha256(" ".join(OPTIONS).encode())
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    machine = f"{platform.system().lower()}-{platform.machine().lower()}"
    return f"ndjson-{machine}-{digest.hexdigest()[:_DIGEST_DIGITS]}.so"


def compiler() -> str | None:
    """Return the machine's C++ compiler, or None where there is none."""
    return next((found for name in _COMPILERS if (found := shutil.which(name))), None)


def compiled(command: Sequence[str], target: Path, options: Sequence[str] = OPTIONS) -> None:
    """Compile the library; the file appears whole or not at all.

    Args:
        command: the compiler, with options of its own.
        target: the library.
        options: what is compiled, and how.

    Raises:
        NativeParserError: the compiler can't be run, or refuses; says what it said.
    """
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".ndjson-", suffix=".so")
    os.close(handle)
    try:
        done = subprocess.run(
            [*command, *options, str(MAIN_SOURCE), "-o", name],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise NativeParserError(
                f"{command[0]} does not compile the native parser: {done.stderr.strip()[-_SHOWN_CHARACTERS:]}"
            )
        Path(name).chmod(0o755)
        Path(name).replace(target)
    except OSError as error:
        raise NativeParserError(f"{command[0]} can't compile the native parser: {error.strerror}") from error
    finally:
        Path(name).unlink(missing_ok=True)


def build() -> Path:
    """Compile the library where `library.load` looks for it, if it is not there yet.

    Raises:
        NativeParserError: there is no compiler, or it refuses.
    """
    target = FOLDER / built_name()
    if target.is_file():
        return target
    found = compiler()
    if found is None:
        raise NativeParserError(f"none of {', '.join(_COMPILERS)} is on the PATH; install one for speed")
    compiled([found], target)
    for stale in FOLDER.glob("ndjson-*.so"):
        if stale != target:
            with contextlib.suppress(OSError):
                stale.unlink()
    return target


def main() -> int:
    """Build, and say what became of it; being without is no failure."""
    try:
        sys.stdout.write(f"native parser: {build().name}\n")
    except NativeParserError as error:
        sys.stdout.write(f"native parser: NOT BUILT, pyarrow's parser does the work: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
