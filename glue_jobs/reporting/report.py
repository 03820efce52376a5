"""The Glue report: what one run did, for operators and dashboards."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glue_jobs.schema.tallies import Tallies, most_frequent
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.keys import report_key, s3_uri
from lambda_ingest.contract.records import BYTES_PER_MB
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

    from glue_jobs.catalog.types import LeftOut
    from glue_jobs.schema.settle import LeftWithout

logger = logging.getLogger(__name__)

COMPLETED = "completed"
FAILED = "failed"
# In characters: why one manifest failed, and why a run did.
LONGEST_REASON = 4_000
_LONGEST_FAILURE = 20_000
# Of files that are missing, or of which a part can't be read, a manifest's report names so many of each; and
# of columns that the catalog can't have a run's.
MOST_NOTES = 1_000
# Of places that have something in `_rescued` the most frequent; what is left is summed under the path `*`.
MOST_RESCUED_COLUMNS = 200


@dataclass(frozen=True)
class ParquetFile:
    """An output file of the run.

    Attributes:
        path: its S3 URI.
        size_bytes: its size.
        record_count: its rows.
        manifest_path: the URI of its manifest.
    """

    path: str
    size_bytes: int
    record_count: int
    manifest_path: str


@dataclass(frozen=True)
class FileNote:
    """An input file of which something is to be said.

    Attributes:
        uri: the file.
        reason: what, without content.
    """

    uri: str
    reason: str


@dataclass(frozen=True)
class ManifestOutcome:
    """What became of one manifest.

    Attributes:
        manifest_path: its S3 URI.
        date_prefix: its date; None where it could not be read.
        file_count: files it lists.
        records_read: lines that are not blank.
        records_processed: rows in Parquet; 0 where a manifest failed and its output was left as it was.
        records_rejected: lines that are no records.
        records_rescued: rows of which something did not fit its column.
        input_bytes: read.
        parquet_files: written.
        rejected_files: S3 URIs of the objects that keep the rejected records; empty where nothing keeps them.
        missing_files: files that could not be read for good, with the reason.
        unreadable_files: files of which a part could not be read as lines, with the reason.
        rejected_bytes: what rejected lines take of the files, with the rest of unreadable ones.
        rescued_columns: how many records have something in `_rescued`, by path and reason.
        unchecked: what of the manifest nobody gave the means to check, each as a sentence.
        error_message: why it failed; None where it is done.
    """

    manifest_path: str
    date_prefix: str | None = None
    file_count: int = 0
    records_read: int = 0
    records_processed: int = 0
    records_rejected: int = 0
    records_rescued: int = 0
    input_bytes: int = 0
    parquet_files: tuple[ParquetFile, ...] = ()
    rejected_files: tuple[str, ...] = ()
    missing_files: tuple[FileNote, ...] = ()
    unreadable_files: tuple[FileNote, ...] = ()
    rejected_bytes: int = 0
    rescued_columns: Mapping[tuple[str, str], int] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()
    error_message: str | None = None

    @property
    def output_bytes(self) -> int:
        """The sum of its output files' sizes."""
        return sum(file.size_bytes for file in self.parquet_files)


@dataclass(frozen=True)
class SchemaOutcome:
    """What the run did to the dataset's schema contract.

    Attributes:
        uri: the contract's.
        version: that the run's output follows.
        new_columns: that the run added, as paths.
        generation: how often columns were changed by hand.
        is_full: whether there is no room for further columns, or was none for some of the run's.
        left_without: what became no column, and why.
    """

    uri: str
    version: int
    new_columns: tuple[str, ...] = ()
    generation: int = 0
    is_full: bool = False
    left_without: tuple[LeftWithout, ...] = ()


@dataclass(frozen=True)
class CatalogOutcome:
    """What the run did to the dataset's table in the Data Catalog.

    Attributes:
        database: has the table.
        table: its name.
        schema_version: the contract's that its columns follow; None where that is not known.
        is_updated: whether the run changed it.
        left_out: columns and members that it can't have.
        error_message: why it may not follow the contract; None where it does.
    """

    database: str
    table: str
    schema_version: int | None = None
    is_updated: bool = False
    left_out: tuple[LeftOut, ...] = ()
    error_message: str | None = None


