"""Dagster Pipes over S3: where a run's context and messages lie."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError
from dagster_pipes import PipesBlobStoreMessageWriter, PipesContextData

from lambda_ingest.contract.keys import s3_uri

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PIPES_PREFIX = "pipes/"
# The script uploads its messages every few seconds; looking more often finds nothing new.
READ_INTERVAL_SECONDS = 2.0

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
        self._bucket = bucket
        self._client = client
        self._prefix = messages_prefix(identity)

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
        key = f"{params['key_prefix']}/{index}.json"
        try:
            content = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            # A byte that is no UTF-8 spoils its message alone, and not the reading of all that follow.
            return content.decode(errors="replace")
        except self._client.exceptions.NoSuchKey:
            return None
        except (ClientError, BotoCoreError) as error:
            # It is asked for again; raising would end the reading of all that is still to come.
            logger.warning("s3://%s/%s could not be read, asking again: %s", self._bucket, key, error)
            return None

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


def read_custom_messages(s3: "S3Client", bucket: str, identity: str) -> list[Any]:
    """Return the custom messages that a run of this identity has written, in order, from where they lie.

    Needs no session, so whoever comes after a dead process can read what its run said.
    """
    found: list[tuple[int, str]] = []
    prefix = messages_prefix(identity)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
        for entry in page.get("Contents", []):
            number = entry["Key"].rpartition("/")[2].removesuffix(".json")
            if number.isdecimal():
                found.append((int(number), entry["Key"]))
    custom = []
    for _, key in sorted(found):
        for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().split(b"\n"):
            if line.strip():
                custom += _custom_payloads(line, s3_uri(bucket, key))
    return custom


def _custom_payloads(line: bytes, uri: str) -> list[Any]:
    """Return the payload of a line, if it is a custom message; a line that is none harms no other."""
    try:
        message = json.loads(line)
        return [message["params"]["payload"]] if message["method"] == "report_custom_message" else []
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning("Skipped a line of %s that is no message: %s %s", uri, type(error).__name__, error)
        return []


def list_key(identity: str) -> str:
    """Return where the manifests of a run of this identity are listed, if they are too many for an argument.

    Each line is a manifest's URI and its attempt. The Glue job takes an object of this ending for a list.
    """
    return f"{PIPES_PREFIX}{identity}/manifests.txt"


def messages_prefix(identity: str) -> str:
    """Return where the messages of a run of this identity lie."""
    return f"{PIPES_PREFIX}{identity}/messages"
