"""The Glue report as a value."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import split_s3_uri
from lambda_ingest.contract.text import printable
from ndjson_pipeline.errors import ReportFormatError

# Far more than a run can do; a number beyond it is no count.
_MOST = 10**15
_LONGEST_ERROR = 4_000
# The job names fewer; names come from the data, and so from anybody.
_MOST_RESCUED = 1_000
_MOST_FILES = 1_001
_LONGEST_PATH = 500
_LONGEST_REASON = 200


@dataclass(frozen=True)
class ReportedFile:
    """A Parquet file that a run says it wrote.

    Attributes:
        path: its URI.
        size_mb: its size, in MB.
        record_count: its rows.
    """

    path: str
    size_mb: float
    record_count: int


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
        files: its Parquet files.
        rejected_bytes: what rejected lines take of its files, with the rest of those that can't be read on.
        rejected_files: URIs of the objects that keep the rejected lines.
        lost_files: files that are missing or can't be read on, each with the reason.
        missing_output: which of them are not there; None where all are, or nobody looked.
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
    files: tuple[ReportedFile, ...] = ()
    rejected_bytes: int = 0
    rejected_files: tuple[str, ...] = ()
    lost_files: tuple[str, ...] = ()
    missing_output: str | None = None

    @property
    def imbalance(self) -> str | None:
        """How lines in, rows out and rejected records of a manifest disagree; None where they agree."""
        if self.records_read != self.records_processed + self.records_rejected:
            return (
                f"{self.records_read} lines in, but {self.records_processed} rows out and "
                f"{self.records_rejected} rejected"
            )
        rows = sum(file.record_count for file in self.files)
        if rows != self.records_processed or len(self.files) != self.parquet_files:
            return (
                f"{self.records_processed} rows out in {self.parquet_files} files, but {rows} rows in the "
                f"{len(self.files)} files that are named"
            )
        return None


@dataclass(frozen=True)
class SchemaOutcome:
    """What a run did to the dataset's schema contract.

    Attributes:
        uri: the contract's.
        version: that the run's output follows.
        new_columns: that came with the run, as paths.
        is_full: whether it takes no more columns.
        generation: how often columns were changed by hand.
    """

    uri: str
    version: int
    new_columns: tuple[str, ...]
    is_full: bool = False
    generation: int = 0


@dataclass(frozen=True)
class RescuedColumn:
    """Values of one place that did not fit its column, for one reason.

    Attributes:
        path: of the place, such as `user.tags[].price`; `*` stands for all that the report does not name.
        reason: why they did not fit.
        records: that have such a value.
    """

    path: str
    reason: str
    records: int


@dataclass(frozen=True)
class CatalogOutcome:
    """What a run did to the dataset's table in the Data Catalog.

    Attributes:
        table: as a query names it, `database.table`.
        schema_version: the contract's that its columns follow; None where that is not known.
        left_out: columns and members that it can't have, each with the reason.
        error_message: why it may not follow the contract; None where it does.
    """

    table: str
    schema_version: int | None
    left_out: tuple[str, ...]
    error_message: str | None


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
        job_run_id: the Glue run, where its script knew it.
        catalog: None where the run has no table, or ended before it.
        rescued_columns: what did not fit, by place and reason.
    """

    uri: str | None
    manifests: Mapping[str, ManifestOutcome]
    parquet_files: int
    input_size_mb: float
    output_size_mb: float
    compression_ratio: float
    execution_seconds: float
    schema: SchemaOutcome | None = None
    job_run_id: str | None = None
    catalog: CatalogOutcome | None = None
    rescued_columns: tuple[RescuedColumn, ...] = ()

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


