"""Contents of S3's objects as files, one for each version of an object."""

import re
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from ndjson_pipeline.local_aws.errors import StateRefusedError

_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{30}")


class Contents:
    """A folder of contents; a name is random, and never used twice.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, source: "IO[bytes]") -> str:
        """Write a content, and return its name."""
        drawn = secrets.token_hex(16)
        name = f"{drawn[:2]}/{drawn[2:]}"
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            shutil.copyfileobj(source, file)
        return name

    def opened(self, name: str) -> "ContentBuffer":
        """Return what reads a content.

        Raises:
            StateRefusedError: it is no name of this class's, or nothing lies there.
        """
        if not _NAME.fullmatch(name) or not (self._folder / name).is_file():
            raise StateRefusedError(f"the content {name!r} of an object is not there")
        return ContentBuffer(self._folder / name)

    def remove(self, names: Iterable[str]) -> None:
        """Remove contents that nothing names any longer."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    def remove_others(self, names: set[str]) -> None:
        """Remove what a crash left between writing a content and naming it."""
        for path in self._folder.glob("*/*"):
            if str(path.relative_to(self._folder)) not in names:
                path.unlink()


class ContentBuffer:
    """Reads a file as moto reads an object's buffer; it holds no open file, since there may be thousands."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def seek(self, position: int, whence: int = 0) -> int:
        """Go to a position from the beginning, or to the end."""
        self._position = position + (self._path.stat().st_size if whence else 0)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return what follows the position."""
        with self._path.open("rb") as file:
            file.seek(self._position)
            found = file.read(size)
        self._position += len(found)
        return found

    def close(self) -> None:
        """Do nothing: the file goes with its row."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a content that is kept can be read alone, and has no {name!r}")
