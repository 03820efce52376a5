"""Which record is a file's: the bucket is part of a file's identity, and its name alone is not.

The first object that uses a sort key has the plain one, its key below the input prefix. Where INPUT_BUCKET is
not set, an object of another bucket with the same name may come; it meets a record whose `file_path` lies
elsewhere, and gets a sort key of its own, `bucket:key`. No plain key holds a colon.
"""

from collections.abc import Mapping
from typing import Any

from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.file_keys import own_key_of


def own_key(created: ObjectCreated) -> str:
    """Return the sort key that an object has where the plain one is another's; pure."""
    return own_key_of(created.bucket, created.key)


def is_record_of(record: Mapping[str, Any], uri: str) -> bool:
    """Tell whether a record is that of this object, and not of one of the same name elsewhere; pure.

    A record without a path is of another shape; it is nobody else's.
    """
    path = record.get("file_path")
    return not isinstance(path, str) or path == uri


def knows_content(record: Mapping[str, Any], uri: str, etag: str) -> bool:
    """Tell whether a record knows this content of this object, and nobody has yet to be told of it; pure.

    Args:
        record: with its `file_path`, `etag`, `alias_etag`, `overwritten_etag` and `overwrite_alert_due`.
        uri: the object's.
        etag: what a listing says of it.
    """
    # An overwrite whose alert a crash kept back has no event left to bring it up again.
    return (
        is_record_of(record, uri)
        and not record.get("overwrite_alert_due")
        and etag in (record.get("etag"), record.get("alias_etag"), record.get("overwritten_etag"))
    )
