"""Settings of the code location."""

import pytest

from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.errors import SettingsError


@pytest.mark.parametrize(
    ("variables", "environment"),
    [
        ({}, "dev"),
        ({"NDJSON_ENVIRONMENT": ""}, "dev"),
        ({"NDJSON_ENVIRONMENT": " prod "}, "prod"),
        ({"NDJSON_ENVIRONMENT": "dev"}, "dev"),
    ],
)
def test_reads_the_environment(variables: dict[str, str], environment: str) -> None:
    assert PipelineSettings.from_environment(variables).environment == environment


@pytest.mark.parametrize("wrong", ["staging", "PROD", "dev,prod"])
def test_a_wrong_environment_is_named_with_the_right_ones(wrong: str) -> None:
    with pytest.raises(SettingsError, match=f"NDJSON_ENVIRONMENT must be one of dev, prod, got '{wrong}'"):
        PipelineSettings.from_environment({"NDJSON_ENVIRONMENT": wrong})
