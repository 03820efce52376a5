"""Which files are gone on with, and which are refused with a sentence."""

import os
import pickle
import sqlite3
import threading

import pytest

from ndjson_pipeline.local_aws.errors import StateRefusedError
from ndjson_pipeline.local_aws.state import store
from ndjson_pipeline.local_aws.state.store import Row, StateStore, check_state

VERSION = "5.2.5"


@pytest.fixture
def folder(tmp_path):
    """A folder with a state of this version."""
    folder = tmp_path / "state"
    with StateStore(folder, VERSION) as kept:
        kept.write([Row("item", "a", "1"), Row("item", "b", "2")])
    return folder


def test_rows_are_there_again(folder):
    with StateStore(folder, VERSION) as kept:
        assert dict(kept.rows("item")) == {"a": "1", "b": "2"}
        kept.write([Row("item", "a", None), Row("item", "b", "3")])
    with StateStore(folder, VERSION) as kept:
        assert dict(kept.rows("item")) == {"b": "3"}


def test_nothing_is_kept_of_rows_that_do_not_come_to_an_end(folder):
    def rows():
        yield Row("item", "a", None)
        raise OSError("full")

    with StateStore(folder, VERSION) as kept:
        with pytest.raises(OSError, match="full"):
            kept.write(rows())
        assert dict(kept.rows("item")) == {"a": "1", "b": "2"}


def test_others_can_not_read_it(folder):
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "state.sqlite3").stat().st_mode & 0o777 == 0o600


def test_no_folder_is_a_state_to_be_made(tmp_path):
    check_state(tmp_path / "absent", VERSION)


def test_a_folder_that_is_open_to_others_is_refused(folder):
    folder.chmod(0o750)
    with pytest.raises(StateRefusedError, match="open to other users"):
        check_state(folder, VERSION)


def test_another_users_folder_is_refused(folder, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(StateRefusedError, match="belongs to another user"):
        check_state(folder, VERSION)


def test_a_link_is_refused(folder, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(StateRefusedError, match="is no folder"):
        check_state(link, VERSION)


@pytest.mark.parametrize(
    ("version", "change"),
    [("5.3.0", ""), (VERSION, "PRAGMA user_version = 2")],
    ids=["of another moto", "of another format"],
)
def test_another_version_is_refused(folder, version, change):
    with sqlite3.connect(folder / "state.sqlite3") as connection:
        connection.execute(change)
    with pytest.raises(StateRefusedError, match=r"another version of this project.*begin anew with --fresh"):
        check_state(folder, version)


def test_another_programs_database_is_refused(folder):
    with sqlite3.connect(folder / "state.sqlite3") as connection:
        connection.execute("PRAGMA application_id = 1")
    with pytest.raises(StateRefusedError, match="another program's file"):
        check_state(folder, VERSION)


class _Evil:
    def __reduce__(self):
        return os.mkdir, (os.environ["EVIL"],)


def test_a_pickle_is_refused_and_not_executed(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("EVIL", str(tmp_path / "executed"))
    for path in folder.glob("state.sqlite3*"):
        path.unlink()
    (folder / "state.sqlite3").write_bytes(pickle.dumps(_Evil()))
    with pytest.raises(StateRefusedError, match="can't be read as the local AWS's state"):
        check_state(folder, VERSION)
    assert not (tmp_path / "executed").exists()


def test_one_process_at_a_time_has_it(folder, monkeypatch):
    monkeypatch.setattr(store, "_SECONDS_FOR_ANOTHER_TO_END", 0.0)
    with (
        StateStore(folder, VERSION),
        pytest.raises(StateRefusedError, match="another local AWS works with"),
        StateStore(folder, VERSION),
    ):
        pass


def test_who_comes_next_waits_for_one_that_ends(folder):
    entered = threading.Event()

    def second():
        with StateStore(folder, VERSION):
            entered.set()

    thread = threading.Thread(target=second)
    with StateStore(folder, VERSION):
        thread.start()
        assert not entered.is_set()
    thread.join(20)
    assert entered.is_set()
