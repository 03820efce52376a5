"""When a date's waiting manifests get a run, and which dates go first.

A date has at most one run that waits. Which manifests it converts is decided when it starts: all that wait by
then. So the queue is bounded by the dates, however fast manifests come.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ndjson_pipeline.claims.dagster_runs import manifests_tag
from ndjson_pipeline.claims.record import ManifestRecord, instant_of

# A run that ends without having claimed anything is launched again this often, before what it was for is
# failed.
MAX_LAUNCHES = 3
# Higher goes first; a backfill's runs have none, which counts as 0.
TODAYS_PRIORITY = 20
PAST_PRIORITY = 10


@dataclass(frozen=True)
class LaunchDial:
    """How long manifests are collected before a run is paid for; both 0 launch at once.

    A Glue run costs a start and at least a minute, so fewer and larger runs are cheaper, and later.

    Attributes:
        min_mb: a date is launched once so much waits, in MB of 1,048,576 bytes; 0 sets no such bound.
        max_wait: a date is launched once its oldest manifest waited so long.
    """

    min_mb: float = 0.0
    max_wait: timedelta = timedelta(0)

    def is_due(self, waiting: Collection[ManifestRecord], now: datetime) -> bool:
        """Tell whether a date's waiting manifests are to be launched; what is tried again is due at once."""
        if not self.max_wait or any(record.attempt for record in waiting):
            return True
        if self.min_mb and sum(record.total_size_mb for record in waiting) >= self.min_mb:
            return True
        return now - min(map(waits_since, waiting)) >= self.max_wait


@dataclass(frozen=True)
class DateRuns:
    """Runs of a date that have not ended.

    Attributes:
        waiting: those that have not claimed anything yet.
        going: those that have.
    """

    waiting: int = 0
    going: int = 0


@dataclass(frozen=True)
class Launch:
    """A run to request.

    Attributes:
        date_prefix: its partition.
        records: what waits for it now, in order of their counters.
        priority: the higher one leaves Dagster's queue first.
    """

    date_prefix: str
    records: tuple[ManifestRecord, ...]
    priority: int = PAST_PRIORITY

    @property
    def tag(self) -> str:
        """The value of its manifests tag."""
        return manifests_tag(record.name for record in self.records)

    @property
    def attempt(self) -> int:
        """The attempt that the run will be; the highest where its manifests differ."""
        return 1 + max(record.attempt for record in self.records)

    @property
    def waits_since(self) -> datetime:
        """When the oldest of its manifests was committed."""
        return min(map(waits_since, self.records))

    def run_key(self, earlier_launches: int) -> str:
        """Return a key that no earlier launch had: a run key blocks its repetition for ever."""
        attempts = ",".join(f"{record.name.filename}@{record.attempt}" for record in self.records)
        digest = hashlib.sha256(attempts.encode()).hexdigest()[:16]
        return f"{self.date_prefix}-{digest}-attempt-{self.attempt}-launch-{earlier_launches + 1}"


def plan_launches(
    waiting: Iterable[ManifestRecord],
    runs: Mapping[str, DateRuns],
    *,
    has_partition: Callable[[str], bool],
    dial: LaunchDial,
    places: int,
    now: datetime,
) -> list[Launch]:
    """Return the runs to request, the first to go first; pure.

    Today goes before past dates, and of these who waits longest. While several dates have work, none is given
    all places, and past dates together leave one to today.

    Args:
        waiting: records that wait for a run.
        runs: the runs of each date that have not ended.
        has_partition: whether a date is a partition now; a manifest of tomorrow waits for its day.
        dial: how long manifests are collected.
        places: how many runs convert at the same time.
        now: the present instant, aware.
    """
    by_date: dict[str, list[ManifestRecord]] = {}
    for record in waiting:
        if not runs.get(record.date_prefix, DateRuns()).waiting:
            by_date.setdefault(record.date_prefix, []).append(record)
    today = now.date().isoformat()
    launches = [
        Launch(
            date_prefix,
            tuple(sorted(records, key=lambda record: record.name)),
            TODAYS_PRIORITY if date_prefix >= today else PAST_PRIORITY,
        )
        for date_prefix, records in by_date.items()
        if has_partition(date_prefix) and dial.is_due(records, now)
    ]
    # Runs of one priority leave Dagster's queue in the order of their requests.
    launches.sort(key=lambda launch: (-launch.priority, launch.waits_since, launch.date_prefix))
    return _within_shares(launches, runs, places, today)


def _within_shares(
    launches: Sequence[Launch], runs: Mapping[str, DateRuns], places: int, today: str
) -> list[Launch]:
    """Leave out what would give a date all places, or past dates those of today."""
    contenders = {launch.date_prefix for launch in launches}
    contenders |= {date_prefix for date_prefix, held in runs.items() if held.waiting}
    share = max(places - 1, 1)
    held_by_past = sum(held.waiting + held.going for date, held in runs.items() if date < today)
    chosen = []
    for launch in launches:
        held = runs.get(launch.date_prefix, DateRuns())
        has_its_share = len(contenders) > 1 and held.going >= share
        is_past = launch.date_prefix < today
        past_has_its_share = is_past and today in contenders and held_by_past >= share
        if has_its_share or past_has_its_share:
            continue
        held_by_past += is_past
        chosen.append(launch)
    return chosen


def waits_since(record: ManifestRecord) -> datetime:
    """Return since when a manifest waits for a run; what does not say so has waited for ever."""
    return instant_of(record.retry_at or record.created_at)
