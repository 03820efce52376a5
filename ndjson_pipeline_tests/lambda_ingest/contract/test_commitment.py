"""Which manifest objects count as committed once their records are gone."""

from datetime import UTC, datetime, timedelta

import pytest

from lambda_ingest.contract.commitment import (
    Commitment,
    FileTrace,
    JudgedManifest,
    commitment_of,
    committed_among,
    records_may_be_gone,
    strength,
)
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from ndjson_pipeline_tests.lambda_ingest.harness import NOON, TODAY

PATH = "s3://m/manifests/here"
OTHER = "s3://m/manifests/other"
EARLIER = utc_timestamp(NOON - timedelta(seconds=1))
LATER = utc_timestamp(NOON + timedelta(days=31))


def manifest(*names: str, sequence: int = 1, digest: str = "0" * 8, created_at: datetime = NOON) -> Manifest:
    files = tuple(ManifestFile(f"s3://in/{name}", 1, "e") for name in names)
    return Manifest(ManifestName(TODAY, sequence, digest), utc_timestamp(created_at), files)


def judged(
    *names: str, sequence: int, commitment: Commitment = Commitment.ASSUMED, digest: str = "0" * 8
) -> JudgedManifest:
    """Return a manifest of a number; one with a digest of its own was written before the others."""
    created_at = NOON + timedelta(minutes=sequence if digest == "0" * 8 else 0)
    found = manifest(*names, sequence=sequence, digest=digest, created_at=created_at)
    return JudgedManifest(f"s3://m/{sequence}", found, commitment)


@pytest.mark.parametrize(
    ("traces", "expected"),
    [
        ([], Commitment.ASSUMED),
        ([FileTrace("manifested", PATH, EARLIER)], Commitment.COMMITTED),
        ([FileTrace("pending", None, EARLIER)], Commitment.NEVER),
        ([FileTrace("manifested", OTHER, EARLIER)], Commitment.NEVER),
        # Its mark is the proof, whatever became of its neighbours.
        (
            [FileTrace("manifested", OTHER, EARLIER), FileTrace("manifested", PATH, EARLIER)],
            Commitment.COMMITTED,
        ),
        # Tracked anew after the first record had expired: says nothing of the manifest that listed it before.
        ([FileTrace("manifested", OTHER, LATER)], Commitment.ASSUMED),
        ([FileTrace("pending", None, LATER)], Commitment.ASSUMED),
        ([FileTrace("manifested", PATH, LATER)], Commitment.COMMITTED),
        # Refused since; whether it was loaded before, it does not say.
        ([FileTrace("quarantined", None, EARLIER)], Commitment.ASSUMED),
        # Rows of other tools prove nothing.
        ([FileTrace("pending", None, "yesterday")], Commitment.ASSUMED),
    ],
)
def test_what_the_files_records_prove(traces: list[FileTrace], expected: Commitment) -> None:
    assert commitment_of(PATH, manifest("a"), has_record=False, traces=traces) is expected


def test_a_record_is_the_commit_whatever_the_files_say() -> None:
    pending = [FileTrace("pending", None, EARLIER)]
    assert commitment_of(PATH, manifest("a"), has_record=True, traces=pending) is Commitment.COMMITTED


def test_of_a_date_what_was_never_committed_does_not_count() -> None:
    dead = judged("a", "b", sequence=1, commitment=Commitment.NEVER)
    kept = judged("c", sequence=2)
    assert committed_among([kept, dead]) == [kept]


def test_a_dead_builders_object_gives_way_to_the_manifests_that_its_batch_came_into() -> None:
    dead = judged("a", "b", sequence=1, digest="f" * 8)
    later = [judged("a", sequence=1), judged("b", sequence=2)]
    assert committed_among([dead, *later]) == later


def test_a_manifest_that_alone_lists_a_file_is_not_left_out() -> None:
    first = judged("a", "b", sequence=1)
    second = judged("b", sequence=2, commitment=Commitment.COMMITTED)
    assert committed_among([second, first]) == [first, second]


def test_of_two_that_list_a_file_the_proven_one_is_the_stronger_then_the_later() -> None:
    proven = judged("a", sequence=1, commitment=Commitment.COMMITTED)
    assumed = [judged("a", sequence=2), judged("a", sequence=3)]
    assert max([*assumed, proven], key=strength) is proven
    assert max(assumed, key=strength) is assumed[1]


@pytest.mark.parametrize(("date_prefix", "expected"), [("0001-01-01", True), ("9999-12-31", False)])
def test_the_ends_of_the_calendar_are_dates_too(date_prefix: str, expected: bool) -> None:
    assert records_may_be_gone(date_prefix, timedelta(days=30), NOON) is expected


@pytest.mark.parametrize(
    ("ttl_days", "now", "expected"),
    [
        # A file of the date may have come the day before, and may have ended at once.
        (30, datetime(2026, 2, 27, 22, 59, tzinfo=UTC), False),
        (30, datetime(2026, 2, 27, 23, 0, tzinfo=UTC), True),
        (7, datetime(2026, 2, 5, tzinfo=UTC), True),
        (90, datetime(2026, 3, 30, tzinfo=UTC), False),
        (1, datetime(2026, 1, 30, tzinfo=UTC), True),
    ],
)
def test_a_date_is_old_once_the_first_of_its_records_may_have_expired(
    ttl_days: int, now: datetime, expected: bool
) -> None:
    assert records_may_be_gone(TODAY, timedelta(days=ttl_days), now) is expected
