import gc
import importlib
import sys
import zipfile
import zipimport
from collections.abc import Iterator
from pathlib import Path

import pytest

from glue_jobs import worker
from glue_jobs.worker import kept_ready


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """Let the test be the process's first task, and leave no object frozen."""
    worker._freeze.cache_clear()
    yield
    gc.unfreeze()
    worker._freeze.cache_clear()


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "modules.zip"
    with zipfile.ZipFile(path, "w") as modules:
        modules.writestr("first_of_archive.py", "NUMBER = 1\n")
        modules.writestr("second_of_archive.py", "NUMBER = 2\n")
    monkeypatch.syspath_prepend(str(path))
    yield path
    for name in ("first_of_archive", "second_of_archive"):
        sys.modules.pop(name, None)


def reads_of_archives(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read: list[str] = []
    original = zipimport._read_directory  # type: ignore[attr-defined]

    def noted(path: str) -> object:
        read.append(path)
        return original(path)

    monkeypatch.setattr(zipimport, "_read_directory", noted)
    return read


def test_an_archive_on_the_path_is_not_read_again_before_the_next_task(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert importlib.import_module("first_of_archive").NUMBER == 1
    read = reads_of_archives(monkeypatch)
    importlib.invalidate_caches()
    assert str(archive) in read, "without the block Spark's worker reads it at each task"
    with kept_ready():
        pass
    read.clear()
    importlib.invalidate_caches()
    assert read == []


def test_what_a_later_task_imports_is_found_in_the_archive(archive: Path) -> None:
    with kept_ready():
        assert importlib.import_module("first_of_archive").NUMBER == 1
    importlib.invalidate_caches()
    with kept_ready():
        assert importlib.import_module("second_of_archive").NUMBER == 2


def test_what_is_there_after_the_first_task_is_not_looked_through_again() -> None:
    gc.unfreeze()
    with kept_ready():
        pass
    frozen = gc.get_freeze_count()
    assert frozen > 10_000
    # Garbage of later tasks is found still: it is not frozen with the next one.
    with kept_ready():
        later = [[object()] for _ in range(1_000)]
    assert gc.get_freeze_count() <= frozen
    assert gc.is_tracked(later)
