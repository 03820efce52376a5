"""Checks on `merged_parquet`: what a run proves or warns of, each a function of its numbers."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from lambda_ingest.contract.keys import s3_uri, split_s3_uri
from lambda_ingest.contract.records import BYTES_PER_MB, ManifestStatus
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.conversion.console import Console
from ndjson_pipeline.conversion.rejected_lines import REJECTED_FOLDER, RejectedLines
from ndjson_pipeline.conversion.rescued import MOST_RESCUED_SHARE, OTHER_PLACES, Rescued, advice, rescued_of
from ndjson_pipeline.glue.report import GlueReport

ROW_CONSERVATION = "row_conservation"
REJECTED_FRACTION = "rejected_fraction"
MANIFESTS_COMPLETED = "all_manifests_completed"
SCHEMA_CHANGED = "schema_changed"
CATALOG_CURRENT = "catalog_follows_contract"
RESCUED_SHARE = "rescued_share"
SCHEMA_ROOM = "schema_has_room"

# More rejected than this is worth a look; the conversion itself fails at its own, higher limit.
MOST_REJECTED_FRACTION = 0.01
_MOST_NAMED = 20

_DESCRIPTIONS = {
    ROW_CONSERVATION: "Lines in equal rows out and rejected records, for each manifest of the newest run.",
    REJECTED_FRACTION: (
        f"At most {MOST_REJECTED_FRACTION:.0%} of the newest run's records were rejected, and of its bytes; "
        "no file was missing, or could not be read to its end."
    ),
    MANIFESTS_COMPLETED: "No manifest of the date waits, is being converted or has failed.",
    SCHEMA_CHANGED: (
        "The newest run brought no new columns into the dataset's schema contract, but for its very first."
    ),
    RESCUED_SHARE: (
        f"Of each column at most {MOST_RESCUED_SHARE:.0%} of the newest run's records have a value that did "
        "not fit, and went to _rescued."
    ),
    SCHEMA_ROOM: "The dataset's schema contract takes new columns; a full one leaves them in _rescued.",
    CATALOG_CURRENT: "The Data Catalog's table has the schema contract's columns, so that Athena sees them.",
}


def check_specs(asset: dg.AssetKey, partitions: dg.PartitionsDefinition) -> list[dg.AssetCheckSpec]:
    """Return the checks of an asset, partitioned as it is."""
    with warnings.catch_warnings():
        # Partitions of checks are a preview in Dagster 1.13, which says so at every start of a process.
        warnings.simplefilter("ignore", category=dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(name, asset=asset, description=description, partitions_def=partitions)
            for name, description in _DESCRIPTIONS.items()
        ]


@dataclass(frozen=True)
class CheckedDate:
    """What the results of a date lead to.

    Attributes:
        date_prefix: the date.
        quarantine_bucket: has the rejected lines.
        options: of the command line, that name the deployment, such as ` --feed orders`.
        console: None where there is none.
        first_columns: paths of the dataset's very first columns, of which nobody need be warned; None where
            they are not known.
    """

    date_prefix: str
    quarantine_bucket: str
    options: str = ""
    console: Console | None = None
    first_columns: frozenset[str] | None = None

    def command(self, name: str) -> dg.MetadataValue:
        """Return the command that shows more of the date."""
        return dg.MetadataValue.text(f"ndjson-pipeline {name} --date {self.date_prefix}{self.options}")


def date_checks(
    reports: Sequence[GlueReport],
    open_records: Sequence[ManifestRecord],
    date: CheckedDate,
    rejected: RejectedLines | None = None,
) -> list[dg.AssetCheckResult]:
    """Return the results of one date.

    Args:
        reports: of the Glue runs that worked for the date in this run.
        open_records: the date's manifests that wait, are being converted or have failed.
        date: what they lead to.
        rejected: what was rejected, by file; None where nobody looked.
    """
    return [
        row_conservation(reports),
        rejected_fraction(reports, date, rejected),
        all_manifests_completed(open_records, date),
        schema_changed(reports, date),
        rescued_share(reports, date),
        schema_has_room(reports),
        catalog_follows_contract(reports),
    ]


def kept_rejects(reports: Sequence[GlueReport]) -> list[str]:
    """Return the URIs of the objects that keep what was rejected."""
    return [
        uri for report in reports for outcome in report.manifests.values() for uri in outcome.rejected_files
    ]


def evaluation(result: dg.AssetCheckResult, asset: dg.AssetKey, date_prefix: str) -> dg.AssetCheckEvaluation:
    """Return a result as that of one date, for a run of several: Dagster itself knows a run's only date."""
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=str(result.check_name),
        passed=result.passed,
        severity=result.severity,
        metadata=result.metadata,
        partition=date_prefix,
    )


