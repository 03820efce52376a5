"""What the UI shows and plots of the conversion of a date."""

from collections.abc import Sequence

import dagster as dg

from lambda_ingest.contract.keys import split_s3_uri
from ndjson_pipeline.conversion.console import glue_run_url, s3_folder_url, s3_object_url
from ndjson_pipeline.glue.cost import dpu_hours
from ndjson_pipeline.glue.session import Conversion
from ndjson_pipeline.glue.settlement import Settlement

Metadata = dict[str, dg.MetadataValue]


def conversion_metadata(
    conversions: Sequence[Conversion],
    completed: Sequence[Settlement],
    *,
    region: str,
    dpu_hour_price_usd: float,
) -> Metadata:
    """Return the numbers of one date.

    Records, files and sizes are those of the manifests that were completed. Time and DPU-hours are those of
    the Glue runs, however many manifests failed in them.

    Args:
        conversions: the Glue runs that worked for the date; one that is given twice counts once.
        completed: the date's manifests that were completed by them.
        region: of the console's pages.
        dpu_hour_price_usd: what a DPU-hour costs.
    """
    by_run = {conversion.run.run_id: conversion for conversion in conversions}
    reports = [conversion.report for conversion in by_run.values() if conversion.report is not None]
    known = {path: outcome for report in reports for path, outcome in report.manifests.items()}
    paths = dict.fromkeys(settlement.claim.record.manifest_path for settlement in completed)
    outcomes = [known[path] for path in paths if path in known]
    input_mb = sum((outcome.input_size_mb for outcome in outcomes), 0.0)
    output_mb = sum((outcome.output_size_mb for outcome in outcomes), 0.0)
    seconds = sum(
        (
            float(conversion.run.execution_seconds)
            if conversion.report is None
            else conversion.report.execution_seconds
            for conversion in by_run.values()
        ),
        0.0,
    )
    metadata: Metadata = {
        "manifests_completed": dg.MetadataValue.int(len(paths)),
        "records_read": dg.MetadataValue.int(sum(outcome.records_read for outcome in outcomes)),
        "records_processed": dg.MetadataValue.int(sum(outcome.records_processed for outcome in outcomes)),
        "records_rejected": dg.MetadataValue.int(sum(outcome.records_rejected for outcome in outcomes)),
        "records_rescued": dg.MetadataValue.int(sum(outcome.records_rescued for outcome in outcomes)),
        "parquet_files_created": dg.MetadataValue.int(sum(outcome.parquet_files for outcome in outcomes)),
        "input_size_mb": dg.MetadataValue.float(round(input_mb, 6)),
        "output_size_mb": dg.MetadataValue.float(round(output_mb, 6)),
        "compression_ratio": dg.MetadataValue.float(
            round(100 * (1 - output_mb / input_mb), 2) if input_mb else 0.0
        ),
        "execution_time_seconds": dg.MetadataValue.float(round(seconds, 3)),
        **_billed(list(by_run.values()), dpu_hour_price_usd),
    }
    if by_run:
        last = list(by_run.values())[-1].run
        metadata["glue_job_run_ids"] = dg.MetadataValue.text(", ".join(by_run))
        metadata["glue_run"] = dg.MetadataValue.url(glue_run_url(region, last.job_name, last.run_id))
    uris = [report.uri for report in reports if report.uri is not None]
    if uris:
        metadata["glue_reports"] = dg.MetadataValue.text(", ".join(uris))
        metadata["report"] = dg.MetadataValue.url(s3_object_url(region, *split_s3_uri(uris[-1])))
    folders = [outcome.output_folder for outcome in outcomes if outcome.output_folder is not None]
    if folders:
        metadata["output_folder"] = dg.MetadataValue.path(folders[-1])
        metadata["output"] = dg.MetadataValue.url(s3_folder_url(region, *split_s3_uri(folders[-1])))
    return metadata


def _billed(conversions: Sequence[Conversion], dpu_hour_price_usd: float) -> Metadata:
    """Return DPU-hours and their price; nothing where Glue does not say enough of one of the runs."""
    hours = [dpu_hours(conversion.run) for conversion in conversions]
    known = [one for one in hours if one is not None]
    if len(known) < len(hours):
        return {}
    total = sum(known, 0.0)
    return {
        "dpu_hours": dg.MetadataValue.float(round(total, 6)),
        "cost_usd": dg.MetadataValue.float(round(total * dpu_hour_price_usd, 6)),
    }
