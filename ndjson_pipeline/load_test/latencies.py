"""How long files took; pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ndjson_pipeline.load_test.following import FileTimes

STAGES: dict[str, Callable[[FileTimes], datetime | None]] = {
    "its record": lambda file: file.recorded_at,
    "its manifest": lambda file: file.manifested_at,
    "Glue's start": lambda file: file.started_at,
    "Parquet": lambda file: file.converted_at,
}


@dataclass(frozen=True)
class Latency:
    """The seconds from PUT to a stage.

    Attributes:
        stage: its name.
        files: how many came so far.
        p50: half of them took so long at most.
        p95: of a hundred, ninety-five did.
        p99: of a hundred, ninety-nine did.
        longest: the longest.
    """

    stage: str
    files: int
    p50: float
    p95: float
    p99: float
    longest: float


def seconds_to(stage: str, files: Sequence[FileTimes]) -> list[float]:
    """Return the seconds from PUT to a stage, in order, of the files that came so far."""
    found = []
    for file in files:
        reached = STAGES[stage](file)
        if reached is not None:
            # What two clocks tell may differ by as much as they do.
            found.append(max((reached - file.put_at).total_seconds(), 0.0))
    return sorted(found)


def latencies_of(files: Sequence[FileTimes]) -> list[Latency]:
    """Return the latencies of all stages that a file came to."""
    found = []
    for stage in STAGES:
        seconds = seconds_to(stage, files)
        if seconds:
            found.append(
                Latency(
                    stage,
                    len(seconds),
                    percentile(seconds, 50),
                    percentile(seconds, 95),
                    percentile(seconds, 99),
                    seconds[-1],
                )
            )
    return found


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the value that so many percent do not exceed: one that was measured.

    Args:
        ordered: not empty, in order.
        percent: above 0, up to 100.
    """
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]
