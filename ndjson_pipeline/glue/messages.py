"""Dagster Pipes over S3: where a run's context and messages lie."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dagster_aws.pipes import PipesS3ContextInjector, PipesS3MessageReader
from dagster_pipes import PipesBlobStoreMessageWriter

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PIPES_PREFIX = "pipes/"
# The script uploads its messages every few seconds; looking more often finds nothing new.
READ_INTERVAL_SECONDS = 2.0


class IdentityMessageReader(PipesS3MessageReader):
    """Reads messages below a prefix of the run's identity, so that a later process finds them again.

    The stock reader draws a random prefix at the bucket's root.
    """

    def __init__(self, *, bucket: str, client: "S3Client", identity: str) -> None:
        super().__init__(interval=READ_INTERVAL_SECONDS, bucket=bucket, client=client)
        self._key_prefix = messages_prefix(identity)

    @contextmanager
    def get_params(self) -> Iterator[dict[str, Any]]:
        """Yield what the script's message writer needs to know."""
        yield {
            "bucket": self.bucket,
            "key_prefix": self._key_prefix,
            PipesBlobStoreMessageWriter.INCLUDE_STDIO_IN_MESSAGES_KEY: self.include_stdio_in_messages,
        }


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
        for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines():
            message = json.loads(line)
            if message.get("method") == "report_custom_message":
                custom.append(message["params"]["payload"])
    return custom


def messages_prefix(identity: str) -> str:
    """Return where the messages of a run of this identity lie."""
    return f"{PIPES_PREFIX}{identity}/messages"


def context_injector(*, bucket: str, client: "S3Client", identity: str) -> PipesS3ContextInjector:
    """Return the injector that lays a run's context beside its messages."""
    return PipesS3ContextInjector(
        bucket=bucket, client=client, key_prefix=f"{PIPES_PREFIX}{identity}/context-"
    )
