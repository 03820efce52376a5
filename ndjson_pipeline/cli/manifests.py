"""The command `manifests`."""

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.cli.output import Block, Column, Line, Listing
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.cli.texts import counted, instant, or_dash, short_glue_id
from ndjson_pipeline.desk.manifest_rows import (
    OPEN_STATUSES,
    ManifestRow,
    ManifestRows,
    manifests_of_date,
    open_manifests,
)
from ndjson_pipeline.errors import PipelineError


def run(session: Session, date: str | None, status: ManifestStatus | None, limit: int) -> None:
    """List manifests.

    Raises:
        PipelineError: it would take reading all that was ever completed.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    if date is None and status is ManifestStatus.COMPLETED:
        raise PipelineError("what is completed is history, which is read a date at a time: pass --date too")
    with session.output.progress("reading manifests"):
        found = (
            open_manifests(session.desk, OPEN_STATUSES if status is None else (status,), limit)
            if date is None
            else manifests_of_date(session.desk, date, status, limit)
        )
    total = sum(found.counts.values())
    session.output.show(
        {
            "date": date,
            "total": total,
            "by_status": dict(found.counts),
            "is_cut": found.is_cut,
            "manifests": [row.to_document() for row in found.rows],
        },
        _blocks(found, date, total, limit),
    )


def _blocks(found: ManifestRows, date: str | None, total: int, limit: int) -> list[Block]:
    where = f"of {date}" if date else "that are open"
    more = " or more" if found.is_cut and date is None else ""
    blocks: list[Block] = [
        Line(f"{total:,}{more} manifests {where}: {counted(found.counts)}"),
        Listing(
            "manifests",
            [
                Column("date", is_whole=True),
                Column("name"),
                Column("status", is_whole=True),
                Column("files", is_number=True),
                Column("try", is_number=True),
                Column("Glue run", is_whole=True),
                Column("started", is_whole=True),
                Column("ended", is_whole=True),
            ],
            [_cells(row) for row in found.rows],
        ),
    ]
    if found.is_cut:
        blocks.append(Line(f"Shown are {limit:,} at most; --limit shows more."))
    if odd := [row for row in found.rows if row.is_odd]:
        blocks.append(
            Line(
                f"{len(odd)} rows have another shape than a manifest's (an older tool's, or a person's); the "
                "pipeline skips them"
            )
        )
    return blocks


def _cells(row: ManifestRow) -> list[str]:
    return [
        row.date,
        row.short_name,
        row.status,
        or_dash(row.files),
        str(row.attempt),
        short_glue_id(row.glue_run_id),
        instant(row.started_at),
        instant(row.ended_at),
    ]
