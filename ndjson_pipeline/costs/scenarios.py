"""A day's bill for each way to set the pipeline; pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ndjson_pipeline.costs.bill import Line, day_bill, total, usd_per_tb
from ndjson_pipeline.costs.glue_day import GlueDay, glue_day
from ndjson_pipeline.costs.load import Load
from ndjson_pipeline.costs.prices import Prices
from ndjson_pipeline.errors import SettingsError

# Beyond a PB a day nobody has seen it work.
_MOST_MB = 1024.0**3
_BEHIND = timedelta(hours=1).total_seconds()


@dataclass(frozen=True)
class Scenario:
    """A load, as the pipeline is set, and what comes of it.

    Attributes:
        load: what comes, and how the pipeline is set.
        glue: the simulated day.
        lines: the bill of its files.
    """

    load: Load
    glue: GlueDay
    lines: tuple[Line, ...]

    @property
    def usd(self) -> float:
        """What its files cost, a day."""
        return total(self.lines)

    @property
    def usd_per_tb(self) -> float | None:
        """What a TB of input costs; None where there is no input."""
        return usd_per_tb(self.lines, self.load)

    @property
    def is_behind(self) -> bool:
        """Whether the day's files take far longer than the day."""
        return self.glue.ends_after_midnight > self.load.dial_minutes * 60.0 + _BEHIND


def scenarios(load: Load, waits: Sequence[float], sizes: Sequence[int], prices: Prices) -> Iterator[Scenario]:
    """Yield a scenario of each size of manifests, and within it of each wait.

    Args:
        load: what comes; its dial and its size of manifests are those that vary.
        waits: `LAUNCH_MAX_WAIT_SECONDS`.
        sizes: `MAX_FILES_PER_MANIFEST`.
        prices: list prices.

    Raises:
        SettingsError: a number makes no sense.
    """
    _check(load, waits, sizes)
    for size in sizes:
        for wait in waits:
            chosen = Load(
                files_a_day=load.files_a_day,
                file_mb=load.file_mb,
                dial_minutes=wait / 60.0,
                files_per_manifest=size,
                places=load.places,
                input_days=load.input_days,
            )
            glue = glue_day(chosen)
            yield Scenario(chosen, glue, tuple(day_bill(chosen, prices, glue=glue)))


def _check(load: Load, waits: Sequence[float], sizes: Sequence[int]) -> None:
    problems = []
    if not (math.isfinite(load.files_a_day) and load.files_a_day >= 1):
        problems.append("the number of files a day must be at least 1")
    if not (math.isfinite(load.file_mb) and load.file_mb > 0):
        problems.append("a file's size must be more than 0 MB")
    elif not load.mb_a_day <= _MOST_MB:
        problems.append("so much input, more than 1,024 TB a day, is beyond what this can tell of")
    if not (math.isfinite(load.input_days) and load.input_days >= 0):
        problems.append("the days that input is kept must be at least 0")
    problems += ["a wait must be from 0 to 86,400 seconds" for wait in waits if not 0 <= wait <= 86_400][:1]
    problems += ["a manifest has from 1 to 10,000 files" for size in sizes if not 1 <= size <= 10_000][:1]
    if load.places < 1:
        problems.append("there must be at least 1 place for Glue runs")
    if problems:
        raise SettingsError("; ".join(problems))
