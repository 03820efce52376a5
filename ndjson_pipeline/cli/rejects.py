"""The command `rejects`."""

from ndjson_pipeline.cli.output import Block, Column, Line, Listing
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.cli.texts import or_dash
from ndjson_pipeline.desk.overview import megabytes
from ndjson_pipeline.desk.rejected import MOST_BYTES, Rejects, rejects_of_date

_MOST_FILES = 20


def run(session: Session, date: str, samples: int) -> None:
    """Show a date's rejected records: how many, why, in which files, and some of them."""
    with session.output.progress(f"reading rejected records of {date}") as tell:
        found = rejects_of_date(session.desk, date, samples, tell)
    session.output.show(
        {
            "date": date,
            "records": found.records,
            "is_cut": found.is_cut,
            "objects": found.objects,
            "reasons": dict(found.reasons.most_common()),
            "files": dict(found.files.most_common()),
            "samples": [vars(sample) for sample in found.samples],
            "folder": f"s3://{session.desk.names.quarantine_bucket}/rejected/{date}/",
        },
        _blocks(date, found),
    )


def _blocks(date: str, found: Rejects) -> list[Block]:
    more = " or more" if found.is_cut else ""
    blocks: list[Block] = [Line(f"{found.records:,}{more} records of {date} were rejected.")]
    if not found.records:
        return blocks
    blocks += [
        Listing(
            "why",
            [Column("reason"), Column("records", is_number=True)],
            [[reason, f"{count:,}"] for reason, count in found.reasons.most_common()],
        ),
        Listing(
            "in which files",
            [Column("file"), Column("records", is_number=True)],
            [[file, f"{count:,}"] for file, count in found.files.most_common(_MOST_FILES)],
        ),
        Listing(
            "some of them",
            [Column("file and line"), Column("reason"), Column("begins with")],
            [
                [
                    f"{sample.source_file.rpartition('/')[2]}:{or_dash(sample.line_number)}",
                    sample.reason,
                    sample.text if sample.text is not None else "(no text)",
                ]
                for sample in found.samples
            ],
        ),
    ]
    if found.is_cut:
        blocks.append(Line(f"Only the first {megabytes(MOST_BYTES):.0f} MB were read."))
    return blocks
