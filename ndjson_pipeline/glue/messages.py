"""Dagster Pipes over S3: where a run's context and messages lie."""

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
        self._key_prefix = f"{PIPES_PREFIX}{identity}/messages"

    @contextmanager
    def get_params(self) -> Iterator[dict[str, Any]]:
        """Yield what the script's message writer needs to know."""
        yield {
            "bucket": self.bucket,
            "key_prefix": self._key_prefix,
            PipesBlobStoreMessageWriter.INCLUDE_STDIO_IN_MESSAGES_KEY: self.include_stdio_in_messages,
        }


def context_injector(*, bucket: str, client: "S3Client", identity: str) -> PipesS3ContextInjector:
    """Return the injector that lays a run's context beside its messages."""
    return PipesS3ContextInjector(
        bucket=bucket, client=client, key_prefix=f"{PIPES_PREFIX}{identity}/context-"
    )
