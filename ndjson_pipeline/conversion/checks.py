"""Checks on `merged_parquet`: what a run proves or warns of, each a function of its numbers."""

import warnings
from collections.abc import Mapping, Sequence

import dagster as dg

from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.glue.report import GlueReport

ROW_CONSERVATION = "row_conservation"
REJECTED_FRACTION = "rejected_fraction"
MANIFESTS_COMPLETED = "all_manifests_completed"
SCHEMA_CHANGED = "schema_changed"
CATALOG_CURRENT = "catalog_follows_contract"

# More rejected records than this are worth a look; the conversion itself fails at its own, higher limit.
MOST_REJECTED_FRACTION = 0.01
_MOST_NAMED = 20

_DESCRIPTIONS = {
    ROW_CONSERVATION: "Lines in equal rows out and rejected records, for each manifest of the newest run.",
    REJECTED_FRACTION: f"At most {MOST_REJECTED_FRACTION:.0%} of the newest run's records were rejected.",
    MANIFESTS_COMPLETED: "No manifest of the date waits, is being converted or has failed.",
    SCHEMA_CHANGED: "The newest run brought no new columns into the dataset's schema contract.",
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


def date_checks(
    reports: Sequence[GlueReport], open_records: Sequence[ManifestRecord]
) -> list[dg.AssetCheckResult]:
    """Return the results of one date.

    Args:
        reports: of the Glue runs that worked for the date in this run.
        open_records: the date's manifests that wait, are being converted or have failed.
    """
    return [
        row_conservation(reports),
        rejected_fraction(reports),
        all_manifests_completed(open_records),
        schema_changed(reports),
        catalog_follows_contract(reports),
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


def rejected_fraction(reports: Sequence[GlueReport]) -> dg.AssetCheckResult:
    """Compare the rejected records with all of the run's."""
    read = sum(report.records_read for report in reports)
    rejected = sum(report.records_rejected for report in reports)
    fraction = rejected / read if read else 0.0
    return dg.AssetCheckResult(
        check_name=REJECTED_FRACTION,
        passed=fraction <= MOST_REJECTED_FRACTION,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rejected_fraction": fraction, "records_rejected": rejected},
    )


def all_manifests_completed(open_records: Sequence[ManifestRecord]) -> dg.AssetCheckResult:
    """Name the manifests of a date that are not completed; what failed is an error, what waits a warning.

    Args:
        open_records: those that wait, are being converted or have failed.
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
            "manifests": ", ".join(record.name.filename for record in open_records[:_MOST_NAMED]),
        },
    )


def schema_changed(reports: Sequence[GlueReport]) -> dg.AssetCheckResult:
    """Name the columns that the run brought into the schema contract.

    New columns break no reader, but whoever selects columns by name should know of them, and a misspelt name
    of a producer shows here first.
    """
    outcomes = [report.schema for report in reports if report.schema is not None]
    new_columns = list(dict.fromkeys(column for outcome in outcomes for column in outcome.new_columns))
    metadata: dict[str, dg.MetadataValue] = {
        "new_columns": dg.MetadataValue.int(len(new_columns)),
        "columns": dg.MetadataValue.text(", ".join(new_columns[:_MOST_NAMED])),
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
