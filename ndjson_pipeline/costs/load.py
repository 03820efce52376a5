"""A day's load, and how the pipeline is set for it, as a value."""

import math
from dataclasses import dataclass

from ndjson_pipeline.costs.pace import SECONDS_A_DAY


@dataclass(frozen=True)
class Load:
    """A day of one date, and how the pipeline is set for it.

    Attributes:
        files_a_day: how many come, evenly over the day.
        file_mb: how large each is, in MB.
        dial_minutes: `LAUNCH_MAX_WAIT_SECONDS`, in minutes; 0 launches at once.
        files_per_manifest: `MAX_FILES_PER_MANIFEST`.
        places: how many Glue runs go at once.
        input_days: how long input is kept.
        lambda_gb: memory of the manifest builder.
        invocation_seconds: how long an invocation of ten files takes.
    """

    files_a_day: float
    file_mb: float = 3.5
    dial_minutes: float = 0.0
    files_per_manifest: int = 10
    places: int = 2
    input_days: float = 30.0
    lambda_gb: float = 0.25
    invocation_seconds: float = 0.5

    @property
    def mb_a_day(self) -> float:
        """All input of the day, in MB."""
        return self.files_a_day * self.file_mb

    @property
    def files_a_second(self) -> float:
        """The rate."""
        return self.files_a_day / SECONDS_A_DAY

    @property
    def manifests_a_day(self) -> int:
        """How many batches the day makes; the last is what midnight flushes."""
        return math.ceil(self.files_a_day / self.files_per_manifest)
