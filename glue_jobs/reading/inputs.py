"""Input files, read from S3 ahead of their use."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from glue_jobs.errors import InputReadError, MissingInputError
from glue_jobs.reading.content import content_of
from glue_jobs.reading.lines import UnreadableError
from glue_jobs.reading.refusals import GONE, lasting_reason
from glue_jobs.reading.unpacking import Progress
from glue_jobs.storage import CONCURRENT_READS
from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import split_s3_uri
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

    from lambda_ingest.contract.manifest import ManifestFile

logger = logging.getLogger(__name__)

# Bytes read ahead of the parser in one process; a larger file is streamed.
READ_AHEAD_BYTES: Final = 64 * 1_048_576
PIECE_BYTES: Final = 8 * 1_048_576
# Small files are read some at a time by each thread, where each has at least so many turns.
_MOST_TOGETHER: Final = 16
_MOST_BYTES_TOGETHER: Final = 262_144
_GROUPS_A_READER: Final = 2
_TRIES: Final = 4
# What S3 calls the version of an object that was written while its bucket kept none; it is no version, for
# other content may take its place.
_NO_VERSION: Final = "null"


class InputFile:
    """An input file whose bytes come in pieces.

    Args:
        file: as its manifest lists it.
        pieces: opens its bytes.

    Attributes:
        file: as its manifest lists it.
        bytes_read: of it, from S3.
    """

    def __init__(self, file: ManifestFile, pieces: Callable[[], Iterator[bytes]]) -> None:
        self.file = file
        self.bytes_read = 0
        self._pieces = pieces
        self._progress = Progress()

    def pieces(self) -> Iterator[bytes]:
        """Yield the file's text, unpacked and decoded as its first bytes ask for.

        Raises:
            MissingInputError: it can't be read for good, or is other than its manifest lists.
            InputReadError: S3 does not give it.
            UnreadableError: what follows is no text; it says how many bytes of the file are lost.
        """
        try:
            yield from content_of(self._counted(), self._progress)
        except UnreadableError as error:
            error.unread_bytes = max(0, self.file.size_bytes - self._progress.packed)
            raise

    def stored_bytes(self, text_bytes: int) -> int:
        """Return how much of the file, as it lies in S3, some bytes of its text are.

        Of a packed file that is in the proportion of what is read so far, so that a lost record weighs the
        same whether its file is packed or not.
        """
        progress = self._progress
        return round(text_bytes * progress.packed / progress.content) if progress.content else text_bytes

    def _counted(self) -> Iterator[bytes]:
        for piece in self._pieces():
            self.bytes_read += len(piece)
            yield piece
            del piece


def open_files(client: S3Client, files: Sequence[ManifestFile]) -> Iterator[InputFile]:
    """Yield input files in order; while one is in use, the next small ones are read."""
    waiting = deque(_groups(files))
    under_way: deque[tuple[Sequence[ManifestFile], Future[list[bytes | Exception | None]] | None]] = deque()
    ahead = 0
    with ThreadPoolExecutor(CONCURRENT_READS, thread_name_prefix="read") as pool:
        try:
            while waiting or under_way:
                while (
                    waiting
                    and len(under_way) < CONCURRENT_READS
                    and (not under_way or ahead + _size(waiting[0]) <= READ_AHEAD_BYTES)
                ):
                    group = waiting.popleft()
                    ahead += _size(group)
                    is_small = _size(group) <= READ_AHEAD_BYTES
                    under_way.append((group, pool.submit(_read_each, client, group) if is_small else None))
                group, future = under_way.popleft()
                for index, file in enumerate(group):
                    if future is None:
                        yield InputFile(file, _streamed(client, file, pool))
                    else:
                        yield InputFile(file, _awaited(future, index))
                # No reference stays, so that a file's bytes live only as long as its parsing.
                del future
                ahead -= _size(group)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _groups(files: Sequence[ManifestFile]) -> Iterator[Sequence[ManifestFile]]:
    """Yield files in order, those together that one thread reads one after the other.

    Handing a file over from a thread takes as long as parsing a small one. Few files are read each by its
    own thread, as each waits for S3.
    """
    most = max(1, min(_MOST_TOGETHER, len(files) // (_GROUPS_A_READER * CONCURRENT_READS)))
    group: list[ManifestFile] = []
    for file in files:
        if group and (len(group) == most or _size(group) + file.size_bytes > _MOST_BYTES_TOGETHER):
            yield group
            group = []
        group.append(file)
    if group:
        yield group


def _size(group: Sequence[ManifestFile]) -> int:
    return sum(file.size_bytes for file in group)


def _read_each(client: S3Client, files: Sequence[ManifestFile]) -> list[bytes | Exception | None]:
    """Read files one after the other; return of each its bytes, or what reading it raised."""
    contents: list[bytes | Exception | None] = []
    for file in files:
        try:
            contents.append(read_whole(client, file))
        except Exception as error:  # noqa: BLE001 - it is raised where the file's turn comes
            contents.append(error)
    return contents


def read_whole(client: S3Client, file: ManifestFile) -> bytes:
    """Read an input file, at its version where it has one.

    Raises:
        MissingInputError: it can't be read for good, or is other than its manifest lists.
        InputReadError: S3 does not give it.
    """
    return b"".join(_stream(client, file, None))


def _awaited(future: Future[list[bytes | Exception | None]], index: int) -> Callable[[], Iterator[bytes]]:
    held = [future]

    def pieces() -> Iterator[bytes]:
        contents = held.pop().result()
        content, contents[index] = contents[index], None
        del contents
        if isinstance(content, Exception):
            raise content
        assert content is not None, "a file's bytes are taken once"
        whole = [content]
        del content
        yield whole.pop()

    return pieces


def _streamed(
    client: S3Client, file: ManifestFile, pool: ThreadPoolExecutor
) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        stream = _stream(client, file, PIECE_BYTES)
        # One piece ahead, so that reading goes on while the last one is parsed.
        future = pool.submit(next, stream, b"")
        while piece := future.result():
            future = pool.submit(next, stream, b"")
            yield piece

    return pieces


def _stream(client: S3Client, file: ManifestFile, piece_bytes: int | None) -> Iterator[bytes]:
    """Yield a file's bytes; a connection that breaks is opened again where it broke."""
    offset = tries = 0
    while True:
        before = offset
        try:
            answer = _open(client, file, offset)
            end = offset + answer["ContentLength"]
            with closing(answer["Body"]) as body:
                while piece := body.read(piece_bytes):
                    offset += len(piece)
                    yield piece
            if offset >= end:
                return
            broken = "fewer bytes than announced"
        except BotoCoreError as error:
            broken = str(error)
        tries = tries + 1 if offset == before else 1
        if tries >= _TRIES:
            raise InputReadError(f"input {file.uri} can't be read beyond byte {offset}: {broken}")
        logger.warning("%s breaks off at byte %d (%s), reading on", printable(file.uri), offset, broken)


