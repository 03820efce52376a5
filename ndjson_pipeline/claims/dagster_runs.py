"""What is read of Dagster's runs: their tags, their states, and which run was launched in whose place."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import dagster as dg

from lambda_ingest.contract.keys import ManifestName

CONVERSION_JOB = "convert_manifests"
MANIFESTS_TAG = "ndjson/manifests"
ATTEMPT_TAG = "ndjson/attempt"
# Its own id, once a run has claimed its manifests: it waits for nothing more.
CLAIMED_TAG = "ndjson/claimed"
MOST_TAGGED = 100
# On a run that converts nothing, and only stands for a date's failed manifests.
SHOWS_FAILED_TAG = "ndjson/shows_failed"
# What stands in a record in a run's place where a sensor failed the manifest, since no run could.
SENSOR_HOLDER_PREFIX = "sensor:"
# Its own id, on a run that its code server interrupts because it is replaced: another run goes on with its
# work.
HANDED_OVER_TAG = "ndjson/handed_over"
# Dagster's own tags; `dagster._core.storage.tags` keeps them, out of its public interface.
PARENT_RUN_TAG = "dagster/parent_run_id"
ROOT_RUN_TAG = "dagster/root_run_id"
# The daemon sets it on the retries that it launches, and a re-execution by a person does not inherit it.
RETRY_NUMBER_TAG = "dagster/retry_number"
# How often the daemon launches a run again; a run's own tag overrides the instance's setting.
MAX_RETRIES_TAG = "dagster/max_retries"
# Each retry is a person's click or one of a few by the daemon; a longer chain is a loop.
MOST_ANCESTORS = 50
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
PARTITION_TAG = "dagster/partition"
PRIORITY_TAG = "dagster/priority"
# On a backfill of dates that are older than a change of columns, and on its runs: the asset's key.
REBUILD_TAG = "ndjson/rebuild"
# Behind what is live, and behind the backfills that somebody waits for.
REBUILD_PRIORITY = -10


class RunView(Enum):
    """What Dagster says of the run that holds a record."""

    IN_FLIGHT = "in flight"
    ENDED = "ended"
    UNKNOWN = "unknown"


def view_of(run: dg.DagsterRun | None) -> RunView:
    """Return the view of a run as Dagster's storage has it, None where it has none."""
    if run is None:
        return RunView.UNKNOWN
    return RunView.IN_FLIGHT if run.status in IN_FLIGHT else RunView.ENDED


def is_termination_asked_for(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Tell whether somebody asked for a run's end; a process may also be interrupted by its host."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status in {
        dg.DagsterRunStatus.CANCELING,
        dg.DagsterRunStatus.CANCELED,
    }


def manifests_tag(names: Iterable[ManifestName]) -> str:
    """Write manifests of one date as `000001-1f0c2a9b,000002-...`; the partition gives the date.

    Of many, the first ones and the last, with the count between: PostgreSQL indexes a tag's value, and
    refuses entries of more than some 2,700 bytes. The records say of each manifest which run has it.
    """
    short = [f"{name.sequence:06d}-{name.digest}" for name in sorted(names)]
    if len(short) <= MOST_TAGGED:
        return ",".join(short)
    left_out = len(short) - MOST_TAGGED
    return ",".join([*short[: MOST_TAGGED - 1], f"... {left_out} more ...", short[-1]])


def claimed_tags(run_id: str, claimed: Mapping[ManifestName, int]) -> dict[str, str]:
    """Return the tags of a run once it waits no longer.

    Args:
        run_id: its own.
        claimed: the manifests that it claimed, each with its attempt; where it found none, the tags of what
            it was launched for stay.
    """
    tags = {CLAIMED_TAG: run_id}
    if claimed:
        tags |= {MANIFESTS_TAG: manifests_tag(claimed), ATTEMPT_TAG: str(max(claimed.values()))}
    return tags


def has_claimed(run: dg.DagsterRun) -> bool:
    """Tell whether a run has claimed what it is for; a run in its place inherits its tags, not its claims."""
    return run.tags.get(CLAIMED_TAG) == run.run_id


def is_handed_over(run: dg.DagsterRun) -> bool:
    """Tell whether a run ended because a deployment interrupted it: another one goes on with its work.

    A run in its place inherits its tags, not its end.
    """
    return run.status is dg.DagsterRunStatus.FAILURE and run.tags.get(HANDED_OVER_TAG) == run.run_id


def handed_over_tags(run_id: str) -> dict[str, str]:
    """Return the tags of a run that is handed over; Dagster's own retry would find no code server."""
    return {HANDED_OVER_TAG: run_id, MAX_RETRIES_TAG: "0"}


class Purpose(Enum):
    """What a run is for."""

    LAUNCH = "the manifests that the sensor launched it for"
    DATES = "every manifest of its dates"
    EXPLICIT_RETRY = "the manifests of a run that a person had executed again"


@dataclass(frozen=True)
class Ancestry:
    """Where a run comes from.

    Attributes:
        purpose: what it is for; an automatic retry is for what the run that it repeats was for.
        is_automatic: whether Dagster launched it by itself, in the place of a run that crashed.
        ancestors: every run that it descends from, with what Dagster says of it; the nearest first.
        repeated: of those, the ones whose work an automatic retry goes on with: up to the nearest run that
            was no automatic retry itself.
    """

    purpose: Purpose
    is_automatic: bool = False
    ancestors: Mapping[str, RunView] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()


def ancestry_of(run: dg.DagsterRun, find_run: Callable[[str], dg.DagsterRun | None]) -> Ancestry:
    """Follow a run's tags to the runs that it was launched in the place of.

    Args:
        run: the run.
        find_run: returns a run by its id, or None where Dagster knows none.
    """
    ancestors: dict[str, RunView] = {}
    repeated: set[str] = set()
    origin = run
    is_followed = _is_automatic(run)
    current: dg.DagsterRun | None = run
    while current is not None and len(ancestors) < MOST_ANCESTORS:
        parent_id = current.tags.get(PARENT_RUN_TAG)
        if parent_id is None or parent_id in ancestors:
            break
        parent = find_run(parent_id)
        ancestors[parent_id] = view_of(parent)
        if is_followed:
            repeated.add(parent_id)
            if parent is not None:
                origin = parent
                is_followed = _is_automatic(parent)
        current = parent
    root_id = run.tags.get(ROOT_RUN_TAG)
    if root_id is not None and root_id not in ancestors:
        # A run between was deleted; the root is named by every descendant.
        ancestors[root_id] = view_of(find_run(root_id))
    return Ancestry(_purpose(origin.tags), _is_automatic(run), ancestors, frozenset(repeated))


def _is_automatic(run: dg.DagsterRun) -> bool:
    return RETRY_NUMBER_TAG in run.tags


def _purpose(tags: Mapping[str, str]) -> Purpose:
    if MANIFESTS_TAG not in tags:
        return Purpose.DATES
    is_repeated_by_a_person = PARENT_RUN_TAG in tags and RETRY_NUMBER_TAG not in tags
    return Purpose.EXPLICIT_RETRY if is_repeated_by_a_person else Purpose.LAUNCH
