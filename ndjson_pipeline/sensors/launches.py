"""Which pending manifests go into which run."""

import hashlib
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

from lambda_ingest.contract.keys import ManifestName
from ndjson_pipeline.claims.dagster_runs import manifests_tag
from ndjson_pipeline.claims.record import ManifestRecord

# One Glue run takes this many manifests of a date at most: Glue bills a minute at least, so few large runs
# are cheaper than many small ones, but a run that fails has to be looked at as a whole.
MAX_MANIFESTS_PER_RUN = 50
MAX_MB_PER_RUN = 4096.0
# A run that ends without having claimed its manifests is launched again this often before they are failed.
MAX_LAUNCHES = 3


@dataclass(frozen=True)
class Launch:
    """A run to request.

    Attributes:
        date_prefix: its partition.
        records: its manifests, in order of their counters.
    """

    date_prefix: str
    records: tuple[ManifestRecord, ...]

    @property
    def tag(self) -> str:
        """The value of its manifests tag."""
        return manifests_tag(record.name for record in self.records)

    @property
    def attempt(self) -> int:
        """The attempt that the run will be; the highest where its manifests differ."""
        return 1 + max(record.attempt for record in self.records)

    def run_key(self, earlier_launches: int) -> str:
        """Return a key that no earlier launch had: a run key blocks its repetition for ever."""
        digest = hashlib.sha256(f"{self.date_prefix} {self.tag}".encode()).hexdigest()[:16]
        return f"{self.date_prefix}-{digest}-attempt-{self.attempt}-launch-{earlier_launches + 1}"


def plan_launches(
    pending: Iterable[ManifestRecord],
    in_flight: Set[ManifestName],
    has_partition: Callable[[str], bool],
) -> list[Launch]:
    """Group pending manifests into at most one run a date; pure.

    Args:
        pending: records that wait.
        in_flight: manifests that a queued or going run is for.
        has_partition: whether a date is a partition now; a manifest of tomorrow waits for its day.
    """
    by_date: dict[str, list[ManifestRecord]] = {}
    for record in pending:
        if record.name not in in_flight and has_partition(record.date_prefix):
            by_date.setdefault(record.date_prefix, []).append(record)
    return [Launch(date_prefix, _bounded(records)) for date_prefix, records in sorted(by_date.items())]


def _bounded(records: Sequence[ManifestRecord]) -> tuple[ManifestRecord, ...]:
    """Take the first manifests up to the bounds; at least one."""
    chosen: list[ManifestRecord] = []
    total_mb = 0.0
    for record in sorted(records, key=lambda record: record.name)[:MAX_MANIFESTS_PER_RUN]:
        total_mb += record.total_size_mb
        if chosen and total_mb > MAX_MB_PER_RUN:
            break
        chosen.append(record)
    return tuple(chosen)
