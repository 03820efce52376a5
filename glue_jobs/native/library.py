"""The native parser's library: found, loaded, checked."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import platform
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from glue_jobs.errors import NativeParserError
from glue_jobs.native import build

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

logger = logging.getLogger(__name__)

VERSION: Final = 3
SWITCH: Final = "NDJSON_NATIVE"
_OFF: Final = "0"
_PACKAGE: Final = "glue_jobs.native"


class FedRecord(ctypes.Structure):
    """What `ndjson_feed` tells."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in (
            *("lines", "rows", "blank", "next", "newlines", "left_start", "left_end", "why", "refused"),
        )
    ]


class TallyRecord(ctypes.Structure):
    """A count of records; one of those that `ndjson_take` tells."""

    _fields_ = [
        ("records", ctypes.c_int64),
        ("last_line", ctypes.c_int64),
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_int32),
        ("node", ctypes.c_int32),
        ("reason", ctypes.c_int32),
        ("is_in_rest", ctypes.c_int32),
    ]


class TakenRecord(ctypes.Structure):
    """What `ndjson_take` tells."""

    _fields_ = [
        ("tallies", ctypes.POINTER(TallyRecord)),
        ("tally_count", ctypes.c_int64),
        ("rescued", ctypes.c_int64),
        ("has_rest", ctypes.c_int64),
    ]


@dataclass(frozen=True)
class Library:
    """A loaded library.

    Attributes:
        functions: it; other threads may run Python meanwhile.
        quick: the same, for calls of microseconds: no other thread runs Python meanwhile, as getting to run
            again would take longer than the call.
    """

    functions: ctypes.CDLL
    quick: ctypes.PyDLL


def packaged_name(machine: str) -> str:
    """Return the filename of the portable library for a kind of machine, such as x86_64."""
    return f"ndjson-portable-{machine}.so"


@functools.cache
def load() -> Library | None:
    """Return the library; None where there is none, which is said once in the log, with why."""
    if os.environ.get(SWITCH) == _OFF:
        logger.info("%s=0 switches the native parser off; pyarrow's parser does the work", SWITCH)
        return None
    try:
        return opened(_found())
    except NativeParserError as error:
        logger.warning("no native parser, pyarrow's does the work, several times slower: %s", error)
        return None


def opened(file: Path | Traversable) -> Library:
    """Load a library and check that it is of this version.

    Args:
        file: a file, or one inside a zip that Python imports from.

    Raises:
        NativeParserError: it can't be loaded, or is of another version.
    """
    try:
        functions = ctypes.CDLL(str(file)) if isinstance(file, Path) else _of_bytes(file.read_bytes())
        version = int(functions.ndjson_version())
    except (OSError, AttributeError) as error:
        raise NativeParserError(f"{file.name} can't be loaded on this machine: {error}") from error
    if version != VERSION:
        raise NativeParserError(f"{file.name} is of version {version}, expected {VERSION}; build it anew")
    quick = ctypes.PyDLL(str(file), handle=functions._handle)
    _declare(functions)
    _declare(quick)
    return Library(functions, quick)


def _found() -> Path | Traversable:
    """Return what was built on this machine, else the portable library that the package brings.

    Raises:
        NativeParserError: neither is there.
    """
    portable = resources.files(_PACKAGE) / packaged_name(platform.machine())
    if build.SOURCES.is_dir():
        built = build.FOLDER / build.built_name()
        if built.is_file():
            return built
        if not portable.is_file():
            raise NativeParserError(f"{built.name} is not built; run make setup where a C++ compiler is")
    if not portable.is_file():
        raise NativeParserError(f"the package has none for {platform.machine()}; see make package")
    return portable


def _of_bytes(content: bytes) -> ctypes.CDLL:
    """Load a library that lies in a zip.

    The loader wants a file. One in memory has no name that others could guess, needs no folder that one may
    write to and run from, and is gone with the process.

    Raises:
        OSError: there is no room for it, or it is no library of this machine.
    """
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("ndjson")
        try:
            with os.fdopen(os.dup(handle), "wb") as file:
                file.write(content)
            # The loader knows libraries by name. So that no other is taken for this one, its number is never
            # given again: it stays open.
            return ctypes.CDLL(f"/proc/self/task/../fd/{handle}")
        except OSError:
            os.close(handle)
            raise
    # Loaded, it needs its name no more.
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(content)
        file.flush()
        return ctypes.CDLL(file.name)


def _declare(functions: ctypes.CDLL) -> None:
    builder, address, size = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
    text = ctypes.c_char_p
    declared = {
        "ndjson_open": (builder, [text]),
        "ndjson_feed": (ctypes.c_int32, [builder, text, size, size, address, address, size]),
        "ndjson_add": (ctypes.c_int32, [builder, text, size, text, size]),
        "ndjson_rows": (size, [builder]),
        "ndjson_size": (size, [builder]),
        "ndjson_take": (ctypes.c_int32, [builder, address, address, address]),
        "ndjson_forget_tallies": (None, [builder]),
        "ndjson_close": (None, [builder]),
    }
    for name, (result, arguments) in declared.items():
        function = getattr(functions, name)
        function.restype = result
        function.argtypes = arguments
