"""What Lambda answers of the local runtime's functions: Invoke and GetFunctionConfiguration."""

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from ndjson_pipeline.local_aws.errors import LocalAwsError
from ndjson_pipeline.local_aws.functions.runtime import VERSION, LambdaRuntime

Answer = tuple[int, dict[str, Any], bytes]

_logger = logging.getLogger(__name__)


class FunctionInvoker:
    """Answers for the functions that the runtime knows."""

    def __init__(self, runtime: LambdaRuntime) -> None:
        self._runtime = runtime

    def answer(self, path: str, headers: Mapping[str, str], body: bytes | str) -> Answer | None:
        """Invoke the function that a request names.

        Args:
            path: of the request, `/2015-03-31/functions/{name or ARN}/invocations`.
            headers: of the request; X-Amz-Invocation-Type says whether to wait.
            body: the event as JSON, or nothing.

        Returns:
            Status, headers and body of the answer; None where the runtime does not know the function.
        """
        function_name = _function_name(path)
        if not self._runtime.knows(function_name):
            return None
        kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
        try:
            event = json.loads(body) if body else {}
        except ValueError as error:
            refusal = {"Type": "User", "Message": f"Could not parse request body into json: {error}"}
            return (
                400,
                {"status": 400, "x-amzn-errortype": "InvalidRequestContentException"},
                json.dumps(refusal).encode(),
            )
        if kind == "DryRun":
            return 204, {"status": 204}, b""
        if kind == "Event":
            threading.Thread(target=self._invoke_later, args=(function_name, event), daemon=True).start()
            return 202, {"status": 202}, b""
        invocation = self._runtime.invoke(function_name, event)
        answer_headers: dict[str, Any] = {
            "status": 200,
            "content-type": "application/json",
            "x-amz-executed-version": VERSION,
        }
        if invocation.function_error is not None:
            answer_headers["x-amz-function-error"] = invocation.function_error
        return 200, answer_headers, json.dumps(invocation.payload).encode()

    def configuration(self, path: str) -> Answer | None:
        """Tell how a function is set, as GetFunctionConfiguration does.

        Args:
            path: of the request, `/2015-03-31/functions/{name or ARN}/configuration`.

        Returns:
            Status, headers and body of the answer; None where the runtime does not know the function.
        """
        function = self._runtime.function(_function_name(path))
        if function is None:
            return None
        document = {
            "FunctionName": function.name,
            "FunctionArn": function.arn,
            "Handler": function.handler,
            "Timeout": round(function.timeout_seconds),
            "MemorySize": function.memory_mb,
            "Version": VERSION,
            "Environment": {"Variables": dict(function.variables)},
        }
        return 200, {"status": 200, "content-type": "application/json"}, json.dumps(document).encode()

    def _invoke_later(self, function_name: str, event: Any) -> None:
        try:
            self._runtime.invoke(function_name, event)
        except (LocalAwsError, OSError) as error:
            # Nobody waits for an event's outcome.
            _logger.warning("%s not invoked: %s", function_name, error)


def _function_name(path: str) -> str:
    """Return the name in `.../functions/{name or ARN}/{what}`, without a version."""
    given = unquote(path.rstrip("/").rsplit("/", 2)[-2])
    parts = given.split(":")
    return parts[6] if given.startswith("arn:") else parts[0]
