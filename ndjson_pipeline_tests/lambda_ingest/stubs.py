"""AWS clients that fail on demand."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from lambda_ingest.runtime import Clients


class Failing:
    """Clients that share everything with others, but fail one operation before it is sent.

    Args:
        clients: those that do the work.
        operation: such as `PutItem`; of whichever service.
        code: the error's code.
        after: how many calls of the operation succeed first.
    """

    def __init__(
        self, clients: Clients, operation: str, *, code: str = "InternalServerError", after: int = 0
    ) -> None:
        self._operation = operation
        self._left = after
        self._code = code
        self.clients = Clients(
            dynamodb=self._wrap(clients.dynamodb),
            s3=self._wrap(clients.s3),
            sns=self._wrap(clients.sns),
            sqs=self._wrap(clients.sqs),
        )

    def _wrap(self, client: Any) -> Any:
        return _Proxy(client, self._intercept)

    def _intercept(self, operation: str) -> None:
        if operation == self._operation:
            self._left -= 1
            if self._left >= 0:
                return
            raise ClientError({"Error": {"Code": self._code, "Message": "on demand"}}, operation)


class Counting:
    """Clients that share everything with others, and keep the names of the operations that were called."""

    def __init__(self, clients: Clients) -> None:
        self.calls: list[str] = []
        self.clients = Clients(
            dynamodb=_proxy(clients.dynamodb, self.calls.append),
            s3=_proxy(clients.s3, self.calls.append),
            sns=_proxy(clients.sns, self.calls.append),
            sqs=_proxy(clients.sqs, self.calls.append),
        )


def _proxy(client: Any, intercept: Callable[[str], None]) -> Any:
    return _Proxy(client, intercept)


class _Proxy:
    """A client whose methods pass an interceptor first."""

    def __init__(self, client: Any, intercept: Callable[[str], None]) -> None:
        self._client = client
        self._intercept = intercept

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        operation = self._client.meta.method_to_api_mapping.get(name)
        if name == "get_paginator":
            return lambda method: _FailingPaginator(value(method), self._client, method, self._intercept)
        if operation is None:
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self._intercept(operation)
            return value(*args, **kwargs)

        return call


class _FailingPaginator:
    """A paginator whose pages pass an interceptor first."""

    def __init__(self, paginator: Any, client: Any, method: str, intercept: Callable[[str], None]) -> None:
        self._paginator = paginator
        self._operation = client.meta.method_to_api_mapping[method]
        self._intercept = intercept

    def paginate(self, **request: Any) -> Any:
        self._intercept(self._operation)
        return self._paginator.paginate(**request)
