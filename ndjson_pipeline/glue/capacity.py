"""How much one Glue run is given, and how many workers convert it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ndjson_pipeline.claims.record import ManifestRecord

# One worker is the driver, the others convert. A G.1X has four cores, each of which parses and encodes some
# 100 MB/s of NDJSON (python -m benchmarks.conversion); half of that is counted on, for S3 sets a pace, too.
MB_PER_SECOND_AND_WORKER = 200.0
# A run that converts this long pays its start of half a minute well, and keeps latency in minutes.
CONVERSION_SECONDS = 60.0
# Each manifest costs a run four small writes and a part of its report; so many take seconds together.
MAX_MANIFESTS_PER_RUN = 2_000


@dataclass(frozen=True)
class Capacity:
    """The workers of a Glue run.

    Attributes:
        worker_type: such as `G.1X`.
        least_workers: the job's own number, driver included; at least 2.
        most_workers: a run is given no more, driver included.
    """

    worker_type: str = "G.1X"
    least_workers: int = 2
    most_workers: int = 10

    @property
    def most_mb(self) -> float:
        """What the most workers convert in about `CONVERSION_SECONDS`, in MB; a run is given no more."""
        return (self.most_workers - 1) * MB_PER_SECOND_AND_WORKER * CONVERSION_SECONDS

    def workers_for(self, total_mb: float) -> int:
        """Return how many workers convert so much in about `CONVERSION_SECONDS`, within the bounds; pure."""
        converting = math.ceil(total_mb / (MB_PER_SECOND_AND_WORKER * CONVERSION_SECONDS))
        return min(max(1 + converting, self.least_workers), self.most_workers)

    def shares(self, records: Iterable[ManifestRecord]) -> list[list[ManifestRecord]]:
        """Share manifests out to Glue runs, in order, each within what one run is given; pure.

        A manifest that is larger than a run's bound makes a run of its own.
        """
        shares: list[list[ManifestRecord]] = []
        total_mb = 0.0
        for record in records:
            total_mb += record.total_size_mb
            if not shares or len(shares[-1]) >= MAX_MANIFESTS_PER_RUN or total_mb > self.most_mb:
                shares.append([])
                total_mb = record.total_size_mb
            shares[-1].append(record)
        return shares
