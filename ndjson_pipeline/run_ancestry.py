"""Which runs a run was launched in the place of, and what for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import dagster as dg

from ndjson_pipeline.run_states import RunView, view_of
from ndjson_pipeline.run_tags import MANIFESTS_TAG

# Dagster's own tags; `dagster._core.storage.tags` keeps them, out of its public interface.
PARENT_RUN_TAG = "dagster/parent_run_id"
ROOT_RUN_TAG = "dagster/root_run_id"
# The daemon sets it on the retries that it launches, and a re-execution by a person does not inherit it.
RETRY_NUMBER_TAG = "dagster/retry_number"
# Each retry is a person's click or one of a few by the daemon; a longer chain is a loop.
MOST_ANCESTORS = 50


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
