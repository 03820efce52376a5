"""Refused files in the quarantine bucket: seen, sent back to be judged again, or deleted.

release   copy to the input, where nothing lies ─▶ remove here, if it still has that content
          └─ S3 tells the queue, and the builder judges it by the rules of now
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from urllib.parse import unquote

from botocore.exceptions import ClientError

from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.records import FileStatus
from ndjson_pipeline.desk.aws_errors import is_absent
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.file_rows import files_of_date
from ndjson_pipeline.desk.rejected import REJECTED_FOLDER
from ndjson_pipeline.errors import PipelineError

_READS_AT_ONCE = 8
# CopyObject takes no more. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
_LARGEST_COPY = 5 * 1024**3
_CONDITION_FAILED = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})


class UnknownQuarantinedError(PipelineError):
    """No such object lies in quarantine."""


@dataclass(frozen=True)
class Quarantined:
    """A refused file.

    Attributes:
        key: in the quarantine bucket.
        size_bytes: its size.
        etag: of its content.
        since: when it was moved there.
        reason: why it was refused; None where the object does not say.
        original_bucket: where it came from; None where the object does not say.
    """

    key: str
    size_bytes: int
    etag: str
    since: datetime
    reason: str | None
    original_bucket: str | None


@dataclass(frozen=True)
class QuarantinePage:
    """Some of them.

    Attributes:
        files: in order of their keys.
        is_cut: whether there are more.
    """

    files: tuple[Quarantined, ...]
    is_cut: bool


@dataclass(frozen=True)
class Outcome:
    """What became of one.

    Attributes:
        key: its key.
        is_done: whether it was released, or deleted.
        said: why not, or where it lies now.
    """

    key: str
    is_done: bool
    said: str


def quarantined(desk: Desk, date: str | None, limit: int) -> QuarantinePage:
    """Return refused files; rejected records, which lie in the same bucket, are none.

    Args:
        desk: the deployment.
        date: only those whose record is of this date, or whose name begins with it; None takes all.
        limit: so many at most; each costs a HeadObject, for its reason.

    Raises:
        ClientError: S3 refused or failed.
    """
    keys: dict[str, None] = {}
    for key in chain(_recorded(desk, date, limit), _listed(desk, date)):
        keys[key] = None
        if len(keys) > limit:
            break
    shown = sorted(islice(keys, limit))
    with ThreadPoolExecutor(max_workers=_READS_AT_ONCE) as pool:
        found = pool.map(lambda key: _head(desk, key), shown)
        return QuarantinePage(tuple(one for one in found if one is not None), is_cut=len(keys) > limit)


def key_of(desk: Desk, name: str) -> str:
    """Return the key of a refused file as a person names it: below the input prefix, its key, or its URI."""
    bucket = s3_uri(desk.names.quarantine_bucket, "")
    original = s3_uri(desk.names.input_bucket, "")
    prefix = desk.shared.input_prefix
    for beginning in (bucket, original):
        if name.startswith(beginning):
            return name.removeprefix(beginning)
    return name if name.startswith(prefix) else f"{prefix}{name}"


def find_quarantined(desk: Desk, name: str) -> Quarantined:
    """Return one refused file.

    Raises:
        UnknownQuarantinedError: there is none of that name.
        ClientError: S3 refused or failed.
    """
    key = key_of(desk, name)
    found = None if key.startswith(REJECTED_FOLDER) else _head(desk, key)
    if found is None:
        raise UnknownQuarantinedError(
            f"no refused file {s3_uri(desk.names.quarantine_bucket, key)} lies in quarantine; "
            "`ndjson-pipeline quarantine list` shows those that do"
        )
    return found


def release(desk: Desk, file: Quarantined) -> Outcome:
    """Put a refused file back where it was, so that it is judged again; never over another object.

    Raises:
        ClientError: S3 refused or failed.
    """
    if file.original_bucket not in {None, desk.names.input_bucket}:
        return Outcome(file.key, False, f"it came from {file.original_bucket}, which is none of ours")
    if file.size_bytes > _LARGEST_COPY:
        return Outcome(file.key, False, "it is larger than 5 GB; copy it back with the AWS command line")
    where = s3_uri(desk.names.input_bucket, file.key)
    try:
        desk.s3.copy_object(
            Bucket=desk.names.input_bucket,
            Key=file.key,
            CopySource={"Bucket": desk.names.quarantine_bucket, "Key": file.key},
            CopySourceIfMatch=file.etag,
            IfNoneMatch="*",
            MetadataDirective="REPLACE",
            Metadata={},
        )
    except ClientError as error:
        if error_code(error) not in _CONDITION_FAILED and not is_absent(error):
            raise
        return Outcome(file.key, False, f"another object lies at {where}, or this one has changed")
    # What changed meanwhile stays.
    if not _remove(desk, file):
        return Outcome(file.key, True, f"{where}; what lies in quarantine has changed, and stays")
    return Outcome(file.key, True, where)


def purge(desk: Desk, file: Quarantined) -> Outcome:
    """Delete a refused file, if it still has the content that was shown.

    Raises:
        ClientError: S3 refused or failed.
    """
    if _remove(desk, file):
        return Outcome(file.key, True, "deleted")
    return Outcome(file.key, False, "it has changed, and stays")


def _recorded(desk: Desk, date: str | None, limit: int) -> Iterator[str]:
    """Yield the keys of a date's refused files, wherever its date stands in them; records expire."""
    if date is None:
        return
    page = files_of_date(
        desk, date, FileStatus.QUARANTINED, limit=limit + 1, after="", tell=lambda _said: None
    )
    bucket = s3_uri(desk.names.input_bucket, "")
    yield from (
        row.path.removeprefix(bucket) for row in page.rows if row.path and row.path.startswith(bucket)
    )


def _listed(desk: Desk, date: str | None) -> Iterator[str]:
    """Yield the keys that lie there, below the input prefix."""
    prefix = desk.shared.input_prefix
    pages = desk.s3.get_paginator("list_objects_v2").paginate(
        Bucket=desk.names.quarantine_bucket, Prefix=prefix if date is None else f"{prefix}{date}-"
    )
    for page in pages:
        for entry in page.get("Contents", []):
            if not entry["Key"].startswith(REJECTED_FOLDER):
                yield entry["Key"]


def _head(desk: Desk, key: str) -> Quarantined | None:
    try:
        head = desk.s3.head_object(Bucket=desk.names.quarantine_bucket, Key=key)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    metadata = head.get("Metadata", {})
    reason = metadata.get("quarantine_reason")
    return Quarantined(
        key=key,
        size_bytes=int(head["ContentLength"]),
        etag=head["ETag"].strip('"'),
        since=head["LastModified"],
        reason=None if reason is None else unquote(reason),
        original_bucket=metadata.get("original_bucket"),
    )


def _remove(desk: Desk, file: Quarantined) -> bool:
    try:
        desk.s3.delete_object(Bucket=desk.names.quarantine_bucket, Key=file.key, IfMatch=file.etag)
    except ClientError as error:
        if error_code(error) not in _CONDITION_FAILED and not is_absent(error):
            raise
        return False
    return True
