"""Manifests that somebody else wrote, or changed."""

import hashlib
import json
from dataclasses import replace

import pytest

from glue_jobs.errors import ArgumentsError, GlueJobError, ManifestReadError, ManifestsFailedError
from glue_jobs.manifests.reading import listed_manifests
from lambda_ingest.contract.manifest import ManifestFile

ROWS = [{"n": 1}, {"n": 2}]


def key_of(uri):
    return uri.split("/", 3)[3]


def sha256_of(lake, uri):
    return hashlib.sha256(lake.get(lake.manifests, key_of(uri))).hexdigest()


def change(lake, uri, to):
    document = json.loads(lake.get(lake.manifests, key_of(uri)))
    to(document)
    lake.client.put_object(Bucket=lake.manifests, Key=key_of(uri), Body=json.dumps(document))


def test_a_manifest_of_the_sha256_of_its_record_is_converted(lake, run, caplog):
    uris = [lake.manifest([lake.put(name, ROWS)], number) for number, name in ((1, "a"), (2, "b"))]
    hashes = ",".join(sha256_of(lake, uri) for uri in uris)
    run(*uris, MANIFEST_SHA256=hashes, INPUT_BUCKET=lake.input)
    assert len(lake.rows()) == 4
    assert "could not check" not in caplog.text
    assert "unchecked" not in lake.reports()[0]["manifests"][0]


def test_a_manifest_that_was_changed_after_its_commit_fails_alone_and_nothing_of_it_is_read(lake, run):
    uris = [lake.manifest([lake.put(name, ROWS)], number) for number, name in ((1, "a"), (2, "b"))]
    hashes = ",".join(sha256_of(lake, uri) for uri in uris)
    other = lake.put("c", [{"n": 99}])
    change(lake, uris[0], lambda document: document["files"][0].update(uri=other.uri, etag=other.etag))
    with pytest.raises(ManifestsFailedError, match="1 of 2 manifests failed") as caught:
        run(*uris, MANIFEST_SHA256=hashes, INPUT_BUCKET=lake.input)
    assert "changed after it was committed" in str(caught.value)
    assert [row["n"] for row in lake.rows()] == [1, 2]


def test_a_list_is_held_against_its_sha256_and_its_manifests_against_theirs(lake, run):
    uris = [lake.manifest([lake.put(name, ROWS)], number) for number, name in ((1, "a"), (2, "b"))]
    lines = [f"{uri} 1 {sha256_of(lake, uri)}" for uri in uris]
    lake.client.put_object(Bucket=lake.manifests, Key="pipes/x/manifests.txt", Body="\n".join(lines))
    listed = f"s3://{lake.manifests}/pipes/x/manifests.txt"
    sha256 = sha256_of(lake, listed)
    assert listed_manifests(lake.client, [listed], {listed: sha256}) == {
        uri: sha256_of(lake, uri) for uri in uris
    }
    run(listed, MANIFEST_SHA256=sha256, INPUT_BUCKET=lake.input)
    assert len(lake.rows()) == 4
    lake.client.put_object(Bucket=lake.manifests, Key="pipes/x/manifests.txt", Body=lines[0])
    with pytest.raises(GlueJobError, match="changed after it was committed"):
        run(listed, MANIFEST_SHA256=sha256, INPUT_BUCKET=lake.input)


@pytest.mark.parametrize("foreign", ["bucket", "prefix", "none"])
def test_a_manifest_that_lists_what_is_not_the_pipelines_input_fails_whole(lake, run, runner, foreign):
    good = lake.put("a", ROWS)
    lake.client.put_object(Bucket=lake.quarantine, Key="pipeline/input/x.ndjson", Body=b'{"n":5}\n')
    lake.client.put_object(Bucket=lake.input, Key="secrets/x.ndjson", Body=b'{"n":5}\n')
    uri = {
        "bucket": f"s3://{lake.quarantine}/pipeline/input/x.ndjson",
        "prefix": f"s3://{lake.input}/secrets/x.ndjson",
        "none": "/etc/passwd",
    }[foreign]
    manifest = lake.manifest([good, replace(good, uri=uri)])
    with pytest.raises(ManifestsFailedError, match=r"nothing of it was read|can't be used") as caught:
        run(manifest, INPUT_BUCKET=lake.input, ON_MISSING="skip")
    assert uri in str(caught.value)
    assert runner.tasks == []
    assert lake.output_keys() == []


