"""How a file gets in: by an event, by a copy, or by an upload; never over another object."""

import hashlib
import math
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from botocore.exceptions import ClientError

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.text import printable
from ndjson_pipeline.desk.aws_errors import is_absent
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.laptop.plain_files import NotPlainError, open_plain
from ndjson_pipeline.loading.judging import Judged
from ndjson_pipeline.loading.queues import Queues

_AT_ONCE = 8
_MB = 1024**2
# One PutObject takes 5 GB; beyond this a lost connection costs too much.
LARGEST_PUT = 64 * _MB
LARGEST_COPY = 5 * 1024**3
_LEAST_PART = 16 * _MB
_COPY_PART = 1024**3
_MOST_PARTS = 10_000
_CONDITION_FAILED = frozenset({"PreconditionFailed", "412"})
_ORIGIN = "load_origin"
# The tag of one part is a digest of the content, mostly; one of several parts never is.
_PLAIN_ETAG = re.compile(r"[0-9a-f]{32}")
_CONTENDED = frozenset({"ConditionalRequestConflict", "409"})


class Outcome(StrEnum):
    """What came of a file."""

    DONE = "done"
    THERE = "there already"
    FAILED = "failed"


@dataclass(frozen=True)
class Delivered:
    """A file that was dealt with.

    Attributes:
        file: it.
        outcome: what came of it.
        said: why it failed.
    """

    file: Judged
    outcome: Outcome
    said: str = ""


class Delivery(Protocol):
    """Brings files in."""

    def deliver(self, files: Sequence[Judged]) -> list[Delivered]:
        """Bring files in; each fails alone."""


class ObjectDelivery:
    """Sends events of objects that lie in the input, and copies others there.

    Args:
        desk: the deployment.
        bucket: the objects'.
        queues: the feed's.
    """

    def __init__(self, desk: Desk, bucket: str, queues: Queues) -> None:
        self._desk = desk
        self._bucket = bucket
        self._queues = queues

    def deliver(self, files: Sequence[Judged]) -> list[Delivered]:
        """Bring up to ten in.

        Raises:
            LoadStoppedError: SQS did not take all of the events.
            ClientError: AWS refused or failed.
        """
        in_place = [one for one in files if one.is_in_place]
        if in_place:
            self._queues.send(in_place)
        done = [Delivered(one, Outcome.DONE) for one in in_place]
        return done + _at_once(self._copy, [one for one in files if not one.is_in_place])

    def _copy(self, one: Judged) -> Delivered:
        try:
            if one.source.size_bytes > LARGEST_COPY:
                self._copy_in_parts(one)
            else:
                # Tags would need permissions of their own.
                self._desk.s3.copy_object(
                    Bucket=self._desk.names.input_bucket,
                    Key=one.target,
                    CopySource=self._place(one),
                    CopySourceIfMatch=one.source.etag,
                    IfNoneMatch="*",
                    MetadataDirective="REPLACE",
                    Metadata=_origin(one),
                    TaggingDirective="REPLACE",
                )
        except ClientError as error:
            code = error_code(error)
            if code in _CONDITION_FAILED | _CONTENDED:
                met = _met(self._desk, one, lambda: one.source.etag)
                return met or Delivered(one, Outcome.FAILED, "it has changed meanwhile; load it again")
            if is_absent(error):
                return Delivered(one, Outcome.FAILED, "it is gone meanwhile")
            if code == "InvalidObjectState":
                return Delivered(one, Outcome.FAILED, "it is archived: restore it, then load it")
            raise
        return Delivered(one, Outcome.DONE)

    def _place(self, one: Judged) -> Any:
        return {"Bucket": self._bucket, "Key": one.source.key}

    def _copy_in_parts(self, one: Judged) -> None:
        size = one.source.size_bytes
        step = max(_COPY_PART, math.ceil(size / _MOST_PARTS))

        def copied(upload: str) -> list[Any]:
            parts = []
            for number, first in enumerate(range(0, size, step), 1):
                answer = self._desk.s3.upload_part_copy(
                    Bucket=self._desk.names.input_bucket,
                    Key=one.target,
                    UploadId=upload,
                    PartNumber=number,
                    CopySource=self._place(one),
                    CopySourceIfMatch=one.source.etag,
                    CopySourceRange=f"bytes={first}-{min(first + step, size) - 1}",
                )
                parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
            return parts

        _in_parts(self._desk, one, copied)


