"""Days to show: a good one, a broken one, and one whose texts are hostile."""

import math
from datetime import UTC, datetime, timedelta

from ndjson_pipeline.claims.totals import DateTotals, ManifestNumbers
from ndjson_pipeline.day_report.figures import (
    IN_ALL,
    TO_GLUE,
    TO_MANIFEST,
    TO_PARQUET,
    Day,
    Failure,
    GlueReports,
    GlueRuns,
    LambdaReports,
    Parquet,
    RejectedRecords,
)
from ndjson_pipeline.day_report.sums import Durations
from ndjson_pipeline_tests.pipeline.harness import DATE

BEGIN = datetime(2026, 1, 30, tzinfo=UTC)
GLUE_RUN = "jr_" + "4f" * 32
# What a producer may call a file, and a record may hold.
HOSTILE = (
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}{% for x in y %}",
    "\"><img src=x onerror='alert(1)'>",
    "&lt;b&gt; & </td></svg></title>",
    "\x1b[31m\x00\x07\u202egnp.exe\u2066",
    "שלום עולם מימין לשמאל",
    "x" * 5_000,
    "https://example.com/" + "a" * 300,
)


def good_day(*, files: int = 9_998, at: datetime = BEGIN + timedelta(days=1, hours=9)) -> Day:
    """A day of which all is in Parquet, with some of everything that is told."""
    day = Day(DATE, at, environment="prod")
    day.files.by_status.update({"manifested": files, "quarantined": 14})
    day.files.size_mb = files * 3.5
    day.files.refused.add("size out of tolerance", 11)
    day.files.refused.add("empty file", 3)
    day.files.refused_examples = [(f"{DATE}-small.ndjson", "size out of tolerance: 0.010 MB")]
    latencies = {stage: Durations() for stage in (TO_MANIFEST, TO_GLUE, TO_PARQUET, IN_ALL)}
    for minute in range(1_440):
        count = round(files / 1_440 * (1 + 0.7 * math.sin((minute - 480) / 1_440 * math.tau)))
        seen = BEGIN + timedelta(minutes=minute)
        late = timedelta(minutes=5 + minute % 13, seconds=minute % 47)
        day.files.arrivals.add(seen, count)
        day.files.accepted.add(seen, count)
        day.files.converted.add(seen + late, count)
        parts = (30 + minute % 61, 240 + minute % 480, 75 + minute % 23)
        for stage, seconds in zip(latencies, (*parts, sum(parts)), strict=True):
            latencies[stage].add(seconds, count)
    day.latencies = latencies
    day.manifests.by_status.update({"completed": 1_002})
    day.manifests.files.update({"completed": files})
    day.manifests.empty, day.manifests.empty_count = [], 0
    numbers = ManifestNumbers(
        records_read=104_998_331,
        records_processed=104_990_102,
        records_rejected=8_229,
        records_rescued=51_402,
        parquet_files=1_002,
        input_bytes=36_700_000_000,
        output_bytes=4_100_000_000,
    )
    day.totals = DateTotals(
        manifests=1_002, numbers=numbers, glue_runs=95, glue_seconds=4_655, dpu_hours=3.17, cost_usd=1.39
    )
    day.parquet = Parquet(f"s3://output/merged-parquet-{DATE}/", 1_002, 3_910.1)
    day.glue_runs = GlueRuns(95)
    day.glue_runs.states.update({"SUCCEEDED": 95})
    for run in range(95):
        day.glue_runs.cost.add(BEGIN + timedelta(minutes=15 * (run + 1)), 1.39 / 95)
    day.glue_reports = GlueReports(read=95)
    for place, count in (
        ("user.age: other kind", 40_102),
        ("price: out of range", 11_200),
        ("*: too deep", 100),
    ):
        day.glue_reports.rescued.add(place, count)
    day.rejected = RejectedRecords(8_229)
    for reason, count in (("not JSON", 8_102), ("not an object", 100), ("not UTF-8", 27)):
        day.rejected.reasons.add(reason, count)
    day.rejected.samples = [(f"{DATE}-a.ndjson:17", "not JSON", '{"id": 3, "na')]
    day.lambda_reports = LambdaReports(found=1_204, read=1_000, processed=8_310, refused=12)
    day.metrics = {
        "files_processed": 9_998,
        "files_quarantined": 14,
        "files_left_alone": 3,
        "manifests_created": 1_002,
    }
    return day


def broken_day() -> Day:
    """A day with failures, files that wait, and what could not be seen."""
    day = good_day()
    day.files.by_status["pending"] = 42
    day.files.oldest_pending = BEGIN + timedelta(hours=20)
    day.files.accepted.add(BEGIN + timedelta(hours=20), 342)
    day.manifests.by_status["failed"] = 3
    day.manifests.files["failed"] = 300
    day.manifests.failed_for_good = 3
    day.manifests.failures = [
        Failure(
            manifest=f"manifest-{DATE}-batch-00000{number}-1f0c2a9b.json",
            attempt=2,
            error=f"Glue run {GLUE_RUN} ended FAILED: 9,120 of 10,000 records were rejected, more than 0.5",
            failed_at=f"{DATE}T0{number}:00:00.000000Z",
            retry_at=None,
            dagster_run_id="0d9c3c4e-8a6b-4a35-9f1e-0a3f3b6c7d8e",
            dagster_run_url="https://dagster.example.com/runs/0d9c3c4e-8a6b-4a35-9f1e-0a3f3b6c7d8e",
            glue_run_id=GLUE_RUN,
            glue_run_url="https://us-east-1.console.aws.amazon.com/gluestudio/home",
        )
        for number in (1, 2, 3)
    ]
    day.metrics = None
    day.unseen = ["these credentials may not use table metrics: they lack dynamodb:Query; ask who gives them"]
    return day


def hostile_day() -> Day:
    """A day of which each text from outside is what it should not be."""
    day = broken_day()
    for text in HOSTILE:
        day.files.refused.add(text)
        day.files.refused_examples.append((text, text))
        day.files.by_status[text] += 1
        day.manifests.by_status[text] += 1
        day.odd_examples.append(text)
        day.unseen.append(text)
        assert day.rejected is not None
        assert day.glue_reports is not None
        assert day.lambda_reports is not None
        day.rejected.reasons.add(text)
        day.rejected.samples.append((text, text, text))
        day.glue_reports.rescued.add(text)
        day.glue_reports.lost_files.append(text)
        day.lambda_reports.errors.add(text)
        day.lambda_reports.examples.append(text)
        day.manifests.failures.append(
            Failure(text, 1, text, text, text, text, f"https://dagster.example.com/runs/{text}", text, None)
        )
    return day