def test_by_hand_the_job_says_what_it_could_not_check(lake, run, caplog):
    run(lake.manifest([lake.put("a", ROWS)]))
    assert "no --MANIFEST_SHA256" in caplog.text
    assert "no --INPUT_BUCKET" in caplog.text
    (entry,) = lake.reports()[0]["manifests"]
    assert len(entry["unchecked"]) == 2


@pytest.mark.parametrize("input_bucket", [True, False])
@pytest.mark.parametrize("place", ["manifests/elsewhere/{name}", "{name}", "manifests/2026-01-30/x.json"])
def test_no_manifest_replaces_the_output_of_another_by_its_name(lake, run, place, input_bucket):
    committed = lake.manifest([lake.put("a", ROWS)])
    more = {"INPUT_BUCKET": lake.input} if input_bucket else {}
    run(committed, **more)
    forged = place.format(name=committed.rpartition("/")[2])
    other = lake.put("b", [{"n": 99}])
    document = json.loads(lake.get(lake.manifests, key_of(committed)))
    document["files"] = [{"uri": other.uri, "size_bytes": other.size_bytes, "etag": other.etag}]
    for bucket in (lake.manifests, lake.output):
        lake.client.put_object(Bucket=bucket, Key=forged, Body=json.dumps(document))
        with pytest.raises(ManifestsFailedError, match="has the name of"):
            run(f"s3://{bucket}/{forged}", **more)
        lake.client.delete_object(Bucket=bucket, Key=forged)
    assert [row["n"] for row in lake.rows()] == [1, 2]


def test_by_hand_a_manifest_may_lie_elsewhere_where_no_other_has_its_name(lake, run):
    uri = lake.manifest([lake.put("a", ROWS)])
    lake.client.put_object(Bucket=lake.manifests, Key="mine.json", Body=lake.get(lake.manifests, key_of(uri)))
    lake.client.delete_object(Bucket=lake.manifests, Key=key_of(uri))
    with pytest.raises(ManifestsFailedError, match="has the name of"):
        run(f"s3://{lake.manifests}/mine.json", INPUT_BUCKET=lake.input)
    run(f"s3://{lake.manifests}/mine.json")
    assert len(lake.rows()) == 2
    (done,) = [one for report in lake.reports() for one in report["manifests"] if "unchecked" in one]
    assert "lies elsewhere" in done["unchecked"][1]


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        (lambda document: document["files"].append(document["files"][0]), "2 times"),
        (lambda document: document["files"][0].update(size_bytes=10**400), "more than S3 holds"),
        (lambda document: document["files"][0].update(size_bytes=-1), "whole number"),
        (lambda document: document["files"][0].update(uri="s3://b/\ud800"), r"\\ud800"),
        (lambda document: document.update(date_prefix="2026-99-99"), "2026-99-99"),
    ],
)
def test_a_manifest_that_can_not_be_right_fails_alone(lake, run, to, reason):
    good = lake.manifest([lake.put("a", ROWS)], 1)
    bad = lake.manifest([lake.put("b", ROWS)], 2)

    def changed(document):
        to(document)
        document["file_count"] = len(document["files"])

    change(lake, bad, changed)
    with pytest.raises(ManifestsFailedError, match=reason):
        run(good, bad)
    assert len(lake.rows()) == 2
    assert [entry["status"] for entry in lake.reports()[0]["manifests"]] == ["completed", "failed"]


def test_a_manifest_of_too_many_bytes_is_not_read(lake, run, monkeypatch):
    monkeypatch.setattr("glue_jobs.manifests.reading._MOST_MANIFEST_BYTES", 10)
    with pytest.raises(ManifestsFailedError, match="may have 10"):
        run(lake.manifest([lake.put("a", ROWS)]))


