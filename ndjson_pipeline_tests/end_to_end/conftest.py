"""One platform for a module, and what a test does with it."""

import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.items import from_item, to_item
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.deployment import clients as aws
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.laptop.dagster_process import daemon_command
from ndjson_pipeline.laptop.demo.input_files import InputFile
from ndjson_pipeline.laptop.demo.observation import TrackedState, read_output, read_tracking
from ndjson_pipeline.laptop.demo.run import DEMO_SETTINGS
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline_tests.end_to_end.light_dagster import use_light_dagster
from ndjson_pipeline_tests.end_to_end.processes import await_true, processes_with_variable
from ndjson_pipeline_tests.patience import PATIENCE


@dataclass
class Running:
    """A platform that is running, and its clients.

    Attributes:
        platform: the platform.
        deployment: names and clients.
        instance: Dagster's storage.
    """

    platform: LocalPlatform
    deployment: Deployment
    instance: dg.DagsterInstance

    def upload(self, files: Sequence[InputFile]) -> None:
        for file in files:
            self.put(file.name, file.content)

    def put(self, name: str, content: bytes) -> str:
        """Put an input file, and return its URI."""
        bucket, key = self.deployment.names.input_bucket, self.key(name)
        self.deployment.s3.put_object(Bucket=bucket, Key=key, Body=content)
        return s3_uri(bucket, key)

    def delete(self, name: str) -> None:
        self.deployment.s3.delete_object(Bucket=self.deployment.names.input_bucket, Key=self.key(name))

    def key(self, name: str) -> str:
        return f"{self.deployment.settings.input_prefix}{name}"

    def tracked(self, *dates: str) -> TrackedState:
        self.platform.check_alive()
        return read_tracking(self.deployment, dates)

    def records(self, date: str) -> list[ManifestRecord]:
        return sorted(self.tracked(date).manifests, key=lambda record: record.name)

    def await_records(
        self, date: str, status: ManifestStatus, count: int, seconds: float
    ) -> list[ManifestRecord]:
        """Return a date's records of a status once there are so many."""
        return await_true(
            lambda: [
                found
                for found in [[record for record in self.records(date) if record.status is status]]
                if len(found) >= count
            ],
            seconds,
        )[0]

    def await_converted(self, files: Sequence[InputFile], seconds: float) -> list[ManifestRecord]:
        """Return the records once every file is in a completed manifest."""
        dates = sorted({file.date_prefix for file in files})

        def converted() -> list[ManifestRecord]:
            state = self.tracked(*dates)
            failed = [record for record in state.manifests if record.status is ManifestStatus.FAILED]
            assert not failed, failed
            are_all_in = state.manifested_files == len(files)
            are_done = state.count(ManifestStatus.COMPLETED) == len(state.manifests)
            return state.manifests if are_all_in and are_done else []

        return await_true(converted, seconds, every=0.5)

    def await_no_run(self, seconds: float) -> None:
        """Return once no Dagster run is queued or going."""
        ended = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
        await_true(lambda: all(run.status in ended for run in self.instance.get_runs()), seconds)

    def await_empty_queue(self, seconds: float) -> None:
        """Return once every message was handled; none may have failed for good."""
        assert await_true(lambda: self._messages_in(self.deployment.names.queue) == 0, seconds)
        assert self._messages_in(self.deployment.names.dead_letter_queue) == 0

    def _messages_in(self, queue: str) -> int:
        sqs = self.platform.aws.client("sqs")
        attributes = sqs.get_queue_attributes(
            QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], AttributeNames=["All"]
        )["Attributes"]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(int(attributes[name]) for name in names)

    def send_event_again(self, uri: str) -> None:
        """Send the event of a file once more, as SQS does when it delivers a message twice."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        head = self.deployment.s3.head_object(Bucket=bucket, Key=key)
        event = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": head["LastModified"].isoformat(),
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                "object": {
                    "key": key,
                    "size": head["ContentLength"],
                    "eTag": head["ETag"].strip('"'),
                    **({"versionId": head["VersionId"]} if "VersionId" in head else {}),
                },
            },
        }
        sqs = self.platform.aws.client("sqs")
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName=self.deployment.names.queue)["QueueUrl"],
            MessageBody=json.dumps({"Records": [event]}),
        )

    def subscribe_to_alerts(self) -> Callable[[], list[dict[str, Any]]]:
        """Lay a queue behind the feed's alert topic, and return what reads every alert that came so far."""
        sqs, received = self.platform.aws.client("sqs"), []
        url = sqs.create_queue(QueueName=f"test-of-{self.deployment.names.alert_topic}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.deployment.sns.subscribe(TopicArn=self.deployment.alert_topic_arn, Protocol="sqs", Endpoint=arn)

        def read() -> list[dict[str, Any]]:
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                received.append(json.loads(json.loads(message["Body"])["Message"]))
            return received

        return read

    def items(self, date: str) -> list[dict[str, Any]]:
        """Return every row of a date."""
        response = self.deployment.dynamodb.query(
            TableName=self.deployment.names.tracking_table,
            KeyConditionExpression="date_prefix = :date",
            ExpressionAttributeValues=to_item({":date": date}),
            ConsistentRead=True,
        )
        return [from_item(item) for item in response["Items"]]

    def output_keys(self, date: str) -> list[str]:
        response = self.deployment.s3.list_objects_v2(
            Bucket=self.deployment.names.output_bucket, Prefix=f"merged-parquet-{date}/"
        )
        return sorted(item["Key"] for item in response.get("Contents", []))

    def rows_by_source(self, *dates: str) -> Counter[str]:
        return read_output(self.deployment, dates).rows_by_source

    def expected_rows(self, files: Sequence[InputFile]) -> Counter[str]:
        bucket = self.deployment.names.input_bucket
        return Counter({s3_uri(bucket, self.key(file.name)): file.record_count for file in files})

    def materialized(self, asset: str, field: str) -> int:
        """Return the sum of a figure over an asset's materializations."""
        records = self.instance.fetch_materializations(dg.AssetKey(asset), limit=1000).records
        return sum(int(record.asset_materialization.metadata[field].value) for record in records)

    def dagster(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run Dagster's command line against this platform."""
        return subprocess.run(
            [daemon_command()[0].replace("dagster-daemon", "dagster"), *arguments],
            capture_output=True,
            text=True,
            timeout=100 * PATIENCE,
            check=False,
            cwd=self.platform.dagster_home,
            env={
                **os.environ,
                **self.platform.environment,
                "DAGSTER_HOME": str(self.platform.dagster_home),
            },
        )


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A folder with a short name: sockets below it have no room for a long one."""
    folder = Path(tempfile.mkdtemp(prefix="e2e-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def restored_environment() -> Iterator[None]:
    """What a platform sets for this process holds no longer than the platform."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
    aws._connect.cache_clear()


@pytest.fixture(scope="module")
def starting(scratch: Path, restored_environment: None) -> Iterator[LocalPlatform]:
    """The platform as the demonstration runs it; Dagster may not have ticked yet."""
    with pytest.MonkeyPatch.context() as patch:
        # Every process of the platform inherits it, so that those left can be found.
        patch.setenv("TMPDIR", str(scratch))
        use_light_dagster(patch)
        with LocalPlatform(scratch / "platform", daemon_command(), settings=DEMO_SETTINGS) as platform:
            yield platform
        await_true(lambda: not processes_with_variable("TMPDIR", str(scratch)), 10)


@pytest.fixture(scope="module")
def running(starting: LocalPlatform) -> Iterator[Running]:
    deployment = starting.deployment()
    with starting.instance() as instance:
        yield Running(starting, deployment, instance)


def past(now: datetime, days: int) -> str:
    """Return a date that is over, whose files are due at once."""
    return (now.date() - timedelta(days=days)).isoformat()


@pytest.fixture(scope="module")
def now() -> datetime:
    return utc_now()
