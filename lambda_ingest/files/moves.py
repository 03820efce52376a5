"""Moves that wait: refused objects whose copy takes longer than the builder has, left to the sweeper.

builder  record quarantined ─▶ an item of `MOVES#quarantine`
sweeper    └─ copy ─▶ remove the source ─▶ remove the item
           └─ too large for a whole sweep: it stays, and its record says so

The object stays in its place until then. The items are of no date and in no index.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.objects import head_object
from lambda_ingest.aws.patience import RESERVED_SECONDS, RemainingSeconds
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import Item, from_item, is_condition_failure, to_item
from lambda_ingest.contract.keys import split_s3_uri
from lambda_ingest.contract.records import MOVES_PARTITION, FileStatus
from lambda_ingest.contract.rows import text_of, whole_of
from lambda_ingest.contract.text import printable
from lambda_ingest.contract.validation import RefusedFile
from lambda_ingest.files.copies import CopyTimeError, QuarantineCopies, seconds_for
from lambda_ingest.files.identity import own_key
from lambda_ingest.files.removal import remove_source

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class _Move:
    """An item, read."""

    file_key: str
    source: ObjectCreated
    reason: str
    date_prefix: str
    record_key: str


@dataclass
class Moved:
    """What a sweep did of the moves.

    Attributes:
        moved: URIs of objects that lie in the quarantine bucket now.
        left: URIs of those that wait for the next sweep.
        stay: URIs of those that no sweep has the time for.
        failed: URIs of those that failed, each with the error.
    """

    moved: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    stay: list[str] = field(default_factory=list)
    failed: list[tuple[str, Exception]] = field(default_factory=list)


class QuarantineMoves:
    """Keeps and does the moves that wait."""

    def __init__(self, table: Table, s3: "S3Client", copies: QuarantineCopies) -> None:
        self._table = table
        self._s3 = s3
        self._copies = copies

    def leave(self, refused: RefusedFile) -> None:
        """Leave a refused file to the sweeper; its record says quarantined already."""
        source = refused.object
        self._table.dynamodb.put_item(
            TableName=self._table.name,
            Item=to_item(
                {
                    "date_prefix": MOVES_PARTITION,
                    "file_key": own_key(source),
                    "file_path": source.uri,
                    "etag": source.etag,
                    "file_size_bytes": source.size_bytes,
                    "reason": printable(refused.reason),
                    "record_date_prefix": refused.date_prefix,
                    "record_file_key": refused.file_key,
                    "created_at": utc_timestamp(self._table.clock()),
                }
            ),
        )
        logger.info("Left a large refused object to the sweeper", uri=source.uri, bytes=source.size_bytes)

    def work(self, result: Moved, remaining_seconds: RemainingSeconds, whole_seconds: float) -> None:
        """Do as many moves as the time allows; each fails alone.

        Args:
            result: gets what is done as it is done.
            remaining_seconds: of the sweep.
            whole_seconds: how long a sweep has in all.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        for item in self._items():
            move = _move(item)
            if move is None:
                logger.warning("Skipped a move of another shape", file_key=item.get("file_key"))
                continue
            needed = seconds_for(move.source.size_bytes)
            try:
                if needed > whole_seconds - RESERVED_SECONDS:
                    self._stay(move, whole_seconds)
                    result.stay.append(move.source.uri)
                elif needed > remaining_seconds() - RESERVED_SECONDS:
                    result.left.append(move.source.uri)
                elif self._do(move, remaining_seconds):
                    result.moved.append(move.source.uri)
            except CopyTimeError:
                result.left.append(move.source.uri)
            except (BotoCoreError, ClientError, IngestError) as error:
                logger.exception("A refused object could not be moved; the next sweep tries again")
                result.failed.append((move.source.uri, error))

    def _items(self) -> Iterator[Item]:
        pages = self._table.dynamodb.get_paginator("query").paginate(
            TableName=self._table.name,
            KeyConditionExpression="date_prefix = :moves",
            ExpressionAttributeValues=to_item({":moves": MOVES_PARTITION}),
        )
        for page in pages:
            for raw in page["Items"]:
                yield from_item(raw)

    def _do(self, move: _Move, remaining_seconds: RemainingSeconds) -> bool:
        """Move one object; False where it is refused no more, or has other content by now."""
        source = move.source
        present = head_object(self._s3, source.bucket, source.key)
        # Asked first, so that no large copy is begun in vain.
        if present is None or present.etag != source.etag or not self._is_refused(move):
            self._forget(move)
            return False
        key = self._copies.copy(source, move.reason, remaining_seconds)
        # A copy takes a while, in which the file may have been accepted after all.
        has_copy = key is not None and self._is_refused(move)
        if has_copy:
            remove_source(self._s3, source)
            logger.warning("Moved a refused object", uri=source.uri, quarantine_key=key)
        self._forget(move)
        return has_copy

    def _is_refused(self, move: _Move) -> bool:
        record = self._table.read(move.date_prefix, move.record_key)
        return (
            record is not None
            and record.get("file_path") == move.source.uri
            and (
                (record.get("status"), record.get("etag")) == (FileStatus.QUARANTINED, move.source.etag)
                # Refused content that came over a batch is recorded beside it.
                or record.get("overwritten_etag") == move.source.etag
            )
        )

    def _stay(self, move: _Move, whole_seconds: float) -> None:
        said = (
            f"it stays where it is: its {move.source.size_bytes} bytes take longer to copy than a sweep's "
            f"{whole_seconds:.0f} s; give the sweeper more time, or move it by hand"
        )
        logger.error("A refused object is too large to be moved", uri=move.source.uri, reason=said)
        try:
            self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key=to_item({"date_prefix": move.date_prefix, "file_key": move.record_key}),
                UpdateExpression="SET reason = :reason, updated_at = :now",
                ConditionExpression="#status = :quarantined AND etag = :etag",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item(
                    {
                        ":reason": printable(f"{move.reason}; {said}"),
                        ":now": utc_timestamp(self._table.clock()),
                        ":quarantined": FileStatus.QUARANTINED.value,
                        ":etag": move.source.etag,
                    }
                ),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
        self._forget(move)

    def _forget(self, move: _Move) -> None:
        """Remove an item, unless the builder left another content of the object meanwhile."""
        try:
            self._table.dynamodb.delete_item(
                TableName=self._table.name,
                Key=to_item({"date_prefix": MOVES_PARTITION, "file_key": move.file_key}),
                ConditionExpression="etag = :etag",
                ExpressionAttributeValues=to_item({":etag": move.source.etag}),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise


def _move(item: Item) -> _Move | None:
    """Read an item; None where it is of another shape."""
    texts: dict[str, Any] = {
        name: text_of(item, name)
        for name in ("file_key", "file_path", "etag", "record_date_prefix", "record_file_key")
    }
    size = whole_of(item, "file_size_bytes")
    if size is None or not all(texts.values()):
        return None
    try:
        bucket, key = split_s3_uri(texts["file_path"])
    except ValueError:
        return None
    return _Move(
        file_key=texts["file_key"],
        source=ObjectCreated(bucket, key, size, texts["etag"]),
        reason=text_of(item, "reason") or "no reason",
        date_prefix=texts["record_date_prefix"],
        record_key=texts["record_file_key"],
    )
