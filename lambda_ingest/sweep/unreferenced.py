"""Unreferenced manifests: objects of builders that died before their commit."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lambda_ingest.contract.records import MANIFEST_FILE_KEY_PREFIX, manifest_record_key
from lambda_ingest.log import logger
from lambda_ingest.sweep.listing import DateListings, ListedObject
from lambda_ingest.sweep.merge import without_match

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# No builder lives this long between its object and its commit.
LEAST_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Removed:
    """What the search for unreferenced manifests did to one date.

    Attributes:
        date_prefix: the date.
        keys: the objects that were removed.
    """

    date_prefix: str
    keys: tuple[str, ...]


class UnreferencedManifests:
    """Compares the manifest bucket's listing of a date with the date's manifest records."""

    def __init__(self, listings: DateListings, s3: "S3Client", *, bucket: str, ttl_days: int) -> None:
        self._listings = listings
        self._s3 = s3
        self._bucket = bucket
        # A record may have expired before its object, which then only looks unreferenced.
        self._most_age = timedelta(days=ttl_days - 1)

    def remove(self, date_prefix: str, now: datetime) -> Removed:
        """Remove the date's manifest objects that are older than a day and that no record names.

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
            if self._listings.exists(date_prefix, _record_key(listed)) is not None:
                continue
            self._s3.delete_object(Bucket=self._bucket, Key=listed.key)
            logger.warning("Removed a manifest that was never committed", key=listed.key)
            removed.append(listed.key)
        return Removed(date_prefix, tuple(removed))


def _record_key(listed: ListedObject) -> str:
    return manifest_record_key(listed.key.rpartition("/")[2])
