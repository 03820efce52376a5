"""The command `rescued`."""

from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.cli.texts import size_mb
from ndjson_pipeline.desk.output.rescued import OTHER_PLACES, RescuedOfDate, rescued_of_date
from ndjson_pipeline.desk.output.rescued_advice import next_step
from ndjson_pipeline.desk.schema.contract import read_contract

_MOST_PLACES = 30


def run(session: Session, date: str, samples: int, most_mb: int) -> None:
    """Show which columns a date's values did not fit.

    Raises:
        SchemaUnreadableError: the schema contract is none.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    with session.output.progress(f"reading what was rescued of {date}") as tell:
        contract = read_contract(session.desk)
        found = rescued_of_date(session.desk, date, samples, most_mb, tell)
    steps = {place.path: next_step(place, contract, found.places) for place in found.places}
    document = {
        "date": date,
        "records": found.records,
        "records_rescued": found.rescued,
        "manifests_unreported": found.manifests_unreported,
        "counted_by": "reports" if found.is_counted else "sample",
        "runs": found.runs,
        "runs_read": found.runs_read,
        "counts_more": found.is_more,
        "columns": [
            {
                "path": place.path,
                "type": place.type,
                "records": place.records,
                "share": _share(place.records, found),
                "reasons": dict(place.reasons.most_common()),
                "samples": [vars(sample) for sample in place.samples],
                "next_step": steps[place.path],
            }
            for place in found.places
        ],
        "sampled": vars(found.sampled),
    }
    session.output.show(document, _blocks(date, found, steps))


def _share(records: int, found: RescuedOfDate) -> float | None:
    rows = found.records if found.is_counted else found.sampled.rows
    return min(1.0, records / rows) if rows else None


def _blocks(date: str, found: RescuedOfDate, steps: dict[str, str]) -> list[Block]:
    if found.records is None and not found.sampled.files_of_date:
        return [Line(f"Nothing of {date} was converted yet, so nothing is rescued.")]
    blocks: list[Block] = [Line(_summary(date, found))]
    if not found.places:
        return [*blocks, *_doubts(found)]
    blocks.append(
        Listing(
            "by column" if found.is_counted else "by column, in the sample",
            [
                Column("column"),
                Column("is"),
                Column("records", is_number=True),
                Column("share", is_number=True),
                Column("why"),
                Column("such as"),
            ],
            [
                [
                    "(others)" if place.path == OTHER_PLACES else place.path,
                    (place.type or "-")[:60],
                    f"{place.records:,}",
                    "-" if (share := _share(place.records, found)) is None else f"{share:.2%}",
                    ", ".join(place.reasons),
                    ", ".join(sample.value[:40] for sample in place.samples) or "-",
                ]
                for place in found.places[:_MOST_PLACES]
            ],
        )
    )
    if len(found.places) > _MOST_PLACES:
        blocks.append(
            Line(f"{len(found.places) - _MOST_PLACES:,} more columns are not shown; --json has all.")
        )
    shown = [place for place in found.places[:_MOST_PLACES] if place.path != OTHER_PLACES]
    blocks.append(Facts("next", {place.path[:60]: steps[place.path] for place in shown}))
    return [*blocks, *_doubts(found)]


def _summary(date: str, found: RescuedOfDate) -> str:
    if found.records is None or found.rescued is None:
        return f"{date} has no totals; its Parquet tells."
    share = f" ({found.rescued / found.records:.2%})" if found.records else ""
    return (
        f"Of {found.records:,} rows of {date}, {found.rescued:,}{share} have something that did not fit its "
        "column."
    )


def _doubts(found: RescuedOfDate) -> list[Line]:
    said = []
    sampled = found.sampled
    if found.runs_read < found.runs:
        said.append(
            f"{found.runs - found.runs_read} of {found.runs} Glue runs have no report any more, or were too "
            "many to read: counts by column are without them."
        )
    if found.is_more:
        said.append(
            "Some of the runs also counted manifests that were converted again since: counts by column are "
            "too high by these."
        )
    if found.manifests_unreported:
        said.append(
            f"{found.manifests_unreported} manifests were converted without a report: counts are "
            "without them, and the sample is of them, too."
        )
    if sampled.files_of_date:
        what = "All of it was read" if sampled.is_whole else "THIS IS A SAMPLE"
        said.append(
            f"{what}: {sampled.rows:,} rows in {sampled.files:,} of {sampled.files_of_date:,} Parquet files, "
            f"{sampled.rescued:,} of them with something in _rescued; {size_mb(sampled.read_mb)} MB."
        )
    return [Line(text) for text in said]