def test_the_etag_counts_with_a_version_too_and_null_is_no_version(lake, run):
    file = lake.put("a", ROWS)
    lake.put("a", [{"n": 99}, {"n": 98}])
    manifest = lake.manifest([replace(file, version_id="null")])
    with pytest.raises(ManifestsFailedError, match="other content than listed"):
        run(manifest)
    lake.client.put_bucket_versioning(Bucket=lake.input, VersioningConfiguration={"Status": "Enabled"})
    first, second = lake.put("b", ROWS), lake.put("b", [{"n": 99}, {"n": 98}])
    with pytest.raises(ManifestsFailedError, match="other content than listed"):
        run(lake.manifest([replace(first, version_id=second.version_id)], 2))
    assert lake.rows() == []


@pytest.mark.parametrize("read_ahead", [1, 10**9])
def test_a_file_of_another_size_than_listed_is_missing_and_not_read(lake, run, monkeypatch, read_ahead):
    monkeypatch.setattr("glue_jobs.reading.inputs.READ_AHEAD_BYTES", read_ahead)
    files = [lake.put("a", ROWS), lake.put("b", [{"n": 3}])]
    with pytest.raises(ManifestsFailedError, match="other size than listed: 18 bytes, listed 2"):
        run(lake.manifest([replace(files[0], size_bytes=2), files[1]]))
    assert [row["n"] for row in lake.rows()] == [3]


@pytest.mark.parametrize("skips", [True, False])
def test_one_file_that_is_denied_keeps_no_neighbour_from_loading(lake, run, monkeypatch, skips):
    from ndjson_pipeline_tests.glue_jobs.reading.test_refusals import refusal  # noqa: PLC0415

    files = [lake.put(f"{number:02}", [{"n": number}]) for number in range(46)]
    get = lake.client.get_object

    def deny(**request):
        if request["Key"].endswith("-07.ndjson"):
            raise refusal("AccessDenied", 403, "Access Denied")
        return get(**request)

    monkeypatch.setattr(lake.client, "get_object", deny)
    uri = lake.manifest(files)
    if skips:
        run(uri, ON_MISSING="skip")
    else:
        with pytest.raises(ManifestsFailedError, match=r"1 of 46 files missing.*s3:GetObject"):
            run(uri)
    assert sorted(row["n"] for row in lake.rows()) == [number for number in range(46) if number != 7]
    (entry,) = lake.reports()[0]["manifests"]
    assert [note["uri"] for note in entry["missing_files"]] == [files[7].uri]


def test_a_bucket_that_cannot_be_is_a_missing_file_by_hand(lake, run):
    good = lake.put("a", ROWS)
    run(lake.manifest([good, ManifestFile("s3://B AD/x", 1, "e")]), ON_MISSING="skip")
    assert len(lake.rows()) == 2
    assert len(lake.reports()[0]["manifests"][0]["missing_files"]) == 1


def test_what_is_no_uri_makes_a_manifest_that_is_none(lake, run):
    good = lake.put("a", ROWS)
    with pytest.raises(ManifestsFailedError, match="'nowhere'"):
        run(lake.manifest([good, ManifestFile("nowhere", 1, "e")]), ON_MISSING="skip")
    assert lake.output_keys() == []


@pytest.mark.parametrize("hashes", ["ab", "-,-", "x" * 64])
def test_hashes_that_are_none_are_refused(lake, hashes):
    with pytest.raises(ArgumentsError, match="--MANIFEST_SHA256"):
        lake.arguments("s3://m/a.json", MANIFEST_SHA256=hashes)


def test_the_nonce_is_in_no_text_of_the_arguments(lake):
    assert "secret" not in repr(lake.arguments("s3://m/a.json", RUN_NONCE="secret"))


def test_a_line_of_a_list_holds_its_uri_first(lake):
    lake.client.put_object(Bucket=lake.manifests, Key="l.txt", Body="s3://m/a.json\n\ns3://m/b.json 3 -\n")
    uri = f"s3://{lake.manifests}/l.txt"
    assert listed_manifests(lake.client, [uri], {}) == {"s3://m/a.json": None, "s3://m/b.json": None}
    with pytest.raises(ManifestReadError):
        listed_manifests(lake.client, [f"s3://{lake.manifests}/none.txt"], {})
