"""A manifest's record as a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import (
    MANIFEST_FILE_KEY_PREFIX,
    RETRY_AT_ATTRIBUTE,
    ManifestStatus,
)
from ndjson_pipeline.claims.due_alerts import DueAlert
from ndjson_pipeline.claims.totals import Counted, parse_counted
from ndjson_pipeline.errors import RecordFormatError


@dataclass(frozen=True)
class ManifestRecord:
    """What the tracking table knows of one manifest.

    Attributes:
        name: its date, counter and digest.
        status: where it stands.
        manifest_path: its object's URI.
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


def parse_record(item: Mapping[str, Any]) -> ManifestRecord:
    """Read an item's Python values.

    Raises:
        RecordFormatError: it is a row of another shape, such as one that an older tool left.
    """
    key = f"{item.get('date_prefix')} / {item.get('file_key')}"
    file_key = str(item.get("file_key", ""))
    if not file_key.startswith(MANIFEST_FILE_KEY_PREFIX):
        raise RecordFormatError(f"{key} is no manifest's record; expected a sort key MANIFEST#name")
    try:
        name = ManifestName.parse(file_key.removeprefix(MANIFEST_FILE_KEY_PREFIX))
        if name.date_prefix != item.get("date_prefix"):
            raise RecordFormatError(f"{key} lies in the partition of another date than its manifest's")
        manifest_path = item["manifest_path"]
        if ManifestName.from_uri(manifest_path) != name:
            raise RecordFormatError(f"{key} names another manifest's object, {manifest_path}")
        return ManifestRecord(
            name=name,
            status=ManifestStatus(item["status"]),
            manifest_path=manifest_path,
            file_count=int(item.get("file_count", 0)),
            total_size_mb=float(item.get("total_size_mb", 0)),
            attempt=int(item.get("attempt", 0)),
            created_at=str(item.get("created_at", "")),
            dagster_run_id=item.get("dagster_run_id"),
            glue_job_run_id=item.get("glue_job_run_id"),
            error_message=item.get("error_message"),
            records_processed=(
                None if item.get("records_processed") is None else int(item["records_processed"])
            ),
            processing_start_time=item.get("processing_start_time"),
            retry_at=item.get(RETRY_AT_ATTRIBUTE),
            crashes=int(item.get("crashes", 0)),
            refused_starts=int(item.get("refused_starts", 0)),
            group_size=_positive(item.get("group_size")),
            alerts_due=tuple(DueAlert.from_values(entry) for entry in item.get("alerts_due", ())),
            counted=parse_counted(item),
        )
    except KeyError as error:
        raise RecordFormatError(f"{key} has no attribute {error}") from error
    except (ContractError, ValueError, TypeError, AttributeError) as error:
        raise RecordFormatError(f"{key} has another shape: {error}") from error


def _positive(value: Any) -> int | None:
    if value is None or int(value) >= 1:
        return None if value is None else int(value)
    raise ValueError(f"expected a number of at least 1, got {value}")
