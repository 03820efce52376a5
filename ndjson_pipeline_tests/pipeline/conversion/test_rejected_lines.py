"""Which files had rejected lines."""

import gzip
import json
from collections import Counter

import pytest

from ndjson_pipeline.conversion import rejected_lines as module
from ndjson_pipeline.conversion.rejected_lines import (
    RejectedLinesUnreadableError,
    count_lines,
    look_into,
)
from ndjson_pipeline_tests.pipeline.harness import ManifestTable

LINES = b"".join(
    json.dumps({"source_file": f"s3://i/{name}", "line_number": 1, "reason": reason, "raw": "x"}).encode()
    + b"\n"
    for name, reason in (("a", "not valid JSON"), ("b", "not an object"), ("a", "not valid JSON"))
)
COUNTED = {("s3://i/a", "not valid JSON"): 2, ("s3://i/b", "not an object"): 1}


@pytest.mark.parametrize("content", [LINES, gzip.compress(LINES)], ids=["plain", "gzip"])
def test_lines_are_counted_by_file_and_reason(content: bytes) -> None:
    found: Counter[tuple[str, str]] = Counter()
    assert count_lines(found, content)
    assert found == COUNTED


@pytest.mark.parametrize(
    "content", [LINES + b'{"source_fi', gzip.compress(LINES)[:-20]], ids=["plain", "gzip"]
)
def test_what_is_cut_short_counts_up_to_there(content: bytes) -> None:
    found: Counter[tuple[str, str]] = Counter()
    assert not count_lines(found, content, is_whole=False)
    assert all(found[place] <= count for place, count in COUNTED.items())
    assert ("unknown", "a line of another shape") not in found


def test_a_line_of_another_shape_counts_and_a_name_shows_as_what_it_is() -> None:
    found: Counter[tuple[str, str]] = Counter()
    odd = {"source_file": "s3://i/a\u202e", "reason": "r" * 999}
    count_lines(found, b"[1]\nnonsense\n\n" + json.dumps(odd).encode())
    ((place, reason),) = [each for each in found if each[0] != "unknown"]
    assert found["unknown", "a line of another shape"] == 2
    assert place == r"s3://i/a\u202e"
    assert len(reason) == 200


def test_only_rejected_lines_of_the_own_quarantine_are_read(
    manifests: ManifestTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, bucket = manifests.deployment.s3, manifests.deployment.names.quarantine_bucket
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"rejected/2026-01-30/{number}", Body=LINES)
    own = [f"s3://{bucket}/rejected/2026-01-30/{number}" for number in range(3)]
    others = ["s3://elsewhere/rejected/1", f"s3://{bucket}/pipeline/input/1", "no uri"]
    found = look_into(s3, bucket, [*others, *own])
    assert (sum(found.by_file.values()), found.is_all) == (9, True)
    monkeypatch.setattr(module, "_MOST_OBJECTS", 2)
    found = look_into(s3, bucket, own)
    assert (sum(found.by_file.values()), found.is_all) == (6, False)
    monkeypatch.setattr(module, "_MOST_BYTES", len(LINES) - 5)
    found = look_into(s3, bucket, own[:1])
    assert (sum(found.by_file.values()), found.is_all) == (2, False)


def test_what_can_not_be_read_is_named(manifests: ManifestTable) -> None:
    names = manifests.deployment.names
    with pytest.raises(RejectedLinesUnreadableError, match="rejected/gone can't be read"):
        look_into(
            manifests.deployment.s3,
            names.quarantine_bucket,
            [f"s3://{names.quarantine_bucket}/rejected/gone"],
        )
