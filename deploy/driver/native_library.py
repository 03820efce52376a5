"""The native parser for the machines that Glue runs on, compiled here whatever this machine is."""

import shutil
import sys
import zipfile
from pathlib import Path

from deploy.driver.commands import Commands
from deploy.driver.errors import DeployError
from deploy.driver.wheels import Target, wheels_of
from glue_jobs.native.build import MAIN_SOURCE, OPTIONS

# What `platform.machine()` says there.
MACHINE = "x86_64"
# Runs with every glibc since 2012's; Glue 5.1 has 2.34.
_TARGET = "x86_64-linux-gnu.2.17"
# A whole C compiler as a wheel, with the headers of each glibc: the same bytes on every machine. C++'s
# own library is left out: nothing of it is used, and it would be compiled first.
COMPILER = Target("native", ())
_OPTIONS = ("-nostdlib++", "-s", "-target", _TARGET)
_STAMP = "lock"


def native_library(*, lock: Path, folder: Path, commands: Commands) -> bytes:
    """Return the library; the same sources and the same lock give the same bytes.

    Args:
        lock: pins the compiler, with hashes.
        folder: where the compiler and what it keeps are put.
        commands: runs pip, and the compiler.

    Raises:
        DownloadError: pip does not find the compiler, or its bytes are not those of the lock.
        CommandError: the compiler refuses.
    """
    wheels = wheels_of(COMPILER, lock=lock, folder=folder / "wheels" / COMPILER.name, commands=commands)
    compiler = _unpacked(wheels, lock, folder / "compiler")
    library = folder / "compiler" / "library.so"
    caches = [f"ZIG_{name}_CACHE_DIR={folder / 'compiler' / 'cache'}" for name in ("GLOBAL", "LOCAL")]
    command = ["env", *caches, str(compiler), "c++", *OPTIONS, *_OPTIONS]
    # By a relative path, so that where the checkout lies is not in the library.
    commands.run([*command, MAIN_SOURCE.name, "-o", str(library)], folder=MAIN_SOURCE.parent)
    return library.read_bytes()


def _unpacked(wheels: dict[str, bytes], lock: Path, folder: Path) -> Path:
    """Unpack the compiler, if it is not there from before; return its program."""
    program, stamp = folder / "ziglang" / "zig", folder / _STAMP
    if stamp.is_file() and stamp.read_text() == lock.read_text():
        return program
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    filename = next((name for name in wheels if name.startswith("ziglang-")), None)
    if filename is None:
        raise DeployError(f"{lock} pins no ziglang for this machine ({sys.platform})")
    with zipfile.ZipFile(folder.parent / "wheels" / COMPILER.name / filename) as wheel:
        wheel.extractall(folder)
    # Zip's own modes are not kept.
    program.chmod(0o755)
    stamp.write_text(lock.read_text())
    return program
