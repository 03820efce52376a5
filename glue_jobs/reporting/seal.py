"""The seal of what a run tells Dagster: only who knows the run's nonce could have made it.

Messages lie in a bucket that others can write. A run is given a nonce in its Glue arguments, and each chunk
of its messages ends in a line with an HMAC of that chunk under it. Who attaches to the run later reads the
nonce from Glue. It is never written to a log or to S3, so who reads the bucket can't make a seal either.
"""

import hashlib
import hmac
import json
from typing import Final

NONCE_ARGUMENT: Final = "--RUN_NONCE"
_SEAL: Final = "seal"


def sealed(content: bytes, nonce: str, index: int) -> bytes:
    """Return a chunk with its seal as the last line; pure.

    Args:
        content: lines of messages.
        nonce: of the run.
        index: the chunk's number, so that it is of use in its place alone.
    """
    return content + b"\n" + json.dumps({_SEAL: _mac(content, nonce, index)}).encode()


def unsealed(chunk: bytes, nonce: str, index: int) -> bytes | None:
    """Return what a chunk holds, or None where its seal is not that of the nonce; pure."""
    content, _, last = chunk.rpartition(b"\n")
    expected = json.dumps({_SEAL: _mac(content, nonce, index)}).encode()
    return content if hmac.compare_digest(last, expected) else None


def _mac(content: bytes, nonce: str, index: int) -> str:
    return hmac.new(nonce.encode(), f"{index}\n".encode() + content, hashlib.sha256).hexdigest()
