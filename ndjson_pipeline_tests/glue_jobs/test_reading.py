import logging
from dataclasses import replace

import pytest

from glue_jobs.errors import InputReadError, ManifestReadError
from glue_jobs.reading import read_files, read_manifest
from lambda_ingest.contract.manifest import ManifestFile


def test_reads_files_in_order(lake):
    files = [lake.put(f"{index:02}", f"{index}\n".encode()) for index in range(30)]
    assert [(file.uri, data) for file, data in read_files(lake.client, files)] == [
        (file.uri, f"{index}\n".encode()) for index, file in enumerate(files)
    ]


def test_reads_the_version_that_is_listed(lake):
    lake.client.put_bucket_versioning(Bucket=lake.input, VersioningConfiguration={"Status": "Enabled"})
    first = lake.put("a", b"first")
    lake.put("a", b"second")
    assert first.version_id
    assert [data for _, data in read_files(lake.client, [first])] == [b"first"]


def test_other_content_than_listed_is_said(lake, caplog):
    file = lake.put("a", b"x")
    with caplog.at_level(logging.WARNING):
        list(read_files(lake.client, [replace(file, etag="0" * 32)]))
    assert f"{file.uri} has other content" in caplog.text


def test_an_absent_file_is_named(lake):
    uri = f"s3://{lake.input}/gone.ndjson"
    with pytest.raises(InputReadError, match=r"gone\.ndjson at version v1 can't be read.*"):
        list(read_files(lake.client, [ManifestFile(uri, 1, "e", "v1")]))
    with pytest.raises(InputReadError, match="no S3 URI"):
        list(read_files(lake.client, [ManifestFile("file:///etc/passwd", 1, "e")]))


def test_a_manifest_must_be_there_and_be_one(lake):
    uri = lake.manifest([lake.put("a", b"{}")])
    assert read_manifest(lake.client, uri).name.sequence == 1
    with pytest.raises(ManifestReadError, match="can't be read"):
        read_manifest(lake.client, f"s3://{lake.manifests}/nothing.json")
    lake.client.put_object(Bucket=lake.manifests, Key="broken.json", Body=b"{")
    with pytest.raises(ManifestReadError, match="not JSON"):
        read_manifest(lake.client, f"s3://{lake.manifests}/broken.json")
    with pytest.raises(ManifestReadError, match="no S3 URI"):
        read_manifest(lake.client, "manifests/a.json")


def test_a_manifest_under_the_name_of_another_is_refused(lake):
    uri = lake.manifest([lake.put("a", b"{}")])
    key = uri.removeprefix(f"s3://{lake.manifests}/")
    other = key.replace("000001", "000002")
    lake.client.copy_object(
        Bucket=lake.manifests, Key=other, CopySource={"Bucket": lake.manifests, "Key": key}
    )
    with pytest.raises(ManifestReadError, match="calls itself"):
        read_manifest(lake.client, f"s3://{lake.manifests}/{other}")
