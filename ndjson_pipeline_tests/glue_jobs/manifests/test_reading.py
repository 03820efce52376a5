import pytest

from glue_jobs.errors import ManifestReadError
from glue_jobs.manifests.reading import read_manifest
from glue_jobs.manifests.trust import TrustRules


def read(lake, uri, sha256=None, input_bucket=None):
    return read_manifest(
        lake.client, uri, sha256, TrustRules(lake.manifests, input_bucket, "pipeline/input/")
    )


def test_a_manifest_must_be_there_and_be_one(lake):
    uri = lake.manifest([lake.put("a", b"{}")])
    assert read(lake, uri).manifest.name.sequence == 1
    with pytest.raises(ManifestReadError, match="can't be read"):
        read(lake, f"s3://{lake.manifests}/nothing.json")
    lake.client.put_object(Bucket=lake.manifests, Key="broken.json", Body=b"{")
    with pytest.raises(ManifestReadError, match="not JSON"):
        read(lake, f"s3://{lake.manifests}/broken.json")
    with pytest.raises(ManifestReadError, match="no S3 URI"):
        read(lake, "manifests/a.json")


def test_a_manifest_under_the_name_of_another_is_refused(lake):
    uri = lake.manifest([lake.put("a", b"{}")])
    key = uri.removeprefix(f"s3://{lake.manifests}/")
    other = key.replace("000001", "000002")
    lake.client.copy_object(
        Bucket=lake.manifests, Key=other, CopySource={"Bucket": lake.manifests, "Key": key}
    )
    with pytest.raises(ManifestReadError, match="calls itself"):
        read(lake, f"s3://{lake.manifests}/{other}")
