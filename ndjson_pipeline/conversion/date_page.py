"""The page of a date in the UI: its numbers, its columns, where its data lies, what its checks lead to."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import SchemaContractError
from glue_jobs.schema.contract import SchemaContractStore
from glue_jobs.writing.names import date_folder
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.text import printable
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.totals import DateTotals
from ndjson_pipeline.conversion.checks import MOST_REJECTED_FRACTION, CheckedDate, kept_rejects
from ndjson_pipeline.conversion.columns import first_columns, table_schema
from ndjson_pipeline.conversion.console import Console, console_of
from ndjson_pipeline.conversion.metadata import Metadata, date_metadata, run_metadata
from ndjson_pipeline.conversion.rejected_lines import (
    REJECTED_FOLDER,
    RejectedLines,
    RejectedLinesUnreadableError,
    look_into,
)
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.glue.job_settings import output_prefix_of
from ndjson_pipeline.glue.report import GlueReport
from ndjson_pipeline.glue.session import Conversion
from ndjson_pipeline.glue.settlement import Settlement

if TYPE_CHECKING:
    from glue_jobs.schema.contract import SchemaContract

URI = "dagster/uri"
COLUMN_SCHEMA = "dagster/column_schema"


@dataclass(frozen=True)
class Dataset:
    """Where a feed's dataset lies, and what it looks like.

    Attributes:
        names: of the deployment.
        console: None where there is none.
        output_prefix: the folder above the dates' folders; None where the Glue job could not be asked.
        contract: of its columns; None where it can't be read now.
    """

    names: Names
    console: Console | None
    output_prefix: str | None = None
    contract: "SchemaContract | None" = None

    def checked(self, date_prefix: str) -> CheckedDate:
        """Return what the checks of a date lead to."""
        return CheckedDate(
            date_prefix,
            self.names.quarantine_bucket,
            command_options(self.names),
            self.console,
            None if self.contract is None else first_columns(self.contract),
        )

    def folder(self, date_prefix: str) -> str | None:
        """Return the URI of a date's folder, ending in a slash."""
        if self.output_prefix is None:
            return None
        return s3_uri(
            self.names.output_bucket, date_folder(self.output_prefix, date_prefix).rstrip("/") + "/"
        )


def dataset_of(deployment: Deployment, log: logging.Logger) -> Dataset:
    """Return a feed's dataset: one GetJob and one GET; what can't be read is left out, with a log line."""
    names, console = deployment.names, console_of(deployment)
    try:
        prefix = output_prefix_of(deployment.glue, names.glue_job)
    except (ClientError, BotoCoreError) as error:
        log.warning(f"The UI shows no columns: the Glue job can't be asked where its dataset is: {error}")
        return Dataset(names, console)
    store = SchemaContractStore(deployment.s3, names.manifest_bucket, names.output_bucket, prefix, time.sleep)
    try:
        return Dataset(names, console, prefix, store.read())
    except SchemaContractError as error:
        log.warning(f"The UI shows no columns: {printable(str(error))}")
        return Dataset(names, console, prefix)


def conversion_metadata(
    dataset: Dataset,
    date_prefix: str,
    totals: DateTotals,
    failed: Sequence[ManifestRecord],
    conversions: Sequence[Conversion],
    completed: Sequence[Settlement],
    *,
    dpu_hour_price_usd: float,
) -> Metadata:
    """Return the numbers of a date, where its data lies, its columns, and what was just done to it; pure.

    Args:
        dataset: the feed's.
        date_prefix: the date.
        totals: what its output holds.
        failed: its failed manifests.
        conversions: Glue runs that worked for it just now.
        completed: its manifests that they completed.
        dpu_hour_price_usd: what a DPU-hour costs.
    """
    metadata = date_metadata(totals)
    if (folder := dataset.folder(date_prefix)) is not None:
        metadata[URI] = dg.MetadataValue.text(folder)
    if dataset.contract is not None and dataset.contract.types:
        metadata[COLUMN_SCHEMA] = dg.MetadataValue.table_schema(table_schema(dataset.contract))
    metadata["manifests_failed"] = dg.MetadataValue.int(len(failed))
    if totals.numbers.records_rejected:
        folder = s3_uri(dataset.names.quarantine_bucket, f"{REJECTED_FOLDER}{date_prefix}/")
        metadata["rejected_records"] = dg.MetadataValue.path(folder)
        metadata["rejected_records_command"] = dataset.checked(date_prefix).command("rejects")
    return metadata | run_metadata(
        conversions, completed, console=dataset.console, dpu_hour_price_usd=dpu_hour_price_usd
    )


def rejected_lines_of(
    deployment: Deployment, reports: Sequence[GlueReport], log: logging.Logger
) -> RejectedLines | None:
    """Return which files had rejected lines, where there are enough of them for a warning.

    None where there are fewer, or where they can't be read; a log line says so then.
    """
    read = sum(report.records_read for report in reports)
    rejected = sum(report.records_rejected for report in reports)
    outcomes = [outcome for report in reports for outcome in report.manifests.values()]
    is_worth_a_look = rejected > MOST_REJECTED_FRACTION * read or any(
        outcome.lost_files or outcome.rejected_bytes for outcome in outcomes
    )
    kept = kept_rejects(reports)
    if not (kept and is_worth_a_look):
        return None
    try:
        return look_into(deployment.s3, deployment.names.quarantine_bucket, kept)
    except RejectedLinesUnreadableError as error:
        log.warning(f"The check names no files with rejected lines: {error}")
        return None


def command_options(names: Names) -> str:
    """Return the options by which the command line finds a deployment; empty for the ones by default."""
    feed = f" --feed {names.feed}" if names.feed else ""
    return f"{feed} --env {names.environment}" if names.environment != "dev" else feed
