"""Turns the Lambda's reports into materializations of `manifests`, each report once."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from lambda_ingest.clock import utc_now
from lambda_ingest.contract.keys import LAMBDA_REPORT_PREFIX, s3_uri
from ndjson_pipeline.assets.manifests import manifests
from ndjson_pipeline.errors import ReportFormatError
from ndjson_pipeline.partitions import daily_partitions
from ndjson_pipeline.reports.lambda_report import DateCounts, parse_lambda_report, sum_by_date
from ndjson_pipeline.resources import PipelineResource

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

REPORTS_PER_TICK = 500
# A report's key bears the second of its invocation's end, but becomes visible in any order: keys of this
# much before the newest one are looked at again.
SETTLE_TIME = timedelta(minutes=2)
# Without a cursor, the reports of this long are read; older ones were read by whoever had one.
FIRST_LOOK_BACK = timedelta(days=2)
_CONCURRENT_READS = 16
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
    keys = _unread_keys(deployment.s3, bucket, cursor)
    if not keys:
        return dg.SkipReason("No new Lambda report")
    with ThreadPoolExecutor(max_workers=_CONCURRENT_READS) as pool:
        contents = list(pool.map(lambda key: _read(deployment.s3, bucket, key), keys))
    reports = []
    for key, content in zip(keys, contents, strict=True):
        try:
            reports.append(parse_lambda_report(s3_uri(bucket, key), content))
        except ReportFormatError as error:
            # It will never have another shape, so it counts as read.
            context.log.warning(f"Skipped: {error}")
    events = []
    for date_prefix, counts in sum_by_date(reports).items():
        if daily_partitions.has_partition_key(date_prefix):
            events.append(_materialization(date_prefix, counts))
        else:
            context.log.warning(f"Skipped counts of {date_prefix}, which is no partition (yet): {counts}")
    return dg.SensorResult(asset_events=events, cursor=cursor.advance(keys).dump())


def _unread_keys(s3: "S3Client", bucket: str, cursor: ReportCursor) -> list[str]:
    """List what lies after the watermark and was not read; the cost is what is new."""
    keys: list[str] = []
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=LAMBDA_REPORT_PREFIX, StartAfter=cursor.watermark
    )
    for page in pages:
        keys += [item["Key"] for item in page.get("Contents", []) if item["Key"] not in cursor.seen]
        if len(keys) >= REPORTS_PER_TICK:
            break
    return keys[:REPORTS_PER_TICK]


def _read(s3: "S3Client", bucket: str, key: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def _materialization(date_prefix: str, counts: DateCounts) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=manifests.key,
        partition=date_prefix,
        metadata={
            "files_processed": counts.files_processed,
            "files_quarantined": counts.files_quarantined,
            "manifests_created": counts.manifests_created,
            "reports": counts.reports,
            "last_report": counts.last_report,
        },
    )


def _key_prefix(instant: datetime) -> str:
    return f"{LAMBDA_REPORT_PREFIX}{instant.astimezone(UTC).strftime(_KEY_TIME)}"


def _instant(key: str) -> datetime | None:
    """Return the instant in a report's key, or None where it has none."""
    stamp = key.removeprefix(LAMBDA_REPORT_PREFIX)[: len("2026-01-30-T123456")]
    try:
        return datetime.strptime(stamp, _KEY_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
