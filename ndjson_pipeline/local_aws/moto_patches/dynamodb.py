"""DynamoDB: one call at a time, transactions as the service does them, its limits, and a faster sort."""

import functools
import json
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import moto.dynamodb.models
import moto.dynamodb.models.table
import moto.dynamodb.responses
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    MockValidationException,
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)

from ndjson_pipeline.local_aws.moto_patches.locks import DYNAMODB_LOCK
from ndjson_pipeline.local_aws.moto_patches.registry import Services, locked, replaces

_BATCH_WRITE_LIMIT = 25
_TRANSACTION_LIMIT = 100
# How long AWS remembers the token of a transaction, in seconds.
_TOKEN_LIFETIME_SECONDS = 600


@replaces(moto.dynamodb.responses.DynamoHandler, "call_action")
def _one_dynamodb_call_at_a_time(original: Any, _services: Services) -> Any:
    """Stock moto checks a condition and writes in two steps, between which other threads write."""
    return locked(original, DYNAMODB_LOCK)


@replaces(moto.dynamodb.models.DynamoDBBackend, "transact_write_items")
def _transactions_validate_before_they_write(_original: Any, _services: Services) -> Any:
    """Stock moto undoes a transaction with a copy of the whole table, which loses what others wrote since."""

    def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> None:
        if len(transact_items) > _TRANSACTION_LIMIT:
            raise TooManyTransactionsException
        writes = [_TransactionWrite.of(backend, item) for item in transact_items]
        targets = {write.target for write in writes}
        if len(targets) < len(writes):
            raise MultipleTransactionsException
        reasons = [write.cancellation_reason() for write in writes]
        if any(code is not None for code, _, _ in reasons):
            raise TransactionCanceledException(reasons)
        undo: list[tuple[_TransactionWrite, Any]] = []
        try:
            for write in writes:
                undo.append((write, deepcopy(write.current())))
                write.apply()
        except Exception:
            for write, before in reversed(undo):
                write.restore(before)
            raise

    return transact_write_items


@replaces(moto.dynamodb.responses.DynamoHandler, "transact_write_items")
def _a_repeated_transaction_is_done_once(original: Any, _services: Services) -> Any:
    """Stock moto ignores ClientRequestToken: a client's retry of a committed transaction is cancelled."""
    done: dict[tuple[str, str, str], tuple[float, Any]] = {}

    @functools.wraps(original)
    def transact_write_items(handler: Any) -> Any:
        token = handler.body.get("ClientRequestToken")
        if not token:
            return original(handler)
        now = time.monotonic()
        # The oldest come first.
        while done and now - next(iter(done.values()))[0] > _TOKEN_LIFETIME_SECONDS:
            del done[next(iter(done))]
        key = (handler.current_account, handler.region, token)
        items = json.dumps(handler.body["TransactItems"], sort_keys=True, default=repr)
        if key in done:
            if done[key][1] != items:
                raise JsonRESTError(
                    "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException",
                    "The provided client token was used with other parameters",
                )
            return ActionResult({})
        result = original(handler)
        done[key] = (now, items)
        return result

    return transact_write_items


@replaces(moto.dynamodb.responses.DynamoHandler, "batch_write_item")
def _a_batch_holds_25_writes(original: Any, _services: Services) -> Any:
    """Stock moto takes a BatchWriteItem of any size."""

    @functools.wraps(original)
    def batch_write_item(handler: Any) -> Any:
        count = sum(len(requests) for requests in handler.body["RequestItems"].values())
        if count > _BATCH_WRITE_LIMIT:
            raise MockValidationException(
                f"Too many items requested for the BatchWriteItem call: {count}, at most {_BATCH_WRITE_LIMIT}"
            )
        return original(handler)

    return batch_write_item


@replaces(moto.dynamodb.models.table.Table, "all_items")
def _items_sort_by_plain_values(_original: Any, _services: Services) -> Any:
    """Stock moto sorts a whole table for every query, with a method call in Python for each comparison."""

    def all_items(table: Any) -> list[Any]:
        if table.range_key_attr is None:
            items = list(table.items.values())
            items.sort(key=lambda item: item.hash_key.cast_value)
        else:
            items = [item for partition in table.items.values() for item in partition.values()]
            items.sort(key=lambda item: (item.hash_key.cast_value, item.range_key.cast_value))
        return items

    return all_items


