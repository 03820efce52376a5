"""One moto for all proofs, put back to a snapshot before each of them."""

import gc
import logging
from collections.abc import Iterator
from typing import Any

import moto.s3.models
import pytest

from lambda_ingest import manifest_builder
from lambda_ingest.aws.log import logger
from lambda_ingest.settings import Settings
from ndjson_pipeline.local_aws import create_resources, lambda_environment
from ndjson_pipeline_tests.lambda_ingest.harness import FakeClock
from ndjson_pipeline_tests.lambda_ingest.proofs.figures import FIGURE, FIGURES
from ndjson_pipeline_tests.lambda_ingest.proofs.processes import Process
from ndjson_pipeline_tests.lambda_ingest.proofs.world import World
from ndjson_pipeline_tests.moto_in_process import mended_moto

# One that looks and sets up, and three that are proved against each other.
_PROCESSES = 4


class InlinePool:
    """Does a pool's work in the caller's thread, so that the order of calls is the same every time."""

    def __init__(self, max_workers: int) -> None:
        self.max_workers = max_workers

    def __enter__(self) -> "InlinePool":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def map(self, function: Any, work: Any) -> list[Any]:
        return [function(item) for item in work]


@pytest.fixture(scope="package")
def deployment() -> Iterator[World]:
    """The deployment's resources, in a moto with whole transactions, whose S3 keeps the test's time."""
    with pytest.MonkeyPatch.context() as patch, mended_moto():
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        clock = FakeClock()
        patch.setattr(moto.s3.models, "utcnow", lambda: clock().replace(tzinfo=None))
        try:
            create_resources()
            settings = Settings.from_environment(lambda_environment())
            world = World(settings, [Process() for _ in range(_PROCESSES)], clock)
            # What was made so far lives as long as the proofs; looking for garbage in it is slow.
            gc.collect()
            gc.freeze()
            yield world
        finally:
            gc.unfreeze()


@pytest.fixture
def world(deployment: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty deployment at noon."""
    monkeypatch.setattr(manifest_builder, "ThreadPoolExecutor", InlinePool)
    # Tens of thousands of failures are injected here, and each would be logged with its trace.
    monkeypatch.setattr(logger._logger, "disabled", True)
    monkeypatch.setattr(logging.getLogger("botocore"), "disabled", True)
    deployment.reset()
    return deployment


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Give a test's report what the test tried."""
    FIGURES.clear()
    yield
    item.user_properties += [(FIGURE, figure) for figure in FIGURES]
