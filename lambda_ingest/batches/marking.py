"""Marking: the files of a committed manifest get its path, once, whoever finds it undone."""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import Patience, Refusal, RemainingSeconds, Waits, refusal_of
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import (
    Item,
    cancellation_reasons,
    from_item,
    is_condition_failure,
    to_item,
)
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.manifest import ManifestFile
from lambda_ingest.contract.records import PENDING_DATE_ATTRIBUTE, FileStatus, manifest_record_key
from lambda_ingest.contract.rows import text_of, unchanged, whole_of
from lambda_ingest.files.file_records import size_in_mb
from lambda_ingest.files.identity import is_record_of
from lambda_ingest.files.overwrites import Overwritten

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# TransactWriteItems takes at most this many actions.
_ACTIONS_PER_TRANSACTION = 100


class MarkingContentionError(IngestError):
    """Other writers held the records at every attempt; the next builder or the sweeper goes on."""


class MarkingThrottledError(IngestError):
    """The table is throttled, and the time is up; the next builder or the sweeper goes on."""


class FileMarker:
    """Marks the files of committed manifests."""

    def __init__(self, table: Table, patience: Patience, *, input_prefix: str) -> None:
        self._table = table
        self._patience = patience
        self._input_prefix = input_prefix

    def mark(
        self,
        name: ManifestName,
        manifest_uri: str,
        files: Sequence[ManifestFile],
        remaining_seconds: RemainingSeconds,
    ) -> list[Overwritten]:
        """Mark every file, then the manifest's record; doing it again changes nothing.

        The record's flag is set in the last files' transaction, so that a flag never precedes a file.

        Returns:
            The files whose records stood for other content by now; their overwrite is recorded.

        Raises:
            MarkingContentionError: other writers held the records at every attempt.
            MarkingThrottledError: the table is throttled, and the time is up.
        """
        overwritten: list[Overwritten] = []
        for first in range(0, len(files), _ACTIONS_PER_TRANSACTION):
            chunk = files[first : first + _ACTIONS_PER_TRANSACTION]
            is_last = first + len(chunk) == len(files)
            has_room = len(chunk) < _ACTIONS_PER_TRANSACTION
            flag = [self._flag(name)] if is_last and has_room else []
            overwritten += self._mark_chunk(name, manifest_uri, chunk, flag, remaining_seconds)
            if is_last and not has_room:
                overwritten += self._mark_chunk(name, manifest_uri, (), [self._flag(name)], remaining_seconds)
        return overwritten

    def _mark_chunk(
        self,
        name: ManifestName,
        manifest_uri: str,
        files: Sequence[ManifestFile],
        flag: "list[TransactWriteItemTypeDef]",
        remaining_seconds: RemainingSeconds,
    ) -> list[Overwritten]:
        waits = self._patience.waits(remaining_seconds)
        overwritten: list[Overwritten] = []
        left = list(files)
        while True:
            actions = [self._mark_pending(name.date_prefix, manifest_uri, file) for file in left] + flag
            if not actions:
                return overwritten
            try:
                self._table.dynamodb.transact_write_items(TransactItems=actions)
            except ClientError as error:
                refusal, reasons = refusal_of(error), cancellation_reasons(error)
                if not reasons and refusal is not Refusal.THROTTLED:
                    raise
                still_left = []
                # A call that was throttled as a whole has no reasons, and refused no file by itself.
                for file, reason in zip(left, reasons or repeat({}), strict=False):
                    refused = reason.get("Code") == "ConditionalCheckFailed"
                    if refused and self._settle(name, manifest_uri, file, reason, overwritten):
                        continue
                    still_left.append(file)
                has_settled = len(still_left) < len(left)
                left = still_left
                # Where conditions alone refused, and their files are settled, there is nothing to wait for.
                if has_settled and refusal is None:
                    continue
                refusal = refusal or Refusal.CONTENDED
                if not waits.again(refusal):
                    raise _gave_up(refusal, len(left), manifest_uri, waits) from error
            else:
                return overwritten

    def _settle(
        self,
        name: ManifestName,
        manifest_uri: str,
        file: ManifestFile,
        reason: Mapping[str, Any],
        overwritten: list[Overwritten],
    ) -> bool:
        """Bring a file to its end whose record refused the mark; False where it should be tried again."""
        item = reason.get("Item")
        if not item:
            # Its record expired, or was removed by hand: there is nothing to mark.
            logger.warning("No record to mark", file_path=file.uri, manifest_path=manifest_uri)
            return True
        record = from_item(item)
        if not is_record_of(record, file.uri):
            logger.error(
                "The record of a listed file is another object's",
                file_path=file.uri,
                manifest_path=manifest_uri,
                recorded_file_path=record.get("file_path"),
            )
            return True
        if record.get("status") == FileStatus.MANIFESTED:
            if record.get("manifest_path") != manifest_uri:
                logger.error(
                    "A file is listed by a manifest other than the one its record names",
                    file_path=file.uri,
                    manifest_path=manifest_uri,
                    recorded_manifest_path=record.get("manifest_path"),
                )
            return True
        found = self._mark_overwritten(name.date_prefix, manifest_uri, file, record)
        if found is not None:
            overwritten.append(found)
        return found is not None

    def _mark_pending(
        self, date_prefix: str, manifest_uri: str, file: ManifestFile
    ) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self._table.name,
                "Key": to_item({"date_prefix": date_prefix, "file_key": file.record_key(self._input_prefix)}),
                "UpdateExpression": (
                    "SET #status = :manifested, manifest_path = :path, updated_at = :now, #ttl = :ttl "
                    f"REMOVE {PENDING_DATE_ATTRIBUTE}"
                ),
                # The path tells the record from one of the same name in another bucket.
                "ConditionExpression": "#status = :pending AND etag = :etag AND file_path = :uri",
                "ExpressionAttributeNames": {"#status": "status", "#ttl": "ttl"},
                "ExpressionAttributeValues": to_item(
                    {
                        **self._marked(manifest_uri),
                        ":pending": FileStatus.PENDING.value,
                        ":etag": file.etag,
                        ":uri": file.uri,
                    }
                ),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _mark_overwritten(
        self, date_prefix: str, manifest_uri: str, file: ManifestFile, record: Item
    ) -> Overwritten | None:
        """Mark a record that follows newer content: the manifest's content stands, the newer is told."""
        file_key = file.record_key(self._input_prefix)
        condition, placeholders, expected = unchanged(record, "status", "etag")
        kept = "version_id = :version, " if file.version_id is not None else ""
        removed = "" if file.version_id is not None else ", version_id"
        try:
            self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key=to_item({"date_prefix": date_prefix, "file_key": file_key}),
                UpdateExpression=(
                    "SET #status = :manifested, manifest_path = :path, updated_at = :now, #ttl = :ttl, "
                    f"etag = :listed, file_size_bytes = :size, file_size_mb = :size_mb, {kept}"
                    "overwritten_etag = :found, overwritten_size_bytes = :found_size, overwritten_at = :now, "
                    f"overwrite_alert_due = :yes REMOVE {PENDING_DATE_ATTRIBUTE}{removed}"
                ),
                ConditionExpression=condition,
                ExpressionAttributeNames={**placeholders, "#status": "status", "#ttl": "ttl"},
                ExpressionAttributeValues=to_item(
                    {
                        **self._marked(manifest_uri),
                        **expected,
                        ":listed": file.etag,
                        ":size": file.size_bytes,
                        ":size_mb": size_in_mb(file.size_bytes),
                        ":version": file.version_id,
                        # A row of another shape has no content to tell of; it counts as changed all the same.
                        ":found": text_of(record, "etag") or "unknown",
                        ":found_size": whole_of(record, "file_size_bytes") or 0,
                        ":yes": True,
                    }
                ),
            )
        except ClientError as error:
            if not is_condition_failure(error) and refusal_of(error) is not Refusal.CONTENDED:
                raise
            logger.info("A record changed again while it was marked", file_path=file.uri)
            return None
        return Overwritten(date_prefix, file_key, file.uri, text_of(record, "etag") or "unknown")

    def _flag(self, name: ManifestName) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self._table.name,
                "Key": to_item(
                    {"date_prefix": name.date_prefix, "file_key": manifest_record_key(name.filename)}
                ),
                # The run may have begun meanwhile, so nothing but the flag is touched.
                "UpdateExpression": "SET files_marked = :yes",
                "ConditionExpression": "attribute_exists(file_key)",
                "ExpressionAttributeValues": to_item({":yes": True}),
            }
        }

    def _marked(self, manifest_uri: str) -> Item:
        now = self._table.clock()
        return {
            ":manifested": FileStatus.MANIFESTED.value,
            ":path": manifest_uri,
            ":now": utc_timestamp(now),
            ":ttl": self._table.expiry(now),
        }


def _gave_up(refusal: Refusal, files: int, manifest_uri: str, waits: Waits) -> IngestError:
    """Say why marks were given up: throttling asks for capacity, contention for nothing."""
    said = f"{files} files of {manifest_uri} could not be marked, refused {waits}"
    then = "the next builder of the date or the sweeper goes on"
    if refusal is Refusal.THROTTLED:
        return MarkingThrottledError(f"{said}; the table is throttled: raise its write capacity; {then}")
    return MarkingContentionError(f"{said}, for other writers held their records; {then}")
