"""Dagster's UI behind a check of where requests come from.

`dagster-webserver` has no login, takes mutations by GET and as text/plain, and asks nobody which page sent
them. So any page that somebody visits could launch, delete and terminate in the UI that this person can
reach. The command is `python -m ndjson_pipeline.webserver`, with the options and variables of
`dagster-webserver`, and the same application behind it.
"""

import functools
import importlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from ndjson_pipeline.browser_requests import Own, foreign_reason, host_reason, origin_of, origin_reason
from ndjson_pipeline.deployment.settings import DAGSTER_URL_VARIABLE
from ndjson_pipeline.errors import SettingsError

ORIGINS_VARIABLE = "NDJSON_DAGSTER_ORIGINS"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Browsers send these two from any page only after they asked, which nobody here allows them
# (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
_GRAPHQL_TYPES = frozenset({"application/json", "application/graphql"})
_READING = frozenset({"GET", "HEAD"})
# https://datatracker.ietf.org/doc/html/rfc6455#section-7.4.1: a policy was violated.
_REFUSED_SOCKET = 1008

_logger = logging.getLogger(__name__)


class RefusesForeignPages:
    """An ASGI application that passes on what no page of somebody else can have sent.

    Args:
        application: what is guarded.
        origins: by which the UI is reached besides this machine's own names for itself.
    """

    def __init__(self, application: Application, origins: frozenset[str]) -> None:
        self._application = application
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        reason = refusal(scope, Own.of(_port(scope), self._origins))
        if reason is None:
            await self._application(scope, receive, send)
            return
        _logger.warning("refused a request: %s", reason)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _REFUSED_SOCKET, "reason": "refused"})
            return
        await _refuse(send, f"Refused by the Dagster UI: {reason}.\n".encode())


def refusal(scope: Scope, own: Own) -> str | None:
    """Tell why a request is refused; None where it is not.

    Args:
        scope: of an HTTP request or a websocket, as ASGI describes it.
        own: what the UI calls its own.
    """
    headers = _headers(scope)
    method, path = scope.get("method", "GET"), scope["path"].rstrip("/")
    reads = scope["type"] == "http" and method in _READING
    if reads and path.endswith("/server_info") and not {"origin", "sec-fetch-site"} & headers.keys():
        # A load balancer asks by an address (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/
        # target-group-health-checks.html), and is told versions alone.
        return None
    is_graphql = path.endswith("/graphql")
    if reads and not is_graphql and _is_navigation(headers):
        # A link in an alert opens the UI from any mail; a page that is shown changes nothing.
        return host_reason(headers, own) or origin_reason(headers, own)
    reason = foreign_reason(headers, own)
    if reason is None and scope["type"] == "http" and is_graphql:
        return _graphql_reason(method, headers, scope.get("query_string", b""))
    return reason


def origins_of(variables: Mapping[str, str]) -> frozenset[str]:
    """Return the origins by which the UI is reached: that of `NDJSON_DAGSTER_URL`, and those of a setting.

    Raises:
        SettingsError: one of them is none.
    """
    found = set()
    for name in (DAGSTER_URL_VARIABLE, ORIGINS_VARIABLE):
        for address in filter(None, (part.strip() for part in variables.get(name, "").split(","))):
            try:
                found.add(origin_of(address))
            except ValueError as error:
                raise SettingsError(f"{name} needs mending: {error}") from error
    return frozenset(found)


def guarded(build: Callable[..., Any], origins: frozenset[str]) -> Callable[..., RefusesForeignPages]:
    """Return what builds the application that `build` does, behind the check."""

    @functools.wraps(build)
    def build_guarded(*arguments: Any, **named: Any) -> RefusesForeignPages:
        return RefusesForeignPages(build(*arguments, **named), origins)

    return build_guarded


def main() -> None:
    """Run `dagster-webserver`'s own command, with the check before its application."""
    # Loads for seconds, and only this needs it.
    cli: Any = importlib.import_module("dagster_webserver.cli")
    try:
        origins = origins_of(os.environ)
    except SettingsError as error:
        sys.exit(str(error))
    # The command makes its application by this name, and has no setting for what stands before it. A version
    # that went another way would serve unguarded, so test_webserver.py asks the real one.
    cli.create_app_from_workspace_process_context = guarded(
        cli.create_app_from_workspace_process_context, origins
    )
    cli.main()


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _port(scope: Scope) -> int:
    server = scope.get("server")
    return int(server[1] or 0) if server else 0


def _is_navigation(headers: Mapping[str, list[str]]) -> bool:
    """Tell whether a person goes to a page of the UI, and no page shows it within itself."""
    return headers.get("sec-fetch-mode") == ["navigate"] and headers.get("sec-fetch-dest") == ["document"]


def _graphql_reason(method: str, headers: Mapping[str, list[str]], query: bytes) -> str | None:
    """Tell why a query is refused that a browser too old for `Sec-Fetch-Site` would send from any page."""
    if method in _READING:
        # Without a query it is the page to write queries on.
        return "queries are sent by POST, as application/json" if query else None
    kinds = [kind.partition(";")[0].strip().lower() for kind in headers.get("content-type", [""])]
    if len(kinds) == 1 and kinds[0] in _GRAPHQL_TYPES:
        return None
    return "queries are sent as application/json"


async def _refuse(send: Send, body: bytes) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 403,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                # What follows of the request is not read, and must not be taken for another.
                (b"connection", b"close"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    main()
