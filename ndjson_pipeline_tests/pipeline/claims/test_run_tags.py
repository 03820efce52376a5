"""Tags of runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.keys import LAST_SEQUENCE, ManifestName
from ndjson_pipeline.claims.dagster_runs import (
    ATTEMPT_TAG,
    MANIFESTS_TAG,
    manifests_tag,
    parse_manifests_tag,
    tagged_manifests,
)
from ndjson_pipeline.sensors.launches import MAX_MANIFESTS_PER_RUN
from ndjson_pipeline_tests.pipeline.harness import DATE, make_name

names_of_one_date = st.lists(
    st.builds(
        ManifestName,
        st.just(DATE),
        st.integers(1, LAST_SEQUENCE),
        st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
    ),
    max_size=MAX_MANIFESTS_PER_RUN,
    unique=True,
)


@given(names_of_one_date)
def test_a_tag_reads_back_as_the_manifests_in_order(names: list[ManifestName]) -> None:
    assert parse_manifests_tag(DATE, manifests_tag(names)) == sorted(names)


@given(names_of_one_date)
def test_a_tag_is_short_enough_for_an_index_of_postgresql(names: list[ManifestName]) -> None:
    assert len(manifests_tag(names).encode()) < 2700


@pytest.mark.parametrize(
    "value", ["nonsense", "1-1f0c2a9b", "000001-XYZ", "000001-1f0c2a9b;000002-1f0c2a9b", "000001-1f0c2a9b, "]
)
def test_a_tag_of_another_shape_is_refused(value: str) -> None:
    with pytest.raises(ManifestKeyError):
        parse_manifests_tag(DATE, value)


def test_a_tag_of_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(ManifestKeyError):
        parse_manifests_tag("", "000001-1f0c2a9b")


def test_a_run_without_the_tag_is_for_all_of_its_dates() -> None:
    assert tagged_manifests({"dagster/partition": DATE}, DATE) is None


def test_a_run_with_the_tag_is_for_its_manifests_alone() -> None:
    tag = manifests_tag([make_name(2), make_name(1)])
    assert tagged_manifests({MANIFESTS_TAG: tag}, DATE) == [make_name(1), make_name(2)]


def test_the_tags_are_called_as_the_contract_says() -> None:
    assert (MANIFESTS_TAG, ATTEMPT_TAG) == ("ndjson/manifests", "ndjson/attempt")
