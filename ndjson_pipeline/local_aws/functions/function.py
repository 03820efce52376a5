"""The Lambda functions: what is known of them, what an invocation gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ndjson_pipeline.deployment.names import Names


@dataclass(frozen=True)
class LambdaFunction:
    """What the service knows of a function.

    Attributes:
        name: its name.
        handler: `package.module.function`.
        arn: its ARN.
        timeout_seconds: after how long an invocation is ended.
        memory_mb: what it is told of its memory.
        variables: its own environment variables.
    """

    name: str
    handler: str
    arn: str
    timeout_seconds: float
    memory_mb: int
    variables: Mapping[str, str]

    @property
    def log_group(self) -> str:
        """Where its output goes."""
        return f"/aws/lambda/{self.name}"


@dataclass(frozen=True)
class Invocation:
    """What became of one invocation.

    Attributes:
        request_id: its id.
        payload: what the handler returned, or a document with errorType and errorMessage.
        function_error: `Unhandled` where it failed, else None.
    """

    request_id: str
    payload: Any
    function_error: str | None


def function_name(names: Names, function: str) -> str:
    """Return the full name of `builder`, `sweeper` or `generator`; any other text is a full name already."""
    return {
        "builder": names.manifest_builder_function,
        "sweeper": names.sweeper_function,
        "generator": names.generator_function,
    }.get(function, function)
