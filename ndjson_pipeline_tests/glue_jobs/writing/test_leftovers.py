from contextlib import nullcontext

import pytest

from glue_jobs.errors import CommitHeldError, OutputReplacedError, OutputWriteError
from glue_jobs.writing.leftovers import remove, remove_others


def test_removes_what_an_earlier_attempt_wrote_and_nothing_else(lake):
    stem = "merged-parquet-2026-01-30/part-000007-1f0c2a9b-"
    for key in (f"{stem}0000.zstd.parquet", f"{stem}0000.snappy.parquet", f"{stem}0001.snappy.parquet"):
        lake.client.put_object(Bucket=lake.output, Key=key, Body=b"x")
    other = "merged-parquet-2026-01-30/part-000007-00000000-0000.snappy.parquet"
    lake.client.put_object(Bucket=lake.output, Key=other, Body=b"x")
    removed = remove_others(lake.client, lake.output, stem, {f"{stem}0000.snappy.parquet"}, lambda: None)
    assert removed == [f"{stem}0000.zstd.parquet", f"{stem}0001.snappy.parquet"]
    assert lake.output_keys() == [other, f"{stem}0000.snappy.parquet"]


def test_nothing_is_removed_by_who_may_not_and_nobody_is_asked_where_nothing_is_stale(lake):
    def refuse():
        raise CommitHeldError("another run")

    lake.client.put_object(Bucket=lake.output, Key="stem-0", Body=b"x")
    assert remove_others(lake.client, lake.output, "stem-", {"stem-0"}, refuse) == []
    with pytest.raises(CommitHeldError):
        remove_others(lake.client, lake.output, "stem-", set(), refuse)
    assert lake.output_keys() == ["stem-0"]


@pytest.mark.parametrize(
    ("code", "error"), [("PreconditionFailed", OutputReplacedError), ("NoSuchKey", None)]
)
def test_what_was_written_anew_stays_and_what_is_gone_is_removed(lake, monkeypatch, code, error):
    asked = []

    def delete_objects(**request):
        asked.extend(request["Delete"]["Objects"])
        return {"Errors": [{"Key": "stem-0", "Code": code}]}

    monkeypatch.setattr(lake.client, "delete_objects", delete_objects)
    with nullcontext() if error is None else pytest.raises(error, match="stem-0 was written by another run"):
        remove(lake.client, lake.output, {"stem-0": '"e"'})
    assert asked == [{"Key": "stem-0", "ETag": '"e"'}]


def test_a_refused_removal_is_an_error(lake, monkeypatch):
    lake.client.put_object(Bucket=lake.output, Key="stem-0", Body=b"x")
    monkeypatch.setattr(
        lake.client, "delete_objects", lambda **_: {"Errors": [{"Key": "stem-0", "Code": "AccessDenied"}]}
    )
    with pytest.raises(
        OutputWriteError, match=r"stem-0 of an earlier attempt can't be removed \(AccessDenied"
    ):
        remove_others(lake.client, lake.output, "stem-", set(), lambda: None)
