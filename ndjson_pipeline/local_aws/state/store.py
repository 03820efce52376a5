"""The SQLite file of what is kept, and whether it may be read."""

import contextlib
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from ndjson_pipeline.local_aws.errors import StateRefusedError

FORMAT = 1
# Tells such a file from another program's.
_APPLICATION_ID = 0x4E444A31
_FILE = "state.sqlite3"
_LOCK = "lock"
_SECONDS_FOR_ANOTHER_TO_END = 30.0
_POLL_SECONDS = 0.1
_ADVICE = "move it away, or begin anew with --fresh"


@dataclass(frozen=True)
class Row:
    """One thing that is kept.

    Attributes:
        kind: such as `object`.
        name: tells it from others of its kind.
        document: JSON; None where the thing is gone.
    """

    kind: str
    name: str
    document: str | None


def check_state(folder: Path, moto_version: str) -> None:
    """Do nothing where a folder's state may be read, or there is none.

    Nothing of it is executed; but among it are the objects of S3, and who writes those has code run, as
    scripts of jobs. So it must be this person's alone.

    Raises:
        StateRefusedError: it is another person's or open to others, another program's, or another version's.
    """
    if not os.path.lexists(folder):
        return
    _check_owner(folder, is_folder=True)
    file = folder / _FILE
    if not os.path.lexists(file):
        return
    _check_owner(file, is_folder=False)
    with _told(file), contextlib.closing(_connect(file, "rw")) as connection:
        _check_version(connection, file, moto_version)


def _check_owner(path: Path, *, is_folder: bool) -> None:
    found = path.lstat()
    kind, right = ("folder", stat.S_ISDIR) if is_folder else ("plain file", stat.S_ISREG)
    if not right(found.st_mode):
        raise StateRefusedError(f"{path} is no {kind}, and the local AWS's state is one; {_ADVICE}")
    if found.st_uid != os.getuid():
        raise StateRefusedError(f"{path} belongs to another user, so it is not read; {_ADVICE}")
    if is_folder and found.st_mode & 0o077:
        raise StateRefusedError(
            f"{path} is open to other users, so what lies in it is not trusted; {_ADVICE}. "
            f"Where nobody else was at it: chmod 700 {path}"
        )


def _check_version(connection: sqlite3.Connection, file: Path, moto_version: str) -> None:
    ((application,),) = connection.execute("PRAGMA application_id").fetchall()
    if application != _APPLICATION_ID:
        raise StateRefusedError(f"{file} is another program's file, not the local AWS's state; {_ADVICE}")
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    written = dict(connection.execute("SELECT name, value FROM about").fetchall())
    if version != FORMAT or written.get("moto") != moto_version:
        raise StateRefusedError(
            f"{file} was written by another version of this project (format {version} of moto "
            f"{written.get('moto')}; this one reads format {FORMAT} of moto {moto_version}); {_ADVICE}"
        )


@contextlib.contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StateRefusedError(
            f"{file} can't be read as the local AWS's state ({error}); {_ADVICE}"
        ) from error


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    # Threads take turns at it; transactions are said where they begin.
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )


class StateStore:
    """A context manager over the file; one process at a time has it.

    A transaction is in it whole or not at all, however the process ends.

    Args:
        folder: where it is; made where it is not there, for this person alone.
        moto_version: whose objects the rows describe.

    Raises:
        StateRefusedError: as `check_state` says, or another process has it and does not end.
    """

    def __init__(self, folder: Path, moto_version: str) -> None:
        self.folder = folder
        self._moto_version = moto_version
        self._exits = contextlib.ExitStack()
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_owner(self.folder, is_folder=True)
        with contextlib.ExitStack() as exits:
            _wait_for(exits.enter_context((self.folder / _LOCK).open("w")), self.folder)
            check_state(self.folder, self._moto_version)
            with _told(self.folder / _FILE):
                self._connection = exits.enter_context(contextlib.closing(self._opened()))
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection = None
        self._exits.close()

    def _opened(self) -> sqlite3.Connection:
        file = self.folder / _FILE
        is_new = not file.exists()
        if is_new:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = _connect(file, "rw")
        connection.execute("PRAGMA journal_mode = WAL")
        # What was written is there after the end of the process; of the machine, only the last may be lost.
        connection.execute("PRAGMA synchronous = NORMAL")
        if is_new:
            connection.executescript(
                f"""
                BEGIN;
                CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
                CREATE TABLE kept (kind TEXT, name TEXT, document TEXT NOT NULL, PRIMARY KEY (kind, name))
                    WITHOUT ROWID;
                PRAGMA application_id = {_APPLICATION_ID};
                PRAGMA user_version = {FORMAT};
                INSERT INTO about VALUES ('moto', '{self._moto_version}');
                COMMIT;
                """
            )
        return connection

    def rows(self, kind: str) -> Iterator[tuple[str, str]]:
        """Yield name and document of each row of a kind.

        Raises:
            StateRefusedError: the file is damaged.
        """
        with _told(self.folder / _FILE):
            yield from self._open.execute("SELECT name, document FROM kept WHERE kind = ?", (kind,))

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows in one transaction.

        Raises:
            sqlite3.Error: nothing was written, for want of room for example.
        """
        connection = self._open
        connection.execute("BEGIN")
        try:
            for row in rows:
                if row.document is None:
                    connection.execute("DELETE FROM kept WHERE kind = ? AND name = ?", (row.kind, row.name))
                else:
                    connection.execute(
                        "INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (row.kind, row.name, row.document)
                    )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StateRefusedError("the state is not open; use it as a context manager")
        return self._connection


def _wait_for(lock: IO[str], folder: Path) -> None:
    """Wait for another process that has the state, such as one that is just ending."""
    deadline = time.monotonic() + _SECONDS_FOR_ANOTHER_TO_END
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StateRefusedError(
                    f"another local AWS works with {folder}; end it, or choose another folder"
                ) from None
            time.sleep(_POLL_SECONDS)
