"""What the UI shows and plots of the conversion of a date: its numbers, each a function of what was done."""

from collections.abc import Sequence

import dagster as dg

from lambda_ingest.contract.keys import split_s3_uri
from lambda_ingest.contract.records import BYTES_PER_MB
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.totals import DateTotals, GlueCharge, ManifestNumbers, saved_percent
from ndjson_pipeline.conversion.console import Console
from ndjson_pipeline.conversion.rescued import rescued_of, rescued_table
from ndjson_pipeline.glue.cost import dpu_hours
from ndjson_pipeline.glue.report import GlueReport
from ndjson_pipeline.glue.session import Conversion
from ndjson_pipeline.glue.settlement import Settlement

Metadata = dict[str, dg.MetadataValue]

# Dagster's own names: https://docs.dagster.io/guides/build/assets/metadata-and-tags
ROW_COUNT = "dagster/row_count"
PARTITION_ROW_COUNT = "dagster/partition_row_count"
# Where a run that fails says why; the other streams of Glue's logs lie beside.
GLUE_LOG_GROUP = "/aws-glue/jobs/error"


def numbers_of(report: GlueReport | None, record: ManifestRecord) -> ManifestNumbers | None:
    """Return what the output of a manifest holds, or None where no report tells."""
    outcome = report.manifests.get(record.manifest_path) if report is not None else None
    if outcome is None:
        return None
    return ManifestNumbers(
        records_read=outcome.records_read,
        records_processed=outcome.records_processed,
        records_rejected=outcome.records_rejected,
        records_rescued=outcome.records_rescued,
        parquet_files=outcome.parquet_files,
        input_bytes=round(outcome.input_size_mb * BYTES_PER_MB),
        output_bytes=round(outcome.output_size_mb * BYTES_PER_MB),
        input_files=record.file_count,
    )


def charge_of(date_prefix: str, conversion: Conversion, dpu_hour_price_usd: float) -> GlueCharge:
    """Return what a Glue run worked for a date, and what it costs.

    Args:
        date_prefix: the date.
        conversion: the run, ended.
        dpu_hour_price_usd: what a DPU-hour costs.
    """
    hours = dpu_hours(conversion.run)
    return GlueCharge(
        date_prefix=date_prefix,
        glue_job_run_id=conversion.run.run_id,
        seconds=_seconds(conversion),
        dpu_hours=hours,
        cost_usd=None if hours is None else hours * dpu_hour_price_usd,
    )


def date_metadata(totals: DateTotals) -> Metadata:
    """Return the numbers of a date: of all of its manifests, whichever runs converted them.

    DPU-hours and their price are left out where Glue does not say enough of one of its runs.
    """
    numbers = totals.numbers
    metadata: Metadata = {
        ROW_COUNT: dg.MetadataValue.int(numbers.records_processed),
        PARTITION_ROW_COUNT: dg.MetadataValue.int(numbers.records_processed),
        "input_files": dg.MetadataValue.int(numbers.input_files),
        "manifests_completed": dg.MetadataValue.int(totals.manifests),
        "manifests_without_report": dg.MetadataValue.int(totals.manifests_unreported),
        "records_read": dg.MetadataValue.int(numbers.records_read),
        "records_processed": dg.MetadataValue.int(numbers.records_processed),
        "records_rejected": dg.MetadataValue.int(numbers.records_rejected),
        "records_rescued": dg.MetadataValue.int(numbers.records_rescued),
        "parquet_files_created": dg.MetadataValue.int(numbers.parquet_files),
        **_sizes(
            "",
            numbers.input_bytes / BYTES_PER_MB,
            numbers.output_bytes / BYTES_PER_MB,
            numbers.parquet_files,
        ),
        "glue_runs": dg.MetadataValue.int(totals.glue_runs),
        "execution_time_seconds": dg.MetadataValue.float(round(totals.glue_seconds, 3)),
    }
    if not totals.glue_runs_unpriced:
        metadata["dpu_hours"] = dg.MetadataValue.float(round(totals.dpu_hours, 6))
        metadata["cost_usd"] = dg.MetadataValue.float(round(totals.cost_usd, 6))
    return metadata


