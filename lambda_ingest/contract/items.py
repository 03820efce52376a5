"""Items of DynamoDB as Python values, and what a refused write says.

The encoding is DynamoDB's own, as boto3's serializer has it, written here so that the contract needs the
standard library alone. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

Item = dict[str, Any]


def to_item(values: Mapping[str, Any]) -> Item:
    """Write Python values as attribute values; leaves out what is None.

    Args:
        values: text, bool, int, Decimal, bytes, sets of one kind of these, and lists or mappings of any.

    Raises:
        TypeError: a value is of another kind; a float, because DynamoDB keeps decimal digits.
    """
    return {name: _to_value(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> Item:
    """Read attribute values as Python values; numbers become Decimal, sets and binary stay what they are."""
    return {name: _from_value(value) for name, value in item.items()}


def error_code(error: Exception) -> str:
    """Return the service's code of an error, such as `ConditionalCheckFailedException`."""
    return str(_response(error).get("Error", {}).get("Code", ""))


def is_condition_failure(error: Exception) -> bool:
    """Tell whether a write was refused by its own condition."""
    return error_code(error) == "ConditionalCheckFailedException"


def item_of_failure(error: Exception) -> Item | None:
    """Return the item that refused a conditional write, where the write asked for it."""
    item = _response(error).get("Item")
    return from_item(item) if isinstance(item, dict) and item else None


def cancellation_reasons(error: Exception) -> list[Mapping[str, Any]] | None:
    """Return one reason per action of a canceled transaction, or None where it failed otherwise."""
    if error_code(error) != "TransactionCanceledException":
        return None
    reasons = _response(error).get("CancellationReasons")
    return list(reasons) if isinstance(reasons, list) else []


def _response(error: Exception) -> Mapping[str, Any]:
    """Return the answer that an error of boto3's came from."""
    response = getattr(error, "response", None)
    return response if isinstance(response, dict) else {}


def _to_value(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | Decimal():
            return {"N": str(value)}
        case Mapping():
            return {"M": {name: _to_value(member) for name, member in value.items()}}
    return _to_rarer_value(value)


def _to_rarer_value(value: Any) -> dict[str, Any]:
    """Write lists, and what only other tools write: a condition may have to name it as it was read."""
    if isinstance(value, list | tuple):
        return {"L": [_to_value(member) for member in value]}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, set) and value:
        ((kind, _),) = _to_value(next(iter(value))).items()
        return {f"{kind}S": [_to_value(member)[kind] for member in value]}
    raise TypeError(f"expected text, int, Decimal, bool, a list or a mapping, got {type(value).__name__}")


def _from_value(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    read = _READERS.get(kind)
    return content if read is None else read(content)


# What is not named here, text, bool and binary, is its own value.
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "N": Decimal,
    "NULL": lambda _: None,
    "M": from_item,
    "L": lambda members: [_from_value(member) for member in members],
    "NS": lambda members: {Decimal(member) for member in members},
    "SS": set,
    "BS": set,
}
