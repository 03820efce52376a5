"""Counts AWS calls and items a file, with a day of 100 to 100,000 files behind it.

    python -m benchmarks.ingest.cost [--files 500] [--histories 100 1000 10000 100000]

Real calls to the local AWS, counted where botocore sends them. Reports and metrics are left out: they are one
call each an invocation, whatever it does. The history is written into the table as ingest leaves it.
"""

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import to_item
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.manifest_builder import handle
from lambda_ingest.runtime import Clients, Runtime, make_runtime
from lambda_ingest.settings import Settings
from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings, lambda_environment

MESSAGES_PER_INVOCATION = 10
_ITEMS_PER_BATCH_WRITE = 25


@dataclass
class Usage:
    """What was asked of AWS.

    Attributes:
        calls: how often each operation was called.
        items_read: items that queries, scans and gets returned.
        items_written: items that puts, updates, deletes and transactions wrote.
    """

    calls: Counter[str] = field(default_factory=Counter)
    items_read: int = 0
    items_written: int = 0

    def after_call(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        """Count one answer; botocore calls this."""
        name = model.name
        self.calls[name] += 1
        if name == "Query":
            self.items_read += parsed.get("ScannedCount", 0)
        elif name == "GetItem":
            self.items_read += 1
        elif name == "BatchGetItem":
            self.items_read += sum(len(items) for items in parsed.get("Responses", {}).values())
        elif name in {"PutItem", "UpdateItem", "DeleteItem"}:
            self.items_written += 1

    def before_parameters(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """Count what a transaction writes; botocore calls this."""
        if model.name == "TransactWriteItems":
            self.items_written += len(params["TransactItems"])


@dataclass
class Context:
    """What a Lambda is told of its invocation."""

    aws_request_id: str = "r"
    function_name: str = "f"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn"

    def get_remaining_time_in_millis(self) -> int:
        """Time enough."""
        return 60_000


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--histories", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
        with LocalAws(directory=Path(folder), settings=settings) as aws:
            os.environ.update(aws.client_environment())
            rows = list(measure(arguments.files, arguments.histories))
    if arguments.json:
        Console().print_json(json.dumps(rows))
        return
    table = Table(title=f"Cost a file, over {arguments.files} files")
    for name in rows[0]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=140).print(table)


def measure(files: int, histories: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield a row for each history and manifest size."""
    settings = Settings.from_environment(lambda_environment())
    day = datetime.now(UTC)
    seeded = 0
    for history in histories:
        seed(settings, day, seeded, history)
        seeded = history
        for batch in (10, 100):
            yield measure_one(settings, day, history, batch, files)


def measure_one(settings: Settings, day: datetime, history: int, batch: int, files: int) -> dict[str, Any]:
    """Ingest `files` files in manifests of `batch`, and return what it cost."""
    clients = Clients.from_boto3()
    usage = Usage()
    for client in (clients.dynamodb, clients.s3):
        client.meta.events.register("after-call", usage.after_call)
        client.meta.events.register("provide-client-params", usage.before_parameters)
    runtime = make_runtime(
        replace(settings, max_files_per_manifest=batch, metrics_table=None, alert_topic_arn=None), clients
    )
    most_read, seconds = 0, []
    for first in range(0, files, MESSAGES_PER_INVOCATION):
        before = usage.items_read
        began = time.perf_counter()
        invoke(runtime, settings, day, f"h{history}-b{batch}", first)
        seconds.append(time.perf_counter() - began)
        most_read = max(most_read, usage.items_read - before)
    invocations = len(seconds)
    calls = usage.calls.total() - invocations
    return {
        "files behind": history,
        "manifest of": batch,
        "calls a file": round(calls / files, 3),
        "items read a file": round(usage.items_read / files, 2),
        "items written a file": round(usage.items_written / files, 2),
        "most items read an invocation": most_read,
        "median ms an invocation": round(median(seconds) * 1000, 1),
    }


def invoke(runtime: Runtime, settings: Settings, day: datetime, label: str, first: int) -> None:
    """Hand over one batch of fresh events."""
    records = [
        {
            "messageId": f"m-{number}",
            "body": json.dumps(
                {
                    "Records": [
                        {
                            "eventName": "ObjectCreated:Put",
                            "eventTime": utc_timestamp(datetime.now(UTC)),
                            "s3": {
                                "bucket": {"name": settings.input_bucket},
                                "object": {
                                    "key": f"{settings.input_prefix}{day:%Y-%m-%d}-{label}-{number}.ndjson",
                                    "size": 3_500_000,
                                    "eTag": f"{number:032x}",
                                },
                            },
                        }
                    ]
                }
            ),
        }
        for number in range(first, first + MESSAGES_PER_INVOCATION)
    ]
    context: Any = Context()
    answer = handle({"Records": records}, context, runtime)
    if answer["batchItemFailures"]:
        raise SystemExit(f"messages failed: {answer}")


def seed(settings: Settings, day: datetime, done: int, wanted: int) -> None:
    """Write the records of files `done` to `wanted` as ingest leaves them, with a manifest for each ten."""
    dynamodb = Clients.from_boto3().dynamodb
    date_prefix = f"{day:%Y-%m-%d}"
    instant = utc_timestamp(day)
    items: list[dict[str, Any]] = []
    for number in range(done, wanted):
        name = ManifestName(date_prefix, number // 10 + 1, "0" * 8)
        path = f"s3://{settings.manifest_bucket}/{name.key}"
        common = {"date_prefix": date_prefix, "created_at": instant, "updated_at": instant}
        file_name = f"{date_prefix}-history-{number:06d}.ndjson"
        items.append(
            {
                **common,
                "file_key": file_name,
                "status": "manifested",
                "file_path": f"s3://{settings.input_bucket}/{settings.input_prefix}{file_name}",
                "etag": f"{number:032x}",
                "manifest_path": path,
            }
        )
        if number % 10 == 9:
            items.append(
                {
                    **common,
                    "file_key": f"MANIFEST#{name.filename}",
                    "status": "completed",
                    "manifest_path": path,
                    "file_count": 10,
                    "files_marked": True,
                }
            )
    for first in range(0, len(items), _ITEMS_PER_BATCH_WRITE):
        requests = [
            {"PutRequest": {"Item": to_item(item)}} for item in items[first : first + _ITEMS_PER_BATCH_WRITE]
        ]
        dynamodb.batch_write_item(RequestItems={settings.tracking_table: requests})  # type: ignore[dict-item]


if __name__ == "__main__":
    main()
