"""Items of DynamoDB as Python values, and the errors that conditions raise."""

from collections.abc import Mapping
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

Item = dict[str, Any]

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def to_item(values: Mapping[str, Any]) -> Item:
    """Write Python values (text, int, Decimal, bool) as attribute values; leaves out what is None."""
    return {name: _serializer.serialize(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> Item:
    """Read attribute values as Python values; numbers become Decimal."""
    return {name: _deserializer.deserialize(value) for name, value in item.items()}


def error_code(error: ClientError) -> str:
    """Return the service's code of an error, such as `ConditionalCheckFailedException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_condition_failure(error: ClientError) -> bool:
    """Tell whether a write was refused by its own condition."""
    return error_code(error) == "ConditionalCheckFailedException"


def item_of_failure(error: ClientError) -> Item | None:
    """Return the item that refused a conditional write, where the write asked for it."""
    item = error.response.get("Item")
    return from_item(item) if isinstance(item, dict) and item else None


def cancellation_reasons(error: ClientError) -> list[Mapping[str, Any]] | None:
    """Return one reason per action of a canceled transaction, or None where it failed otherwise."""
    if error_code(error) != "TransactionCanceledException":
        return None
    reasons = error.response.get("CancellationReasons")
    return list(reasons) if isinstance(reasons, list) else []