def run_metadata(
    conversions: Sequence[Conversion],
    completed: Sequence[Settlement],
    *,
    console: Console | None,
    dpu_hour_price_usd: float,
) -> Metadata:
    """Return what one run did to a date, with its report, its Glue run, its log and the output.

    Records, files and sizes are those of the manifests that were completed. Time and DPU-hours are those of
    the Glue runs, however many manifests failed in them.

    Args:
        conversions: the Glue runs that worked for the date; one that is given twice counts once.
        completed: the date's manifests that were completed by them.
        console: whose pages are linked; None where there is none.
        dpu_hour_price_usd: what a DPU-hour costs.
    """
    by_run = {conversion.run.run_id: conversion for conversion in conversions}
    reports = [conversion.report for conversion in by_run.values() if conversion.report is not None]
    known = {path: outcome for report in reports for path, outcome in report.manifests.items()}
    records = {one.claim.record.manifest_path: one.claim.record for one in completed}
    outcomes = [known[path] for path in records if path in known]
    parquet_files = sum(outcome.parquet_files for outcome in outcomes)
    metadata: Metadata = {
        "run_input_files": dg.MetadataValue.int(sum(record.file_count for record in records.values())),
        "run_manifests_completed": dg.MetadataValue.int(len(records)),
        "run_records_read": dg.MetadataValue.int(sum(outcome.records_read for outcome in outcomes)),
        "run_records_processed": dg.MetadataValue.int(sum(outcome.records_processed for outcome in outcomes)),
        "run_records_rejected": dg.MetadataValue.int(sum(outcome.records_rejected for outcome in outcomes)),
        "run_records_rescued": dg.MetadataValue.int(sum(outcome.records_rescued for outcome in outcomes)),
        "run_parquet_files_created": dg.MetadataValue.int(parquet_files),
        "run_rejected_bytes": dg.MetadataValue.int(sum(outcome.rejected_bytes for outcome in outcomes)),
        **_sizes(
            "run_",
            sum((outcome.input_size_mb for outcome in outcomes), 0.0),
            sum((outcome.output_size_mb for outcome in outcomes), 0.0),
            parquet_files,
        ),
        "run_execution_time_seconds": dg.MetadataValue.float(
            round(sum(map(_seconds, by_run.values()), 0.0), 3)
        ),
        **_billed(list(by_run.values()), dpu_hour_price_usd),
    }
    if by_run:
        last = list(by_run.values())[-1].run
        metadata["glue_job_run_ids"] = dg.MetadataValue.text(", ".join(by_run))
        metadata["glue_log"] = dg.MetadataValue.text(f"{GLUE_LOG_GROUP}, stream {last.run_id}")
        if console is not None:
            metadata["glue_run"] = dg.MetadataValue.url(console.glue_run(last.job_name, last.run_id))
            metadata["glue_log_page"] = dg.MetadataValue.url(console.log_stream(GLUE_LOG_GROUP, last.run_id))
    uris = [report.uri for report in reports if report.uri is not None]
    if uris:
        metadata["glue_reports"] = dg.MetadataValue.text(", ".join(uris))
        if console is not None:
            metadata["report"] = dg.MetadataValue.url(console.object(*split_s3_uri(uris[-1])))
    folders = [outcome.output_folder for outcome in outcomes if outcome.output_folder is not None]
    if folders:
        metadata["output_folder"] = dg.MetadataValue.path(folders[-1])
        if console is not None:
            metadata["output"] = dg.MetadataValue.url(console.folder(*split_s3_uri(folders[-1])))
    if rescued := rescued_of(reports):
        metadata["run_rescued_columns"] = rescued_table(rescued)
    return metadata


def _sizes(prefix: str, input_mb: float, output_mb: float, parquet_files: int) -> Metadata:
    """Return sizes, and the share that was saved where the files are large enough for it to say something."""
    metadata: Metadata = {
        f"{prefix}input_size_mb": dg.MetadataValue.float(round(input_mb, 6)),
        f"{prefix}output_size_mb": dg.MetadataValue.float(round(output_mb, 6)),
    }
    saved = saved_percent(input_mb * BYTES_PER_MB, output_mb * BYTES_PER_MB, parquet_files)
    if saved is not None:
        metadata[f"{prefix}compression_ratio"] = dg.MetadataValue.float(round(saved, 2))
    return metadata


def _seconds(conversion: Conversion) -> float:
    """Return how long a Glue run worked: its script's time where that is known."""
    if conversion.report is None:
        return float(conversion.run.execution_seconds)
    return conversion.report.execution_seconds


def _billed(conversions: Sequence[Conversion], dpu_hour_price_usd: float) -> Metadata:
    """Return DPU-hours and their price; nothing where Glue does not say enough of one of the runs."""
    hours = [dpu_hours(conversion.run) for conversion in conversions]
    known = [one for one in hours if one is not None]
    if len(known) < len(hours):
        return {}
    total = sum(known, 0.0)
    return {
        "run_dpu_hours": dg.MetadataValue.float(round(total, 6)),
        "run_cost_usd": dg.MetadataValue.float(round(total * dpu_hour_price_usd, 6)),
    }
