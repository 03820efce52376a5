"""A pytest plugin that takes one condition out of `lambda_ingest`, or lists those of its requests.

It works where botocore takes a call, by the function of `lambda_ingest` that makes it, so that the product's
source stays as it is and a condition that is added is found. The gate's rules, beginnings and endings are
taken out of its own lists.
"""

import copy
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

from lambda_ingest.contract import gate

# Environment variables by which `mutate_conditions` tells its child what to do.
CENSUS_VARIABLE = "PROOF_CONDITIONS_CENSUS"
REMOVE_VARIABLE = "PROOF_CONDITION_REMOVED"

# Instead of a condition: the strong read says of every file what the index said, that it is pending.
TRUST_THE_INDEX = "BatchGetItem trusts the index"

# Such as `gate rule: other bucket`; what follows the colon is taken out of the list.
GATE_LISTS = {
    "gate rule": "RULES",
    "gate beginning": "HIDDEN_BEGINNINGS",
    "gate ending": "UNFINISHED_ENDINGS",
}

PRODUCT = "lambda_ingest"
S3_CONDITIONS = ("IfMatch", "IfNoneMatch", "CopySourceIfMatch")
_EXPRESSIONS = ("ConditionExpression", "UpdateExpression", "KeyConditionExpression", "FilterExpression")
_PLACEHOLDER = re.compile(r"[#:]\w+")

_original = BaseClient._make_api_call
_seen: set[str] = set()


def of_gate() -> Iterator[str]:
    """Yield what can be taken out of the gate."""
    for kind, name in GATE_LISTS.items():
        yield from (f"{kind}: {_name_in_gate(member)}" for member in getattr(gate, name))


def _name_in_gate(member: Any) -> str:
    return member.kind if isinstance(member, gate.Rule) else member


def _take_out_of_gate(removed: str) -> None:
    kind, _, gone = removed.partition(": ")
    if (name := GATE_LISTS.get(kind)) is not None:
        left = tuple(member for member in getattr(gate, name) if _name_in_gate(member) != gone)
        setattr(gate, name, left)


def pytest_configure(config: Any) -> None:
    """Put the plugin between all clients and AWS."""
    removed = os.environ.get(REMOVE_VARIABLE)
    _take_out_of_gate(removed or "")

    def make_api_call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        caller = _caller()
        if caller is None:
            return _original(client, operation, request)
        if removed == TRUST_THE_INDEX and operation == "BatchGetItem":
            return _all_pending(_original(client, operation, request))
        conditions = list(_conditions(operation, caller, request))
        _seen.update(name for name, _ in conditions)
        removals = [take_out for name, take_out in conditions if name == removed]
        if removals:
            # The caller may send its own request again, as a retry does.
            request = copy.deepcopy(request)
            for take_out in removals:
                request = take_out(request)
        return _original(client, operation, request)

    BaseClient._make_api_call = make_api_call  # type: ignore[method-assign, assignment]


def pytest_unconfigure(config: Any) -> None:
    """Write down what was seen."""
    BaseClient._make_api_call = _original  # type: ignore[method-assign]
    if path := os.environ.get(CENSUS_VARIABLE):
        Path(path).write_text(json.dumps(sorted(_seen)))


def _caller() -> str | None:
    """Return the innermost function of the product on the stack; None where a test made the call itself."""
    frame = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(f"{PRODUCT}."):
            return f"{module.removeprefix(f'{PRODUCT}.')}:{frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _conditions(
    operation: str, caller: str, request: dict[str, Any]
) -> Iterator[tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]]:
    """Yield each condition of a request by name, with what takes it out of a copy."""
    for parameter in S3_CONDITIONS:
        if parameter in request:
            yield f"{operation} {caller} {parameter}", lambda copied, name=parameter: _without(copied, name)
    if (expression := request.get("ConditionExpression")) is not None:
        name = f"{operation} {caller} ConditionExpression {expression}"
        yield name, _without_expression
    for position, action in enumerate(request.get("TransactItems", ())):
        ((kind, inner),) = action.items()
        if (expression := inner.get("ConditionExpression")) is None:
            continue
        name = f"{operation} {caller} {kind} {expression}"
        yield name, lambda copied, at=position: _without_in_transaction(copied, at)


def _without(request: dict[str, Any], parameter: str) -> dict[str, Any]:
    del request[parameter]
    return request


def _without_expression(request: dict[str, Any]) -> dict[str, Any]:
    """Take a condition out, and the names and values that nothing else uses, which DynamoDB refuses."""
    del request["ConditionExpression"]
    used = set(_PLACEHOLDER.findall(" ".join(str(request.get(name, "")) for name in _EXPRESSIONS)))
    for parameter in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        kept = {name: value for name, value in request.get(parameter, {}).items() if name in used}
        request.pop(parameter, None)
        if kept:
            request[parameter] = kept
    return request


def _without_in_transaction(request: dict[str, Any], position: int) -> dict[str, Any]:
    """Take the condition of one kind out of a whole transaction: a loop makes many that are the same."""
    ((kind, inner),) = request["TransactItems"][position].items()
    if kind == "ConditionCheck":
        # An action that is nothing but a condition goes as a whole; it comes last, so no reason moves.
        del request["TransactItems"][position]
    else:
        _without_expression(inner)
    return request


def _all_pending(answer: dict[str, Any]) -> dict[str, Any]:
    for items in answer["Responses"].values():
        for item in items:
            item["status"] = {"S": "pending"}
    return answer
