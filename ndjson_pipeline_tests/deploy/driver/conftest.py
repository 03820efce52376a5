"""What a deployment brings, made once."""

import os
import zipfile
from pathlib import Path

import pytest

from deploy.driver.commands import RealCommands
from deploy.driver.errors import CommandError
from deploy.driver.packages import Packages, make_packages

REQUIRE_VARIABLE = "NDJSON_TESTS_REQUIRE_INDEX"


@pytest.fixture(scope="package")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """Skip where no package index answers pip, which `make setup` did not need since."""
    try:
        return make_packages(tmp_path_factory.mktemp("build"), RealCommands(os.environ))
    except CommandError as error:
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            raise
        pytest.skip(f"pip can't download the targets' wheels: {error}")


@pytest.fixture(scope="package")
def unzipped_lambda(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Lambdas' zip, as their machine has it."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(packages.folder / "lambda.zip") as archive:
        archive.extractall(folder)
    return folder
