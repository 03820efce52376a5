"""Calls the sweeper's Lambda and reads its answer."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ndjson_pipeline.errors import SweeperError

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient


def call_sweeper(
    functions: "LambdaClient", function_name: str, event: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Call the sweeper, wait for its end and return its answer.

    Args:
        functions: the client.
        function_name: the sweeper's.
        event: what it is asked, such as `{}` or `{"dates": ["2026-01-30"]}`.

    Raises:
        SweeperError: the function failed as a whole, or answered in another shape.
        ClientError: Lambda did not call it.
    """
    response = functions.invoke(
        FunctionName=function_name, InvocationType="RequestResponse", Payload=json.dumps(event).encode()
    )
    text = response["Payload"].read().decode()
    if kind := response.get("FunctionError"):
        raise SweeperError(f"{function_name} failed ({kind}): {text}")
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise SweeperError(f"{function_name} answered no JSON: {text!r}") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("failed"), list):
        raise SweeperError(f"{function_name} answered in another shape, without a list `failed`: {text}")
    return answer
