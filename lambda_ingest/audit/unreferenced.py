"""Unreferenced manifests: objects of builders that died before their commit."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lambda_ingest.audit.listing import DateListings, ListedObject, without_match
from lambda_ingest.audit.progress import Progress
from lambda_ingest.aws.log import logger
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.commitment import Commitment
from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.keys import MANIFEST_PREFIX, ManifestName
from lambda_ingest.contract.records import MANIFEST_FILE_KEY_PREFIX, manifest_record_key
from lambda_ingest.files.loaded import LoadedFiles

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# No builder lives this long between its object and its commit.
LEAST_AGE = timedelta(days=1)


class UnreferencedManifests:
    """Compares the manifest bucket's listing of a date with the date's manifest records."""

    def __init__(self, table: Table, s3: "S3Client", loaded: LoadedFiles, *, bucket: str) -> None:
        self._listings = DateListings(table, s3)
        self._loaded = loaded
        self._s3 = s3
        self._bucket = bucket

    def remove(self, date_prefix: str, now: datetime, progress: Progress, removed: list[str]) -> None:
        """Remove the date's manifest objects that were provably never committed.

        That is: it has a manifest's name, is older than a day, has no record, and a file that it lists has a
        record from before it that is pending or names another manifest. What can't be proven stays: a
        committed manifest's record may have expired, whatever `TTL_DAYS` was when it was written.

        Args:
            date_prefix: the date.
            now: the present instant, aware.
            progress: where it begins and whether there is time; follows each object that is done.
            removed: gets the key of each object as it is removed.

        Raises:
            ClientError: AWS refused or failed.
            TimeIsUpError: the time is up.
        """
        folder = f"{MANIFEST_PREFIX}{date_prefix}/"
        after = progress.position.after

        def record_key(listed: ListedObject) -> str:
            return manifest_record_key(listed.key.removeprefix(folder))

        pairs = without_match(
            self._listings.objects(self._bucket, folder, progress, after=after),
            self._listings.records(
                date_prefix,
                MANIFEST_FILE_KEY_PREFIX,
                progress,
                after=manifest_record_key(after.removeprefix(folder)) if after else "",
            ),
            left_key=record_key,
            right_key=lambda record: str(record["file_key"]),
        )
        for listed, record in pairs:
            progress.demand_time()
            if record is None and now - listed.modified_at > LEAST_AGE:
                self._remove_unless_committed(listed, progress, removed)
            progress.position = replace(progress.position, after=listed.key)

    def _remove_unless_committed(self, listed: ListedObject, progress: Progress, removed: list[str]) -> None:
        try:
            name = ManifestName.parse(listed.key.rpartition("/")[2])
        except ManifestKeyError:
            # Another tool's, or a person's; it is not ours to remove.
            return
        if name.key != listed.key:
            return
        # The records were read before the last objects were listed; judging reads this one's again.
        judged = self._loaded.judge(name, progress.remaining_seconds)
        if judged is None or judged.commitment is not Commitment.NEVER:
            return
        self._s3.delete_object(Bucket=self._bucket, Key=listed.key)
        logger.warning("Removed a manifest that was never committed", key=listed.key)
        removed.append(listed.key)
