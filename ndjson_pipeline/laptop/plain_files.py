"""Files of a folder that somebody else may have made: opened only where they are plain ones."""

import errno
import os
import stat
from typing import BinaryIO

_SHOWN_CHARACTERS = 100
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotPlainError(Exception):
    """Something is no plain file; the message says what it is."""


def check_plain(mode: int) -> None:
    """Do nothing for a plain file.

    Args:
        mode: what `os.stat` says.

    Raises:
        NotPlainError: it is something else.
    """
    if not stat.S_ISREG(mode):
        raise NotPlainError(_KINDS.get(stat.S_IFMT(mode), "no plain file"))


def open_plain(place: int, name: str) -> BinaryIO:
    """Open a plain file of a folder.

    What is opened is what is judged: something else may have taken the name since the folder was listed. A
    link may lead to any file of this person, which whoever made the folder could not read; a pipe or a device
    may have no end.

    Args:
        place: the folder, opened.
        name: within it.

    Raises:
        NotPlainError: it is something else than a plain file.
        OSError: it can't be opened.
    """
    check_plain(os.stat(name, dir_fd=place, follow_symlinks=False).st_mode)
    # Opening a pipe would wait for its other end.
    try:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotPlainError("a link") from error
        raise
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise NotPlainError("no plain file")
    return os.fdopen(opened, "rb")


def shown_name(name: str) -> str:
    """Return a name as it may be shown: no control character takes effect, and a long one is cut."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    safe = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
    return safe if len(safe) <= _SHOWN_CHARACTERS else f"{safe[:_SHOWN_CHARACTERS]}..."
