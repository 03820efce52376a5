"""The dataset's schema contract: its columns with their history, one object in S3."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import SchemaContractError
from glue_jobs.schema.document import (
    COLUMNS_ADDED,
    is_count,
    read_hints,
    read_history,
    read_types,
    type_document,
)
from glue_jobs.schema.paths import ITEMS, VALUES, member_path
from glue_jobs.schema.types import Kind
from lambda_ingest.contract.dates import utc_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

    from glue_jobs.schema.types import ColumnType

logger = logging.getLogger(__name__)

_FORMAT: Final = 2
_TRIES: Final = 50
# Hundreds of versions, each with the names of its manifests.
_MOST_BYTES: Final = 64 * 1_048_576
# The write's condition did not hold: another was faster or is under way, or the object is gone meanwhile.
_LOST: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409"})


@dataclass(frozen=True)
class SchemaContract:
    """The columns of a dataset; a column's type changes only by hand once it is here (`schema.change`).

    Attributes:
        types: column to type, in the order of the output.
        has_rescued: whether there is a `_rescued` column.
        version: 0 where nothing is written yet.
        history: what each version came from, oldest first, as it is stored.
        hints: path to the type that the place gets when it first gets a column, as text.
        generation: how often a column was changed by hand; files of an older one are to be made anew.
    """

    types: Mapping[str, ColumnType] = field(default_factory=dict)
    has_rescued: bool = False
    version: int = 0
    history: tuple[Mapping[str, Any], ...] = ()
    hints: Mapping[str, str] = field(default_factory=dict)
    generation: int = 0

    def extended(
        self,
        types: Mapping[str, ColumnType],
        has_rescued: bool,
        manifests: Sequence[str],
        now: datetime,
        job_run_id: str | None = None,
    ) -> SchemaContract:
        """Return the next version; this one where nothing is new.

        Args:
            types: these columns, with new ones or new members.
            has_rescued: whether there is something in `_rescued`.
            manifests: URIs of the manifests that bring it.
            now: the instant, aware.
            job_run_id: Glue's id of the run that brings it; None by hand.
        """
        added = [
            path
            for name, found in types.items()
            for path in _added(member_path("", name), self.types.get(name), found)
        ]
        gains_rescued = has_rescued and not self.has_rescued
        if not added and not gains_rescued:
            return self
        entry = {
            "version": self.version + 1,
            "kind": COLUMNS_ADDED,
            "written_at": utc_timestamp(now),
            "added": added,
            "adds_rescued": gains_rescued,
            "manifests": list(manifests),
            **({} if job_run_id is None else {"job_run_id": job_run_id}),
        }
        return replace(
            self,
            types=types,
            has_rescued=self.has_rescued or has_rescued,
            version=self.version + 1,
            history=(*self.history, entry),
        )

    def to_json(self) -> bytes:
        """Write the document."""
        document = {
            "format": _FORMAT,
            "version": self.version,
            "generation": self.generation,
            "has_rescued": self.has_rescued,
            "columns": [{"name": name, "type": type_document(found)} for name, found in self.types.items()],
            "hints": dict(self.hints),
            "history": list(self.history),
        }
        return json.dumps(document, ensure_ascii=False, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> SchemaContract:
        """Read a document.

        Raises:
            ValueError: it is none; says what is wrong.
        """
        try:
            document = json.loads(content)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if not isinstance(document, dict):
            raise ValueError(f"expected a JSON object, got {type(document).__name__}")  # noqa: TRY004
        found = document.get("format")
        if isinstance(found, bool) or found != _FORMAT:
            raise ValueError(f"format {str(found)[:100]}, and this job knows {_FORMAT} alone")
        version, has_rescued = document.get("version"), document.get("has_rescued")
        if not isinstance(version, int) or not is_count(version) or not isinstance(has_rescued, bool):
            raise ValueError("'version' must be a whole number, and 'has_rescued' true or false")
        generation = document.get("generation")
        if not isinstance(generation, int) or not is_count(generation) or generation > version:
            raise ValueError("'generation' must be a whole number, at most the version")
        return cls(
            read_types(document.get("columns")),
            has_rescued,
            version,
            read_history(document.get("history"), version),
            read_hints(document.get("hints")),
            generation,
        )


class SchemaContractStore:
    """Where a dataset's contract lies.

    Args:
        client: S3.
        manifest_bucket: has the contract.
        output_bucket: has the dataset.
        prefix: folder above the dates' folders; may be empty.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        client: S3Client,
        manifest_bucket: str,
        output_bucket: str,
        prefix: str,
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        self._bucket = manifest_bucket
        self._key = "/".join(part for part in ("schemas", output_bucket, prefix, "schema.json") if part)
        self._sleep = sleep

    @property
    def uri(self) -> str:
        """The contract's S3 URI."""
        return f"s3://{self._bucket}/{self._key}"

    def read(self) -> SchemaContract:
        """Return the contract; an empty one where there is none yet.

        Raises:
            SchemaContractError: it can't be read.
        """
        return self._read()[0]

    def extend(self, change: Callable[[SchemaContract], SchemaContract]) -> SchemaContract:
        """Extend the contract so that nothing another run adds at the same time is lost.

        Args:
            change: makes the next version of one; called again with what another run wrote.

        Returns:
            The contract as it lies there.

        Raises:
            SchemaContractError: it can't be read or written.
        """
        for attempt in range(_TRIES):
            current, etag = self._read()
            wanted = change(current)
            if wanted is current:
                return current
            if self._write(wanted, etag):
                logger.info("%s is now at version %d", self.uri, wanted.version)
                return wanted
            self._sleep(min(1.0, 0.02 * attempt))
        raise SchemaContractError(f"{self.uri} changed {_TRIES} times while it was extended; run again")

    def _read(self) -> tuple[SchemaContract, str | None]:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key)
            # Of a larger one only a part is read, which is no document.
            with answer["Body"] as body:
                return SchemaContract.from_json(body.read(_MOST_BYTES)), answer["ETag"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return SchemaContract(), None
            raise SchemaContractError(f"the schema contract {self.uri} can't be read: {error}") from error
        except BotoCoreError as error:
            raise SchemaContractError(f"the schema contract {self.uri} can't be read: {error}") from error
        except ValueError as error:
            raise SchemaContractError(
                f"{self.uri} is no schema contract ({error}); nothing was written over it: restore an "
                "earlier version of the object"
            ) from error

    def _write(self, contract: SchemaContract, etag: str | None) -> bool:
        """Return whether it is written; not where another run was faster."""
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=contract.to_json(),
                ContentType="application/json",
                **condition,  # type: ignore[arg-type]
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _LOST:
                return False
            raise SchemaContractError(f"the schema contract {self.uri} can't be written: {error}") from error
        except BotoCoreError as error:
            raise SchemaContractError(f"the schema contract {self.uri} can't be written: {error}") from error
        return True


def _added(path: str, known: ColumnType | None, found: ColumnType) -> list[str]:
    """Return paths of what is new, such as `user.tags[]`."""
    if known is None:
        return [path]
    if found.kind is Kind.STRUCT:
        return [
            added
            for name, member in found.members
            for added in _added(member_path(path, name), known.by_name.get(name), member)
        ]
    if found.item is not None:
        return _added(path + (ITEMS if found.kind is Kind.LIST else VALUES), known.item, found.item)
    return []
