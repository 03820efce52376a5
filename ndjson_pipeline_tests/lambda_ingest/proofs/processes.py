"""Execution environments whose every AWS call passes through the test first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

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


class Process:
    """One execution environment of a Lambda, as AWS sees it: clients of its own.

    The calls are intercepted where botocore's generated methods, paginators and transfers meet, after
    the client's own retries, so that nothing here needs to know which calls the code makes.
    """

    def __init__(self) -> None:
        config = Config(
            retries={"total_max_attempts": 1}, parameter_validation=False, max_pool_connections=2
        )
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
            def send() -> Any:
                if operation == "CopyObject":
                    _refuse_changed_source(client, request)
                return send_to_aws(operation, request)

            return self.intercept(AwsCall(operation, request), send)

        client._make_api_call = make_api_call
        client.send_past_the_test = send_to_aws
        return client


def _refuse_changed_source(client: Any, request: dict[str, Any]) -> None:
    """Do what S3 does with CopySourceIfMatch, and moto does not."""
    if (expected := request.get("CopySourceIfMatch")) is None:
        return
    source = {name: request["CopySource"][name] for name in ("Bucket", "Key")}
    head = client.send_past_the_test("HeadObject", source)
    if head["ETag"].strip('"') != expected.strip('"'):
        raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": "changed"}}, "CopyObject")
