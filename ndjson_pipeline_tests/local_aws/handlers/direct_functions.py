"""Handlers that are invoked directly."""

import os
import time

_invocations = 0


def handler(event, context):
    global _invocations  # noqa: PLW0603
    _invocations += 1
    match event.get("command"):
        case "context":
            return {
                "function_name": context.function_name,
                "function_version": context.function_version,
                "invoked_function_arn": context.invoked_function_arn,
                "memory_limit_in_mb": context.memory_limit_in_mb,
                "aws_request_id": context.aws_request_id,
                "log_group_name": context.log_group_name,
                "log_stream_name": context.log_stream_name,
                "remaining": context.get_remaining_time_in_millis(),
            }
        case "environment":
            return dict(os.environ)
        case "process":
            return {"process_id": os.getpid(), "invocations": _invocations}
        case "print":
            print("{not the protocol}")  # noqa: T201
            os.write(1, b"written past Python\n")
            return "printed"
        case "raise":
            raise KeyError("no such thing")
        case "hang":
            time.sleep(60)
        case "kill":
            os.kill(os.getpid(), 9)
        case "unserializable":
            return {"a": {1, 2}}
        case "large":
            return "x" * 300_000
    return event
