"""Times the handler's own work a file, with AWS answering at once, and its import.

    python -m benchmarks.ingest.handler_time > /dev/null

The figures go to standard error, the Lambda's log to standard output, where it costs what it costs.
The clients are objects in memory that keep just enough to let batches be cut; botocore is not in the picture.
"""

import subprocess
import sys
import time
from datetime import UTC, datetime
from statistics import median
from typing import Any

from rich.console import Console

from benchmarks.ingest.cost import invoke
from lambda_ingest.contract.items import from_item
from lambda_ingest.runtime import Clients, make_runtime
from lambda_ingest.settings import Settings

INVOCATIONS = 300
IMPORTS = 7


class InstantDynamoDB:
    """Answers as a table would whose every condition holds."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, Any]] = {}

    def put_item(self, Item: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Keep a pending file."""
        if "pending_date" in Item:
            self.files[Item["file_key"]["S"]] = Item
        return {}

    def query(self, Limit: int, IndexName: str | None = None, **_: Any) -> dict[str, Any]:  # noqa: N803
        """Answer the index of pending files; there is no manifest yet."""
        return {"Items": list(self.files.values())[:Limit] if IndexName else []}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        """Answer pending files."""
        ((table, request),) = RequestItems.items()
        found = [self.files[from_item(key)["file_key"]] for key in request["Keys"]]
        return {"Responses": {table: found}}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Take marked files out of the index."""
        for action in TransactItems:
            if "Update" in action:
                self.files.pop(action["Update"]["Key"]["file_key"]["S"], None)
        return {}

    def delete_item(self, **_: Any) -> dict[str, Any]:
        """Release a lock."""
        return {}


class InstantS3:
    """Takes every object."""

    def put_object(self, **_: Any) -> dict[str, Any]:
        """Take it."""
        return {}


def main() -> None:
    """Measure, and print."""
    console = Console(stderr=True)
    settings = Settings("manifests", "tracking", input_bucket="in", expected_file_size_mb=0)
    clients: Any = Clients(dynamodb=InstantDynamoDB(), s3=InstantS3(), sns=None, sqs=None)  # type: ignore[arg-type]
    runtime = make_runtime(settings, clients)
    seconds = []
    for number in range(INVOCATIONS):
        began = time.perf_counter()
        invoke(runtime, settings, datetime.now(UTC), "timed", 10 * number)
        seconds.append(time.perf_counter() - began)
    console.print(
        f"handler, ms a file: {median(seconds) * 1000 / 10:.3f} (median of {INVOCATIONS} invocations)"
    )
    imports = []
    for _ in range(IMPORTS):
        timed = (
            "t = time.perf_counter(); import lambda_ingest.manifest_builder; print(time.perf_counter() - t)"
        )
        code = f"import time; {timed}"
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        imports.append(float(answer.stdout))
    console.print(f"import of the handler, ms: {median(imports) * 1000:.0f} (median of {IMPORTS})")


if __name__ == "__main__":
    main()
