"""Ingest on moto in this process."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from moto import mock_aws

from lambda_ingest.runtime import Clients
from lambda_ingest.settings import Settings
from ndjson_pipeline.local_aws import create_resources, lambda_environment
from ndjson_pipeline.local_aws.clients import AwsClients
from ndjson_pipeline_tests.lambda_ingest.harness import FakeClock, Ingest
from ndjson_pipeline_tests.moto_in_process import mended_moto
from ndjson_pipeline_tests.moto_state import MadeOnce


@dataclass(frozen=True)
class SharedClients:
    """Clients for all tests: they cost more to make than a test takes, and hold no state of the mock."""

    ingest: Clients
    resources: AwsClients


@pytest.fixture(scope="session")
def shared_clients() -> SharedClients:
    """Clients of both kinds, made under a mock, so that no real credentials are looked for."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        _fake_account(patch)
        return SharedClients(Clients.from_boto3(), AwsClients.from_environment())


@pytest.fixture
def aws_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake credentials, and nothing that could lead to a real account."""
    _fake_account(monkeypatch)


@pytest.fixture(scope="session")
def make_settings(shared_clients: SharedClients) -> MadeOnce[Settings]:
    """Makes the deployment's resources in the present mock, and tells the Lambdas' settings."""

    def make() -> Settings:
        create_resources(clients=shared_clients.resources)
        return Settings.from_environment(lambda_environment(clients=shared_clients.resources))

    return MadeOnce(make)


@pytest.fixture
def ingest(
    aws_variables: None, shared_clients: SharedClients, make_settings: MadeOnce[Settings]
) -> Iterator[Ingest]:
    """The deployment's resources in an AWS of their own, and the Lambdas for them."""
    with mended_moto():
        yield Ingest(make_settings(), shared_clients.ingest, FakeClock())


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


def _fake_account(patch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        patch.delenv(name, raising=False)
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_ACCESS_KEY_ID", "testing")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
