"""How far a load came, kept in the manifest bucket: whoever goes on at 3 a.m. is on another machine.

A file beside the operator is lost with the terminal. The object is written by conditions, so of two people
who do the same load the one who began later goes on, and the other is told.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from lambda_ingest.contract.dates import parse_utc_timestamp, utc_timestamp
from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.keys import s3_uri
from ndjson_pipeline.desk.aws_errors import is_absent
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.loading.errors import LoadError, LoadHeldError

LOAD_PREFIX = "logs/load/"
# A load writes every few seconds, also while it pauses. One that has not for so long is gone.
_SILENCE = timedelta(minutes=3)
_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "409", "412"})
_MOST_BYTES = 65_536
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")


class LoadStatus(StrEnum):
    """Where a load stands."""

    GOING = "going"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True)
class LoadState:
    """How far a load came.

    Attributes:
        source: what is loaded, as a URI.
        status: where it stands.
        after: the last key that is done; empty where none is.
        sent: how many events were sent, or objects copied.
        passed: how many files were passed over.
        failed: how many could not be loaded.
        holder: who goes on with it, as AWS knows them.
        began_at: UTC text.
        updated_at: UTC text.
    """

    source: str
    status: LoadStatus
    after: str = ""
    sent: int = 0
    passed: int = 0
    failed: int = 0
    holder: str = ""
    began_at: str = ""
    updated_at: str = ""

    def is_alive(self, now: datetime) -> bool:
        """Tell whether somebody is at it."""
        if self.status is not LoadStatus.GOING:
            return False
        try:
            return now - parse_utc_timestamp(self.updated_at) < _SILENCE
        except ValueError:
            return False

    @classmethod
    def read(cls, document: object) -> "LoadState":
        """Read what was written.

        Raises:
            LoadError: it is something else.
        """
        try:
            fields: Any = dict(document) if isinstance(document, Mapping) else {}
            state = cls(**{**fields, "status": LoadStatus(fields["status"])})
        except (KeyError, TypeError, ValueError) as error:
            raise LoadError("it is no record of a load") from error
        texts = (state.source, state.after, state.holder, state.began_at, state.updated_at)
        counts = (state.sent, state.passed, state.failed)
        if not all(isinstance(one, str) for one in texts) or not all(isinstance(one, int) for one in counts):
            raise LoadError("it is no record of a load")
        return state


class LoadRecord:
    """The record of the load of one source.

    Args:
        desk: the deployment.
        source: what is loaded, as a URI.
    """

    def __init__(self, desk: Desk, source: str) -> None:
        self._desk = desk
        self._source = source
        self._etag: str | None = None
        digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        readable = _NOT_IN_NAMES.sub("-", source.removeprefix("s3://")).strip("-")[-60:].strip("-")
        self.key = f"{LOAD_PREFIX}{readable}-{digest}.json"

    @property
    def uri(self) -> str:
        """Where it lies."""
        return s3_uri(self._desk.names.manifest_bucket, self.key)

    def read(self) -> LoadState | None:
        """Return how far the load came; None where it never began.

        Raises:
            LoadError: something else lies there.
            ClientError: S3 refused or failed.
        """
        try:
            answer = self._desk.s3.get_object(Bucket=self._desk.names.manifest_bucket, Key=self.key)
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        self._etag = answer["ETag"]
        try:
            return LoadState.read(json.loads(answer["Body"].read(_MOST_BYTES)))
        except (LoadError, ValueError) as error:
            raise LoadError(
                f"{self.uri} can't be read ({error}): delete it, and the load begins anew"
            ) from error

    def write(self, state: LoadState) -> LoadState:
        """Keep how far the load came, and return what is kept.

        Raises:
            LoadHeldError: somebody else wrote meanwhile.
            ClientError: S3 refused or failed.
        """
        state = replace(state, updated_at=utc_timestamp(self._desk.clock()))
        condition: Any = {"IfNoneMatch": "*"} if self._etag is None else {"IfMatch": self._etag}
        try:
            answer = self._desk.s3.put_object(
                Bucket=self._desk.names.manifest_bucket,
                Key=self.key,
                Body=json.dumps(asdict(state)).encode(),
                ContentType="application/json",
                **condition,
            )
        except ClientError as error:
            if error_code(error) not in _LOST:
                raise
            other = self.read()
            if other == state:
                # The answer to an earlier try was lost.
                return state
            who = other.holder if other is not None else "somebody"
            raise LoadHeldError(
                f"{who} goes on with the load of {self._source} since; this one has stopped, and nothing "
                "is lost"
            ) from error
        self._etag = answer["ETag"]
        return state
