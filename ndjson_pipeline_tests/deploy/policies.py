"""What a resource's policy refuses, by IAM's rules as far as the project's policies use them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Request:
    """A request, as a policy sees it.

    Attributes:
        action: such as `s3:PutObject`.
        resource: the ARN of what it is about.
        principal: the ARN of who asks; None for a service of AWS.
        context: the condition keys that it comes with.
    """

    action: str
    resource: str
    principal: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)


def refuses(policy: Mapping[str, Any], request: Request) -> list[str]:
    """Return the names of the statements that refuse a request."""
    return [one["Sid"] for one in policy["Statement"] if one["Effect"] == "Deny" and _is_about(one, request)]


def allows(policy: Mapping[str, Any], request: Request) -> list[str]:
    """Return the names of the statements that allow a request."""
    return [one["Sid"] for one in policy["Statement"] if one["Effect"] == "Allow" and _is_about(one, request)]


def _is_about(statement: Mapping[str, Any], request: Request) -> bool:
    if "NotResource" in statement:
        resource = not _any_like(statement["NotResource"], request.resource)
    else:
        resource = _any_like(statement["Resource"], request.resource)
    context = {
        "aws:SecureTransport": "true",
        "aws:PrincipalIsAWSService": str(request.principal is None).lower(),
        **({} if request.principal is None else {"aws:PrincipalArn": request.principal}),
        **request.context,
    }
    return (
        resource
        and _any_like(statement["Action"], request.action)
        and _names(statement["Principal"], request)
        and all(
            _holds(operator, context.get(key), _listed(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _names(principal: Any, request: Request) -> bool:
    if principal == "*":
        return True
    if "Service" in principal:
        return request.principal is None
    return request.principal in _listed(principal["AWS"])


def _holds(operator: str, value: str | None, wanted: Sequence[str]) -> bool:
    """Tell whether a condition holds; a negated one does where the request has no such key."""
    match operator:
        case "Null":
            return (value is None) == (wanted[0] == "true")
        case "Bool" | "StringEquals" | "ArnEquals":
            return value in wanted
        case "StringNotEquals":
            return value not in wanted
        case "ArnLike":
            return value is not None and _any_like(wanted, value)
        case "ArnNotLike":
            return value is None or not _any_like(wanted, value)
    raise NotImplementedError(f"condition operator {operator}")


def _any_like(patterns: Any, text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in _listed(patterns))


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list | tuple) else [value]
