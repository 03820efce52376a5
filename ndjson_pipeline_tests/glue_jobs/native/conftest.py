"""Builds of the native parser."""

import os
from collections.abc import Callable

import pytest

from glue_jobs.native import build, library

REQUIRE_VARIABLE = "NDJSON_TESTS_REQUIRE_COMPILER"


def found_compiler() -> str:
    """Return the machine's compiler; skip where there is none."""
    found = build.compiler()
    if found is None:
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail("there is no C++ compiler")
        pytest.skip("there is no C++ compiler")
    return found


@pytest.fixture(scope="session")
def native() -> library.Library:
    """The machine's own library."""
    found_compiler()
    return library.opened(build.build())


@pytest.fixture(scope="session")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., library.Library]:
    """Compiles the library with definitions of the test's."""
    folder = tmp_path_factory.mktemp("native")

    def compiled(*definitions: str) -> library.Library:
        target = folder / f"{'-'.join(definitions)}.so"
        if not target.is_file():
            options = [*build.OPTIONS, "-O1", *(f"-D{one}" for one in definitions)]
            build.compiled([found_compiler()], target, options)
        return library.opened(target)

    return compiled
