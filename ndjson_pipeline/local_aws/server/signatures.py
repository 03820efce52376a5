"""Whether a request was signed with the credentials of this start, by AWS's Signature Version 4.

The rules are AWS's
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, and for
addresses https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). Checked are the
key's id and the signature over method, path, query, the headers that were signed, and the body's hash as
the client tells it; not checked are the time, an address's expiry, and whether a body has the hash that
S3's clients tell.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from ndjson_pipeline.local_aws.credentials import LocalCredentials

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_AUTHORIZATION = re.compile(
    rf"{_ALGORITHM} Credential=(?P<credential>[^,\s]+),\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_UNRESERVED = "-_.~"


class SignatureRefusedError(Exception):
    """A request was not signed, or not with these credentials.

    Attributes:
        code: AWS's word for it, such as `SignatureDoesNotMatch`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class SignedRequest:
    """A request, as far as it is signed.

    Attributes:
        method: such as `PUT`.
        path: as it was sent, percent-encoded.
        query: as it was sent, percent-encoded, without the question mark.
        header: returns a header's value by its name in small letters; empty where there is none.
        body: reads the body.
    """

    method: str
    path: str
    query: str
    header: Callable[[str], str]
    body: Callable[[], bytes]


@dataclass(frozen=True)
class _Claim:
    """What a request says of its signature."""

    credential: str
    signed_headers: str
    signature: str
    time: str
    payload_hash: str
    query: str


def check_signature(request: SignedRequest, credentials: LocalCredentials) -> None:
    """Do nothing where a request was signed with these credentials.

    The key's id comes first: of a stranger's request no byte of the body is read.

    Raises:
        SignatureRefusedError: it was not; the message says what was expected.
    """
    query = _pairs(request.query)
    claim = _claim_of_address(query) if _is_signed_address(query) else _claim_of_header(request)
    key_id, _, scope = claim.credential.partition("/")
    if not hmac.compare_digest(key_id.encode(), credentials.access_key_id.encode()):
        raise SignatureRefusedError(
            "InvalidAccessKeyId",
            "the access key is not of this start of the local AWS, which makes new ones each time it starts",
        )
    payload_hash = claim.payload_hash or hashlib.sha256(request.body()).hexdigest()
    service = _service_of(scope)
    canonical = "\n".join(
        (
            request.method,
            _canonical_path(request.path, service),
            claim.query,
            *(f"{name}:{' '.join(request.header(name).split())}" for name in claim.signed_headers.split(";")),
            "",
            claim.signed_headers,
            payload_hash,
        )
    )
    to_sign = "\n".join((_ALGORITHM, claim.time, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(key.hex(), claim.signature):
        raise SignatureRefusedError(
            "SignatureDoesNotMatch", "the signature is not one of this start's secret access key"
        )


def service_of(authorization: str) -> str:
    """Return the service that a header `Authorization` is for; empty where it says none."""
    match = _AUTHORIZATION.fullmatch(authorization.strip())
    return _service_of(match["credential"].partition("/")[2]) if match else ""


def _service_of(scope: str) -> str:
    parts = scope.split("/")
    return parts[2] if len(parts) == 4 else ""


def _claim_of_header(request: SignedRequest) -> _Claim:
    authorization = request.header("authorization").strip()
    match = _AUTHORIZATION.fullmatch(authorization)
    if match is None:
        said = "has no Authorization" if not authorization else f"is signed otherwise than by {_ALGORITHM}"
        raise SignatureRefusedError("MissingAuthenticationToken", f"the request {said}")
    return _Claim(
        credential=match["credential"],
        signed_headers=match["headers"],
        signature=match["signature"],
        time=request.header("x-amz-date"),
        payload_hash=request.header("x-amz-content-sha256"),
        query=_canonical_query(_pairs(request.query)),
    )


def _is_signed_address(query: list[tuple[str, str]]) -> bool:
    return any(name == "X-Amz-Signature" for name, _ in query)


def _claim_of_address(query: list[tuple[str, str]]) -> _Claim:
    said: Mapping[str, str] = dict(query)
    if said.get("X-Amz-Algorithm") != _ALGORITHM:
        raise SignatureRefusedError(
            "MissingAuthenticationToken", f"the address is signed otherwise than by {_ALGORITHM}"
        )
    credential = said.get("X-Amz-Credential", "")
    return _Claim(
        credential=credential,
        signed_headers=said.get("X-Amz-SignedHeaders", ""),
        signature=said["X-Amz-Signature"],
        time=said.get("X-Amz-Date", ""),
        payload_hash=_UNSIGNED_PAYLOAD if _service_of(credential.partition("/")[2]) == "s3" else "",
        query=_canonical_query([pair for pair in query if pair[0] != "X-Amz-Signature"]),
    )


def _pairs(query: str) -> list[tuple[str, str]]:
    """Return a query's names and values, decoded; bytes that are no UTF-8 stay what they are."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return [(_decoded(name), _decoded(value)) for name, _, value in pairs]


def _canonical_query(pairs: list[tuple[str, str]]) -> str:
    encoded = sorted((_encoded(name), _encoded(value)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _canonical_path(path: str, service: str) -> str:
    """Return the path as it is signed: encoded once for S3, and once more for every other service."""
    once = _encoded(_decoded(path), safe="/") or "/"
    return once if service == "s3" else quote(once, safe=f"/{_UNRESERVED}")


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _encoded(text: str, safe: str = "") -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=safe + _UNRESERVED)
