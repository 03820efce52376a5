"""The folder of a laptop's platform."""

import os
from pathlib import Path

import pytest

from ndjson_pipeline.laptop import folder as module
from ndjson_pipeline.laptop.folder import LaptopFolder, LaptopFolderError


def test_it_is_made_for_this_person_alone(tmp_path: Path) -> None:
    with LaptopFolder(tmp_path / "deep/.local").held():
        assert (tmp_path / "deep/.local").stat().st_mode & 0o777 == 0o700


def test_one_platform_at_a_time_works_in_it(tmp_path: Path) -> None:
    folder = LaptopFolder(tmp_path / ".local")
    with (
        folder.held(),
        pytest.raises(LaptopFolderError, match=f"another platform works in .*process {os.getpid()}"),
        LaptopFolder(tmp_path / ".local").held(),
    ):
        pass
    with folder.held():
        pass


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".local"
    path.mkdir()
    path.chmod(0o770)
    with pytest.raises(LaptopFolderError, match="others may write"), LaptopFolder(path).held():
        pass


def test_a_file_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("")
    with pytest.raises(LaptopFolderError, match="can't be made"), LaptopFolder(tmp_path / ".local").held():
        pass


def test_to_begin_anew_takes_what_was_made_and_nothing_else(tmp_path: Path) -> None:
    folder = LaptopFolder(tmp_path)
    for name in ("aws/state", "dagster", "workspace", "mine"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("dagster.log", "environment.sh", "settings.toml"):
        (tmp_path / name).write_text("x")
    folder.begin_anew()
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "settings.toml"}


def test_large_logs_are_put_aside_and_old_runs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_LOG_BYTES", 10)
    monkeypatch.setattr(module, "_MOST_RUNS", 1)
    for number in range(3):
        run = tmp_path / f"aws/glue/jr_{number}"
        run.mkdir(parents=True)
        os.utime(run, (number, number))
    (tmp_path / "dagster.log").write_text("x" * 11)
    (tmp_path / "aws/local_aws.log").write_text("x")
    LaptopFolder(tmp_path).tidy()
    assert [path.name for path in (tmp_path / "aws/glue").iterdir()] == ["jr_2"]
    assert not (tmp_path / "dagster.log").exists()
    assert (tmp_path / "dagster.log.1").exists()
    assert (tmp_path / "aws/local_aws.log").exists()
