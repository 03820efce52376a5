"""What stands before the local AWS: only programs of this start come in.

It runs what it is given: whoever can replace the Glue job's script has code run on this machine. So a web
page that a person visits meanwhile must reach nothing of it. A page's requests are told by the headers that
it can't forge, and whatever is not signed with the credentials of this start is refused besides, public or
not.
"""

import io
import json
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from ndjson_pipeline.browser_requests import Own, foreign_reason
from ndjson_pipeline.local_aws.credentials import LocalCredentials
from ndjson_pipeline.local_aws.server.signatures import (
    SignatureRefusedError,
    SignedRequest,
    check_signature,
    service_of,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_STATUS = "403 Forbidden"
_JUDGED_HEADERS = ("Host", "Origin", "Sec-Fetch-Site")
_ADVICE = "Take endpoint and credentials from what `ndjson-pipeline dev` prints, or from whoever started it"

_logger = logging.getLogger(__name__)


class Gate:
    """A WSGI application that passes on what is let in.

    Nothing of a refused request is parsed but its head. The server closes each connection after one request,
    so that a body is never taken for another.

    Args:
        application: what is guarded.
        port: the one that it listens on.
        credentials: the only ones that are taken.
    """

    def __init__(self, application: "WSGIApplication", port: int, credentials: LocalCredentials) -> None:
        self._application = application
        self._own = Own.of(port)
        self._credentials = credentials

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request, or have it answered."""
        headers = {
            name.lower(): [environ[key]] for name in _JUDGED_HEADERS if (key := _environ_key(name)) in environ
        }
        if reason := foreign_reason(headers, self._own):
            _logger.warning("refused a request as a browser sends it: %s", reason)
            return _answer(start_response, "text/plain", f"Refused by the local AWS: {reason}.\n")
        try:
            check_signature(_signed_request(environ), self._credentials)
        except SignatureRefusedError as refusal:
            _logger.warning("refused a request: %s", refusal)
            return _answer(start_response, *_refusal(environ, refusal))
        return self._application(environ, start_response)


def _signed_request(environ: dict[str, Any]) -> SignedRequest:
    # Absolute addresses are what proxies are sent; a path may begin with two slashes.
    target: str = environ["REQUEST_URI"]
    if not target.startswith("/"):
        parts = urlsplit(target)
        target = f"{parts.path}?{parts.query}"
    path, _, query = target.partition("?")
    return SignedRequest(
        method=environ["REQUEST_METHOD"],
        path=path,
        query=query,
        header=lambda name: str(environ.get(_environ_key(name), "")),
        body=_body_reader(environ),
    )


def _body_reader(environ: dict[str, Any]) -> Callable[[], bytes]:
    def read() -> bytes:
        stream = environ["wsgi.input"]
        is_chunked = environ.get("wsgi.input_terminated", False)
        body: bytes = stream.read() if is_chunked else stream.read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        return body

    return read


def _environ_key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _refusal(environ: dict[str, Any], refusal: SignatureRefusedError) -> tuple[str, str]:
    """Return kind and text of an answer, as the client that asked reads errors."""
    message = f"{refusal}. {_ADVICE}."
    if "HTTP_X_AMZ_TARGET" in environ or "json" in environ.get("CONTENT_TYPE", ""):
        return "application/json", json.dumps({"__type": refusal.code, "message": message})
    error = f"<Code>{refusal.code}</Code><Message>{escape(message)}</Message>"
    if service_of(environ.get("HTTP_AUTHORIZATION", "")) in ("s3", ""):
        return "application/xml", f"<Error>{error}</Error>"
    return "application/xml", f"<ErrorResponse><Error>{error}</Error></ErrorResponse>"


def _answer(start_response: "StartResponse", kind: str, text: str) -> list[bytes]:
    body = text.encode()
    start_response(_STATUS, [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
