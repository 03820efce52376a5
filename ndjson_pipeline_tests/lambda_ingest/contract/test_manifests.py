"""Keys, dates and manifests as other packages and tools read them."""

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.contract.dates import parse_date, parse_utc_timestamp, utc_date, utc_timestamp
from lambda_ingest.contract.errors import ContractError, ManifestFormatError, ManifestKeyError
from lambda_ingest.contract.keys import ManifestName, report_key, split_s3_uri
from lambda_ingest.contract.manifest import Manifest, ManifestFile, digest_of

FILES = (
    ManifestFile("s3://in/pipeline/input/2026-01-30-a.ndjson", 3_500_000, "etag-a", "version-a"),
    ManifestFile("s3://in/pipeline/input/2026-01-30-ü b.ndjson", 7, "etag-b"),
)
NAME = ManifestName("2026-01-30", 1, "1f0c2a9b")


def test_a_manifest_has_the_documented_name_and_key() -> None:
    assert NAME.filename == "manifest-2026-01-30-batch-000001-1f0c2a9b.json"
    assert NAME.key == "manifests/2026-01-30/manifest-2026-01-30-batch-000001-1f0c2a9b.json"


@given(st.dates(date(2025, 1, 1), date(2100, 1, 1)), st.integers(1, 999_999), st.integers(0, 2**32 - 1))
def test_a_manifest_name_is_read_as_it_was_written(day: date, sequence: int, digest: int) -> None:
    name = ManifestName(day.isoformat(), sequence, f"{digest:08x}")
    assert ManifestName.parse(name.filename) == name
    assert ManifestName.from_uri(f"s3://bucket/{name.key}") == name


@given(st.lists(st.integers(1, 999_999), min_size=2, max_size=2, unique=True))
def test_names_sort_as_their_counters_do(sequences: list[int]) -> None:
    low, high = (ManifestName("2026-01-30", sequence, "0" * 8) for sequence in sorted(sequences))
    assert low < high
    assert low.filename < high.filename


@pytest.mark.parametrize(
    "name",
    [
        "manifest-2026-01-30-batch-1-1f0c2a9b.json",
        "manifest-2026-01-30-batch-000001.json",
        "manifest-2026-01-30-batch-000001-1F0C2A9B.json",
        "manifest-2026-01-30-batch-000001-1f0c2a9b.json\n",
        "",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ManifestKeyError, match="no manifest name"):
        ManifestName.parse(name)


def test_a_manifest_in_the_folder_of_another_date_is_refused() -> None:
    with pytest.raises(ManifestKeyError, match="another date"):
        ManifestName.from_uri(f"s3://b/manifests/2026-01-31/{NAME.filename}")


@pytest.mark.parametrize("uri", ["http://a/b", "s3://", "s3://bucket", "s3://bucket/", "s3:///key", "a/b"])
def test_what_is_no_s3_uri_is_refused(uri: str) -> None:
    with pytest.raises(ManifestKeyError):
        split_s3_uri(uri)


def test_a_manifest_keeps_the_shape_that_other_tools_read() -> None:
    document = json.loads(Manifest(NAME, "2026-01-30T12:00:00.000000Z", FILES).to_json())
    assert document["fileLocations"] == [{"URIPrefixes": [file.uri for file in FILES]}]
    assert document["date_prefix"] == "2026-01-30"
    assert document["manifest_name"] == NAME.filename
    assert document["file_count"] == 2
    assert document["total_size_bytes"] == 3_500_007
    assert document["files"][0] == {
        "uri": FILES[0].uri,
        "size_bytes": 3_500_000,
        "etag": "etag-a",
        "version_id": "version-a",
    }
    assert "version_id" not in document["files"][1]


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = Manifest(NAME, "2026-01-30T12:00:00.000000Z", FILES)
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"manifest_name": "x"}, "no manifest name"),
        ({"date_prefix": "2026-01-31"}, "differs from that of its name"),
        ({"files": []}, "at least one file"),
        ({"files": None}, "at least one file"),
        ({"files": ["x"]}, "JSON objects"),
        ({"file_count": 3}, "file_count is 3"),
        ({"created_at": 5}, "'created_at' must be text"),
        ({"files": [{"uri": "s3://a/b", "etag": "e", "size_bytes": -1}], "file_count": 1}, "whole number"),
        ({"files": [{"uri": "s3://a/b", "etag": "e", "size_bytes": True}], "file_count": 1}, "whole number"),
        ({"files": [{"uri": "", "etag": "e", "size_bytes": 1}], "file_count": 1}, "'uri' must be text"),
        (
            {"files": [{"uri": "s3://a/b", "etag": "e", "size_bytes": 1, "version_id": 3}], "file_count": 1},
            "version_id",
        ),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_part_that_is_wrong(
    change: dict[str, object], said: str
) -> None:
    document = json.loads(Manifest(NAME, "2026-01-30T12:00:00.000000Z", FILES).to_json()) | change
    with pytest.raises(ContractError, match=said):
        Manifest.from_json(json.dumps(document))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_content_that_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestFormatError):
        Manifest.from_json(content)


def test_the_digest_tells_counters_contents_and_versions_apart() -> None:
    changed = (FILES[0], ManifestFile(FILES[1].uri, FILES[1].size_bytes, "etag-c"))
    versioned = (FILES[0], ManifestFile(FILES[1].uri, FILES[1].size_bytes, "etag-b", "v"))
    digests = [
        digest_of("2026-01-30", 1, FILES),
        digest_of("2026-01-30", 2, FILES),
        digest_of("2026-01-31", 1, FILES),
        digest_of("2026-01-30", 1, FILES[:1]),
        digest_of("2026-01-30", 1, changed),
        digest_of("2026-01-30", 1, versioned),
    ]
    assert len(set(digests)) == len(digests)
    assert digest_of("2026-01-30", 1, FILES) == digests[0]


def test_reports_have_the_documented_keys() -> None:
    instant = datetime(2026, 1, 30, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    assert report_key("lambda", instant, "0123456789") == "logs/lambda/2026-01-29-T230203-01234567-0001.json"
    assert report_key("glue", instant, "0123456789") == "logs/glue/2026-01-29-T230203-01234567-0001.json"


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1)))
def test_instants_are_read_as_they_were_written_and_sort_as_text(instant: datetime) -> None:
    assert parse_utc_timestamp(utc_timestamp(instant)) == instant
    later = instant + timedelta(microseconds=1)
    assert utc_timestamp(instant) < utc_timestamp(later)


def test_a_date_is_that_of_utc() -> None:
    late_evening_in_new_york = datetime(2026, 1, 30, 21, 0, tzinfo=timezone(timedelta(hours=-5)))
    assert utc_date(late_evening_in_new_york) == date(2026, 1, 31)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-13-01", "20260130", "2026-1-3", "2026-01-3\u0660", " 2026-01-3"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|month|day|format|match"):
        parse_date(text)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        parse_utc_timestamp("2026-01-30T12:00:00")
