"""Dagster Pipes over S3: where a run's context and messages lie."""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError
from dagster_pipes import (
    PIPES_PROTOCOL_VERSION,
    PIPES_PROTOCOL_VERSION_FIELD,
    PipesBlobStoreMessageWriter,
    PipesContextData,
)

from glue_jobs.reporting.seal import unsealed
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PIPES_PREFIX = "pipes/"
# The script uploads its messages every few seconds; looking more often finds nothing new.
READ_INTERVAL_SECONDS = 2.0

# A run of an hour writes a chunk a second; the one with its report may tell of thousands of manifests.
MOST_CHUNKS = 5_000
MOST_CHUNK_BYTES = 64 * 1_048_576
_CHUNK_NAME = re.compile(r"(?P<index>[1-9][0-9]{0,5})\.json")
_CUSTOM = "report_custom_message"
# What the script sends. It materializes nothing by itself.
_METHODS = frozenset({"opened", "closed", "log", _CUSTOM})
_LONGEST_LOG_MESSAGE = 2_000
# What ends the reading of a session; the run's own looks the same.
_LAST_WORD = json.dumps(
    {PIPES_PROTOCOL_VERSION_FIELD: PIPES_PROTOCOL_VERSION, "method": "closed", "params": {}}
)

logger = logging.getLogger(__name__)


class IdentityMessageReader(dg.PipesBlobStoreMessageReader):
    """Reads messages below a prefix of the run's identity, so that a later process finds them again.

    The reader of dagster-aws draws a random prefix at the bucket's root, and its package imports clients and
    components of a dozen services: half a second for each run's process before Glue can start.

    Args:
        bucket: where the messages lie.
        client: S3.
        identity: of the Glue run.
    """

    def __init__(self, *, bucket: str, client: "S3Client", identity: str) -> None:
        super().__init__(interval=READ_INTERVAL_SECONDS)
        # Nothing is taken for the run's before its nonce is known.
        self.nonce: str | None = None
        self._is_given_up = False
        self._bucket = bucket
        self._client = client
        self._prefix = messages_prefix(identity)

    def give_up(self) -> None:
        """Read no more: the run goes on, and whoever comes after reads its messages.

        A session that ends before its run waits ten seconds for the run's last word, which an interrupted
        process does not have.
        """
        self._is_given_up = True

    @contextmanager
    def get_params(self) -> Iterator[dict[str, Any]]:
        """Yield what the script's message writer needs to know."""
        yield {
            "bucket": self._bucket,
            "key_prefix": self._prefix,
            PipesBlobStoreMessageWriter.INCLUDE_STDIO_IN_MESSAGES_KEY: False,
        }

    def messages_are_readable(self, params: Mapping[str, Any]) -> bool:
        """Return whether the first message has come; only readers of logs wait for it."""
        return self.download_messages_chunk(1, params) is not None

    def download_messages_chunk(self, index: int, params: Mapping[str, Any]) -> str | None:
        """Return a chunk of messages, or None where it has not come yet.

        Args:
            index: of the chunk, from 1.
            params: as `get_params` yields them.
        """
        if self._is_given_up:
            return _LAST_WORD
        if self.nonce is None or index > MOST_CHUNKS:
            return None
        key = f"{params['key_prefix']}/{index}.json"
        try:
            content = _chunk(self._client, self._bucket, key, index, self.nonce)
        except self._client.exceptions.NoSuchKey:
            return None
        except (ClientError, BotoCoreError) as error:
            # It is asked for again; raising would end the reading of all that is still to come.
            logger.warning("s3://%s/%s could not be read, asking again: %s", self._bucket, key, error)
            return None
        # A chunk that is not the run's is passed over: a blank one counts as read, and says nothing.
        return "\n".join(_known_lines(content, s3_uri(self._bucket, key))) or " "

    def no_messages_debug_text(self) -> str:
        """Return where messages were looked for."""
        return f"Looked for messages below s3://{self._bucket}/{self._prefix}/."


