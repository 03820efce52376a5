"""A day's figures as texts, for the terminal and the page alike; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from lambda_ingest.contract.records import BYTES_PER_MB
from ndjson_pipeline.day_report.drawn import PERCENTILES, backlog_of
from ndjson_pipeline.day_report.figures import STAGES, Day
from ndjson_pipeline.day_report.plots import seconds_text

UNKNOWN = "unknown"
_MOST_ROWS = 20


@dataclass(frozen=True)
class Table:
    """Names with values.

    Attributes:
        title: of all.
        rows: name and value.
        is_counted: whether the values are numbers.
        note: beneath it; may be empty.
        plot: the name of the plot that shows the same; empty for none.
    """

    title: str
    rows: list[tuple[str, str]]
    is_counted: bool = True
    note: str = ""
    plot: str = ""


def tables_of(day: Day) -> list[Table]:
    """Return a day's tables; those with nothing in them are left out."""
    return [table for table in _tables(day) if table.rows]


def key_figures(day: Day) -> list[tuple[str, str]]:
    """Return the few figures that a person looks for first."""
    numbers = None if day.totals is None else day.totals.numbers
    whole = day.latencies.get(STAGES[-1])
    p95 = None if whole is None else whole.percentile(0.95)
    return [
        ("files seen", f"{day.files.seen:,}" if day.files.seen or not day.may_be_gone else UNKNOWN),
        ("refused", f"{day.files.refused_count:,}" if day.files.seen or not day.may_be_gone else UNKNOWN),
        ("rows out", UNKNOWN if numbers is None else f"{numbers.records_processed:,}"),
        ("rejected records", UNKNOWN if numbers is None else f"{numbers.records_rejected:,}"),
        ("MB in", UNKNOWN if numbers is None else f"{numbers.input_bytes / BYTES_PER_MB:,.1f}"),
        ("MB out", UNKNOWN if numbers is None else f"{numbers.output_bytes / BYTES_PER_MB:,.1f}"),
        ("p95 to Parquet", UNKNOWN if p95 is None else seconds_text(p95)),
        ("Glue, USD", UNKNOWN if day.totals is None else f"{day.totals.cost_usd:,.2f}"),
    ]


def _tables(day: Day) -> Iterator[Table]:
    files = day.files
    yield Table(
        "Files",
        [
            ("seen", f"{files.seen:,}"),
            *((f"… {status}", f"{count:,}") for status, count in sorted(files.by_status.items())),
            *_backlog(day),
            ("listed by manifests", f"{day.manifests.files.total():,}"),
            *([("overwritten afterwards", f"{files.overwritten:,}")] if files.overwritten else []),
            ("MB", f"{files.size_mb:,.1f}"),
        ]
        if files.seen or not day.may_be_gone
        else [],
    )
    yield Table("Refused files, by reason", _counts(files.refused.largest(_MOST_ROWS)), plot="refused")
    yield Table(
        "Manifests",
        [
            ("all", f"{day.manifests.by_status.total():,}"),
            *((f"… {status}", f"{count:,}") for status, count in sorted(day.manifests.by_status.items())),
            *([("with more than one attempt", f"{day.manifests.again:,}")] if day.manifests.again else []),
        ]
        if day.manifests.by_status or not day.may_be_gone
        else [],
    )
    if day.expired is not None:
        gone = day.expired.without_parquet
        yield Table(
            "Manifests whose rows have expired",
            [
                ("in S3", f"{day.expired.manifests:,}"),
                ("files that they list", f"{day.expired.files:,}"),
                ("MB", f"{day.expired.size_mb:,.1f}"),
                ("without Parquet", UNKNOWN if gone is None else f"{gone:,}"),
            ],
        )
    yield from _of_conversion(day)
    yield from _of_reasons(day)
    if day.metrics is not None:
        yield Table(
            "What the Lambdas counted within the UTC day, all dates",
            [(name.replace("_", " "), f"{value:,}") for name, value in day.metrics.items()],
        )
    if day.lambda_reports is not None and day.lambda_reports.found:
        yield _of_lambda(day)


