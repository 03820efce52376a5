"""A deployment on moto in this process."""

import os
from collections.abc import Iterator

import dagster as dg
import pytest

from ndjson_pipeline.deployment import clients as aws
from ndjson_pipeline.deployment.clients import Deployment, current_deployment
from ndjson_pipeline.local_aws import create_resources
from ndjson_pipeline_tests.dagster_storages import share_engines, share_migrations
from ndjson_pipeline_tests.moto_in_process import mended_moto
from ndjson_pipeline_tests.moto_state import MadeOnce, empty_bucket, empty_table
from ndjson_pipeline_tests.pipeline.asset_runner import Runner
from ndjson_pipeline_tests.pipeline.harness import ManifestTable

_make_resources = MadeOnce(create_resources)


@pytest.fixture(autouse=True, scope="session")
def storages_share() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        share_migrations(patch.setattr)
        share_engines(patch.setattr)
        yield


@pytest.fixture(scope="module")
def module_patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def aws_variables(module_patch: pytest.MonkeyPatch) -> None:
    """Fake credentials, and nothing that could lead to a real account."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name == "NDJSON_ENVIRONMENT":
            module_patch.delenv(name)
    module_patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    module_patch.setenv("AWS_ACCESS_KEY_ID", "testing")
    module_patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture(scope="module")
def module_deployment(aws_variables: None) -> Iterator[Deployment]:
    """The deployment's resources in an AWS of the module's own."""
    aws._connect.cache_clear()
    with mended_moto():
        _make_resources()
        yield current_deployment()
    aws._connect.cache_clear()


@pytest.fixture
def deployment(module_deployment: Deployment) -> Iterator[Deployment]:
    """The module's deployment, emptied after the test: to make another takes a second."""
    yield module_deployment
    names = module_deployment.names
    empty_table(names.tracking_table)
    for bucket in (names.manifest_bucket, names.output_bucket):
        empty_bucket(bucket)


@pytest.fixture
def manifests(deployment: Deployment) -> ManifestTable:
    return ManifestTable(deployment)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def runner(manifests: ManifestTable, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Runner:
    # Dagster looks once a second, and waits ten for a script that says nothing.
    monkeypatch.setattr("dagster._core.pipes.utils.DEFAULT_SLEEP_INTERVAL", 0.02)
    monkeypatch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)
    return Runner(manifests, instance)
