"""What a deployment brings, made once."""

import fcntl
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest

from deploy.driver.commands import RealCommands
from deploy.driver.errors import CommandError
from deploy.driver.packages import Packages, make_packages

REQUIRE_VARIABLE = "NDJSON_TESTS_REQUIRE_INDEX"
STAMP = "lock"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """Made by the first lane that asks, for all lanes; none may change what is in its folder.

    Skip where no package index answers pip, which `make setup` did not need since.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    made = shared / "packages.pickle"
    with (shared / "packages.lock").open("w") as lock:
        # Is given back when the file is closed.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_file():
            try:
                packages = make_packages(shared / "packages", RealCommands(os.environ))
            except CommandError as error:
                if os.environ.get(REQUIRE_VARIABLE) == "1":
                    raise
                pytest.skip(f"pip can't download the targets' wheels: {error}")
            made.write_bytes(pickle.dumps(packages))
    found: Packages = pickle.loads(made.read_bytes())
    return found


def lay_kept(packages: Packages, folder: Path, *, compiles_anew: bool) -> None:
    """Lay into a folder what one packaging keeps for the next: the wheels and the compiler.

    Their 500 MB are linked, as nothing writes to them.

    Args:
        packages: made before.
        folder: where to.
        compiles_anew: whether what the compiler keeps of its work is left out.
    """
    for name in ("wheels", "compiler/ziglang"):
        shutil.copytree(packages.folder / name, folder / name, copy_function=_link_or_copy)
    shutil.copy(packages.folder / "compiler" / STAMP, folder / "compiler")
    if not compiles_anew:
        shutil.copytree(packages.folder / "compiler/cache", folder / "compiler/cache")


def _link_or_copy(source: str, target: str) -> None:
    if Path(source).name == STAMP:
        # Each packaging writes it again.
        shutil.copy(source, target)
    else:
        os.link(source, target)


@pytest.fixture(scope="package")
def unzipped_lambda(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Lambdas' zip, as their machine has it."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(packages.folder / "lambda.zip") as archive:
        archive.extractall(folder)
    return folder