@dataclass(frozen=True)
class JobInfo:
    """What Glue knows of the run; None where it was not asked, or did not answer."""

    job_name: str
    job_run_id: str | None = None
    glue_version: str | None = None
    worker_type: str | None = None
    number_of_workers: int | None = None


@dataclass
class RunOutcome:
    """What became of the run.

    Attributes:
        manifests: one outcome each.
        error_message: why the run as a whole failed; None where it did not.
        schema: None where the run ended before it knew the contract.
        catalog: None where the run has no table, or ended before it.
    """

    manifests: list[ManifestOutcome] = field(default_factory=list)
    error_message: str | None = None
    schema: SchemaOutcome | None = None
    catalog: CatalogOutcome | None = None

    @property
    def failed(self) -> list[ManifestOutcome]:
        """The manifests that failed."""
        return [manifest for manifest in self.manifests if manifest.error_message is not None]


def build_report(job: JobInfo, outcome: RunOutcome, seconds: float, now: datetime) -> dict[str, Any]:
    """Return the report as the contract writes it.

    Args:
        job: what Glue knows of the run.
        outcome: what became of it.
        seconds: from its start.
        now: instant of the report, aware.
    """
    manifests = outcome.manifests
    files = [file for manifest in manifests for file in manifest.parquet_files]
    input_bytes = sum(manifest.input_bytes for manifest in manifests)
    output_bytes = sum(file.size_bytes for file in files)
    return {
        "job_info": {
            "job_name": job.job_name,
            "job_run_id": job.job_run_id,
            "glue_version": job.glue_version,
            "worker_type": job.worker_type,
            "number_of_workers": job.number_of_workers,
        },
        "processing_summary": {
            "records_processed": sum(manifest.records_processed for manifest in manifests),
            "records_rejected": sum(manifest.records_rejected for manifest in manifests),
            "rejected_bytes": sum(manifest.rejected_bytes for manifest in manifests),
            "records_rescued": sum(manifest.records_rescued for manifest in manifests),
            "parquet_files_created": len(files),
            "input_size_mb": _megabytes(input_bytes),
            "output_size_mb": _megabytes(output_bytes),
            "compression_ratio": percentage_saved(input_bytes, output_bytes),
            "execution_time_seconds": round(seconds, 3),
            "status": COMPLETED if outcome.error_message is None else FAILED,
            "error_message": outcome.error_message,
        },
        "parquet_files": [
            {
                "path": file.path,
                "size_mb": _megabytes(file.size_bytes),
                "record_count": file.record_count,
                "manifest_path": file.manifest_path,
            }
            for file in files
        ],
        "manifests": [_manifest_entry(manifest) for manifest in manifests],
        "rescued_columns": _rescued_entries(manifest.rescued_columns for manifest in manifests),
        "schema": None if outcome.schema is None else _schema_entry(outcome.schema),
        "catalog": None if outcome.catalog is None else _catalog_entry(outcome.catalog),
        "timestamp": utc_timestamp(now),
    }


def percentage_saved(input_bytes: int, output_bytes: int) -> float:
    """Return by how many percent the output is smaller than the input; 0.0 without input."""
    return round(100 * (1 - output_bytes / input_bytes), 2) if input_bytes else 0.0


def write_report(
    client: S3Client, bucket: str, report: dict[str, Any], now: datetime, unique: str
) -> str | None:
    """Write the report; failing to is logged, and fails nothing.

    Args:
        client: S3.
        bucket: the manifest bucket.
        report: the result of `build_report`.
        now: instant of its name.
        unique: at least 8 characters that tell reports of one second apart.

    Returns:
        Its S3 URI, or None where it could not be written.
    """
    key = report_key("glue", now, unique)
    try:
        client.put_object(
            Bucket=bucket,
            Key=key,
            # A lone surrogate has no UTF-8; written as its escape it is JSON all the same.
            Body=json.dumps(report, ensure_ascii=False).encode(errors="backslashreplace"),
            ContentType="application/json",
        )
    except Exception:
        logger.exception("the report can't be written to s3://%s/%s", bucket, key)
        return None
    return s3_uri(bucket, key)