def _backlog(day: Day) -> list[tuple[str, str]]:
    if not day.files.accepted.counts:
        return []
    points, values = backlog_of(day)
    most = max(range(len(points)), key=lambda number: values[number])
    if not values[most]:
        # They were loaded long after their day, or were converted within the minute.
        return []
    return [("the most that waited at once", f"{values[most]:,.0f} at {points[most]:%m-%d %H:%M}")]


def _of_conversion(day: Day) -> Iterator[Table]:
    totals = day.totals
    if totals is not None:
        numbers, saved = totals.numbers, day.compression
        yield Table(
            "Conversion",
            [
                ("records in", f"{numbers.records_read:,}"),
                ("rows out", f"{numbers.records_processed:,}"),
                ("records rejected", f"{numbers.records_rejected:,}"),
                ("records rescued in part", f"{numbers.records_rescued:,}"),
                ("Parquet files written", f"{numbers.parquet_files:,}"),
                ("Parquet files there", UNKNOWN if day.parquet is None else f"{day.parquet.files:,}"),
                ("MB in", f"{numbers.input_bytes / BYTES_PER_MB:,.2f}"),
                ("MB out", f"{numbers.output_bytes / BYTES_PER_MB:,.2f}"),
                ("compression", "-" if saved is None else f"{saved:.1f} % saved"),
            ],
        )
        yield Table(
            "Glue",
            [
                ("runs", f"{totals.glue_runs:,}"),
                *_states(day),
                ("seconds", f"{totals.glue_seconds:,.0f}"),
                ("DPU-hours", f"{totals.dpu_hours:,.3f}"),
                ("USD", f"{totals.cost_usd:,.2f}"),
            ],
        )
    yield Table(
        "Latency",
        [
            (f"{stage}, p{share * 100:.0f}", seconds_text(seconds))
            for stage in STAGES
            if (found := day.latencies.get(stage)) is not None
            for share in PERCENTILES
            if (seconds := found.percentile(share)) is not None
        ],
        plot="latency",
    )


def _states(day: Day) -> list[tuple[str, str]]:
    if day.glue_runs is None:
        return []
    return [(f"… {state.lower()}", f"{count:,}") for state, count in sorted(day.glue_runs.states.items())]


def _of_reasons(day: Day) -> Iterator[Table]:
    if day.rejected is not None:
        counted = _counts(day.rejected.reasons.largest(_MOST_ROWS))
        yield Table("Rejected records, by reason", counted, plot="rejected")
    if day.glue_reports is not None:
        counted = _counts(day.glue_reports.rescued.largest(_MOST_ROWS))
        yield Table("Rescued records, by column and reason", counted, plot="rescued")
        lost = day.glue_reports
        yield Table(
            "Files that could not be read",
            [(one, "") for one in lost.lost_files],
            is_counted=False,
            note=f"{lost.lost_count:,} in all" if lost.lost_count > len(lost.lost_files) else "",
        )


def _of_lambda(day: Day) -> Table:
    reports = day.lambda_reports
    assert reports is not None
    part = "" if reports.read == reports.found else f", of which {reports.read:,} were read"
    return Table(
        "Reports of the manifest builder within the UTC day",
        [
            ("reports", f"{reports.found:,}"),
            (f"files of {day.date} accepted", f"{reports.processed:,}"),
            (f"files of {day.date} refused", f"{reports.refused:,}"),
            *((f"errors: {kind}", f"{count:,}") for kind, count in reports.errors.largest(_MOST_ROWS)),
        ],
        note=f"{reports.found:,} reports{part}." if part else "",
    )


def _counts(counted: list[tuple[str, int]]) -> list[tuple[str, str]]:
    return [(kind, f"{count:,}") for kind, count in counted]