class IdentityContextInjector(dg.PipesContextInjector):
    """Lays a run's context beside its messages, until its session ends well.

    Args:
        bucket: where.
        client: S3.
        identity: of the Glue run.
        run_id: the Dagster run: another one that attaches to the Glue run lays its own.
    """

    def __init__(self, *, bucket: str, client: "S3Client", identity: str, run_id: str) -> None:
        self._bucket = bucket
        self._client = client
        self._key = f"{PIPES_PREFIX}{identity}/context-{run_id}.json"

    @contextmanager
    def inject_context(self, context: PipesContextData) -> Iterator[dict[str, Any]]:
        """Yield where the script finds the context.

        It stays where the session ends by an error: the Glue run may go on, and not have read it yet.
        """
        body = json.dumps(context).encode()
        self._client.put_object(Bucket=self._bucket, Key=self._key, Body=body)
        yield {"bucket": self._bucket, "key": self._key}
        try:
            self._client.delete_object(Bucket=self._bucket, Key=self._key)
        except (ClientError, BotoCoreError) as error:
            # The work is done, and the next session for this identity writes over what is left here.
            logger.warning("s3://%s/%s could not be removed: %s", self._bucket, self._key, error)

    def no_messages_debug_text(self) -> str:
        """Return where the context lies."""
        return f"Laid the context at s3://{self._bucket}/{self._key}."


def read_custom_messages(s3: "S3Client", bucket: str, identity: str, nonce: str) -> list[Any]:
    """Return the custom messages that a run has written, in order, from where they lie.

    Needs no session, so whoever comes after a dead process can read what its run said. What the run did not
    seal counts for nothing, and neither does what is too large, or one too many.

    Args:
        s3: the client.
        bucket: has the messages.
        identity: of the run.
        nonce: that the run was given.
    """
    found: list[tuple[int, str]] = []
    prefix = messages_prefix(identity)
    for page in s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"{prefix}/", PaginationConfig={"MaxItems": 2 * MOST_CHUNKS}
    ):
        for entry in page.get("Contents", []):
            match = _CHUNK_NAME.fullmatch(entry["Key"].removeprefix(f"{prefix}/"))
            if match is not None and int(match["index"]) <= MOST_CHUNKS:
                found.append((int(match["index"]), entry["Key"]))
    custom: list[Any] = []
    for index, key in sorted(found):
        content = _chunk(s3, bucket, key, index, nonce)
        for line in _known_lines(content, s3_uri(bucket, key)):
            message = json.loads(line)
            if message["method"] == _CUSTOM:
                custom.append(message["params"]["payload"])
    return custom


def _chunk(s3: "S3Client", bucket: str, key: str, index: int, nonce: str) -> bytes:
    """Return what a chunk holds; nothing, with a warning, where the run did not seal it.

    Raises:
        ClientError, BotoCoreError: S3 does not give it.
    """
    answer = s3.get_object(Bucket=bucket, Key=key)
    with answer["Body"] as body:
        if answer["ContentLength"] > MOST_CHUNK_BYTES:
            logger.warning("s3://%s/%s has %d bytes, and is no message", bucket, key, answer["ContentLength"])
            return b""
        content = unsealed(body.read(), nonce, index)
    if content is None:
        logger.warning("s3://%s/%s was not written by the run, and counts for nothing", bucket, key)
        return b""
    return content


def _known_lines(content: bytes, uri: str) -> list[str]:
    """Return the lines of messages that Dagster is to see; one that is none harms no other."""
    known = []
    for line in content.split(b"\n"):
        if not line.strip():
            continue
        try:
            message = json.loads(line)
            params = message["params"]
            if message["method"] == "log":
                params["message"] = printable(params["message"], _LONGEST_LOG_MESSAGE)
            if message["method"] in _METHODS and (message["method"] != _CUSTOM or "payload" in params):
                known.append(json.dumps(message))
            else:
                logger.warning("Skipped a line of %s that is none of the script's messages", uri)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = printable(f"{type(error).__name__} {error}")
            logger.warning("Skipped a line of %s that is no message: %s", uri, reason)
    return known


def list_key(identity: str) -> str:
    """Return where the manifests of a run of this identity are listed, if they are too many for an argument.

    Each line is a manifest's URI, its attempt and the SHA-256 of its object. The Glue job takes an object of
    this ending for a list.
    """
    return f"{PIPES_PREFIX}{identity}/manifests.txt"


def messages_prefix(identity: str) -> str:
    """Return where the messages of a run of this identity lie."""
    return f"{PIPES_PREFIX}{identity}/messages"
