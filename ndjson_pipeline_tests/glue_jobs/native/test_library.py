"""Finding, loading and building the library."""

import logging
import platform
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glue_jobs.errors import NativeParserError
from glue_jobs.native import build, library
from ndjson_pipeline_tests.glue_jobs.native.conftest import found_compiler


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """What was found is remembered; each test looks anew."""
    library.load.cache_clear()
    yield
    library.load.cache_clear()


def test_the_machines_own_is_found(native: library.Library) -> None:
    assert library.load() is not None
    assert library.load() is library.load()


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("NDJSON_NATIVE", "0")
    with caplog.at_level(logging.INFO):
        assert library.load() is None
        assert library.load() is None
    assert [record.message for record in caplog.records] == [
        "NDJSON_NATIVE=0 switches the native parser off; pyarrow's parser does the work"
    ]


def test_where_it_is_not_built_the_log_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    for _ in range(2):
        assert library.load() is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "is not built; run make setup" in record.message


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch, native: library.Library) -> None:
    monkeypatch.setattr(library, "VERSION", 999)
    with pytest.raises(NativeParserError, match=r"is of version \d+, expected 999; build it anew"):
        library.opened(build.build())


@pytest.mark.parametrize("content", [b"", b"no library", b"\x7fELF"])
def test_what_is_no_library_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ndjson.so"
    path.write_bytes(content)
    with pytest.raises(NativeParserError, match="can't be loaded on this machine"):
        library.opened(path)


def test_one_inside_a_zip_is_loaded_without_a_file(tmp_path: Path, native: library.Library) -> None:
    with zipfile.ZipFile(tmp_path / "modules.zip", "w") as archive:
        archive.write(build.build(), "inner/ndjson.so")
    found = library.opened(zipfile.Path(tmp_path / "modules.zip", "inner/ndjson.so"))
    assert found.functions.ndjson_version() == library.VERSION
    with zipfile.ZipFile(tmp_path / "modules.zip", "a") as archive:
        archive.writestr("broken.so", b"no library")
    with pytest.raises(NativeParserError, match="can't be loaded"):
        library.opened(zipfile.Path(tmp_path / "modules.zip", "broken.so"))


def test_the_name_tells_sources_options_and_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = build.built_name()
    assert name == build.built_name()
    assert platform.machine().lower() in name
    monkeypatch.setattr(build, "OPTIONS", (*build.OPTIONS, "-g"))
    other_options = build.built_name()
    (tmp_path / "library.cpp").write_text("int x;")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    assert len({name, other_options, build.built_name()}) == 3


def test_building_again_takes_what_is_there(native: library.Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "compiler", lambda: None)
    assert build.build().is_file()


def test_without_a_compiler_the_build_says_so_and_ends_well(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from glue_jobs.native import build; "
        "build.FOLDER = Path(sys.argv[1]); sys.exit(build.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("native parser: NOT BUILT, pyarrow's parser does the work: none of c++")
    assert list(tmp_path.iterdir()) == []


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(NativeParserError, match="does not compile the native parser"):
        build.compiled([found_compiler(), "-Dndjson=+"], tmp_path / "x.so")
    with pytest.raises(NativeParserError, match="can't compile the native parser: No such file"):
        build.compiled(["/nowhere/c++"], tmp_path / "x.so")
    assert list(tmp_path.iterdir()) == []


def test_a_stale_one_goes_when_a_new_one_comes(
    variant: Callable[..., library.Library], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found_compiler()
    stale = tmp_path / "ndjson-linux-x86_64-0000000000000000.so"
    stale.write_bytes(b"old")
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    monkeypatch.setattr(build, "compiled", lambda command, target: target.write_bytes(b"new"))
    assert [path.name for path in tmp_path.iterdir()] != [build.build().name]
    assert [path.name for path in tmp_path.iterdir()] == [build.built_name()]
