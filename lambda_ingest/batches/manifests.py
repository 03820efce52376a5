"""Manifests: the object in S3, and the record in the tracking table that commits it."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import Patience, RemainingSeconds, refusal_of
from lambda_ingest.aws.table import Table
from lambda_ingest.batches.lock import DateLock, DateLocks
from lambda_ingest.contract.commitment import records_may_be_gone
from lambda_ingest.contract.dates import parse_utc_timestamp, utc_timestamp
from lambda_ingest.contract.errors import ContractError, ManifestKeyError
from lambda_ingest.contract.items import cancellation_reasons, error_code, from_item, to_item
from lambda_ingest.contract.keys import LAST_SEQUENCE, MANIFEST_PREFIX, ManifestName, s3_uri, split_s3_uri
from lambda_ingest.contract.manifest import Manifest, ManifestFile, digest_of
from lambda_ingest.contract.records import (
    MANIFEST_FILE_KEY_PREFIX,
    MANIFEST_SHA256_ATTRIBUTE,
    ManifestStatus,
    manifest_record_key,
)
from lambda_ingest.errors import SequenceExhaustedError
from lambda_ingest.files.tracking import size_in_mb

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# An object older than this is left to the sweep, which removes what is a day old and no record names. The
# rest of the day is far longer than any builder lives between its object and its commit.
_REUSABLE_AGE = timedelta(hours=1)


@dataclass(frozen=True)
class NewestManifest:
    """The newest committed manifest of a date.

    Attributes:
        name: its name; the next one's counter is one higher.
        uri: its object.
        files_marked: whether every file it lists bears its mark.
        created_at: when it was committed, aware; None where its record does not say.
    """

    name: ManifestName
    uri: str
    files_marked: bool
    created_at: datetime | None


class ManifestStore:
    """Writes and reads manifests of one bucket and table."""

    def __init__(
        self,
        table: Table,
        s3: "S3Client",
        locks: DateLocks,
        patience: Patience,
        *,
        bucket: str,
    ) -> None:
        self._table = table
        self._patience = patience
        self._s3 = s3
        self._locks = locks
        self._bucket = bucket

    def newest(self, date_prefix: str) -> NewestManifest | None:
        """Return a date's newest committed manifest by a strong read, or None before its first."""
        request: dict[str, Any] = {}
        while True:
            response = self._table.dynamodb.query(
                TableName=self._table.name,
                KeyConditionExpression="date_prefix = :date AND begins_with(file_key, :manifest)",
                ExpressionAttributeValues=to_item(
                    {":date": date_prefix, ":manifest": MANIFEST_FILE_KEY_PREFIX + "manifest-"}
                ),
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=1,
                **request,
            )
            for raw in response["Items"]:
                item = from_item(raw)
                filename = item["file_key"].removeprefix(MANIFEST_FILE_KEY_PREFIX)
                try:
                    name = ManifestName.parse(filename)
                except ValueError as error:
                    logger.warning("Skipped a manifest record of another shape", reason=str(error))
                    continue
                # A record without the mark was written by another tool, which owes its files nothing here.
                is_marked = bool(item.get("files_marked", True))
                return NewestManifest(name, self.uri(name), is_marked, _instant(item.get("created_at")))
            if "LastEvaluatedKey" not in response:
                return None
            request = {"ExclusiveStartKey": response["LastEvaluatedKey"]}

    def last_number(self, date_prefix: str, newest: NewestManifest | None) -> int:
        """Return the highest number that a date has used; the next manifest's is one higher.

        The records of an old date may have expired, and a number must not be given twice: there the objects
        are asked, too, from the newest record's on.
        """
        number = 0 if newest is None else newest.name.sequence
        if not records_may_be_gone(date_prefix, self._table.ttl, self._table.clock()):
            return number
        folder = f"{MANIFEST_PREFIX}{date_prefix}/"
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=folder, StartAfter=ManifestName(date_prefix, number, "f" * 8).key
        )
        for page in pages:
            for entry in page.get("Contents", []):
                try:
                    number = max(number, ManifestName.parse(entry["Key"].removeprefix(folder)).sequence)
                except ManifestKeyError:
                    # Another tool's object; it takes no number.
                    continue
        return number

    def uri(self, name: ManifestName) -> str:
        """Return where a manifest's object lies."""
        return s3_uri(self._bucket, name.key)

    def plan(self, date_prefix: str, sequence: int, files: tuple[ManifestFile, ...]) -> Manifest:
        """Name the manifest of these files; its digest tells it from any other with the same counter.

        Raises:
            SequenceExhaustedError: the date's counter is used up.
        """
        if sequence > LAST_SEQUENCE:
            raise SequenceExhaustedError(
                f"{date_prefix} has {LAST_SEQUENCE} manifests, as many as their names can count; "
                "raise MAX_FILES_PER_MANIFEST, and give further files another date"
            )
        name = ManifestName(date_prefix, sequence, digest_of(date_prefix, sequence, files))
        return Manifest(name, utc_timestamp(self._table.clock()), files)

    def put_object(self, manifest: Manifest) -> str | None:
        """Write the object, once: nobody references it before the commit, and nothing changes it after.

        Returns:
            The SHA-256 of the object's exact bytes, in hex; those of a dead builder's object, where that left
            the same batch. None where the batch needs another number: what lies under the key is no such
            object, or is so old that a sweep may be about to remove it.

        Raises:
            ClientError: S3 refused or failed.
        """
        content = manifest.to_json()
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=manifest.name.key,
                Body=content,
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error_code(error) not in {"PreconditionFailed", "412"}:
                raise
            return self._adopt(manifest)
        return _sha256(content)

    def _adopt(self, manifest: Manifest) -> str | None:
        """Return the SHA-256 of the object that a dead builder, or our own put before a retry, left."""
        existing, modified_at = self._read_object(self.uri(manifest.name))
        created_at = _created_at(existing)
        # Nothing but the time may differ, or the commit would vouch for what another wrote.
        if created_at is None or replace(manifest, created_at=created_at).to_json() != existing:
            logger.error(
                "An object of other content lies under a manifest's key; the batch takes another number",
                manifest_path=self.uri(manifest.name),
            )
            return None
        is_young = self._table.clock() - modified_at < _REUSABLE_AGE
        return _sha256(existing) if is_young else None

    def commit(
        self, manifest: Manifest, sha256: str, lock: DateLock, remaining_seconds: RemainingSeconds
    ) -> bool:
        """Put the manifest's record, if the lock is still ours; the batch exists from here on.

        Args:
            manifest: whose object lies in S3.
            sha256: of that object, as `put_object` says.
            lock: the date's.
            remaining_seconds: of the invocation.

        Returns:
            False where the lock was lost, or where the record stands already.

        Raises:
            ClientError: DynamoDB refused or failed, or was throttled or contended as long as there was time.
        """
        instant = utc_timestamp(self._table.clock())
        # It gets a `ttl` once it has ended; until then it must not expire.
        record = {
            "date_prefix": manifest.name.date_prefix,
            "file_key": manifest_record_key(manifest.name.filename),
            "status": ManifestStatus.PENDING.value,
            "manifest_path": self.uri(manifest.name),
            "file_count": len(manifest.files),
            "total_size_mb": size_in_mb(manifest.total_size_bytes),
            MANIFEST_SHA256_ATTRIBUTE: sha256,
            "attempt": 0,
            "files_marked": False,
            "created_at": instant,
            "updated_at": instant,
        }
        waits = self._patience.waits(remaining_seconds)
        while True:
            try:
                self._table.dynamodb.transact_write_items(
                    TransactItems=[
                        {
                            "Put": {
                                "TableName": self._table.name,
                                "Item": to_item(record),
                                "ConditionExpression": "attribute_not_exists(file_key)",
                            }
                        },
                        self._locks.check_ours(lock),
                    ]
                )
            except ClientError as error:
                reasons = cancellation_reasons(error) or ()
                if any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
                    logger.info(
                        "Left the batch to the lock's new holder",
                        date_prefix=manifest.name.date_prefix,
                        manifest=manifest.name.filename,
                    )
                    return False
                refusal = refusal_of(error)
                if refusal is None or not waits.again(refusal):
                    raise
            else:
                return True

    def read(self, uri: str) -> Manifest:
        """Return a manifest by its URI.

        Raises:
            ClientError: S3 refused, or there is no such object.
            ContractError: the object is no manifest.
        """
        return Manifest.from_json(self._read_object(uri)[0])

    def _read_object(self, uri: str) -> tuple[bytes, datetime]:
        bucket, key = split_s3_uri(uri)
        response = self._s3.get_object(Bucket=bucket, Key=key)
        return response["Body"].read(), response["LastModified"]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _created_at(content: bytes) -> str | None:
    """Return when a manifest was planned, as its object says; None where that is no manifest."""
    try:
        return Manifest.from_json(content).created_at
    except ContractError:
        return None


def _instant(value: object) -> datetime | None:
    """Read a record's time; one that another tool wrote otherwise only lets a date flush earlier."""
    try:
        return parse_utc_timestamp(str(value))
    except ValueError:
        return None
