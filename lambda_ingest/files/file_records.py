"""File records as tracker and quarantine write them, every write under a condition."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import Patience, RemainingSeconds
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import Item, is_condition_failure, item_of_failure, to_item
from lambda_ingest.contract.records import BYTES_PER_MB, FileStatus
from lambda_ingest.contract.rows import unchanged
from lambda_ingest.contract.validation import AcceptedFile, RefusedFile
from lambda_ingest.files.identity import is_record_of, own_key
from lambda_ingest.files.loaded import LoadedFiles
from lambda_ingest.files.overwrites import Overwritten

File = TypeVar("File", AcceptedFile, RefusedFile)


class RecordContentionError(IngestError):
    """A record changed at every attempt to write it; the message is worth a retry."""


class ForeignRecordError(IngestError):
    """The sort key that only one object can have is used by the record of another."""


class FileRecords:
    """Reads and writes the records of files."""

    def __init__(self, table: Table, loaded: LoadedFiles, patience: Patience) -> None:
        self._table = table
        self._loaded = loaded
        self._patience = patience

    def read(self, file: AcceptedFile | RefusedFile) -> Item | None:
        """Return what stands under a file's sort key, strongly read."""
        return self._table.read(file.date_prefix, file.file_key)

    def beside_others(self, file: File, existing: Item) -> File:
        """Return a file with the sort key of its own, where another object's record stands under its key.

        Raises:
            ForeignRecordError: it has that key already.
        """
        key = own_key(file.object)
        if file.file_key == key:
            raise ForeignRecordError(
                f"the record {file.date_prefix} / {key} is that of {existing.get('file_path')!r}, and can "
                f"only be that of {file.object.uri}; remove it"
            )
        return replace(file, file_key=key)

    def restored(
        self, file: File, now: datetime, remaining_seconds: RemainingSeconds
    ) -> tuple[File, Item | None]:
        """Return the record of an old date's file, written again where a manifest lists the file.

        Its first record may have expired, and what was loaded must not be loaded again. Of other dates
        nothing is read: None says only that the put will tell.

        Returns:
            The file, with the sort key that its record has or shall have; and that record.

        Raises:
            ClientError: DynamoDB or S3 refused or failed.
            LoadedUnknownError: the time did not reach for what the date has loaded.
            UnreadKeysError: the table is throttled, and the time is up.
        """
        if not self._loaded.is_needed(file.date_prefix, now):
            return file, None
        plain, own, uri = file.file_key, own_key(file.object), file.object.uri
        # The plain one's record may have expired, and that of its own not: what is open never does.
        waits = self._patience.waits(remaining_seconds)
        found = {
            item["file_key"]: item for item in self._table.read_many(file.date_prefix, (own, plain), waits)
        }
        for key in (own, plain):
            if key in found and is_record_of(found[key], uri):
                return replace(file, file_key=key), found[key]
        loaded = self._loaded.find(file.date_prefix, uri, remaining_seconds)
        is_beside = plain in found or (loaded is not None and loaded.file.file_key == own)
        file = replace(file, file_key=own if is_beside else plain)
        if loaded is None:
            return file, None
        listed = replace(
            file.object,
            size_bytes=loaded.file.size_bytes,
            etag=loaded.file.etag,
            version_id=loaded.file.version_id,
        )
        values = {
            **self.attributes(replace(file, object=listed), now),
            "status": FileStatus.MANIFESTED.value,
            "manifest_path": loaded.manifest_path,
            "ttl": self._table.expiry(now),
        }
        logger.info("Wrote an expired record again", uri=uri, manifest_path=loaded.manifest_path)
        return file, self.put_if_absent(values) or values

    def put_if_absent(self, values: Item) -> Item | None:
        """Put a record, and return None; or return the one that is there."""
        try:
            self._table.dynamodb.put_item(
                TableName=self._table.name,
                Item=to_item(values),
                ConditionExpression="attribute_not_exists(file_key)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            existing = item_of_failure(error)
            if not is_condition_failure(error) or existing is None:
                raise
            # A put that took effect and then timed out is refused by its own record at the retry.
            is_own = all(existing.get(name) == values[name] for name in ("status", "etag", "created_at"))
            return None if is_own and existing.get("file_path") == values["file_path"] else existing
        return None

    def put_if_unchanged(self, values: Item, existing: Item) -> bool:
        """Put a record over one that is as it was read in status and content; False where it is not."""
        condition, placeholders, expected = unchanged(existing, "status", "etag", "file_path")
        # DynamoDB refuses values that are none.
        request: dict[str, Any] = {"ExpressionAttributeValues": to_item(expected)} if expected else {}
        try:
            self._table.dynamodb.put_item(
                TableName=self._table.name,
                Item=to_item(values),
                ConditionExpression=condition,
                ExpressionAttributeNames=placeholders,
                **request,
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return False
        return True

    def note_overwrite(self, file: AcceptedFile | RefusedFile, existing: Item, now: datetime) -> bool:
        """Note new content beside a manifested record, to be told; False where that changed meanwhile."""
        condition, placeholders, expected = unchanged(existing, "status", "etag")
        try:
            self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key=to_item({"date_prefix": file.date_prefix, "file_key": file.file_key}),
                UpdateExpression=(
                    "SET overwritten_etag = :new, overwritten_at = :now, overwritten_size_bytes = :size, "
                    "overwrite_alert_due = :yes, updated_at = :now"
                ),
                ConditionExpression=condition,
                ExpressionAttributeNames=placeholders,
                ExpressionAttributeValues=to_item(
                    {
                        **expected,
                        ":new": file.object.etag,
                        ":now": utc_timestamp(now),
                        ":size": file.object.size_bytes,
                        ":yes": True,
                    }
                ),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return False
        return True

    def attributes(self, file: AcceptedFile | RefusedFile, now: datetime) -> Item:
        """Return what every record of a file bears."""
        created, instant = file.object, utc_timestamp(now)
        return {
            "date_prefix": file.date_prefix,
            "file_key": file.file_key,
            "file_path": created.uri,
            "file_size_mb": size_in_mb(created.size_bytes),
            "file_size_bytes": created.size_bytes,
            "etag": created.etag,
            "version_id": created.version_id,
            "created_at": instant,
            "updated_at": instant,
        }


def overwrite_due(file: AcceptedFile | RefusedFile, existing: Item) -> Overwritten | None:
    """Return the overwrite that a record holds and that nobody was told of yet; pure."""
    etag = existing.get("overwritten_etag")
    if not existing.get("overwrite_alert_due") or not isinstance(etag, str):
        return None
    return Overwritten(file.date_prefix, file.file_key, file.object.uri, etag)


def is_known_content(etag: str, existing: Item) -> bool:
    """Tell whether content is that which a record stands for, under either entity tag; pure."""
    return etag in (existing.get("etag"), existing.get("alias_etag"))


def size_in_mb(size_bytes: int) -> Decimal:
    """Return a size in MB of 1,048,576 bytes, exact to 9 decimals, which tells single bytes apart."""
    return round(Decimal(size_bytes) / BYTES_PER_MB, 9)
