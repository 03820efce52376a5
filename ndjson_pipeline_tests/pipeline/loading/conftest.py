"""A deployment whose manifest builder can be asked for its rules, and runs when a test says so."""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from lambda_ingest.contract.items import from_item
from lambda_ingest.contract.records import MANIFEST_FILE_KEY_PREFIX
from lambda_ingest.manifest_builder import handle
from lambda_ingest.runtime import Clients, make_runtime
from lambda_ingest.settings import Settings
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.local_aws import lambda_environment
from ndjson_pipeline_tests.lambda_ingest.harness import FakeContext
from ndjson_pipeline_tests.moto_state import empty_bucket

PREFIX = "pipeline/input/"


class Builder:
    """The feed's manifest builder.

    Args:
        deployment: the feed's.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.variables = {**lambda_environment(), "PARTITION_START_DATE": "2025-01-01"}
        self.sqs: Any = boto3.client("sqs")
        self.queue = self.sqs.get_queue_url(QueueName=deployment.names.queue)["QueueUrl"]
        self.dead_letters = self.sqs.get_queue_url(QueueName=deployment.names.dead_letter_queue)["QueueUrl"]

    def put(self, name: str, body: bytes = b'{"a": 1}\n', *, bucket: str = "", prefix: str = PREFIX) -> None:
        self.deployment.s3.put_object(
            Bucket=bucket or self.deployment.names.input_bucket, Key=prefix + name, Body=body
        )

    def messages(self) -> list[str]:
        """Take all messages, and return their bodies."""
        bodies = []
        while found := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for one in found:
                bodies.append(one["Body"])
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=one["ReceiptHandle"])
        return bodies

    def work(self) -> None:
        """Handle all that waits."""
        runtime = make_runtime(Settings.from_environment(self.variables), Clients.from_boto3())
        bodies = self.messages()
        for first in range(0, len(bodies), 10):
            records = [
                {"messageId": f"m-{number}", "body": body, "eventSource": "aws:sqs"}
                for number, body in enumerate(bodies[first : first + 10])
            ]
            # Its metrics go to stdout, where they would be a command's.
            with contextlib.redirect_stdout(io.StringIO()):
                answer = handle({"Records": records}, FakeContext(), runtime)  # type: ignore[arg-type]
            assert answer["batchItemFailures"] == []

    def files(self) -> dict[str, str]:
        """Return the status of each file by its key."""
        items = self.deployment.dynamodb.scan(TableName=self.deployment.names.tracking_table)["Items"]
        rows = [from_item(item) for item in items]
        return {
            str(row["file_key"]): str(row["status"])
            for row in rows
            if "status" in row and not str(row["file_key"]).startswith(MANIFEST_FILE_KEY_PREFIX)
        }

    def objects(self, bucket: str | None = None) -> list[str]:
        found = self.deployment.s3.list_objects_v2(Bucket=bucket or self.deployment.names.input_bucket)
        return [one["Key"] for one in found.get("Contents", [])]

    def empty(self, bucket: str) -> None:
        empty_bucket(bucket)


@pytest.fixture
def builder(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Builder]:
    builder = Builder(deployment)
    monkeypatch.setattr(Desk, "builder_variables", lambda _desk: builder.variables)
    builder.messages()
    yield builder
    names = deployment.names
    for bucket in (names.quarantine_bucket, names.input_bucket):
        builder.empty(bucket)
    builder.messages()


@pytest.fixture
def elsewhere(builder: Builder) -> Iterator[str]:
    """Another bucket."""
    builder.deployment.s3.create_bucket(Bucket="elsewhere")
    yield "elsewhere"
    builder.empty("elsewhere")


@pytest.fixture
def desk(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return Desk(dict(os.environ))
