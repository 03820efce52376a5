"""Files that a person has given up: their manifest is done without them, and without no other."""

import json

import pytest

from glue_jobs.errors import ManifestsFailedError
from lambda_ingest.contract.acceptance import Acceptance, acceptance_key
from lambda_ingest.contract.keys import ManifestName
from ndjson_pipeline_tests.glue_jobs.conftest import DATE


def rows_of(lake, name, start):
    return lake.put(name, [{"n": number} for number in range(start, start + 5)])


def accept(lake, uri, *files):
    name = ManifestName.from_uri(uri)
    acceptance = Acceptance(name, frozenset(file.uri for file in files), f"{DATE}T00:00:00Z", "a person")
    lake.client.put_object(Bucket=lake.manifests, Key=acceptance_key(name), Body=acceptance.to_json())


@pytest.fixture
def gone(lake):
    """Three files of a manifest, two of which are gone."""
    files = [rows_of(lake, "a", 0), rows_of(lake, "b", 5), rows_of(lake, "c", 10)]
    uri = lake.manifest(files, 1)
    for file in files[1:]:
        lake.client.delete_object(Bucket=lake.input, Key=file.uri.split("/", 3)[3])
    return uri, files


def test_what_is_given_up_is_done_without(lake, run, gone):
    uri, files = gone
    with pytest.raises(ManifestsFailedError, match="2 of 3 files missing"):
        run(uri)
    accept(lake, uri, *files[1:])
    run(uri)
    assert sorted(row["n"] for row in lake.rows()) == list(range(5))
    (entry,) = [report for report in lake.reports() if report["manifests"][0]["status"] == "completed"]
    assert [note["uri"] for note in entry["manifests"][0]["missing_files"]] == [files[1].uri, files[2].uri]


def test_one_that_is_missing_besides_fails_it(lake, run, gone):
    uri, files = gone
    accept(lake, uri, files[1])
    with pytest.raises(ManifestsFailedError, match="2 of 3 files missing"):
        run(uri)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"manifest_name": "x"}', b'{"without": ["s3://a/b"]}'])
def test_an_acceptance_of_another_shape_counts_for_nothing(lake, run, gone, content):
    uri, _ = gone
    key = acceptance_key(ManifestName.from_uri(uri))
    lake.client.put_object(Bucket=lake.manifests, Key=key, Body=content)
    with pytest.raises(ManifestsFailedError, match="2 of 3 files missing"):
        run(uri)


def test_that_of_another_manifest_counts_for_nothing(lake, run, gone):
    uri, files = gone
    name = ManifestName.from_uri(uri)
    other = ManifestName(name.date_prefix, 2, name.digest)
    document = {"manifest_name": other.filename, "without": [file.uri for file in files]}
    lake.client.put_object(Bucket=lake.manifests, Key=acceptance_key(name), Body=json.dumps(document))
    with pytest.raises(ManifestsFailedError, match="2 of 3 files missing"):
        run(uri)


def test_it_lies_beside_its_manifest_and_has_no_manifests_name():
    name = ManifestName(DATE, 1, "1f0c2a9b")
    assert acceptance_key(name) == f"manifests/{DATE}/manifest-{DATE}-batch-000001-1f0c2a9b.accepted.json"
    with pytest.raises(ValueError, match="no manifest name"):
        ManifestName.parse(acceptance_key(name).rpartition("/")[2])
