"""The Glue report as a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ndjson_pipeline.errors import ReportFormatError


@dataclass(frozen=True)
class ManifestOutcome:
    """How a Glue run ended for one manifest.

    Attributes:
        manifest_path: its URI.
        is_completed: whether all of it was converted.
        records_read: lines in.
        records_processed: rows out.
        records_rejected: lines that became no row.
        error_message: why it was not completed.
        records_rescued: rows of which something did not fit its column.
        parquet_files: how many were written for it.
        input_size_mb: bytes read, in MB.
        output_size_mb: bytes written, in MB.
        output_folder: URI of the folder of its Parquet files, ending in a slash; None where it has none.
    """

    manifest_path: str
    is_completed: bool
    records_read: int
    records_processed: int
    records_rejected: int
    error_message: str | None
    records_rescued: int = 0
    parquet_files: int = 0
    input_size_mb: float = 0.0
    output_size_mb: float = 0.0
    output_folder: str | None = None


@dataclass(frozen=True)
class SchemaOutcome:
    """What a run did to the dataset's schema contract.

    Attributes:
        uri: the contract's.
        version: that the run's output follows.
        new_columns: that came with the run, as paths.
    """

    uri: str
    version: int
    new_columns: tuple[str, ...]


@dataclass(frozen=True)
class GlueReport:
    """What a Glue run reported.

    Attributes:
        uri: where the report lies; None where it could not be written.
        manifests: the outcome of each manifest, by its URI.
        parquet_files: how many it wrote.
        input_size_mb: bytes read, in MB.
        output_size_mb: bytes written, in MB.
        compression_ratio: percentage saved.
        execution_seconds: how long the script worked.
        schema: None where the run ended before it knew the contract.
    """

    uri: str | None
    manifests: Mapping[str, ManifestOutcome]
    parquet_files: int
    input_size_mb: float
    output_size_mb: float
    compression_ratio: float
    execution_seconds: float
    schema: SchemaOutcome | None = None

    @property
    def records_processed(self) -> int:
        """Rows out, over all manifests."""
        return sum(outcome.records_processed for outcome in self.manifests.values())

    @property
    def records_rejected(self) -> int:
        """Lines that became no row, over all manifests."""
        return sum(outcome.records_rejected for outcome in self.manifests.values())

    @property
    def records_read(self) -> int:
        """Lines in, over all manifests."""
        return sum(outcome.records_read for outcome in self.manifests.values())


def parse_glue_report(uri: str | None, document: Mapping[str, Any]) -> GlueReport:
    """Read a report.

    Raises:
        ReportFormatError: it has another shape; the message names the part.
    """
    try:
        summary = document["processing_summary"]
        folders = {
            str(file["manifest_path"]): f"{str(file['path']).rpartition('/')[0]}/"
            for file in document["parquet_files"]
        }
        outcomes = [
            ManifestOutcome(
                manifest_path=str(row["manifest_path"]),
                is_completed=row["status"] == "completed",
                records_read=int(row["records_read"]),
                records_processed=int(row["records_processed"]),
                records_rejected=int(row["records_rejected"]),
                error_message=row.get("error_message"),
                records_rescued=int(row["records_rescued"]),
                parquet_files=int(row["parquet_files_created"]),
                input_size_mb=float(row["input_size_mb"]),
                output_size_mb=float(row["output_size_mb"]),
                output_folder=folders.get(str(row["manifest_path"])),
            )
            for row in document["manifests"]
        ]
        return GlueReport(
            uri=uri,
            manifests={outcome.manifest_path: outcome for outcome in outcomes},
            parquet_files=int(summary["parquet_files_created"]),
            input_size_mb=float(summary["input_size_mb"]),
            output_size_mb=float(summary["output_size_mb"]),
            compression_ratio=float(summary["compression_ratio"]),
            execution_seconds=float(summary["execution_time_seconds"]),
            schema=None if document["schema"] is None else _parse_schema(document["schema"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ReportFormatError(
            f"the Glue report {uri} has another shape: {type(error).__name__} {error}"
        ) from error


def _parse_schema(entry: Mapping[str, Any]) -> SchemaOutcome:
    return SchemaOutcome(
        uri=str(entry["uri"]),
        version=int(entry["version"]),
        new_columns=tuple(str(column) for column in entry["new_columns"]),
    )
