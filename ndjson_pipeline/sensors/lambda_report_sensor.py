"""Turns the Lambda's reports into materializations of `manifests`, each report once.

Dagster may store a tick's materializations and lose its cursor, if a crash comes between; the next tick then
meets the same reports. So each materialization names the reports that it counts, and a tick drops what the
materializations since its oldest report have counted already.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.keys import LAMBDA_REPORT_PREFIX, s3_uri
from ndjson_pipeline.assets import manifests
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.errors import ReportFormatError
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors.lambda_report import DateCounts, parse_lambda_report, sum_counts

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

REPORTS_PER_TICK = 500
# A report's key bears the second of its invocation's end, but becomes visible in any order: keys of this
# much before the newest one are looked at again.
SETTLE_TIME = timedelta(minutes=2)
# Without a cursor, the reports of this long are read; older ones were read by whoever had one.
FIRST_LOOK_BACK = timedelta(days=2)
# How far Dagster's clock may lie behind S3's.
CLOCK_SKEW = timedelta(minutes=2)
COUNTED_REPORTS = "counted_reports"
_CONCURRENT_READS = 16
_MATERIALIZATIONS_PER_READ = 500
_KEY_TIME = "%Y-%m-%d-T%H%M%S"


@dataclass(frozen=True)
class ReportCursor:
    """Which reports were read.

    Attributes:
        watermark: every report before this key prefix was read.
        seen: keys after it that were read already.
    """

    watermark: str
    seen: frozenset[str]

    @classmethod
    def load(cls, text: str | None, now: datetime) -> "ReportCursor":
        """Read a cursor; without one, begin a while ago."""
        if not text:
            return cls(_key_prefix(now - FIRST_LOOK_BACK), frozenset())
        document = json.loads(text)
        return cls(document["watermark"], frozenset(document["seen"]))

    def dump(self) -> str:
        """Write a cursor."""
        return json.dumps({"watermark": self.watermark, "seen": sorted(self.seen)})

    def advance(self, read: Iterable[str]) -> "ReportCursor":
        """Return the cursor after these keys were read too."""
        seen = self.seen | frozenset(read)
        newest = max((instant for key in seen if (instant := _instant(key)) is not None), default=None)
        if newest is None:
            return ReportCursor(self.watermark, seen)
        # A writer whose clock is ahead must not hide what comes after its report.
        watermark = max(self.watermark, _key_prefix(min(newest, utc_now()) - SETTLE_TIME))
        return ReportCursor(watermark, frozenset(key for key in seen if key > watermark))


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns the Lambda's reports into materializations of manifests, summed per date and tick.",
)
def lambda_report_sensor(
    context: dg.SensorEvaluationContext, pipeline: PipelineResource
) -> dg.SensorResult | dg.SkipReason:
    """Report what the Lambda did since the last tick."""
    deployment = pipeline.deployment
    cursor = ReportCursor.load(context.cursor, utc_now())
    bucket = deployment.names.manifest_bucket
    found = _unread(deployment.s3, bucket, cursor)
    if not found:
        return dg.SkipReason("No new Lambda report")
    keys = [report.key for report in found]
    with ThreadPoolExecutor(max_workers=_CONCURRENT_READS) as pool:
        contents = list(pool.map(lambda key: _read(deployment.s3, bucket, key), keys))
    reports: dict[str, Mapping[str, DateCounts]] = {}
    for key, content in zip(keys, contents, strict=True):
        try:
            reports[key] = parse_lambda_report(s3_uri(bucket, key), content)
        except ReportFormatError as error:
            # It will never have another shape, so it counts as read.
            context.log.warning(f"Skipped: {error}")
    by_date: dict[str, dict[str, DateCounts]] = {}
    for key, report in reports.items():
        for date_prefix, counts in report.items():
            by_date.setdefault(date_prefix, {})[_report_id(key)] = counts
    partitions = sorted(filter(daily_partitions.has_partition_key, by_date))
    counted = _counted(context.instance, partitions, min(report.written_at for report in found))
    events = []
    for date_prefix in partitions:
        new = {
            report_id: counts
            for report_id, counts in by_date[date_prefix].items()
            if report_id not in counted.get(date_prefix, ())
        }
        if repeated := len(by_date[date_prefix]) - len(new):
            context.log.info(f"{repeated} reports of {date_prefix} are counted already")
        if new:
            events.append(_materialization(date_prefix, new))
    for date_prefix in sorted(set(by_date) - set(partitions)):
        counts = sum_counts(by_date[date_prefix].values())
        context.log.warning(f"Skipped counts of {date_prefix}, which is no partition (yet): {counts}")
    return dg.SensorResult(asset_events=events, cursor=cursor.advance(keys).dump())


@dataclass(frozen=True)
class FoundReport:
    """A report that was not read yet.

    Attributes:
        key: its key.
        written_at: when it was written, by S3's clock.
    """

    key: str
    written_at: datetime


def _unread(s3: "S3Client", bucket: str, cursor: ReportCursor) -> list[FoundReport]:
    """List what lies after the watermark and was not read; the cost is what is new."""
    found: list[FoundReport] = []
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=LAMBDA_REPORT_PREFIX, StartAfter=cursor.watermark
    )
    for page in pages:
        found += [
            FoundReport(item["Key"], item["LastModified"])
            for item in page.get("Contents", [])
            if item["Key"] not in cursor.seen
        ]
        if len(found) >= REPORTS_PER_TICK:
            break
    return found[:REPORTS_PER_TICK]


def _counted(
    instance: dg.DagsterInstance, partitions: Sequence[str], oldest: datetime
) -> Mapping[str, set[str]]:
    """Return which reports the materializations of some dates have counted.

    Args:
        instance: Dagster's.
        partitions: the dates.
        oldest: when the oldest report in question was written; no materialization before can count it.
    """
    counted: dict[str, set[str]] = {}
    if not partitions:
        return counted
    since = oldest - CLOCK_SKEW
    records_filter = dg.AssetRecordsFilter(
        asset_key=manifests.key, asset_partitions=partitions, after_timestamp=since.timestamp()
    )
    cursor: str | None = None
    while True:
        page = instance.fetch_materializations(
            records_filter, limit=_MATERIALIZATIONS_PER_READ, cursor=cursor
        )
        for record in page.records:
            event = record.asset_materialization
            named = event.metadata.get(COUNTED_REPORTS) if event is not None else None
            if event is not None and event.partition is not None and isinstance(named, dg.JsonMetadataValue):
                counted.setdefault(event.partition, set()).update(map(str, named.data or ()))
        if not page.has_more:
            return counted
        cursor = page.cursor


def _read(s3: "S3Client", bucket: str, key: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def _materialization(date_prefix: str, reports: Mapping[str, DateCounts]) -> dg.AssetMaterialization:
    """Sum up a date's reports, and name them."""
    counts = sum_counts(reports.values())
    return dg.AssetMaterialization(
        asset_key=manifests.key,
        partition=date_prefix,
        metadata={
            "files_processed": counts.files_processed,
            "files_quarantined": counts.files_quarantined,
            "manifests_created": counts.manifests_created,
            "reports": counts.reports,
            "last_report": counts.last_report,
            # At most as many as a tick reads.
            COUNTED_REPORTS: dg.MetadataValue.json(sorted(reports)),
        },
    )


def _report_id(key: str) -> str:
    """Return the part of a report's key that tells it from all others."""
    return key.removeprefix(LAMBDA_REPORT_PREFIX).removesuffix(".json")


def _key_prefix(instant: datetime) -> str:
    return f"{LAMBDA_REPORT_PREFIX}{instant.astimezone(UTC).strftime(_KEY_TIME)}"


def _instant(key: str) -> datetime | None:
    """Return the instant in a report's key, or None where it has none."""
    stamp = key.removeprefix(LAMBDA_REPORT_PREFIX)[: len("2026-01-30-T123456")]
    try:
        return datetime.strptime(stamp, _KEY_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
