"""The folder in which a laptop's platform keeps all that it has, `.local` unless told otherwise."""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.local_aws.moto_version import MOTO_VERSION
from ndjson_pipeline.local_aws.state.store import check_state

DEFAULT = Path(".local")
# What --fresh takes away: all but the settings.
_MADE = ("aws", "dagster", "workspace", "dagster.log", "dagster.log.1", "environment.sh")
_LOCK = "lock"
# A log that is larger is put aside at the next start; what was aside is gone then.
_MOST_LOG_BYTES = 20_000_000
# Folders of Glue runs, with their output, that are kept.
_MOST_RUNS = 100


class LaptopFolderError(PipelineError):
    """The folder can't be used."""


class LaptopFolder:
    """A folder of this person's own.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def aws(self) -> Path:
        """Logs of the local AWS, and folders of Glue runs."""
        return self.path / "aws"

    @property
    def state(self) -> Path:
        """What the local AWS keeps."""
        return self.aws / "state"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder where it is not there, and let no other platform work in it meanwhile.

        Raises:
            LaptopFolderError: it belongs to somebody else or others may write to it, or another has it.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LaptopFolderError(
                f"{self.path} can't be made ({error.strerror}); name another folder with --state"
            ) from error
        found = self.path.stat()
        if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise LaptopFolderError(
                f"{self.path} belongs to another user, or others may write to it; what lies in it is run, so "
                "name another folder with --state, or chmod it to 700"
            )
        with (self.path / _LOCK).open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise LaptopFolderError(
                    f"another platform works in {self.path} (process {holder}); end it with Ctrl-C, or name "
                    "another folder with --state"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def check_state(self) -> None:
        """Do nothing where the local AWS can go on with what it kept, or there is nothing.

        Raises:
            StateRefusedError: it is open to others, or of another program or version.
        """
        check_state(self.state, MOTO_VERSION)

    def begin_anew(self) -> None:
        """Take away all that a platform made in it."""
        for name in _MADE:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Put large logs aside, and take away folders of old Glue runs."""
        for log in (self.path / "dagster.log", self.aws / "local_aws.log"):
            if log.exists() and log.stat().st_size > _MOST_LOG_BYTES:
                log.replace(log.with_name(f"{log.name}.1"))
        runs = sorted((self.aws / "glue").glob("jr_*"), key=lambda run: run.stat().st_mtime)
        for run in runs[:-_MOST_RUNS]:
            shutil.rmtree(run, ignore_errors=True)
