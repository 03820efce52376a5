"""Runs that were launched in the place of others, as Dagster tags them."""

import dagster as dg
import pytest
from dagster._core.storage import tags as dagster_tags
from dagster._core.test_utils import create_run_for_test

from ndjson_pipeline.claims import dagster_runs
from ndjson_pipeline.claims.dagster_runs import MANIFESTS_TAG, Ancestry, Purpose, RunView, ancestry_of

FAILED, STARTED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED


class Family:
    """Runs of one instance, each launched in the place of the one before."""

    def __init__(self, instance: dg.DagsterInstance, *, is_launched: bool) -> None:
        self.instance = instance
        self.common = {MANIFESTS_TAG: "000001-00000001"} if is_launched else {}
        self.ids: list[str] = []

    def add(self, *, is_automatic: bool = False, status: dg.DagsterRunStatus = FAILED) -> str:
        tags = dict(self.common)
        if self.ids:
            tags |= {dagster_runs.PARENT_RUN_TAG: self.ids[-1], dagster_runs.ROOT_RUN_TAG: self.ids[0]}
        if is_automatic:
            tags[dagster_runs.RETRY_NUMBER_TAG] = str(len(self.ids))
        run = create_run_for_test(self.instance, job_name="convert_manifests", status=status, tags=tags)
        self.ids.append(run.run_id)
        return run.run_id

    def ancestry(self) -> Ancestry:
        run = self.instance.get_run_by_id(self.ids[-1])
        assert run is not None
        return ancestry_of(run, self.instance.get_run_by_id)


@pytest.fixture
def family(instance: dg.DagsterInstance) -> Family:
    return Family(instance, is_launched=True)


def test_the_tags_are_dagsters_own() -> None:
    assert dagster_runs.PARENT_RUN_TAG == dagster_tags.PARENT_RUN_ID_TAG
    assert dagster_runs.ROOT_RUN_TAG == dagster_tags.ROOT_RUN_ID_TAG
    assert dagster_runs.RETRY_NUMBER_TAG == dagster_tags.RETRY_NUMBER_TAG
    assert dagster_runs.RETRY_NUMBER_TAG in dagster_tags.TAGS_TO_MAYBE_OMIT_ON_RETRY


def test_a_run_of_the_sensor_has_no_ancestors(family: Family) -> None:
    family.add()
    assert family.ancestry() == Ancestry(Purpose.LAUNCH)


def test_a_run_without_manifests_in_its_tags_is_for_its_dates(instance: dg.DagsterInstance) -> None:
    family = Family(instance, is_launched=False)
    first = family.add()
    assert family.ancestry() == Ancestry(Purpose.DATES)
    family.add(is_automatic=True)
    assert family.ancestry() == Ancestry(
        Purpose.DATES, True, {first: RunView.ENDED}, repeated=frozenset({first})
    )


def test_a_re_execution_by_a_person_is_an_explicit_retry(family: Family) -> None:
    first = family.add()
    family.add()
    assert family.ancestry() == Ancestry(Purpose.EXPLICIT_RETRY, False, {first: RunView.ENDED})


def test_a_retry_by_dagster_is_for_what_the_run_before_it_was_for(family: Family) -> None:
    first = family.add()
    second = family.add(is_automatic=True)
    family.add(is_automatic=True)
    assert family.ancestry() == Ancestry(
        Purpose.LAUNCH,
        True,
        {second: RunView.ENDED, first: RunView.ENDED},
        repeated=frozenset({first, second}),
    )


def test_a_retry_of_a_persons_re_execution_repeats_that_and_nothing_before(family: Family) -> None:
    first = family.add()
    again = family.add()
    family.add(is_automatic=True)
    ancestry = family.ancestry()
    assert (ancestry.purpose, ancestry.is_automatic) == (Purpose.EXPLICIT_RETRY, True)
    assert list(ancestry.ancestors) == [again, first]
    assert ancestry.repeated == {again}


def test_a_person_who_executes_an_automatic_retry_again_makes_an_explicit_retry(family: Family) -> None:
    family.add()
    family.add(is_automatic=True)
    family.add()
    ancestry = family.ancestry()
    assert (ancestry.purpose, ancestry.is_automatic) == (Purpose.EXPLICIT_RETRY, False)


def test_an_ancestor_that_is_going_is_seen_as_such(family: Family) -> None:
    first = family.add(status=STARTED)
    family.add()
    assert family.ancestry().ancestors == {first: RunView.IN_FLIGHT}


def test_an_ancestor_that_was_deleted_is_unknown_and_the_root_is_reached_all_the_same(
    family: Family, instance: dg.DagsterInstance
) -> None:
    root, middle = family.add(), family.add()
    family.add()
    instance.delete_run(middle)
    assert family.ancestry().ancestors == {middle: RunView.UNKNOWN, root: RunView.ENDED}


def test_tags_that_lead_in_a_circle_end(family: Family, instance: dg.DagsterInstance) -> None:
    first = family.add()
    second = family.add()
    instance.add_run_tags(first, {dagster_runs.PARENT_RUN_TAG: second})
    assert set(family.ancestry().ancestors) == {first, second}