def parse_glue_report(uri: object, document: Mapping[str, Any]) -> GlueReport:
    """Read a report.

    Args:
        uri: where it lies, as its message says; what is no URI counts as none.
        document: its content.

    Raises:
        ReportFormatError: it has another shape; the message names the part.
    """
    place = _place(uri)
    try:
        summary = document["processing_summary"]
        files: dict[str, list[ReportedFile]] = {}
        for file in document["parquet_files"]:
            files.setdefault(_text(file["manifest_path"]), []).append(
                ReportedFile(_text(file["path"]), _size(file["size_mb"]), _count(file["record_count"]))
            )
        outcomes = [_outcome(row, files) for row in document["manifests"]]
        job_run_id = document["job_info"]["job_run_id"]
        return GlueReport(
            uri=place,
            manifests={outcome.manifest_path: outcome for outcome in outcomes},
            parquet_files=_count(summary["parquet_files_created"]),
            input_size_mb=_size(summary["input_size_mb"]),
            output_size_mb=_size(summary["output_size_mb"]),
            compression_ratio=_number(summary["compression_ratio"]),
            execution_seconds=_size(summary["execution_time_seconds"]),
            schema=None if document["schema"] is None else _parse_schema(document["schema"]),
            job_run_id=None if job_run_id is None else _text(job_run_id),
            rescued_columns=tuple(_parse_rescued(document["rescued_columns"])),
            # Absent from reports of runs that an earlier version of the job began.
            catalog=None if document.get("catalog") is None else _parse_catalog(document["catalog"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        reason = printable(f"{type(error).__name__} {error}")
        raise ReportFormatError(f"the Glue report {place} has another shape: {reason}") from error


def _outcome(row: Mapping[str, Any], files: Mapping[str, list[ReportedFile]]) -> ManifestOutcome:
    path = _text(row["manifest_path"])
    own = tuple(files.get(path, ()))
    error = row.get("error_message")
    return ManifestOutcome(
        manifest_path=path,
        is_completed=row["status"] == "completed",
        records_read=_count(row["records_read"]),
        records_processed=_count(row["records_processed"]),
        records_rejected=_count(row["records_rejected"]),
        error_message=None if error is None else printable(str(error), _LONGEST_ERROR),
        records_rescued=_count(row["records_rescued"]),
        parquet_files=_count(row["parquet_files_created"]),
        input_size_mb=_size(row["input_size_mb"]),
        output_size_mb=_size(row["output_size_mb"]),
        output_folder=f"{place.rpartition('/')[0]}/"
        if (place := _place(own[-1].path if own else None))
        else None,
        files=own,
        rejected_bytes=_count(row["rejected_bytes"]),
        rejected_files=tuple(
            place for each in _list(row["rejected_files"]) if (place := _place(each)) is not None
        ),
        lost_files=tuple(
            _lost_file(each)
            for name in ("missing_files", "unreadable_files")
            for each in _list(row[name])[:_MOST_FILES]
        ),
    )


def _lost_file(entry: Mapping[str, Any]) -> str:
    """Return a file with the reason; a reason alone says how many more there are."""
    uri, reason = entry["uri"], printable(_text(entry["reason"]), _LONGEST_REASON)
    return reason if uri is None else f"{printable(_text(uri))}: {reason}"


def _parse_rescued(entries: object) -> Iterator[RescuedColumn]:
    for entry in _list(entries)[:_MOST_RESCUED]:
        yield RescuedColumn(
            path=printable(_text(entry["path"]), _LONGEST_PATH),
            reason=printable(_text(entry["reason"]), _LONGEST_REASON),
            records=_count(entry["records"]),
        )


def _parse_schema(entry: Mapping[str, Any]) -> SchemaOutcome:
    is_full = entry["is_full"]
    if not isinstance(is_full, bool):
        raise TypeError(f"is_full must be true or false, got {type(is_full).__name__}")
    return SchemaOutcome(
        uri=printable(_text(entry["uri"])),
        version=_count(entry["version"]),
        new_columns=tuple(printable(_text(column)) for column in _list(entry["new_columns"])),
        is_full=is_full,
        generation=_count(entry["generation"]),
    )


def _parse_catalog(entry: Mapping[str, Any]) -> CatalogOutcome:
    version, error = entry["schema_version"], entry["error_message"]
    return CatalogOutcome(
        table=printable(f"{_text(entry['database'])}.{_text(entry['table'])}"),
        schema_version=None if version is None else _count(version),
        left_out=tuple(printable(_left_out(each)) for each in entry["left_out"]),
        error_message=None if error is None else printable(_text(error), _LONGEST_ERROR),
    )


def _left_out(entry: Mapping[str, Any]) -> str:
    path, reason = entry["path"], _text(entry["reason"])
    return reason if path is None else f"{_text(path)}: {reason}"


def _place(uri: object) -> str | None:
    """Return a URI of an object in S3, or None where it is none."""
    try:
        split_s3_uri(uri if isinstance(uri, str) else "")
    except ContractError:
        return None
    return printable(str(uri))


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"expected a whole number of at least 0, got {printable(repr(value), 100)}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST:
        raise ValueError(f"expected a number, got {printable(repr(value), 100)}")
    return float(value)


def _size(value: object) -> float:
    number = _number(value)
    if number < 0 or not math.isfinite(number):
        raise ValueError(f"expected a number of at least 0, got {number}")
    return number