def ask_job_info(make_client: Callable[[], GlueClient], job_name: str, job_run_id: str | None) -> JobInfo:
    """Ask Glue about the run; where it does not answer, that is logged and the fields stay None.

    Args:
        make_client: makes Glue's client; called only where there is a run to ask about.
        job_name: the job.
        job_run_id: the run; None by hand.
    """
    if job_run_id is None:
        logger.info("no --JOB_RUN_ID, so the report says nothing of Glue's version and workers")
        return JobInfo(job_name)
    try:
        run = make_client().get_job_run(JobName=job_name, RunId=job_run_id)["JobRun"]
    except Exception as error:  # noqa: BLE001 - three fields of a report are not worth a run
        logger.warning("Glue says nothing of run %s: %s", job_run_id, printable(str(error)))
        return JobInfo(job_name, job_run_id)
    return JobInfo(
        job_name, job_run_id, run.get("GlueVersion"), run.get("WorkerType"), run.get("NumberOfWorkers")
    )


def failure_message(failed: Sequence[ManifestOutcome], of_all: int) -> str:
    """Name the failed manifests, each with its reason."""
    named = "; ".join(f"{manifest.manifest_path}: {manifest.error_message}" for manifest in failed)
    return printable(f"{len(failed)} of {of_all} manifests failed: {named}", _LONGEST_FAILURE)


def _manifest_entry(manifest: ManifestOutcome) -> dict[str, Any]:
    return {
        "manifest_path": manifest.manifest_path,
        "date_prefix": manifest.date_prefix,
        "status": COMPLETED if manifest.error_message is None else FAILED,
        "file_count": manifest.file_count,
        "records_read": manifest.records_read,
        "records_processed": manifest.records_processed,
        "records_rejected": manifest.records_rejected,
        "rejected_bytes": manifest.rejected_bytes,
        "records_rescued": manifest.records_rescued,
        "parquet_files_created": len(manifest.parquet_files),
        "input_size_mb": _megabytes(manifest.input_bytes),
        "output_size_mb": _megabytes(manifest.output_bytes),
        "rejected_files": list(manifest.rejected_files),
        "missing_files": _note_entries(manifest.missing_files),
        "unreadable_files": _note_entries(manifest.unreadable_files),
        **({"unchecked": list(manifest.unchecked)} if manifest.unchecked else {}),
        "error_message": manifest.error_message,
    }


def _note_entries(notes: Sequence[FileNote]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [{"uri": note.uri, "reason": note.reason} for note in notes[:MOST_NOTES]]
    if len(notes) > MOST_NOTES:
        entries.append({"uri": None, "reason": f"{len(notes) - MOST_NOTES} more are left out"})
    return entries


def _schema_entry(schema: SchemaOutcome) -> dict[str, Any]:
    return {
        "uri": schema.uri,
        "version": schema.version,
        "new_columns": list(schema.new_columns),
        "generation": schema.generation,
        "is_full": schema.is_full,
        "left_without_column": [{"path": each.path, "reason": each.reason} for each in schema.left_without],
    }


def _rescued_entries(counts: Iterable[Mapping[tuple[str, str], int]]) -> list[dict[str, Any]]:
    tallies = Tallies()
    for each in counts:
        tallies.merge(each)
    return [
        {"path": path, "records": records, "reason": str(reason)}
        for (path, reason), records in most_frequent(tallies.counts, MOST_RESCUED_COLUMNS).items()
    ]


def _catalog_entry(catalog: CatalogOutcome) -> dict[str, Any]:
    left_out: list[dict[str, Any]] = [
        {"path": each.path, "reason": each.reason} for each in catalog.left_out[:MOST_NOTES]
    ]
    if len(catalog.left_out) > MOST_NOTES:
        left_out.append({"path": None, "reason": f"{len(catalog.left_out) - MOST_NOTES} more are left out"})
    return {
        "database": catalog.database,
        "table": catalog.table,
        "schema_version": catalog.schema_version,
        "updated": catalog.is_updated,
        "left_out": left_out,
        "error_message": catalog.error_message,
    }


def _megabytes(size_bytes: int) -> float:
    return round(size_bytes / BYTES_PER_MB, 6)
