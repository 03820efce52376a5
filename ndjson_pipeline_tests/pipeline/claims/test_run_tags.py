"""Tags of runs."""

import dagster as dg
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.contract.keys import LAST_SEQUENCE, ManifestName
from ndjson_pipeline.claims.dagster_runs import (
    ATTEMPT_TAG,
    MANIFESTS_TAG,
    MOST_TAGGED,
    claimed_tags,
    has_claimed,
    manifests_tag,
)
from ndjson_pipeline_tests.pipeline.harness import DATE, make_name

names_of_one_date = st.lists(
    st.builds(
        ManifestName,
        st.just(DATE),
        st.integers(1, LAST_SEQUENCE),
        st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
    ),
    max_size=3 * MOST_TAGGED,
    unique=True,
)


def test_a_tag_names_the_manifests_in_order() -> None:
    assert manifests_tag([make_name(2), make_name(1)]) == "000001-00000001,000002-00000002"


def test_of_many_it_names_the_first_and_the_last_and_says_how_many_are_between() -> None:
    tag = manifests_tag(make_name(sequence) for sequence in range(1, MOST_TAGGED + 3))
    shown = tag.split(",")
    assert len(shown) == MOST_TAGGED + 1
    assert shown[0] == "000001-00000001"
    assert shown[-2:] == ["... 2 more ...", f"{MOST_TAGGED + 2:06d}-{MOST_TAGGED + 2:08x}"]


@given(names_of_one_date)
def test_a_tag_is_short_enough_for_an_index_of_postgresql(names: list[ManifestName]) -> None:
    assert len(manifests_tag(names).encode()) < 2700


def test_a_run_that_has_claimed_says_what_and_at_which_attempt() -> None:
    tags = claimed_tags("run-1", {make_name(1): 1, make_name(2): 3})
    assert tags[MANIFESTS_TAG] == manifests_tag([make_name(1), make_name(2)])
    assert tags[ATTEMPT_TAG] == "3"
    assert has_claimed(dg.DagsterRun("job", run_id="run-1", tags=tags))


def test_a_run_that_found_nothing_keeps_the_tags_of_its_launch() -> None:
    tags = claimed_tags("run-1", {})
    assert MANIFESTS_TAG not in tags
    assert has_claimed(dg.DagsterRun("job", run_id="run-1", tags=tags))


def test_a_run_that_inherited_the_tags_of_another_has_not_claimed() -> None:
    tags = claimed_tags("run-1", {make_name(1): 1})
    assert not has_claimed(dg.DagsterRun("job", run_id="run-2", tags=tags))


def test_the_tags_are_called_as_the_contract_says() -> None:
    assert (MANIFESTS_TAG, ATTEMPT_TAG) == ("ndjson/manifests", "ndjson/attempt")