class FolderDelivery:
    """Puts files of a folder there.

    Args:
        desk: the deployment.
        folder: theirs.
    """

    def __init__(self, desk: Desk, folder: Path) -> None:
        self._desk = desk
        self._folder = folder

    def deliver(self, files: Sequence[Judged]) -> list[Delivered]:
        """Put some there.

        Raises:
            ClientError: S3 refused or failed.
        """
        return _at_once(self._put, files)

    def _put(self, one: Judged) -> Delivered:
        try:
            with self._opened(one.source.key) as source:
                return self._put_opened(one, source)
        except NotPlainError as error:
            return Delivered(one, Outcome.FAILED, f"it is {error} by now")
        except OSError as error:
            return Delivered(one, Outcome.FAILED, f"it can't be read ({error.strerror or error})")

    def _put_opened(self, one: Judged, source: BinaryIO) -> Delivered:
        before = os.fstat(source.fileno())
        if before.st_size != one.source.size_bytes:
            return Delivered(one, Outcome.FAILED, _CHANGED)
        try:
            if before.st_size > LARGEST_PUT:
                self._put_in_parts(one, source, before.st_size)
            else:
                content = source.read(before.st_size + 1)
                if len(content) != before.st_size:
                    return Delivered(one, Outcome.FAILED, _CHANGED)
                self._desk.s3.put_object(
                    Bucket=self._desk.names.input_bucket,
                    Key=one.target,
                    Body=content,
                    Metadata=_origin(one),
                    IfNoneMatch="*",
                )
        except _ChangedError:
            return Delivered(one, Outcome.FAILED, _CHANGED)
        except ClientError as error:
            if error_code(error) not in _CONDITION_FAILED | _CONTENDED:
                raise
            met = _met(self._desk, one, lambda: _md5(source))
            return met or Delivered(
                one, Outcome.FAILED, "somebody else puts it at the same time; load it again"
            )
        return Delivered(one, Outcome.DONE)

    def _put_in_parts(self, one: Judged, source: BinaryIO, size: int) -> None:
        step = max(_LEAST_PART, math.ceil(size / _MOST_PARTS))

        def put(upload: str) -> list[Any]:
            parts, read = [], 0
            for number in range(1, math.ceil(size / step) + 1):
                content = source.read(step)
                read += len(content)
                answer = self._desk.s3.upload_part(
                    Bucket=self._desk.names.input_bucket,
                    Key=one.target,
                    UploadId=upload,
                    PartNumber=number,
                    Body=content,
                )
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
            if read != size or source.read(1):
                raise _ChangedError
            return parts

        _in_parts(self._desk, one, put)

    def _opened(self, relative: str) -> BinaryIO:
        """Open a file below the folder; no part of its path may be a link."""
        *folders, name = relative.split("/")
        place = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                deeper = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
                os.close(place)
                place = deeper
            return open_plain(place, name)
        finally:
            os.close(place)


_CHANGED = "it is being written; load it again once it is finished"


class _ChangedError(Exception):
    """A file has not the size any more that it had."""


def _at_once(work: Callable[[Judged], Delivered], files: Sequence[Judged]) -> list[Delivered]:
    if len(files) < 2:
        return [work(one) for one in files]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return list(pool.map(work, files))


def _in_parts(desk: Desk, one: Judged, transfer: Callable[[str], list[Any]]) -> None:
    """Make an object of parts, where none lies there; what does not come to its end leaves no parts."""
    bucket, key = desk.names.input_bucket, one.target
    created = desk.s3.create_multipart_upload(Bucket=bucket, Key=key, Metadata=_origin(one))
    upload = created["UploadId"]
    try:
        parts = transfer(upload)
        desk.s3.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
        )
    except BaseException:
        desk.s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise


def _met(desk: Desk, one: Judged, etag: Callable[[], str]) -> Delivered | None:
    """Tell what lies where a file should: the same, or another; None where nothing lies there."""
    try:
        head = desk.s3.head_object(Bucket=desk.names.input_bucket, Key=one.target)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    there = head["ETag"].strip('"')
    if head.get("Metadata", {}).get(_ORIGIN) == _origin(one)[_ORIGIN] or (
        int(head["ContentLength"]) == one.source.size_bytes
        and _PLAIN_ETAG.fullmatch(there)
        and there == etag()
    ):
        return Delivered(one, Outcome.THERE)
    where = printable(s3_uri(desk.names.input_bucket, one.target))
    return Delivered(one, Outcome.FAILED, f"another object lies at {where}, and stays")


def _origin(one: Judged) -> dict[str, str]:
    """Return the metadata by which a file is known again: tags of parts, or encrypted, tell no content."""
    source = one.source
    text = f"{source.key}\n{source.etag}\n{source.size_bytes}\n{utc_timestamp(source.modified_at)}"
    return {_ORIGIN: hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()}


def _md5(source: BinaryIO) -> str:
    source.seek(0)
    digest = hashlib.md5(usedforsecurity=False)
    while content := source.read(_LEAST_PART):
        digest.update(content)
    return digest.hexdigest()
