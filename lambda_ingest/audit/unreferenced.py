"""Unreferenced manifests: objects of builders that died before their commit."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lambda_ingest.audit.listing import DateListings, ListedObject, without_match
from lambda_ingest.aws.log import logger
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.records import MANIFEST_FILE_KEY_PREFIX, manifest_record_key

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# No builder lives this long between its object and its commit.
LEAST_AGE = timedelta(days=1)


class UnreferencedManifests:
    """Compares the manifest bucket's listing of a date with the date's manifest records."""

    def __init__(self, table: Table, s3: "S3Client", *, bucket: str) -> None:
        self._table = table
        self._listings = DateListings(table, s3)
        self._s3 = s3
        self._bucket = bucket
        # A record may have expired before its object, which then only looks unreferenced.
        self._most_age = table.ttl - timedelta(days=1)

    def remove(self, date_prefix: str, now: datetime) -> list[str]:
        """Remove the date's manifest objects older than a day that no record names, and return their keys.

        Raises:
            ClientError: AWS refused or failed.
        """
        pairs = without_match(
            self._listings.manifest_objects(self._bucket, date_prefix),
            self._listings.records(date_prefix, MANIFEST_FILE_KEY_PREFIX),
            left_key=_record_key,
            right_key=lambda record: str(record["file_key"]),
        )
        removed = []
        for listed, record in pairs:
            age = now - listed.modified_at
            if record is not None or not LEAST_AGE < age < self._most_age:
                continue
            # The records were read before the last objects were listed; this one is looked at again.
            if self._table.read(date_prefix, _record_key(listed)) is not None:
                continue
            self._s3.delete_object(Bucket=self._bucket, Key=listed.key)
            logger.warning("Removed a manifest that was never committed", key=listed.key)
            removed.append(listed.key)
        return removed


def _record_key(listed: ListedObject) -> str:
    return manifest_record_key(listed.key.rpartition("/")[2])
