"""The patches of all services: when they apply, and what each says."""

import moto
import pytest

from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings, moto_patches
from ndjson_pipeline.local_aws.errors import LocalAwsError, MotoVersionError


class TestApplying:
    """apply, remove."""

    def test_one_local_aws_at_a_time(self, aws, tmp_path):
        with (
            pytest.raises(LocalAwsError, match="LocalAwsProcess"),
            LocalAws(directory=tmp_path, settings=LocalAwsSettings()),
        ):
            pass
        assert aws.client("s3").list_buckets()["Buckets"]

    def test_another_version_of_moto_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(moto, "__version__", "6.0.0")
        with (
            pytest.raises(MotoVersionError, match=r"moto 6\.0\.0 is installed.*5\.2\.5"),
            LocalAws(directory=tmp_path),
        ):
            pass

    def test_every_patch_says_what_stock_moto_does(self):
        assert len(moto_patches.PATCHES) == len({patch.name for patch in moto_patches.PATCHES})
        for patch in moto_patches.PATCHES:
            assert patch.factory.__doc__.startswith("Stock moto "), patch.name
