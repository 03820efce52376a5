"""Which manifests go into one Glue run."""

from hypothesis import given
from hypothesis import strategies as st

from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.glue.grouping import group_size_after_crash, groups
from ndjson_pipeline_tests.pipeline.harness import make_record

sizes = st.lists(st.one_of(st.none(), st.integers(1, 5)), max_size=30)


def records_of(sizes: list[int | None]) -> list[ManifestRecord]:
    return [make_record(number, group_size=size) for number, size in enumerate(sizes, start=1)]


@given(sizes)
def test_every_record_is_in_one_group_that_is_no_larger_than_it_may_be(sizes: list[int | None]) -> None:
    records = records_of(sizes)
    split = groups(records)
    assert sorted(record.name for group in split for record in group) == [record.name for record in records]
    for group in split:
        assert group
        assert {record.group_size for record in group} == {group[0].group_size}
        assert len(group) <= (group[0].group_size or len(records))
        assert [record.name for record in group] == sorted(record.name for record in group)


def test_what_died_with_no_run_stays_together_and_comes_first_and_single_ones_last() -> None:
    split = groups(records_of([1, None, 2, 2, None, 2, 1]))
    assert [[record.name.sequence for record in group] for group in split] == [
        [2, 5],
        [3, 4],
        [6],
        [1],
        [7],
    ]


def test_nothing_makes_no_group() -> None:
    assert groups([]) == []


def test_up_to_twenty_go_one_by_one_and_more_in_some_twenty_groups() -> None:
    assert {group_size_after_crash(manifests) for manifests in range(1, 21)} == {1}
    assert [group_size_after_crash(manifests) for manifests in (21, 40, 41, 400, 2000)] == [2, 2, 3, 20, 100]


@given(st.integers(2, 10_000))
def test_each_group_is_smaller_than_the_one_that_died(manifests: int) -> None:
    assert 1 <= group_size_after_crash(manifests) < manifests
