import pytest

from glue_jobs.errors import OutputWriteError
from glue_jobs.writing.leftovers import remove_others


def test_removes_what_an_earlier_attempt_wrote_and_nothing_else(lake):
    stem = "merged-parquet-2026-01-30/part-000007-1f0c2a9b-"
    for key in (f"{stem}0000.zstd.parquet", f"{stem}0000.snappy.parquet", f"{stem}0001.snappy.parquet"):
        lake.client.put_object(Bucket=lake.output, Key=key, Body=b"x")
    other = "merged-parquet-2026-01-30/part-000007-00000000-0000.snappy.parquet"
    lake.client.put_object(Bucket=lake.output, Key=other, Body=b"x")
    removed = remove_others(lake.client, lake.output, stem, {f"{stem}0000.snappy.parquet"})
    assert removed == [f"{stem}0000.zstd.parquet", f"{stem}0001.snappy.parquet"]
    assert lake.output_keys() == [other, f"{stem}0000.snappy.parquet"]


def test_a_refused_removal_is_an_error(lake, monkeypatch):
    lake.client.put_object(Bucket=lake.output, Key="stem-0", Body=b"x")
    monkeypatch.setattr(
        lake.client, "delete_objects", lambda **_: {"Errors": [{"Key": "stem-0", "Code": "AccessDenied"}]}
    )
    with pytest.raises(
        OutputWriteError, match=r"stem-0 of an earlier attempt can't be removed \(AccessDenied"
    ):
        remove_others(lake.client, lake.output, "stem-", set())
