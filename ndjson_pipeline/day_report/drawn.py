"""The plots of a day; pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from ndjson_pipeline.day_report import plots
from ndjson_pipeline.day_report.figures import IN_ALL, STAGES, Day
from ndjson_pipeline.day_report.plots import Plot, seconds_text
from ndjson_pipeline.day_report.sums import Kinds, Minutes, points_between, waiting

PERCENTILES = (0.5, 0.95, 0.99)
_POINTS = 145
_MOST_ROWS = 10
_HOURS = 24
# A course is drawn for so long after the day.
_LONGEST_COURSE = timedelta(days=2)


def plots_of(day: Day) -> list[Plot]:
    """Return the plots of a day; what nothing is known of has none."""
    return list(_plots(day))


def _plots(day: Day) -> Iterator[Plot]:
    if day.files.arrivals.counts:
        yield _arrivals(day)
        yield _backlog(day)
    elif day.expired is not None and day.expired.created.counts:
        yield _batches(day)
    if day.totals is not None and day.totals.numbers.records_read:
        yield _records(day)
    if any(found.total for found in day.latencies.values()):
        yield _latencies(day)
    reasons: list[tuple[str, str, Kinds]] = [("refused", "Refused files, by reason", day.files.refused)]
    if day.rejected is not None:
        reasons.append(("rejected", "Rejected records, by reason", day.rejected.reasons))
    if day.glue_reports is not None:
        reasons.append(("rescued", "Rescued records, by column and reason", day.glue_reports.rescued))
    for name, title, kinds in reasons:
        if kinds.counts:
            largest = kinds.largest(_MOST_ROWS)
            values = [(kind, float(count), f"{count:,}") for kind, count in largest]
            first = f"{largest[0][0]} the most, {largest[0][1]:,}"
            yield plots.rows(name, title, f"{title}: {first}.", values, styles=("warn",))
    if day.glue_runs is not None and day.glue_runs.cost.total:
        yield _cost(day)


def _arrivals(day: Day) -> Plot:
    arrivals = day.files.arrivals
    values = arrivals.by_hour(day.begin, _HOURS)
    most = max(range(_HOURS), key=lambda hour: values[hour])
    summary = (
        f"Files seen in each hour of the day, in UTC: {sum(values):,.0f} in all, the most, "
        f"{values[most]:,.0f}, from {most}:00."
    )
    return plots.columns(
        "arrivals",
        "Arrivals an hour",
        summary,
        values,
        [f"{hour:02d}:00" for hour in range(_HOURS)],
        unit="files",
        note=_outside(arrivals, sum(values)),
    )


def _outside(minutes: Minutes, inside: float) -> str:
    rest = round(minutes.total - inside)
    return f"{rest:,} more came before the day or after it." if rest > 0 else ""


def backlog_of(day: Day) -> tuple[list[datetime], list[float]]:
    """Return how many accepted files were not in Parquet yet, over the day and until all were; with when."""
    begin, end = _span(day)
    points = points_between(begin, end, _POINTS)
    return points, waiting(day.files.accepted, day.files.converted, points)


def _backlog(day: Day) -> Plot:
    points, values = backlog_of(day)
    most = max(range(len(points)), key=lambda number: values[number])
    summary = (
        f"Accepted files that were not in Parquet yet: {values[most]:,.0f} at the most, at "
        f"{points[most]:%m-%d %H:%M} UTC, and {values[-1]:,.0f} at the end."
    )
    labels = [f"{point:%H:%M}" if point < day.end else f"{point:%m-%d %H:%M}" for point in points]
    return plots.area("backlog", "Backlog over the day", summary, values, labels, unit="files")


def _span(day: Day) -> tuple[datetime, datetime]:
    """Return from when to when the backlog is drawn: the day, and after it as long as something waits."""
    come, gone = day.files.accepted, day.files.converted
    ends = [one for one in (come.last, gone.last) if one is not None]
    is_open = gone.total < come.total
    end = max([day.end, *ends]) if not is_open else max(day.end, day.at)
    end = min(end, day.end + _LONGEST_COURSE, max(day.at, day.begin + timedelta(hours=1)))
    return day.begin.astimezone(UTC), end.astimezone(UTC)


def _batches(day: Day) -> Plot:
    created = day.expired.created if day.expired is not None else Minutes()
    values = created.by_hour(day.begin, _HOURS)
    return plots.columns(
        "batches",
        "Files batched an hour",
        f"Files in manifests, by the hour that these were committed: {sum(values):,.0f} within the day.",
        values,
        [f"{hour:02d}:00" for hour in range(_HOURS)],
        unit="files",
        note=_outside(created, sum(values)),
    )


def _latencies(day: Day) -> Plot:
    values = []
    for stage in STAGES:
        found = day.latencies.get(stage)
        for share in PERCENTILES if found is not None else ():
            seconds = found.percentile(share) if found is not None else None
            if seconds is not None:
                values.append((f"{stage}, p{share * 100:.0f}", seconds, seconds_text(seconds)))
    whole = day.latencies.get(IN_ALL)
    p95 = whole.percentile(0.95) if whole is not None else None
    summary = (
        f"How late files were: 95 of 100 were in Parquet within {seconds_text(p95)} of their arrival."
        if p95 is not None
        else "How late files were; none is in Parquet yet."
    )
    return plots.rows("latency", "Latency of files", summary, values, styles=("good", "bar", "warn"))


def _records(day: Day) -> Plot:
    assert day.totals is not None
    numbers = day.totals.numbers
    counts = {
        "records in": numbers.records_read,
        "rows out": numbers.records_processed,
        "rejected": numbers.records_rejected,
        "rescued in part": numbers.records_rescued,
    }
    values = [(name, float(count), f"{count:,}") for name, count in counts.items()]
    summary = "Records: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()) + "."
    return plots.rows("records", "Records", summary, values, styles=("bar", "good", "bad", "warn"))


def _cost(day: Day) -> Plot:
    assert day.glue_runs is not None
    cost = day.glue_runs.cost
    values = cost.by_hour(day.begin, _HOURS)
    rest = cost.total - sum(values)
    note = f"{rest:.2f} USD more by runs after the day." if rest > 0.005 else ""
    return plots.columns(
        "cost",
        "Glue's cost an hour, USD",
        f"What the runs that were started in each hour cost: {sum(values):.2f} USD within the day.",
        values,
        [f"{hour:02d}:00" for hour in range(_HOURS)],
        unit="USD",
        note=note,
    )
