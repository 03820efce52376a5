from contextlib import nullcontext

import pytest

from glue_jobs.errors import OutputReplacedError, OutputWriteError
from glue_jobs.writing.leftovers import list_objects, remove

STEM = "merged-parquet-2026-01-30/part-000007-1f0c2a9b-"
OTHER = "merged-parquet-2026-01-30/part-000007-00000000-0000.snappy.parquet"


def put(lake, *keys):
    return {key: lake.client.put_object(Bucket=lake.output, Key=key, Body=b"x")["ETag"] for key in keys}


def test_lists_what_a_manifest_has_and_nothing_else(lake):
    wanted = put(lake, f"{STEM}0000.zstd.parquet", f"{STEM}0000.snappy.parquet", f"{STEM}0001.snappy.parquet")
    put(lake, OTHER)
    assert list_objects(lake.client, lake.output, STEM) == wanted


def test_removes_what_it_is_told_and_nothing_else(lake, monkeypatch):
    monkeypatch.setattr("glue_jobs.writing.leftovers._DELETE_BATCH", 2)
    objects = put(lake, *(f"{STEM}{number:04d}" for number in range(5)))
    put(lake, OTHER)
    remove(lake.client, lake.output, objects)
    assert lake.output_keys() == [OTHER]
    remove(lake.client, lake.output, {})


@pytest.mark.parametrize(
    ("code", "expectation"),
    [
        (
            "PreconditionFailed",
            pytest.raises(OutputReplacedError, match="stem-0 was written by another run just now, and stays"),
        ),
        ("NoSuchKey", nullcontext()),
        (
            "AccessDenied",
            pytest.raises(OutputWriteError, match=r"stem-0 of an earlier .* be removed \(AccessDenied"),
        ),
    ],
)
def test_what_was_written_anew_stays_and_what_is_gone_is_removed(lake, monkeypatch, code, expectation):
    asked = []

    def delete_objects(**request):
        asked.extend(request["Delete"]["Objects"])
        return {"Errors": [{"Key": "stem-0", "Code": code}]}

    monkeypatch.setattr(lake.client, "delete_objects", delete_objects)
    with expectation:
        remove(lake.client, lake.output, {"stem-0": '"e"'})
    assert asked == [{"Key": "stem-0", "ETag": '"e"'}]
