"""Items of the tracking table: their keys, attributes, statuses and indexes."""

from enum import StrEnum

MANIFEST_FILE_KEY_PREFIX = "MANIFEST#"
LOCK_FILE_KEY = "LOCK"
# Partitions that are no dates, of items that are neither files nor manifests.
AUDIT_PARTITION = "AUDIT#cursor"
REFUSALS_PARTITION = "REFUSALS#input"
REFUSALS_FILE_KEY = "REFUSALS"
PENDING_FILES_INDEX = "pending-files"
MANIFESTS_BY_STATUS_INDEX = "manifests-by-status"
# Only pending files carry it, so the index of that name holds what is open and nothing of history.
PENDING_DATE_ATTRIBUTE = "pending_date"
# Sparse, too: each holds the manifests that carry its attribute, whatever their status, and so costs what is
# due and not what once failed.
ALERTS_PENDING_INDEX = "alerts-pending"
ALERT_PENDING_ATTRIBUTE = "alert_pending"
RETRIES_DUE_INDEX = "retries-due"
RETRY_AT_ATTRIBUTE = "retry_at"
FAILED_MANIFESTS_INDEX = "failed-manifests"
FAILED_DATE_ATTRIBUTE = "failed_date"
# Of a manifest's record: SHA-256 of its object's exact bytes as they were committed, 64 hex digits.
MANIFEST_SHA256_ATTRIBUTE = "manifest_sha256"
BYTES_PER_MB = 1_048_576


class FileStatus(StrEnum):
    """What became of an input file, up to its manifest."""

    PENDING = "pending"
    MANIFESTED = "manifested"
    QUARANTINED = "quarantined"


class ManifestStatus(StrEnum):
    """What became of a manifest."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


def manifest_record_key(manifest_filename: str) -> str:
    """Return the sort key of a manifest's record."""
    return f"{MANIFEST_FILE_KEY_PREFIX}{manifest_filename}"


def lock_partition(date_prefix: str) -> str:
    """Return the partition key of a date's lock."""
    return f"LOCK#manifest-{date_prefix}"
