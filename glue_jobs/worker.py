"""A worker between its tasks: Spark keeps its process, but does anew what takes as long as a small task."""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
import zipimport
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def kept_ready() -> Iterator[None]:
    """Return a block for a task's work, after which the process is ready for the next one at once.

    Before each task Spark's worker forgets what it knows of the folders on its path, which reads the contents
    of each archive there again, and after each it looks through all objects for garbage
    (`pyspark/worker.py`, `pyspark/daemon.py`). Of an archive that no importer is kept for there is nothing to
    forget, and objects that were there after the first task are there for good.
    """
    yield
    _forget_archives()
    _freeze()


def _forget_archives() -> None:
    # What `zipimport` read of them stays known, so another importer costs nothing where one is needed.
    importers = sys.path_importer_cache
    for path, finder in list(importers.items()):
        if isinstance(finder, zipimport.zipimporter):
            importers.pop(path, None)


@functools.cache
def _freeze() -> None:
    """Take what is there now, modules above all, out of every later look for garbage; once a process."""
    gc.collect()
    gc.freeze()
