"""Execution environments whose every AWS call passes through the test first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from lambda_ingest.runtime import Clients


@dataclass(frozen=True)
class AwsCall:
    """One call as the code made it.

    Attributes:
        operation: such as `PutItem`.
        request: its parameters.
    """

    operation: str
    request: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.operation}({self.request.get('IndexName') or self.request.get('Key') or ''})"


Send = Callable[[], Any]
Intercept = Callable[[AwsCall, Send], Any]


def pass_on(_call: AwsCall, send: Send) -> Any:
    """Send the call and return its answer: an environment that nothing happens to."""
    return send()


def once_before(matches: Callable[[AwsCall], bool], act: Callable[[], object]) -> Intercept:
    """Let others act before the first call that matches."""
    has_acted = False

    def intercept(call: AwsCall, send: Send) -> Any:
        nonlocal has_acted
        if not has_acted and matches(call):
            has_acted = True
            act()
        return send()

    return intercept


class Process:
    """One execution environment of a Lambda, as AWS sees it: clients of its own.

    The calls are intercepted where botocore's generated methods, paginators and transfers meet, after
    the client's own retries, so that nothing here needs to know which calls the code makes.
    """

    def __init__(self) -> None:
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=False, max_pool_connections=2)
        session = boto3.session.Session()
        self.intercept: Intercept = pass_on
        self.clients = Clients(
            dynamodb=self._instrumented(session.client("dynamodb", config=config)),
            s3=self._instrumented(session.client("s3", config=config)),
            sns=self._instrumented(session.client("sns", config=config)),
            sqs=self._instrumented(session.client("sqs", config=config)),
        )

    def _instrumented(self, client: Any) -> Any:
        send_to_aws = client._make_api_call

        def make_api_call(operation: str, request: dict[str, Any]) -> Any:
            return self.intercept(AwsCall(operation, request), lambda: send_to_aws(operation, request))

        client._make_api_call = make_api_call
        return client
