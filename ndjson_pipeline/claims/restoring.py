"""Gives manifests their record again, after it expired."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.commitment import FileTrace
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.items import from_item, is_condition_failure, to_item
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.manifest import Manifest
from lambda_ingest.contract.records import (
    BYTES_PER_MB,
    MANIFEST_SHA256_ATTRIBUTE,
    ManifestStatus,
    manifest_record_key,
)
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.totals import Counted, DateTotals, sum_of, totals_key
from ndjson_pipeline.errors import RecordContentionError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# BatchGetItem takes this many keys.
_KEYS_PER_READ = 100
_RECOUNTS = 10
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 5.0
_READS_WITHOUT_PROGRESS = 60


class RecordRestorer:
    """Reads what the table still says of a date's files, and writes its manifests' records anew.

    Args:
        dynamodb: the client.
        table: the tracking table.
        clock: tells the time.
        sleep: waits for so many seconds.
        jitter: returns a number from 0 to 1.
    """

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        *,
        table: str,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    def traces(self, date_prefix: str, files: Mapping[str, str]) -> Iterator[FileTrace]:
        """Yield what the records of some files say, strongly read, as far as they exist.

        Args:
            date_prefix: their date.
            files: the URI of each by the sort key of its record. The record of another bucket's file of the
                same name tells nothing of this one.

        Raises:
            RecordContentionError: DynamoDB kept answering without a part of them.
        """
        file_keys = list(files)
        for start in range(0, len(file_keys), _KEYS_PER_READ):
            keys = [
                to_item({"date_prefix": date_prefix, "file_key": file_key})
                for file_key in file_keys[start : start + _KEYS_PER_READ]
            ]
            for item in self._read(keys):
                if item.get("file_path") != files[item["file_key"]]:
                    continue
                yield FileTrace(
                    status=str(item.get("status", "")),
                    manifest_path=None if item.get("manifest_path") is None else str(item["manifest_path"]),
                    created_at=str(item.get("created_at", "")),
                )

    def restore(self, manifest: Manifest, sha256: str, manifest_bucket: str) -> bool:
        """Put a committed manifest's record if it is absent, as ingest commits it; False where it stands.

        Args:
            manifest: as it was read.
            sha256: of its object's bytes as they were read, as hex: what was judged is what is converted.
            manifest_bucket: where the object lies.
        """
        record = {
            "date_prefix": manifest.name.date_prefix,
            "file_key": manifest_record_key(manifest.name.filename),
            "status": ManifestStatus.PENDING.value,
            "manifest_path": s3_uri(manifest_bucket, manifest.name.key),
            "file_count": len(manifest.files),
            "total_size_mb": Decimal(str(round(manifest.total_size_bytes / BYTES_PER_MB, 6))),
            MANIFEST_SHA256_ATTRIBUTE: sha256,
            "attempt": 0,
            # Its files had their marks, and their records are gone with them.
            "files_marked": True,
            "created_at": manifest.created_at,
            "updated_at": utc_timestamp(self._clock()),
        }
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=to_item(record),
                ConditionExpression="attribute_not_exists(file_key)",
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return False
        return True

    def recount(self, date_prefix: str, read_records: Callable[[], Sequence[ManifestRecord]]) -> None:
        """Set a date's totals to what its records count; those of records that are gone are added anew.

        What Glue worked stays.

        Args:
            date_prefix: the date.
            read_records: returns the date's records, strongly read.

        Raises:
            RecordContentionError: other runs changed the totals at every try.
        """
        for _ in range(_RECOUNTS):
            item = self._dynamodb.get_item(
                TableName=self._table, Key=to_item(totals_key(date_prefix)), ConsistentRead=True
            ).get("Item")
            if item is None:
                return
            revision = DateTotals.from_item(from_item(item)).revision
            counted = [record.counted.added() for record in read_records() if record.counted is not None]
            totals = {**dict.fromkeys(Counted(0, None).added(), 0), **sum_of(counted)}
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=to_item(totals_key(date_prefix)),
                    UpdateExpression=(
                        "SET updated_at = :now, revision = :next, "
                        + ", ".join(f"{name} = :{name}" for name in totals)
                    ),
                    ConditionExpression="revision = :revision",
                    ExpressionAttributeValues=to_item(
                        {
                            ":now": utc_timestamp(self._clock()),
                            ":revision": revision,
                            ":next": revision + 1,
                            **{f":{name}": value for name, value in totals.items()},
                        }
                    ),
                )
            except ClientError as error:
                if not is_condition_failure(error):
                    raise
                # A run completed something of the date meanwhile.
                continue
            return
        raise RecordContentionError(
            f"the totals of {date_prefix} changed {_RECOUNTS} times while they were counted again; launch "
            "the run once more when the other runs of the date have ended"
        )

    def _read(self, keys: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        longest = _FIRST_WAIT_SECONDS
        for _ in range(_READS_WITHOUT_PROGRESS):
            response = self._dynamodb.batch_get_item(
                RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
            )
            yield from map(from_item, response["Responses"].get(self._table, ()))
            unread = response["UnprocessedKeys"]
            if self._table not in unread:
                return
            keys = list(unread[self._table]["Keys"])
            self._sleep(longest * self._jitter())
            longest = min(2 * longest, _LONGEST_WAIT_SECONDS)
        raise RecordContentionError(
            f"DynamoDB left {len(keys)} records of {self._table} unread; it has too little capacity now"
        )
