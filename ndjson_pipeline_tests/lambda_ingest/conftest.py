"""Ingest on moto in this process."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from lambda_ingest.runtime import Clients
from lambda_ingest.settings import Settings
from ndjson_pipeline.local_aws import create_resources, lambda_environment
from ndjson_pipeline_tests.lambda_ingest.harness import FakeClock, Ingest


@pytest.fixture
def aws_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake credentials, and nothing that could lead to a real account."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def ingest(aws_variables: None) -> Iterator[Ingest]:
    """The deployment's resources in an AWS of their own, and the Lambdas for them."""
    with mock_aws():
        create_resources()
        yield Ingest(Settings.from_environment(lambda_environment()), Clients.from_boto3(), FakeClock())


@pytest.fixture
def alerts(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every alert that was published, as it stands on the topic."""
    published: list[dict[str, Any]] = []
    publish = ingest.clients.sns.publish

    def record(**request: Any) -> Any:
        answer = publish(**request)
        published.append(json.loads(request["Message"]))
        return answer

    monkeypatch.setattr(ingest.clients.sns, "publish", record)
    return published
