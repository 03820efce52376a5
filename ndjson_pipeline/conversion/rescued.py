"""What did not fit its column in the runs of a date, by column."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from ndjson_pipeline.glue.report import GlueReport

# Of more of a column's records a person should know: sums over it lack them.
MOST_RESCUED_SHARE = 0.01
# What the report does not name by itself.
OTHER_PLACES = "*"
_MOST_ROWS = 100
# What to do about it, by the reasons that the job gives (docs/conversion.md).
_ADVICE = {
    "other kind": (
        "other kind: the values are of another kind than the column; change the column's type by hand, or "
        "mend the producer"
    ),
    "not exact": (
        "not exact: the type can't give the numbers back as they were written; make it a decimal or text"
    ),
    "out of range": "out of range: the values don't go into the type; give it more digits, or make it text",
    "no column": (
        "no column: the names have no column; where they are data (ids, dates), make the object above a map"
    ),
    "not a number": "not a number: NaN or Infinity, which JSON does not know; mend the producer",
    "not storable": "not storable: no column can hold the name or the text; mend the producer",
    "too deep": "too deep: nested more than the job takes; make the place json",
}


@dataclass(frozen=True)
class Rescued:
    """What did not fit one column.

    Attributes:
        path: of the column, or of the place inside one.
        records: that have such a value.
        share: of the records that were converted, up to 1.
        reasons: records by reason.
    """

    path: str
    records: int
    share: float
    reasons: dict[str, int]


def rescued_of(reports: Sequence[GlueReport]) -> list[Rescued]:
    """Return what did not fit in some runs, the worst column first; pure.

    A record in which a place has values of several reasons counts for each.
    """
    processed = sum(report.records_processed for report in reports)
    by_path: dict[str, dict[str, int]] = {}
    for report in reports:
        for each in report.rescued_columns:
            reasons = by_path.setdefault(each.path, {})
            reasons[each.reason] = reasons.get(each.reason, 0) + each.records
    found = [
        Rescued(path, records, min(1.0, records / processed) if processed else 0.0, reasons)
        for path, reasons in by_path.items()
        if (records := sum(reasons.values()))
    ]
    return sorted(found, key=lambda each: (-each.records, each.path))


def advice(rescued: Sequence[Rescued]) -> str:
    """Say what to do about some columns, a line a reason."""
    reasons = dict.fromkeys(reason for each in rescued for reason in each.reasons)
    return "\n".join(_ADVICE.get(reason, f"{reason}: look into _rescued") for reason in reasons)


def rescued_table(rescued: Sequence[Rescued]) -> dg.TableMetadataValue:
    """Return a table of the worst columns, a row a column and reason."""
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({"column": each.path, "reason": reason, "records": records, "share": each.share})
            for each in rescued
            for reason, records in each.reasons.items()
        ][:_MOST_ROWS],
        schema=dg.TableSchema(
            columns=[
                dg.TableColumn("column", "string"),
                dg.TableColumn("reason", "string"),
                dg.TableColumn("records", "int"),
                dg.TableColumn("share", "float", description="of the run's records, all reasons together"),
            ]
        ),
    )
