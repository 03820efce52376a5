"""The last calls of AWS, so that an error can name what was asked."""

from collections.abc import Mapping
from typing import Any

import boto3

# What names the thing that a call is about, the first that is there.
_NAMING = (
    ("IndexName", "index"),
    ("TableName", "table"),
    ("Key", "object"),
    ("Bucket", "bucket"),
    ("QueueUrl", "queue"),
    ("QueueName", "queue"),
    ("SourceArn", "queue"),
    ("FunctionName", "function"),
    ("JobName", "Glue job"),
    ("TopicArn", "topic"),
    ("DatabaseName", "catalog"),
)


class LastCalls:
    """What each operation was asked about last."""

    def __init__(self) -> None:
        self._targets: dict[str, str] = {}
        self._services: dict[str, str] = {}

    def watch(self, session: boto3.session.Session) -> None:
        """Note each call of the clients that a session makes from now on."""
        session.events.register("provide-client-params", self._note)

    def target(self, operation: str) -> str | None:
        """Return what an operation was asked about, such as `table ndjson-...`."""
        return self._targets.get(operation)

    def service(self, operation: str) -> str | None:
        """Return which service an operation is of, such as `dynamodb`."""
        return self._services.get(operation)

    def _note(self, *, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        operation = str(model.name)
        self._services[operation] = str(model.service_model.service_name)
        target = target_of(params)
        if target is None:
            self._targets.pop(operation, None)
        else:
            self._targets[operation] = target


def target_of(params: Mapping[str, Any]) -> str | None:
    """Return what a call's parameters are about; pure."""
    for name, kind in _NAMING:
        value = params.get(name)
        if not isinstance(value, str):
            continue
        match name:
            case "IndexName":
                return f"index {value} of table {params.get('TableName')}"
            case "Key":
                return f"s3://{params.get('Bucket')}/{value}"
            case "QueueUrl" | "SourceArn" | "TopicArn":
                return f"{kind} {value.rpartition('/')[2].rpartition(':')[2]}"
            case "DatabaseName":
                return f"{kind} {value}.{params.get('Name', '')}".rstrip(".")
        return f"{kind} {value}"
    tables = params.get("RequestItems")
    return f"table {next(iter(tables))}" if isinstance(tables, Mapping) and tables else None
