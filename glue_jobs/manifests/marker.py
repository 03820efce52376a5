"""Who makes a manifest's output visible: of two runs that would name its files differently, one at a time.

Each removes what the manifest's output has besides its own files. So two at once would remove each other's.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import CommitHeldError, OutputWriteError
from lambda_ingest.contract.dates import parse_utc_timestamp, utc_timestamp
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

    from lambda_ingest.contract.keys import ManifestName

logger = logging.getLogger(__name__)

# Longer than a request with all of its tries. A run that dies holds up one with other names for so long, and
# its own retry not at all.
HELD_FOR: Final = timedelta(minutes=15)
# In the second half the marker is asked for before each step: what is under way then ends within the time.
_SURE_FOR: Final = HELD_FOR / 2
HELD: Final = "held"
COMMITTED: Final = "committed"
GIVEN_UP: Final = "given up"
_FORMAT: Final = 1
_TRIES: Final = 10
# 10,000 keys as long as keys may be.
_MOST_BYTES: Final = 16 * 1_048_576
# S3's answers to a put whose condition does not hold, or no longer; 404 where the object is gone.
_LOST: Final = frozenset(
    {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404"}
)


@dataclass(frozen=True)
class Holding:
    """What a marker says.

    Attributes:
        run: who has it, for people.
        token: who has it, without doubt.
        codec: of its files.
        keys: of its output files, those of parts without rows too.
        until: others take it over after this, aware.
        state: `held`, `committed` once all is done, or `given up`.
    """

    run: str
    token: str
    codec: str
    keys: frozenset[str]
    until: datetime
    state: str = HELD

    def to_json(self) -> bytes:
        """Write the marker."""
        document = {
            "format": _FORMAT,
            "run": self.run,
            "token": self.token,
            "codec": self.codec,
            "keys": sorted(self.keys),
            "until": utc_timestamp(self.until),
            "state": self.state,
        }
        return json.dumps(document, ensure_ascii=False).encode(errors="backslashreplace")

    @classmethod
    def from_json(cls, content: bytes) -> Holding:
        """Read a marker; others can write its bucket, too.

        Raises:
            ValueError: it is none.
        """
        try:
            document = json.loads(content)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise ValueError(f"expected an object of format {_FORMAT}")
        run, token, codec, until, state = (
            _text(document, name) for name in ("run", "token", "codec", "until", "state")
        )
        keys = document.get("keys")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise ValueError("'keys' must be a list of text")
        if state not in {HELD, COMMITTED, GIVEN_UP}:
            raise ValueError(f"'state' must be {HELD}, {COMMITTED} or {GIVEN_UP}")
        return cls(run, token, codec, frozenset(keys), parse_utc_timestamp(until), state)


class CommitMarker:
    """A manifest's marker, and this run's hold on it.

    Costs two calls where nobody was there before: one to take it, one to let go.

    Args:
        client: S3.
        bucket: the manifest bucket.
        output_bucket: has the dataset.
        prefix: folder above the dates' folders; may be empty.
        name: of the manifest.
        own: what this run puts there; its `until` is set at each put.
        now: the clock, aware.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        output_bucket: str,
        prefix: str,
        name: ManifestName,
        own: Holding,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._bucket = bucket
        parts = ("schemas", output_bucket, prefix, "commits", name.filename)
        self._key = "/".join(part for part in parts if part)
        self._own = own
        self._now = now
        self._etag: str | None = None
        self._lost_to: Holding | None = None

    @property
    def uri(self) -> str:
        """The marker's S3 URI."""
        return s3_uri(self._bucket, self._key)

    @property
    def lost_to(self) -> Holding | None:
        """What the run holds that took the marker over from this one; None where none is known."""
        return self._lost_to

    def take(self) -> None:
        """Take the marker where nobody has it, where its time is over, or where the names are the same.

        Raises:
            CommitHeldError: another run has it.
            OutputWriteError: S3 refuses, or what lies there is no marker.
        """
        if self._put(None):
            return
        for _ in range(_TRIES):
            found, etag = self._read()
            if found is not None and found.token == self._own.token:
                # The put happened, and its answer was lost.
                self._own, self._etag = found, etag
                return
            if found is not None and not self._may_take(found):
                raise CommitHeldError(
                    f"{_described(found)} is making its output visible, as {found.codec}; convert it again "
                    f"when that run has ended, or after {utc_timestamp(found.until)} if it died ({self.uri})"
                )
            if self._put(etag):
                return
        raise CommitHeldError(f"{self.uri} changed hands {_TRIES} times; convert the manifest again")

    def keep(self) -> None:
        """Make sure of the marker where its time may be over; costs nothing before.

        Raises:
            CommitHeldError: another run took it over.
            OutputWriteError: S3 refuses.
        """
        if self._now() >= self._own.until - _SURE_FOR:
            self.confirm()

    def confirm(self) -> None:
        """Make sure of the marker, and hold it for longer.

        Raises:
            CommitHeldError: another run took it over.
            OutputWriteError: S3 refuses.
        """
        etag = self._etag
        for _ in range(_TRIES):
            if self._put(etag):
                return
            found, etag = self._read()
            if found is None:
                raise CommitHeldError(f"its marker {self.uri} was removed meanwhile; convert it again")
            if found.token == self._own.token:
                self._own, self._etag = found, etag
                return
            if found.keys != self._own.keys:
                self._lost_to = found
                raise CommitHeldError(f"{_described(found)} took over meanwhile, as {found.codec}")
            # A run that writes the same names harms nobody: neither removes what the other wrote.
        raise CommitHeldError(f"{self.uri} changed hands {_TRIES} times; convert the manifest again")

    def release(self, state: str) -> None:
        """Let go of the marker; failing to is logged, for its time ends by itself.

        Args:
            state: `COMMITTED` or `GIVEN_UP`.
        """
        try:
            if not self._put(self._etag, state):
                logger.info("%s was taken over before it was released", self.uri)
        except OutputWriteError as error:
            logger.warning("%s stays held for %s: %s", self.uri, HELD_FOR, error)

    def _may_take(self, found: Holding) -> bool:
        return found.state != HELD or found.until <= self._now() or found.keys == self._own.keys

    def _put(self, etag: str | None, state: str = HELD) -> bool:
        """Return whether the marker is written over that of an ETag, or as the first one."""
        own = replace(self._own, until=self._now() + HELD_FOR, state=state)
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=own.to_json(),
                ContentType="application/json",
                **condition,  # type: ignore[arg-type]
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _LOST:
                return False
            raise OutputWriteError(f"the marker {self.uri} can't be written: {error}") from error
        except BotoCoreError as error:
            raise OutputWriteError(f"the marker {self.uri} can't be written: {error}") from error
        self._own, self._etag = own, answer["ETag"]
        return True

    def _read(self) -> tuple[Holding | None, str | None]:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key)
            with answer["Body"] as body:
                found = Holding.from_json(body.read(_MOST_BYTES))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return None, None
            raise OutputWriteError(f"the marker {self.uri} can't be read: {error}") from error
        except BotoCoreError as error:
            raise OutputWriteError(f"the marker {self.uri} can't be read: {error}") from error
        except ValueError as error:
            raise OutputWriteError(
                f"{self.uri} is no marker of a commit ({printable(str(error))}); make sure that no run is at "
                "this manifest, and remove the object"
            ) from error
        return found, answer["ETag"]


def _described(holding: Holding) -> str:
    return f"run {printable(holding.run, 200)}"


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name!r} must be text")  # noqa: TRY004 - the document is wrong
    return value