def row_conservation(reports: Sequence[GlueReport]) -> dg.AssetCheckResult:
    """Compare lines in with rows out and rejected records, manifest by manifest."""
    unequal = [
        outcome.manifest_path
        for report in reports
        for outcome in report.manifests.values()
        if outcome.is_completed
        and outcome.records_read != outcome.records_processed + outcome.records_rejected
    ]
    return dg.AssetCheckResult(
        check_name=ROW_CONSERVATION,
        passed=not unequal,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "records_read": sum(report.records_read for report in reports),
            "records_processed": sum(report.records_processed for report in reports),
            "records_rejected": sum(report.records_rejected for report in reports),
            "unequal_manifests": ", ".join(unequal[:_MOST_NAMED]),
        },
    )


def rejected_fraction(
    reports: Sequence[GlueReport], date: CheckedDate, rejected_lines: RejectedLines | None = None
) -> dg.AssetCheckResult:
    """Compare what was rejected with all of the run, by records and by bytes, and name lost files.

    A file that can't be read on, such as one array or one that is packed in an unknown way, is one rejected
    record whatever it held. So its bytes count as well, and one such file is enough for a warning.

    Args:
        reports: of the Glue runs.
        date: what it leads to.
        rejected_lines: what was rejected, by file; None where nobody looked.
    """
    outcomes = [outcome for report in reports for outcome in report.manifests.values()]
    read = sum(outcome.records_read for outcome in outcomes)
    rejected = sum(outcome.records_rejected for outcome in outcomes)
    rejected_bytes = sum(outcome.rejected_bytes for outcome in outcomes)
    # Of a file that is given up less is read than it has.
    size = max(sum(outcome.input_size_mb for outcome in outcomes) * BYTES_PER_MB, rejected_bytes)
    fraction = rejected / read if read else 0.0
    byte_fraction = rejected_bytes / size if size else 0.0
    lost = [file for outcome in outcomes for file in outcome.lost_files]
    kept = kept_rejects(reports)
    metadata: dict[str, dg.MetadataValue] = {
        "rejected_fraction": dg.MetadataValue.float(fraction),
        "rejected_fraction_of_bytes": dg.MetadataValue.float(byte_fraction),
        "records_rejected": dg.MetadataValue.int(rejected),
        "rejected_bytes": dg.MetadataValue.int(rejected_bytes),
        "files_lost": dg.MetadataValue.int(len(lost)),
        "files": dg.MetadataValue.text(_first(lost)),
    }
    if rejected_lines is not None and rejected_lines.by_file:
        metadata["rejected_by_file"] = _rejected_table(rejected_lines)
    if kept:
        folder = f"{REJECTED_FOLDER}{date.date_prefix}/"
        metadata["rejected_records"] = dg.MetadataValue.path(s3_uri(date.quarantine_bucket, folder))
        metadata["rejected_records_of"] = dg.MetadataValue.text(_first(kept))
        metadata["command"] = date.command("rejects")
        if date.console is not None:
            metadata["rejected_records_page"] = dg.MetadataValue.url(
                date.console.object(*split_s3_uri(kept[0]))
            )
    return dg.AssetCheckResult(
        check_name=REJECTED_FRACTION,
        passed=max(fraction, byte_fraction) <= MOST_REJECTED_FRACTION and not lost,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _rejected_table(rejected: RejectedLines) -> dg.TableMetadataValue:
    """Return a table of the files with the most rejected lines, a row a file and reason."""
    note = "" if rejected.is_all else "of the lines that were looked at; there are more"
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({"file": file, "reason": reason, "records": records})
            for (file, reason), records in rejected.by_file.most_common(_MOST_NAMED)
        ],
        schema=dg.TableSchema(
            columns=[
                dg.TableColumn("file", "string"),
                dg.TableColumn("reason", "string"),
                dg.TableColumn("records", "int", description=note or None),
            ]
        ),
    )


def all_manifests_completed(open_records: Sequence[ManifestRecord], date: CheckedDate) -> dg.AssetCheckResult:
    """Name the manifests of a date that are not completed; what failed is an error, what waits a warning.

    Args:
        open_records: those that wait, are being converted or have failed.
        date: what it leads to.
    """
    by_status: Mapping[str, int] = {
        status: sum(1 for record in open_records if record.status.value == status)
        for status in ("pending", "processing", "failed")
    }
    return dg.AssetCheckResult(
        check_name=MANIFESTS_COMPLETED,
        passed=not open_records,
        severity=dg.AssetCheckSeverity.ERROR if by_status["failed"] else dg.AssetCheckSeverity.WARN,
        metadata={
            **by_status,
            "manifests": _first([_named(record) for record in open_records]),
            **({"command": date.command("manifests")} if open_records else {}),
        },
    )


def _named(record: ManifestRecord) -> str:
    told = f"{record.name.filename}: {record.status.value}"
    is_failed = record.status is ManifestStatus.FAILED
    return f"{told}, {record.error_message}" if is_failed and record.error_message else told


