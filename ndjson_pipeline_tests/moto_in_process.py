"""moto in the test's own process, put right as the local AWS puts it right, without what only costs time."""

import functools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import botocore.useragent
import moto.backends
import moto.core.botocore_stubber
import pytest
from moto import backend_index, mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import HTTPException
from moto.core.request import normalize_request

from ndjson_pipeline.local_aws import moto_patches

# Glue and Lambda stay moto's own here: nothing runs behind them.
_SERVICES = ("moto.core.", "moto.dynamodb.", "moto.s3.", "moto.sqs.")

Handler = Callable[..., tuple[int, Any, Any]]


@contextmanager
def mended_moto() -> Iterator[None]:
    """Mock AWS, with the transactions, conditions and limits that ingest and the code location rely on.

    Stock moto also copies the whole table for each action of a transaction, which is most of what a test
    of batches would cost.
    """
    services: Any = moto_patches.Services(None, None, threading.Event())  # type: ignore[arg-type]
    with mock_aws(), pytest.MonkeyPatch.context() as patcher:
        for patch in moto_patches.PATCHES:
            owner = patch.owner
            module = getattr(owner, "__module__", None) or owner.__name__
            if f"{module}.".startswith(_SERVICES):
                original = vars(owner).get(patch.attribute)
                patcher.setattr(owner, patch.attribute, patch.factory(original, services), raising=False)
        _make_calls_short(patcher)
        yield


def _make_calls_short(patcher: pytest.MonkeyPatch) -> None:
    """Let a request find its service's handler at once; it tells nothing of its machine, and is not signed.

    Moto judges no signature, but looks whether there is one and whose.
    """
    stubber = moto.core.botocore_stubber.BotocoreStubber
    process = stubber.process_request

    def process_request(self: Any, request: Any) -> Any:
        handler = _handler_of(request.url.partition("?")[0])
        if handler is None:
            return process(self, request)
        normalized = normalize_request(request)
        try:
            return handler(normalized, normalized.raw_url, normalized.headers)
        except HTTPException as error:
            return error.code, error.get_headers(), error.get_body()

    patcher.setattr(stubber, "process_request", process_request)
    patcher.setattr(botocore.useragent.UserAgentString, "to_string", lambda _: "test")
    signer = botocore.auth.SigV4Auth
    patcher.setattr(signer, "canonical_request", lambda *_: "")
    patcher.setattr(signer, "string_to_sign", lambda *_: "")
    patcher.setattr(signer, "signature", lambda *_: "0")


@functools.lru_cache(maxsize=10_000)
def _handler_of(url: str) -> Handler | None:
    """Return what answers a URL, as moto looks for it at each request; None where that is not for sure."""
    parts = urlsplit(url)
    if not parts.netloc.endswith(".amazonaws.com"):
        return None
    for service, pattern in backend_index.backend_url_patterns:
        if pattern.match(url):
            for path, handler in _handlers_of_service(service):
                if path.match(url):
                    return handler
    return None


@functools.cache
def _handlers_of_service(service: Any) -> list[tuple[re.Pattern[str], Handler]]:
    backends: Any = moto.backends.get_backend(service)
    regions = backends[DEFAULT_ACCOUNT_ID]
    backend = regions["us-east-1"] if "us-east-1" in regions else regions["aws"]
    return [(re.compile(url), handler) for url, handler in backend.urls.items()]
