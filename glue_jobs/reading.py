"""Manifests and input files, read from S3."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import InputReadError, ManifestReadError
from glue_jobs.storage import CONCURRENT_REQUESTS
from lambda_ingest.contract.errors import ContractError, ManifestKeyError
from lambda_ingest.contract.keys import ManifestName, split_s3_uri
from lambda_ingest.contract.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_s3 import S3Client

    from lambda_ingest.contract.manifest import ManifestFile

logger = logging.getLogger(__name__)

# Bytes read ahead of the parser in one process; a larger file is read alone.
READ_AHEAD_BYTES: Final = 64 * 1_048_576


def read_manifest(client: S3Client, uri: str) -> Manifest:
    """Read a manifest.

    Raises:
        ManifestReadError: it is absent, no manifest, or bears another's name.
    """
    try:
        bucket, key = split_s3_uri(uri)
        manifest = Manifest.from_json(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ContractError as error:
        raise ManifestReadError(f"manifest {uri} can't be used: {error}") from error
    except (ClientError, BotoCoreError) as error:
        raise ManifestReadError(f"manifest {uri} can't be read: {error}") from error
    filename = uri.rpartition("/")[2]
    if filename != manifest.name.filename and _is_manifest_name(filename):
        raise ManifestReadError(
            f"manifest {uri} calls itself {manifest.name.filename}; its output would replace that one's"
        )
    return manifest


def read_file(client: S3Client, file: ManifestFile) -> bytes:
    """Read an input file, at its version where it has one.

    Raises:
        InputReadError: it is absent, or S3 refuses it.
    """
    try:
        bucket, key = split_s3_uri(file.uri)
        if file.version_id is None:
            answer = client.get_object(Bucket=bucket, Key=key)
        else:
            answer = client.get_object(Bucket=bucket, Key=key, VersionId=file.version_id)
        content = answer["Body"].read()
    except ContractError as error:
        raise InputReadError(f"input can't be read: {error}") from error
    except (ClientError, BotoCoreError) as error:
        version = f" at version {file.version_id}" if file.version_id else ""
        raise InputReadError(f"input {file.uri}{version} can't be read: {error}") from error
    if answer["ETag"].strip('"') != file.etag:
        logger.warning(
            "%s has other content than when its manifest was made: etag %s, listed %s",
            file.uri,
            answer["ETag"],
            file.etag,
        )
    return content


def read_files(client: S3Client, files: Sequence[ManifestFile]) -> Iterator[tuple[ManifestFile, bytes]]:
    """Read input files in order, some ahead of the one in use.

    Raises:
        InputReadError: a file is absent, or S3 refuses it.
    """
    waiting = deque(files)
    under_way: deque[tuple[ManifestFile, Future[bytes]]] = deque()
    ahead = 0
    with ThreadPoolExecutor(CONCURRENT_REQUESTS, thread_name_prefix="read") as pool:
        try:
            while waiting or under_way:
                while (
                    waiting
                    and len(under_way) < CONCURRENT_REQUESTS
                    and (not under_way or ahead + waiting[0].size_bytes <= READ_AHEAD_BYTES)
                ):
                    file = waiting.popleft()
                    ahead += file.size_bytes
                    under_way.append((file, pool.submit(read_file, client, file)))
                file, future = under_way.popleft()
                content = future.result()
                # The queue's reference goes with it, so that a file's bytes live only as long as its parsing.
                del future
                ahead -= file.size_bytes
                yield file, content
                del content
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _is_manifest_name(filename: str) -> bool:
    try:
        ManifestName.parse(filename)
    except ManifestKeyError:
        return False
    return True
