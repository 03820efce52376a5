"""Keys of the records of files; pure.

Most files have the plain one, their key below the input prefix. What may not stand there is encoded,
and an object of another bucket whose plain key is taken has one of its own, `bucket:key`. No plain key
holds a colon.
"""

import hashlib
import re
from urllib.parse import quote

from lambda_ingest.contract.records import ARRIVAL_PARTITION_PREFIX, MAX_SORT_KEY_BYTES

# Letters and digits of any script, and marks that mean nothing to a shell, a URI or the tracking table.
# What begins with a `.` or `_` is stopped at the gate.
_SEGMENT = re.compile(r"[^\W_][\w .=+@,()-]*")
# What stays readable where the rest is percent-encoded.
_READABLE = "/._=+@,()- "
_DIGEST_DIGITS = 16


def is_allowed_key(below_prefix: str) -> bool:
    """Tell whether a key below the input prefix may stand in the table as it is."""
    has_room = len(below_prefix.encode("utf-8", "surrogatepass")) <= MAX_SORT_KEY_BYTES
    return has_room and all(_SEGMENT.fullmatch(segment) for segment in below_prefix.split("/"))


def sort_key_of_refused(below_prefix: str) -> str:
    """Return a sort key for any key that S3 can hold, equal to it where it is an allowed one.

    `MANIFEST#x` becomes `MANIFEST%23x`, so that no file can pose as another item of the table. What would
    exceed DynamoDB's limit is cut, with a digest that keeps it apart from its neighbours.
    """
    if is_allowed_key(below_prefix):
        return below_prefix
    return _cut(quote(below_prefix, safe=_READABLE) or "%", below_prefix)


def own_key_of(bucket: str, key: str) -> str:
    """Return the sort key that an object has where the plain one is another's.

    It is one for an object, whether that is accepted or refused, and has 1,024 bytes at most.
    """
    encoded = quote(key, safe=_READABLE, errors="surrogatepass")
    return _cut(f"{quote(bucket, safe='')}:{encoded}", f"s3://{bucket}/{key}")


def arrival_partition(uri: str) -> str:
    """Return the partition of the item that keeps when an object without a date in its key first came."""
    # Of a fixed length, and spread over the table, whatever producers call their files.
    digest = hashlib.sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{ARRIVAL_PARTITION_PREFIX}{digest}"


def _cut(encoded: str, identity: str) -> str:
    if len(encoded) <= MAX_SORT_KEY_BYTES:
        return encoded
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
    return f"{encoded[: MAX_SORT_KEY_BYTES - _DIGEST_DIGITS - 1]}~{digest}"
