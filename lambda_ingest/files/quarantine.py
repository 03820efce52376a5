"""Quarantine: a refused file is copied, then recorded, then removed; a crash at any point loses nothing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import RemainingSeconds
from lambda_ingest.contract.items import error_code
from lambda_ingest.files.tracking import FileTracker, Tracked
from lambda_ingest.files.validation import RefusedFile

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# CopyObject takes objects up to 5 GB; larger ones are copied in parts.
_LARGEST_SINGLE_COPY = 5 * 1024**3
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_CHANGED = frozenset({"412", "PreconditionFailed"})


@dataclass(frozen=True)
class Quarantined:
    """What became of a refused file.

    Attributes:
        refused: the file and the reason.
        tracked: its record's outcome, or None where the object was gone or changed before it was copied.
        moved: whether it lies in the quarantine bucket now.
    """

    refused: RefusedFile
    tracked: Tracked | None
    moved: bool


class Quarantine:
    """Moves refused files out of the producers' way."""

    def __init__(self, s3: "S3Client", tracker: FileTracker, *, bucket: str | None) -> None:
        self._s3 = s3
        self._tracker = tracker
        self._bucket = bucket

    def take(self, refused: RefusedFile, remaining_seconds: RemainingSeconds) -> Quarantined:
        """Quarantine one file; without a bucket, record it only.

        Raises:
            ClientError: S3 or DynamoDB refused or failed; doing it again goes on where it stopped.
        """
        if self._bucket is None:
            tracked = self._tracker.record_quarantined(refused, remaining_seconds)
            return Quarantined(refused, tracked, moved=False)
        if not self._copy(refused, self._bucket):
            logger.info("A refused object was gone or had changed", uri=refused.object.uri)
            return Quarantined(refused, None, moved=False)
        tracked = self._tracker.record_quarantined(refused, remaining_seconds)
        self._remove_source(refused)
        return Quarantined(refused, tracked, moved=True)

    def _copy(self, refused: RefusedFile, bucket: str) -> bool:
        source = refused.object
        metadata = {
            # S3 keeps metadata as ASCII headers.
            "quarantine_reason": quote(refused.reason, safe=" :,.;()%+=-_/'"),
            "original_bucket": source.bucket,
        }
        try:
            if source.size_bytes > _LARGEST_SINGLE_COPY:
                self._s3.copy(
                    {"Bucket": source.bucket, "Key": source.key},
                    bucket,
                    source.key,
                    ExtraArgs={"Metadata": metadata, "MetadataDirective": "REPLACE"},
                )
            else:
                self._s3.copy_object(
                    Bucket=bucket,
                    Key=source.key,
                    CopySource={"Bucket": source.bucket, "Key": source.key},
                    CopySourceIfMatch=source.etag,
                    Metadata=metadata,
                    MetadataDirective="REPLACE",
                )
        except ClientError as error:
            # Newer content brings an event of its own, and is judged by that.
            if error_code(error) in _GONE | _CHANGED:
                return False
            raise
        return True

    def _remove_source(self, refused: RefusedFile) -> None:
        try:
            self._s3.delete_object(
                Bucket=refused.object.bucket, Key=refused.object.key, IfMatch=refused.object.etag
            )
        except ClientError as error:
            if error_code(error) not in _GONE | _CHANGED:
                raise
            logger.info("The source changed after its copy and stays", uri=refused.object.uri)
