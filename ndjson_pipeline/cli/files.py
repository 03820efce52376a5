"""The commands `file` and `files`."""

from typing import Any

from lambda_ingest.contract.records import FileStatus
from lambda_ingest.contract.rows import text_of
from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.cli.texts import instant, size_mb
from ndjson_pipeline.desk.file_rows import FileRow, files_of_date
from ndjson_pipeline.desk.file_story import FileStory, tell_story
from ndjson_pipeline.desk.manifest_rows import row_of_record
from ndjson_pipeline.desk.overview import megabytes

_MOST_PARQUET = 20


def run_file(session: Session, name: str, date: str | None) -> None:
    """Tell a file's story.

    Raises:
        UnknownFileError: nobody knows it.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    with session.output.progress(f"looking for {name}") as tell:
        story = tell_story(session.desk, name, date, tell)
    session.output.show(_story_document(story), _story_blocks(story))


def run_files(session: Session, date: str, status: FileStatus | None, limit: int, after: str) -> None:
    """List the files of a date.

    Raises:
        ClientError, BotoCoreError: AWS refused or failed.
    """
    with session.output.progress(f"reading files of {date}") as tell:
        page = files_of_date(session.desk, date, status, limit=limit, after=after, tell=tell)
    document = {
        "date": date,
        "files": [row.to_document() for row in page.rows],
        "next_after": page.next_after,
    }
    blocks: list[Block] = [
        Listing(
            f"files of {date}",
            [
                Column("name"),
                Column("status", is_whole=True),
                Column("MB", is_number=True),
                Column("seen", is_whole=True),
                Column("manifest, or why not"),
            ],
            [_cells(row) for row in page.rows],
        )
    ]
    if page.next_after is not None:
        blocks.append(Line(f"There are more: --after {page.next_after!r} goes on, --limit shows more."))
    session.output.show(document, blocks)


def _cells(row: FileRow) -> list[str]:
    what = (
        row.reason
        if row.status == FileStatus.QUARANTINED
        else row.manifest and row.manifest.rpartition("/")[2]
    )
    notes = [what or "-"]
    if row.overwritten_at:
        notes.append("overwritten afterwards")
    if row.is_odd:
        notes.append("a row of another shape, which the pipeline skips")
    return [row.key, row.status, size_mb(row.size_mb), instant(row.created_at), "; ".join(notes)]


def _story_document(story: FileStory) -> dict[str, Any]:
    record, rejected = story.record or {}, story.rejected
    return {
        "uri": story.uri,
        "date": story.date,
        "verdict": story.verdict,
        "next_step": story.next_step,
        "record": {name: value for name, value in record.items() if name != "date_prefix"} or None,
        "in_input": None if story.in_input is None else vars(story.in_input),
        "in_quarantine": None if story.in_quarantine is None else vars(story.in_quarantine),
        "manifest": None if story.manifest is None else story.manifest.filename,
        "listed": None if story.listed is None else vars(story.listed),
        "manifest_record": None
        if story.manifest_record is None
        else row_of_record(story.manifest_record).to_document(),
        "parquet": [vars(file) for file in story.output],
        "rejected": None
        if rejected is None
        else {
            "records": rejected.records,
            "reasons": dict(rejected.reasons),
            "is_cut": rejected.is_cut,
            "samples": [vars(sample) for sample in rejected.samples],
        },
        "unseen": story.unseen,
    }


def _story_blocks(story: FileStory) -> list[Block]:
    facts = {"object": story.uri, "date": story.date or "unknown", "what became of it": story.verdict}
    if story.next_step is not None:
        facts["next"] = story.next_step
    facts |= _record_facts(story)
    if story.in_input is not None:
        facts["lies in the input"] = f"{story.in_input.size_bytes:,} bytes, etag {story.in_input.etag}"
    if story.in_quarantine is not None:
        facts["lies in quarantine"] = story.in_quarantine.uri
    if story.manifest is not None:
        facts["manifest"] = story.manifest.filename
    facts |= _run_facts(story)
    blocks: list[Block] = [Facts(story.uri.rpartition("/")[2], facts)]
    if story.output:
        blocks.append(
            Listing(
                "Parquet of its manifest",
                [Column("object"), Column("MB", is_number=True)],
                [[file.uri, size_mb(megabytes(file.size_bytes))] for file in story.output[:_MOST_PARQUET]],
            )
        )
    if story.rejected is not None and story.rejected.records:
        blocks.append(
            Listing(
                "why records were rejected",
                [Column("reason"), Column("records", is_number=True)],
                [[reason, f"{count:,}"] for reason, count in story.rejected.reasons.most_common()],
            )
        )
    return blocks + [Line(f"not seen: {one}") for one in story.unseen]


def _record_facts(story: FileStory) -> dict[str, str]:
    record = story.record
    if record is None:
        return {"record": "none; it never had one, or it has expired"}
    facts = {
        "record": f"{story.status}, under {story.record_key}",
        "seen": text_of(record, "created_at") or "unknown",
        "changed": text_of(record, "updated_at") or "unknown",
    }
    if (reason := text_of(record, "reason")) is not None:
        facts["why it was refused"] = reason
    if (overwritten := text_of(record, "overwritten_at")) is not None:
        facts["overwritten"] = f"{overwritten}, etag {text_of(record, 'overwritten_etag') or 'unknown'}"
    return facts


def _run_facts(story: FileStory) -> dict[str, str]:
    record = story.manifest_record
    if record is None:
        return {}
    facts = {
        "the manifest's state": f"{record.status.value}, attempt {record.attempt}, {record.file_count} files",
        "Dagster run": record.dagster_run_id or "none yet",
        "Glue run": record.glue_job_run_id or "none yet",
    }
    if record.records_processed is not None:
        facts["rows of the manifest"] = f"{record.records_processed:,}"
    if record.error_message is not None:
        facts["error"] = record.error_message
    return facts
