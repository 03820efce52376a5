"""What a materialization of `manifests` shows: what came in, what was refused and why, what waits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster as dg

from lambda_ingest.contract.keys import s3_uri, split_s3_uri
from ndjson_pipeline.conversion.console import Console
from ndjson_pipeline.conversion.date_page import command_options
from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.sensors.arrived import Arrived
from ndjson_pipeline.sensors.counted_reports import COUNTED_REPORTS, counted_value
from ndjson_pipeline.sensors.lambda_report import DateCounts


@dataclass(frozen=True)
class WaitingFiles:
    """Files that are in no manifest yet.

    Attributes:
        by_date: how many of each date.
        is_cut: whether there are more than were counted.
    """

    by_date: Mapping[str, int]
    is_cut: bool = False


def manifests_metadata(
    names: Names,
    console: Console | None,
    date_prefix: str,
    counts: DateCounts,
    arrived: Arrived,
    reports: Iterable[str],
    waiting: WaitingFiles | None,
) -> dict[str, dg.MetadataValue]:
    """Return the metadata of one date; pure.

    Args:
        names: of the deployment.
        console: None where there is none.
        date_prefix: the date.
        counts: what the reports say.
        arrived: the sum of the date, with these.
        reports: their keys.
        waiting: files that wait for a batch; None where that could not be read.
    """
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/uri": dg.MetadataValue.text(s3_uri(names.manifest_bucket, f"manifests/{date_prefix}/")),
        "files_processed": dg.MetadataValue.int(counts.files_processed),
        "files_quarantined": dg.MetadataValue.int(counts.files_quarantined),
        "manifests_created": dg.MetadataValue.int(counts.manifests_created),
        **arrived.metadata,
    }
    if waiting is not None:
        metadata["files_waiting"] = dg.MetadataValue.int(waiting.by_date.get(date_prefix, 0))
        if waiting.is_cut:
            metadata["files_waiting_note"] = dg.MetadataValue.text("at least; more wait than were counted")
    if counts.refused:
        metadata["refused"] = _refused_table(counts)
        metadata["refused_command"] = dg.MetadataValue.text(
            f"ndjson-pipeline files --date {date_prefix} --status quarantined{command_options(names)}"
        )
    metadata["reports"] = dg.MetadataValue.int(counts.reports)
    metadata["last_report"] = dg.MetadataValue.path(counts.last_report)
    if console is not None:
        page = console.object(*split_s3_uri(counts.last_report))
        metadata["last_report_page"] = dg.MetadataValue.url(page)
    # At most as many as a tick reads, and as many again on the day they waited for.
    metadata[COUNTED_REPORTS] = counted_value(reports)
    return metadata


def _refused_table(counts: DateCounts) -> dg.TableMetadataValue:
    """Return a table of refused files, a row each."""
    left = counts.files_quarantined - len(counts.refused)
    return dg.MetadataValue.table(
        records=[dg.TableRecord({"file": uri, "reason": reason}) for uri, reason in counts.refused],
        schema=dg.TableSchema(
            columns=[dg.TableColumn("file", "string"), dg.TableColumn("reason", "string")],
            constraints=dg.TableConstraints(other=[f"and {left:,} more"]) if left > 0 else None,
        ),
    )
