from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.manifests.planning import (
    FILE_COST_BYTES,
    INPUT_BYTES_PER_PARQUET_BYTE,
    part_count,
    share_files,
)
from lambda_ingest.contract.manifest import ManifestFile

MB = 1_048_576


def files_of(sizes):
    return [ManifestFile(f"s3://b/{index}", size, "e") for index, size in enumerate(sizes)]


def test_a_small_manifest_becomes_one_file():
    assert part_count(35 * MB, 10, 128 * MB) == 1


def test_a_large_one_uses_the_cores_of_a_worker():
    assert part_count(350 * MB, 100, 128 * MB) == 4


def test_a_huge_one_is_cut_by_the_wanted_size():
    assert part_count(int(10 * 128 * MB * INPUT_BYTES_PER_PARQUET_BYTE), 5000, 128 * MB) == 10


def test_never_more_parts_than_files():
    assert part_count(10_000 * MB, 3, 128 * MB) == 3
    assert part_count(0, 5, 128 * MB) == 1


def test_many_small_files_use_the_cores_too():
    assert part_count(10_000 * 3_000, 10_000, 128 * MB) == 4
    assert part_count(100 * 3_000, 100, 128 * MB) == 1
    shares = share_files(files_of([3_000] * 10_000), 4)
    assert [len(share) for share in shares] == [2_500] * 4


def test_small_files_weigh_by_their_number_beside_large_ones():
    shares = share_files(files_of([64 * MB] + [1_000] * 500), 2)
    assert [len(share) for share in shares] == [1, 500]


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=200), st.integers(1, 40))
def test_each_file_is_in_one_share_and_shares_are_even(sizes, wanted):
    files = files_of(sizes)
    parts = min(wanted, len(files))
    shares = share_files(files, parts)
    assert shares == share_files(files, parts)
    assert sorted(file.uri for share in shares for file in share) == sorted(file.uri for file in files)
    assert all(list(share) == sorted(share, key=files.index) for share in shares)
    loads = [sum(file.size_bytes + FILE_COST_BYTES for file in share) for share in shares]
    assert max(loads) <= sum(loads) / parts + max(sizes) + FILE_COST_BYTES


def test_equal_files_are_shared_evenly():
    assert [len(share) for share in share_files(files_of([100] * 10), 3)] == [4, 3, 3]
    assert [len(share) for share in share_files(files_of([0] * 4), 4)] == [1, 1, 1, 1]
