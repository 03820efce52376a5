"""One execution environment of a Lambda function, as a process.

Reads one JSON document a line from standard input, an invocation each, then answers with one on the
standard output it was started with. What the function prints goes to standard error. It ends when its input
does, even in the middle of an invocation, and therefore never outlives the process that started it.
"""

import importlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

Handler = Callable[[Any, Any], Any]

# The service ends the process after an error of importing; so does this one, with a status of its own.
IMPORT_FAILED_STATUS = 70
# Follows the output of each invocation on standard error, so that the reader knows it has all of it.
END_OF_OUTPUT = "\0end-of-output"


@dataclass(frozen=True)
class LambdaContext:
    """The second argument of a handler, with the names that the service gives."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    deadline: float
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the invocation may still take."""
        return max(0, int((self.deadline - time.time()) * 1000))


def main(arguments: list[str]) -> int:
    """Serve invocations of the handler named by the only argument, until the input ends."""
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1)
    try:
        handler = _load(arguments[0])
    except BaseException as error:  # noqa: BLE001 - importing user code may raise anything; it is reported
        _answer(protocol, {"error": _describe(error, _import_error_type(error))})
        return IMPORT_FAILED_STATUS
    _answer(protocol, {"ready": True})
    invocations: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read_invocations, args=(invocations,), daemon=True).start()
    while True:
        _answer(protocol, _invoke(handler, invocations.get()))


def _read_invocations(invocations: "queue.SimpleQueue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        invocations.put(json.loads(line))
    # The starter is gone or wants no more; a handler in progress has nobody to answer to.
    os._exit(0)


def _load(handler: str) -> Handler:
    module_name, _, function = handler.rpartition(".")
    loaded: Handler = getattr(importlib.import_module(module_name), function)
    return loaded


def _invoke(handler: Handler, invocation: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = handler(invocation["event"], LambdaContext(**invocation["context"]))
    except Exception as error:  # noqa: BLE001 - whatever the function raises is its answer
        return {"error": _describe(error, type(error).__name__)}
    try:
        json.dumps(answer)
    except (TypeError, ValueError) as error:
        return {
            "error": {
                "errorType": "Runtime.MarshalError",
                "errorMessage": f"Unable to marshal response: {error}",
                "requestId": invocation["context"]["aws_request_id"],
                "stackTrace": [],
            }
        }
    return {"answer": answer}


def _describe(error: BaseException, error_type: str) -> dict[str, Any]:
    # The first frame is this file's own.
    frames = traceback.extract_tb(error.__traceback__)[1:]
    traceback.print_exception(error)
    return {
        "errorType": error_type,
        "errorMessage": str(error),
        "stackTrace": traceback.format_list(frames),
    }


def _import_error_type(error: BaseException) -> str:
    if isinstance(error, ImportError):
        return "Runtime.ImportModuleError"
    if isinstance(error, AttributeError):
        return "Runtime.HandlerNotFound"
    return type(error).__name__


def _answer(protocol: TextIO, document: dict[str, Any]) -> None:
    sys.stdout.flush()
    sys.stderr.write(END_OF_OUTPUT + "\n")
    sys.stderr.flush()
    protocol.write(json.dumps(document) + "\n")
    protocol.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
