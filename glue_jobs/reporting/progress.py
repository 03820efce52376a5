"""Progress of the tasks, told while they run."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from lambda_ingest.contract.records import BYTES_PER_MB

logger = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Totals:
    """What finished tasks did so far.

    Attributes:
        files: read.
        records: read.
        input_bytes: read.
    """

    files: int
    records: int
    input_bytes: int


def progress_line(totals: Totals, of_all: int, seconds: float) -> str:
    """Write a line such as `files 40 of 100, 1,234 records, 133.6 MB, 61.0 MB/s`."""
    megabytes = totals.input_bytes / BYTES_PER_MB
    rate = megabytes / seconds if seconds > 0 else 0.0
    return (
        f"files {totals.files} of {of_all}, {totals.records:,} records, {megabytes:.1f} MB, {rate:.1f} MB/s"
    )


class ProgressWatch:
    """Tells of progress from a thread, while the block under it runs, and once at its end.

    Args:
        totals: looked at now and then.
        of_all: files there are.
        announce: takes a line.
        interval: seconds between looks.
    """

    def __init__(
        self,
        totals: Callable[[], Totals],
        of_all: int,
        announce: Callable[[str], None],
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        self._totals = totals
        self._of_all = of_all
        self._announce = announce
        self._interval = interval
        self._started = time.perf_counter()
        self._told: Totals | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._tell()

    def _watch(self) -> None:
        while not self._done.wait(self._interval):
            self._tell()

    def _tell(self) -> None:
        try:
            totals = self._totals()
            if totals != self._told:
                self._told = totals
                self._announce(progress_line(totals, self._of_all, time.perf_counter() - self._started))
        except Exception as error:  # noqa: BLE001 - a progress line must not fail the work it tells of
            logger.warning("progress can't be told: %s", type(error).__name__)
