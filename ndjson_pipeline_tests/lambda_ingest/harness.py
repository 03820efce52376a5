"""Ingest on an AWS that can be in-process or a server: upload, deliver, sweep, and look at what is there."""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from lambda_ingest.contract.dates import parse_utc_timestamp, utc_timestamp
from lambda_ingest.contract.items import from_item
from lambda_ingest.contract.manifest import Manifest
from lambda_ingest.contract.records import MANIFEST_FILE_KEY_PREFIX
from lambda_ingest.manifest_builder import handle
from lambda_ingest.runtime import Clients, Runtime, make_runtime
from lambda_ingest.settings import Settings
from lambda_ingest.sweeper import sweep

NOON = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
TODAY = "2026-01-30"
YESTERDAY = "2026-01-29"


class FakeClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@dataclass
class FakeContext:
    """What the Lambda service tells a function of its invocation."""

    aws_request_id: str = "request-1"
    function_name: str = "ndjson-parquet-manifest-builder-dev"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:f"
    remaining: Callable[[], float] = field(default=lambda: 60.0)

    def get_remaining_time_in_millis(self) -> int:
        return int(self.remaining() * 1000)


def s3_event(
    bucket: str,
    key: str,
    *,
    size: int,
    etag: str,
    time: datetime,
    version_id: str | None = None,
    event_name: str = "ObjectCreated:Put",
) -> dict[str, Any]:
    """Return one record as S3 writes it."""
    described: dict[str, Any] = {"key": quote_plus(key, safe="/"), "size": size, "eTag": etag}
    if version_id is not None:
        described["versionId"] = version_id
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": utc_timestamp(time),
        "eventName": event_name,
        "s3": {"bucket": {"name": bucket}, "object": described},
    }


def bridge_event(
    bucket: str, key: str, *, size: int, etag: str, time: datetime, version_id: str | None = None
) -> dict[str, Any]:
    """Return an event as EventBridge hands it on."""
    described: dict[str, Any] = {"key": key, "size": size, "etag": etag, "sequencer": "00617F08299329D189"}
    if version_id is not None:
        described["version-id"] = version_id
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": utc_timestamp(time),
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": described,
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "reason": "PutObject",
        },
    }


def sns_message(body: object) -> dict[str, Any]:
    """Return what SNS wraps around a message without raw delivery."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:t",
        "Subject": "Amazon S3 Notification",
        "Message": json.dumps(body),
        "Timestamp": "2026-01-30T12:00:00.000Z",
        "SignatureVersion": "1",
        "Signature": "x",
    }


def as_bridge_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what EventBridge would say of the same object as a record of a notification."""
    described = event["s3"]["object"]
    return bridge_event(
        event["s3"]["bucket"]["name"],
        unquote_plus(described["key"]),
        size=described["size"],
        etag=described["eTag"],
        time=parse_utc_timestamp(event["eventTime"]),
        version_id=described.get("versionId"),
    )


def message(body: object, message_id: str = "m-1") -> dict[str, Any]:
    """Return one SQS message as the event source mapping hands it over."""
    text = body if isinstance(body, str) else json.dumps(body)
    return {"messageId": message_id, "receiptHandle": "r", "body": text, "eventSource": "aws:sqs"}


