import pytest

from glue_jobs.writing.names import output_key
from lambda_ingest.contract.keys import ManifestName

NAME = ManifestName("2026-01-30", 7, "1f0c2a9b")


@pytest.mark.parametrize(
    ("prefix", "codec", "key"),
    [
        ("", "snappy", "merged-parquet-2026-01-30/part-000007-1f0c2a9b-0003.snappy.parquet"),
        ("a/b", "none", "a/b/merged-parquet-2026-01-30/part-000007-1f0c2a9b-0003.uncompressed.parquet"),
        ("", "zstd", "merged-parquet-2026-01-30/part-000007-1f0c2a9b-0003.zstd.parquet"),
        ("", "gzip", "merged-parquet-2026-01-30/part-000007-1f0c2a9b-0003.gzip.parquet"),
    ],
)
def test_names_derive_from_the_manifest(prefix, codec, key):
    assert output_key(prefix, NAME, 3, codec) == key
