"""A manifest's record as a value."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import ManifestName, s3_uri, split_s3_uri
from lambda_ingest.contract.records import (
    MANIFEST_FILE_KEY_PREFIX,
    MANIFEST_SHA256_ATTRIBUTE,
    RETRY_AT_ATTRIBUTE,
    ManifestStatus,
)
from lambda_ingest.contract.text import printable
from ndjson_pipeline.claims.due_alerts import DueAlert
from ndjson_pipeline.claims.totals import Counted, parse_counted
from ndjson_pipeline.errors import RecordFormatError

logger = logging.getLogger(__name__)

_SHA256 = re.compile("[0-9a-f]{64}")
# Far more than any of these may be; a number beyond it is no count.
_MOST = 10**12


@dataclass(frozen=True)
class ManifestRecord:
    """What the tracking table knows of one manifest.

    Attributes:
        name: its date, counter and digest.
        status: where it stands.
        manifest_path: its object's URI, which follows from its name and the manifest bucket.
        file_count: how many files it lists.
        total_size_mb: their sizes' sum, in MB of 1,048,576 bytes.
        attempt: how often a run claimed it.
        created_at: when it was committed, UTC text.
        dagster_run_id: the run that claimed it last.
        glue_job_run_id: the Glue run of that attempt, once known.
        error_message: why the last attempt failed.
        records_processed: rows written by the last attempt that completed.
        processing_start_time: when the last attempt claimed it, UTC text.
        retry_at: when another attempt may follow the last one, which failed, UTC text; None where none does.
        crashes: how often an attempt crashed, since a person last had a hand in it.
        refused_starts: how often Glue did not take it, since then.
        group_size: how many manifests a Glue run of it takes at most, since one died with it; None bounds
            nothing.
        alerts_due: failures that nobody was told of yet, the newest last.
        counted: what it adds to its date's totals; the newest completed attempt's.
        manifest_sha256: of its object as it was committed, as hex; None where the record does not say.
    """

    name: ManifestName
    status: ManifestStatus
    manifest_path: str
    file_count: int
    total_size_mb: float
    attempt: int
    created_at: str
    dagster_run_id: str | None = None
    glue_job_run_id: str | None = None
    error_message: str | None = None
    records_processed: int | None = None
    processing_start_time: str | None = None
    retry_at: str | None = None
    crashes: int = 0
    refused_starts: int = 0
    group_size: int | None = None
    alerts_due: tuple[DueAlert, ...] = ()
    counted: Counted | None = None
    manifest_sha256: str | None = None

    @property
    def date_prefix(self) -> str:
        """Its UTC date."""
        return self.name.date_prefix

    @property
    def alert_pending(self) -> str | None:
        """The run of the newest failure that nobody was told of yet; the record is indexed by it."""
        return self.alerts_due[-1].run_id if self.alerts_due else None

    @property
    def file_key(self) -> str:
        """The sort key of its record."""
        return f"{MANIFEST_FILE_KEY_PREFIX}{self.name.filename}"


def instant_of(text: str | None) -> datetime:
    """Return an instant of a record; what does not say one counts as long ago."""
    try:
        return parse_utc_timestamp(text or "")
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def parse_record(item: Mapping[str, Any], manifest_bucket: str | None = None) -> ManifestRecord:
    """Read an item's Python values.

    Args:
        item: of the tracking table.
        manifest_bucket: has the manifests. Where a manifest lies follows from it and the key; what the item
            says of that is not believed. None where the bucket is not known.

    Raises:
        RecordFormatError: it is a row of another shape, such as one that an older tool left.
    """
    key = printable(f"{item.get('date_prefix')} / {item.get('file_key')}")
    file_key = str(item.get("file_key", ""))
    if not file_key.startswith(MANIFEST_FILE_KEY_PREFIX):
        raise RecordFormatError(f"{key} is no manifest's record; expected a sort key MANIFEST#name")
    try:
        name = ManifestName.parse(file_key.removeprefix(MANIFEST_FILE_KEY_PREFIX))
        if name.date_prefix != item.get("date_prefix"):
            raise RecordFormatError(f"{key} lies in the partition of another date than its manifest's")
        if name.filename != file_key.removeprefix(MANIFEST_FILE_KEY_PREFIX):
            raise RecordFormatError(f"{key} is no manifest's record; expected the name {name.filename}")
        stored = _required_text(item, "manifest_path")
        if ManifestName.from_uri(stored) != name:
            raise RecordFormatError(f"{key} names another manifest's object, {printable(stored)}")
        manifest_path = s3_uri(manifest_bucket or split_s3_uri(stored)[0], name.key)
        if stored != manifest_path:
            logger.warning("%s names the object %s; %s counts", key, printable(stored), manifest_path)
        return ManifestRecord(
            name=name,
            status=ManifestStatus(item["status"]),
            manifest_path=manifest_path,
            file_count=_count(item, "file_count") or 0,
            total_size_mb=_size(item, "total_size_mb"),
            attempt=_count(item, "attempt") or 0,
            created_at=_text(item, "created_at") or "",
            dagster_run_id=_text(item, "dagster_run_id"),
            glue_job_run_id=_text(item, "glue_job_run_id"),
            error_message=_text(item, "error_message"),
            records_processed=_count(item, "records_processed"),
            processing_start_time=_text(item, "processing_start_time"),
            retry_at=_text(item, RETRY_AT_ATTRIBUTE),
            crashes=_count(item, "crashes") or 0,
            refused_starts=_count(item, "refused_starts") or 0,
            group_size=_positive(_count(item, "group_size")),
            alerts_due=tuple(DueAlert.from_values(entry) for entry in item.get("alerts_due", ())),
            counted=parse_counted(item),
            manifest_sha256=_sha256(item),
        )
    except KeyError as error:
        raise RecordFormatError(f"{key} has no attribute {error}") from error
    except (ContractError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise RecordFormatError(f"{key} has another shape: {printable(str(error))}") from error


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {type(value).__name__}")
    return value


def _required_text(item: Mapping[str, Any], name: str) -> str:
    value = _text(item, name)
    if value is None:
        raise KeyError(name)
    return value


def _size(item: Mapping[str, Any], name: str) -> float:
    """Return a number that is not negative; 0 where it is absent. Text is none."""
    value = item.get(name)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= _MOST:
        raise ValueError(f"{name} must be a number of at least 0, got {value!r}")
    return float(value)


def _count(item: Mapping[str, Any], name: str) -> int | None:
    size = _size(item, name)
    if not size.is_integer():
        raise ValueError(f"{name} must be a whole number, got {size}")
    return None if item.get(name) is None else int(size)


def _positive(value: int | None) -> int | None:
    if value is not None and value < 1:
        raise ValueError(f"expected a number of at least 1, got {value}")
    return value


def _sha256(item: Mapping[str, Any]) -> str | None:
    value = _text(item, MANIFEST_SHA256_ATTRIBUTE)
    if value is not None and not _SHA256.fullmatch(value):
        raise ValueError(f"{MANIFEST_SHA256_ATTRIBUTE} must be 64 hex digits, got {value!r}")
    return value