@replaces(moto.dynamodb.models.table.Table, "query")
def _a_query_looks_at_its_own_partition(original: Any, _services: Services) -> Any:
    """Stock moto looks at every item of the table for each query: the longer it runs, the slower it is."""

    @functools.wraps(original)
    def query(table: Any, hash_key: Any, *arguments: Any, **named: Any) -> Any:
        candidates = _candidates(table, hash_key, named["hash_key_conditions"])
        # One call at a time: nobody else asks this table meanwhile.
        table.all_items = lambda: candidates
        try:
            return original(table, hash_key, *arguments, **named)
        finally:
            del table.all_items

    return query


def _candidates(table: Any, hash_key: Any, conditions: list[tuple[str, Any]]) -> list[Any]:
    """Return the items that a query's hash key leaves, in order of the table's sort key."""
    if [name for name, _ in conditions] == [table.hash_key_attr]:
        partition = table.items.get(hash_key)
        if table.range_key_attr is None:
            return [] if partition is None else [partition]
        items = list((partition or {}).values())
    else:
        items = [
            item
            for item in _all_unsorted(table)
            if all(
                (found := item.attrs.get(name)) is not None and found == value for name, value in conditions
            )
        ]
    if table.range_key_attr is not None:
        items.sort(key=lambda item: item.range_key.cast_value)
    return items


def _all_unsorted(table: Any) -> Iterator[Any]:
    for partition in table.items.values():
        if table.range_key_attr is None:
            yield partition
        else:
            yield from partition.values()


@replaces(moto.dynamodb.models.table.Table, "has_idx_items")
def _an_index_scan_looks_names_up(_original: Any, _services: Services) -> Any:
    """Stock moto copies the names of each item's attributes for a scan of an index, sparse ones too."""

    def has_idx_items(table: Any, index_name: str) -> list[Any]:
        names = [key["AttributeName"] for key in table.get_index(index_name).schema]
        return [item for item in _all_unsorted(table) if all(name in item.attrs for name in names)]

    return has_idx_items


@dataclass(frozen=True)
class _TransactionWrite:
    """One item of a transaction."""

    backend: Any
    operation: str
    request: dict[str, Any]
    table: Any
    key: dict[str, Any]

    @classmethod
    def of(cls, backend: Any, item: dict[str, Any]) -> "_TransactionWrite":
        if len(item) != 1:
            raise TransactWriteSingleOpException
        ((operation, request),) = item.items()
        table = backend.get_table(request["TableName"])
        source = request["Item"] if operation == "Put" else request["Key"]
        try:
            key = {name: source[name] for name in table.table_key_attrs}
        except KeyError as error:
            raise MockValidationException(
                f"One or more parameter values were invalid: Missing the key {error.args[0]} in the item"
            ) from error
        return cls(backend, operation, request, table, key)

    @property
    def target(self) -> tuple[str, str]:
        return self.table.name, str(sorted(self.key.items()))

    @property
    def _table_keys(self) -> tuple[Any, Any]:
        hash_key, range_key = self.backend.get_keys_value(self.table, self.key)
        return hash_key, range_key

    def current(self) -> Any:
        return self.table.get_item(*self._table_keys)

    def cancellation_reason(self) -> tuple[str | None, str | None, dict[str, Any] | None]:
        condition = self.request.get("ConditionExpression")
        if condition is None:
            return None, None, None
        current = self.current()
        holds = get_filter_expression(
            condition,
            self.request.get("ExpressionAttributeNames"),
            self.request.get("ExpressionAttributeValues"),
        ).expr(current)
        if holds:
            return None, None, None
        shown = None
        if self.request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and current is not None:
            shown = current.to_json()["Attributes"]
        return "ConditionalCheckFailed", "The conditional request failed", shown

    def apply(self) -> None:
        request = self.request
        if self.operation == "Put":
            self.backend.put_item(request["TableName"], request["Item"], overwrite=True)
        elif self.operation == "Delete":
            self.backend.delete_item(request["TableName"], self.key)
        elif self.operation == "Update":
            self.backend.update_item(
                request["TableName"],
                self.key,
                update_expression=request["UpdateExpression"],
                expression_attribute_names=request.get("ExpressionAttributeNames"),
                expression_attribute_values=request.get("ExpressionAttributeValues"),
            )

    def restore(self, before: Any) -> None:
        hash_key, range_key = self._table_keys
        if before is None:
            self.table.delete_item(hash_key, range_key)
        elif range_key is None:
            self.table.items[hash_key] = before
        else:
            self.table.items[hash_key][range_key] = before