def _open(client: S3Client, file: ManifestFile, offset: int) -> Any:
    try:
        bucket, key = split_s3_uri(file.uri)
        request: GetObjectRequestTypeDef = {"Bucket": bucket, "Key": key}
        if file.version_id not in {None, _NO_VERSION}:
            request["VersionId"] = str(file.version_id)
        if offset:
            request["Range"] = f"bytes={offset}-"
        answer = client.get_object(**request)
    except (ContractError, ParamValidationError, UnicodeError) as error:
        raise _missing(file, offset, f"no S3 URI that can be read: {error}") from error
    except ClientError as error:
        reason = lasting_reason(error)
        if reason is None:
            raise InputReadError(f"input {file.uri} can't be read: {error}") from error
        version = f" at version {request['VersionId']}" if "VersionId" in request and reason == GONE else ""
        raise _missing(file, offset, f"{reason}{version}") from error
    if (problem := _difference(answer, file)) is not None:
        answer["Body"].close()
        raise _missing(file, offset, problem)
    return answer


def _difference(answer: Mapping[str, Any], file: ManifestFile) -> str | None:
    """Say how an object differs from what its manifest lists, before any of it is read; else None.

    A version never changes, but a listed version may be another one than that which was tracked.
    """
    etag = str(answer.get("ETag", "")).strip('"')
    if etag != file.etag:
        return f"other content than listed: etag {etag}, listed {file.etag}"
    # `bytes 5-9/10` is of a file of 10; without a range the length is the file's.
    whole = str(answer.get("ContentRange") or answer["ContentLength"]).rpartition("/")[2]
    if whole != str(file.size_bytes):
        return f"other size than listed: {whole} bytes, listed {file.size_bytes}"
    return None


def _missing(file: ManifestFile, offset: int, reason: str) -> InputReadError:
    """Return the error of a file that can't be read for good; a part of it may be rows already."""
    if offset:
        return InputReadError(
            f"input {file.uri} changed while it was read, at byte {offset} ({reason}); convert its "
            "manifest again"
        )
    return MissingInputError(file.uri, reason)