def schema_changed(reports: Sequence[GlueReport], date: CheckedDate) -> dg.AssetCheckResult:
    """Name the columns that the run brought into the schema contract.

    New columns break no reader, but whoever selects columns by name should know of them, and a misspelt name
    of a producer shows here first. The very first columns are what the dataset is, and new to nobody.

    Args:
        reports: of the Glue runs.
        date: knows the very first columns.
    """
    outcomes = [report.schema for report in reports if report.schema is not None]
    new_columns = [
        column
        for column in dict.fromkeys(
            column
            for outcome in outcomes
            for column in outcome.new_columns
            # Where nobody knows, the contract's first version tells as much.
            if date.first_columns is not None or outcome.version > 1
        )
        if column not in (date.first_columns or ())
    ]
    metadata: dict[str, dg.MetadataValue] = {
        "new_columns": dg.MetadataValue.int(len(new_columns)),
        "columns": dg.MetadataValue.text(_first(new_columns)),
    }
    if outcomes:
        newest = max(outcomes, key=lambda outcome: outcome.version)
        metadata["contract_version"] = dg.MetadataValue.int(newest.version)
        metadata["contract"] = dg.MetadataValue.path(newest.uri)
    return dg.AssetCheckResult(
        check_name=SCHEMA_CHANGED,
        passed=not new_columns,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def rescued_share(reports: Sequence[GlueReport], date: CheckedDate) -> dg.AssetCheckResult:
    """Name the columns of which more records than a few have values that did not fit.

    Nothing is lost: the values are in `_rescued`. But a sum over such a column lacks them.

    Args:
        reports: of the Glue runs.
        date: what it leads to.
    """
    rescued = rescued_of(reports)
    worst = [each for each in rescued if each.share > MOST_RESCUED_SHARE]
    return dg.AssetCheckResult(
        check_name=RESCUED_SHARE,
        passed=not worst,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            **({"command": date.command("rescued")} if worst else {}),
            "columns_above": dg.MetadataValue.int(len(worst)),
            "columns": dg.MetadataValue.text(_first([_described(each) for each in worst])),
            "highest_share": dg.MetadataValue.float(max((each.share for each in rescued), default=0.0)),
            "what_to_do": dg.MetadataValue.text(advice(worst)),
        },
    )


def _described(rescued: Rescued) -> str:
    path = "all other places together" if rescued.path == OTHER_PLACES else rescued.path
    reasons = ", ".join(f"{reason} {records:,}" for reason, records in rescued.reasons.items())
    return f"{path}: {rescued.share:.1%} of the records ({reasons})"


def schema_has_room(reports: Sequence[GlueReport]) -> dg.AssetCheckResult:
    """Say whether the schema contract is full: what is new gets no column then, and is in `_rescued`."""
    outcomes = [report.schema for report in reports if report.schema is not None]
    newest = max(outcomes, key=lambda outcome: outcome.version, default=None)
    is_full = newest is not None and newest.is_full
    metadata: dict[str, dg.MetadataValue] = {}
    if newest is not None:
        metadata["contract"] = dg.MetadataValue.path(newest.uri)
        metadata["contract_version"] = dg.MetadataValue.int(newest.version)
    if is_full:
        metadata["what_to_do"] = dg.MetadataValue.text(
            "the schema has as many columns as the job's --MAX_COLUMNS allows (Terraform: max_columns): drop "
            "columns that nobody reads, make an object whose names are data a map, or raise the setting"
        )
    return dg.AssetCheckResult(
        check_name=SCHEMA_ROOM, passed=not is_full, severity=dg.AssetCheckSeverity.WARN, metadata=metadata
    )


def catalog_follows_contract(reports: Sequence[GlueReport]) -> dg.AssetCheckResult:
    """Say whether the newest run that has a table in the Data Catalog brought it to the contract.

    A table that is behind hides new columns from Athena, and no row. The next run of any date tries again,
    while this date keeps its result: hence a warning.
    """
    outcomes = [report.catalog for report in reports if report.catalog is not None]
    if not outcomes:
        return dg.AssetCheckResult(
            check_name=CATALOG_CURRENT, passed=True, severity=dg.AssetCheckSeverity.WARN
        )
    newest = outcomes[-1]
    metadata: dict[str, dg.MetadataValue] = {
        "table": dg.MetadataValue.text(newest.table),
        "columns_left_out": dg.MetadataValue.int(len(newest.left_out)),
        "left_out": dg.MetadataValue.text("; ".join(newest.left_out[:_MOST_NAMED])),
    }
    if newest.schema_version is not None:
        metadata["schema_version"] = dg.MetadataValue.int(newest.schema_version)
    if newest.error_message is not None:
        metadata["error_message"] = dg.MetadataValue.text(newest.error_message)
    return dg.AssetCheckResult(
        check_name=CATALOG_CURRENT,
        passed=newest.error_message is None,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _first(texts: Sequence[str]) -> str:
    """Return the first of some texts, a line each, and how many more there are."""
    more = [f"and {len(texts) - _MOST_NAMED} more"] if len(texts) > _MOST_NAMED else []
    return "\n".join([*texts[:_MOST_NAMED], *more])