class Ingest:
    """The Lambdas of one deployment, with a clock that stands still and ids that count."""

    def __init__(self, settings: Settings, clients: Clients, clock: FakeClock) -> None:
        self.settings = settings
        self.clients = clients
        self.clock = clock
        self._ids = itertools.count(1)
        self._messages = itertools.count(1)
        self.context = FakeContext()
        self.slept: list[float] = []

    def runtime(self, clients: Clients | None = None, **changes: Any) -> Runtime:
        """Return a runtime, as a fresh execution environment would have one."""
        return make_runtime(
            replace(self.settings, **changes),
            clients or self.clients,
            clock=self.clock,
            new_id=lambda: f"{next(self._ids):032x}",
            draw=random.Random(7),
            sleep=self.slept.append,
        )

    def key(self, name: str) -> str:
        return f"{self.settings.input_prefix}{name}"

    def put(self, name: str, body: bytes = b'{"a": 1}\n') -> dict[str, Any]:
        """Put an object below the input prefix, and return its event."""
        return self.put_key(self.key(name), body)

    def put_key(self, key: str, body: bytes = b'{"a": 1}\n') -> dict[str, Any]:
        bucket = self.settings.input_bucket or ""
        answer = self.clients.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return s3_event(
            bucket,
            key,
            size=len(body),
            etag=answer["ETag"].strip('"'),
            time=self.clock(),
            version_id=answer.get("VersionId"),
        )

    def delete(self, name: str) -> None:
        self.clients.s3.delete_object(Bucket=self.settings.input_bucket or "", Key=self.key(name))

    def deliver(
        self, *events: Mapping[str, Any], runtime: Runtime | None = None, **changes: Any
    ) -> list[str]:
        """Hand events over, a message each, and return the ids of the messages that failed."""
        return self.deliver_messages(
            [message({"Records": [event]}, f"m-{next(self._messages)}") for event in events],
            runtime=runtime,
            **changes,
        )

    def deliver_messages(
        self, messages: Sequence[Mapping[str, Any]], *, runtime: Runtime | None = None, **changes: Any
    ) -> list[str]:
        answer = handle(
            {"Records": list(messages)},
            self.context,  # type: ignore[arg-type]
            runtime or self.runtime(**changes),
        )
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def sweep(
        self,
        runtime: Runtime | None = None,
        *,
        audit: bool = True,
        dates: object = None,
        **changes: Any,
    ) -> dict[str, Any]:
        context: Any = self.context
        event = {"audit": audit} if dates is None else {"dates": dates}
        return sweep(event, context, runtime or self.runtime(**changes))

    def receive(self) -> list[dict[str, Any]]:
        """Take every message off the events queue, and return them as a Lambda gets them."""
        url = self.settings.queue_url or ""
        received: list[dict[str, Any]] = []
        while found := self.clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for entry in found:
                self.clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=entry["ReceiptHandle"])
                received.append({"messageId": entry["MessageId"], "body": entry["Body"]})
        return received

    def items(self) -> list[dict[str, Any]]:
        """Return every item of the tracking table."""
        pages = self.clients.dynamodb.get_paginator("scan").paginate(
            PaginationConfig={"PageSize": 250}, TableName=self.settings.tracking_table, ConsistentRead=True
        )
        return [from_item(item) for page in pages for item in page["Items"]]

    def file_records(self) -> dict[str, dict[str, Any]]:
        """Return the records of files by their sort key."""
        return {
            item["file_key"]: item
            for item in self.items()
            if not item["file_key"].startswith(MANIFEST_FILE_KEY_PREFIX) and "#" not in item["date_prefix"]
        }

    def record(self, name: str) -> dict[str, Any]:
        return self.file_records()[name]

    def manifest_records(self) -> list[dict[str, Any]]:
        """Return the records of manifests in order of their names."""
        found = [item for item in self.items() if item["file_key"].startswith(MANIFEST_FILE_KEY_PREFIX)]
        return sorted(found, key=lambda item: item["file_key"])

    def locks(self) -> list[dict[str, Any]]:
        return [item for item in self.items() if item["date_prefix"].startswith("LOCK#")]

    def manifests(self) -> list[Manifest]:
        """Return the committed manifests, read from their objects."""
        store = self.runtime().store
        return [store.read(record["manifest_path"]) for record in self.manifest_records()]

    def manifest_objects(self) -> list[str]:
        return self.keys(self.settings.manifest_bucket, "manifests/")

    def keys(self, bucket: str | None, prefix: str = "") -> list[str]:
        assert bucket is not None
        pages = self.clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def reports(self) -> list[dict[str, Any]]:
        bucket = self.settings.manifest_bucket
        return [
            json.loads(self.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            for key in self.keys(bucket, "logs/lambda/")
        ]


def names(count: int, day: str | date = TODAY, start: int = 0) -> Iterator[str]:
    """Yield filenames of a date."""
    for number in range(start, start + count):
        yield f"{day}-f{number:05d}.ndjson"
