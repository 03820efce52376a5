"""Hooks into moto that tell what changes."""

import contextlib
from collections.abc import Iterator
from typing import Any

import moto.dynamodb.models
import moto.dynamodb.responses
import moto.s3.models
import moto.s3.responses
import moto.sqs.models

from ndjson_pipeline.local_aws.hooks import told
from ndjson_pipeline.local_aws.server.signatures import service_of
from ndjson_pipeline.local_aws.state import dynamodb, glue, queues, s3, topics
from ndjson_pipeline.local_aws.state.changes import ChangeLog

# Calls of DynamoDB that are told item by item, or change nothing.
_ITEM_CALLS = frozenset(
    ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "Query", "Scan")
)
_STATEMENTS = frozenset(("ExecuteStatement", "ExecuteTransaction", "BatchExecuteStatement"))
_READING = ("Get", "BatchGet", "List", "Describe", "Search", "TransactGet")


@contextlib.contextmanager
def watched(log: ChangeLog) -> Iterator[None]:
    """Tell a log what changes in S3 and DynamoDB, and what is sent to queues, until the end of the block."""
    s3_backend = moto.s3.models.S3Backend
    dynamodb_backend = moto.dynamodb.models.DynamoDBBackend

    def by_key(_backend: Any, bucket_name: str, key_name: str, *_: Any, **__: Any) -> None:
        log.mark_object(bucket_name, key_name)

    def copied(
        _backend: Any, _source: Any, dest_bucket_name: str, dest_key_name: str, *_: Any, **__: Any
    ) -> None:
        log.mark_object(dest_bucket_name, dest_key_name)

    def tagged(_backend: Any, key: Any, *_: Any, **__: Any) -> None:
        if key is not None:
            log.mark_object(key.bucket_name, key.name)

    def bucket_called(_response: Any, request: Any, *_: Any, **__: Any) -> None:
        if request.method not in ("GET", "HEAD"):
            log.mark_place(s3.BUCKETS)

    def item_written(backend: Any, table_name: str, attributes: dict[str, Any], *_: Any, **__: Any) -> None:
        table = backend.get_table(table_name)
        log.mark_item(backend.region_name, table.name, dynamodb.item_key(table, attributes))

    def dynamodb_called(handler: Any, *_: Any, **__: Any) -> None:
        action = handler._get_action()
        if action in _STATEMENTS:
            log.mark_place(dynamodb.ALL_ITEMS)
        elif action not in _ITEM_CALLS and not action.startswith(_READING):
            # Those that restore or import bring items along.
            log.mark_place(dynamodb.ALL_ITEMS if "From" in action or "Import" in action else dynamodb.TABLES)

    def message_sent(*_: Any, **__: Any) -> None:
        log.mark_place(queues.QUEUES)

    with contextlib.ExitStack() as exits:
        for name in ("put_object", "put_object_acl", "put_object_legal_hold", "put_object_retention"):
            exits.enter_context(told(s3_backend, name, by_key))
        for name in ("delete_object", "delete_object_tagging", "restore_object"):
            exits.enter_context(told(s3_backend, name, by_key))
        exits.enter_context(told(s3_backend, "copy_object", copied))
        exits.enter_context(told(s3_backend, "put_object_tagging", tagged))
        exits.enter_context(told(moto.s3.responses.S3Response, "bucket_response", bucket_called))
        for name in ("put_item", "update_item", "delete_item"):
            exits.enter_context(told(dynamodb_backend, name, item_written))
        exits.enter_context(told(moto.dynamodb.responses.DynamoHandler, "call_action", dynamodb_called))
        exits.enter_context(told(moto.sqs.models.Queue, "add_message", message_sent))
        yield


def mark_request(log: ChangeLog, environ: dict[str, Any]) -> None:
    """Mark what a request may have changed of the services that have few things, which are compared."""
    service = service_of(environ.get("HTTP_AUTHORIZATION", ""))
    if service == "sqs":
        log.mark_place(queues.QUEUES)
    if service == "sns":
        log.mark_place(topics.TOPICS)
    if service == "glue":
        action = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        if not action.startswith((*_READING, "StartJobRun", "BatchStopJobRun")):
            log.mark_place(glue.CATALOG)
