"""Turns the Lambda's reports into materializations of `manifests`, each report once.

Dagster may store a tick's materializations and lose its cursor, if a crash comes between; the next tick then
meets the same reports. So each materialization names the reports that it counts, and a tick drops what the
materializations since its oldest report have counted already.

Ingest takes files of tomorrow, of which Dagster knows no partition yet. The cursor keeps the first and the
last report that has counts of such a date, and once its day has come all reports between them are read again,
for that date alone.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.keys import LAMBDA_REPORT_PREFIX, s3_uri
from lambda_ingest.contract.text import printable
from ndjson_pipeline.conversion.console import console_of
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.partitions import daily_partitions, partition_problem
from ndjson_pipeline.errors import ReportFormatError
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sensors.arrived import arrived_of
from ndjson_pipeline.sensors.counted_reports import COUNTED_REPORTS, mark_of, marks_of
from ndjson_pipeline.sensors.lambda_report import DateCounts, parse_lambda_report, sum_counts
from ndjson_pipeline.sensors.manifests_page import WaitingFiles, manifests_metadata
from ndjson_pipeline.sensors.pending_files import pending_by_date

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
# How far a Lambda's clock may lie ahead of ours.
CLOCK_AHEAD = timedelta(hours=1)
# So many reports of a later time are read and kept in mind; the others wait for theirs.
MOST_AHEAD = 1_000
# Thousands of manifests and errors of one invocation; what is larger is no report.
MOST_REPORT_BYTES = 8 * 1_048_576
# Refusals of S3 that another tick would meet again.
_LASTING = frozenset(
    {"NoSuchKey", "404", "AccessDenied", "403", "InvalidObjectState", "InvalidRequest", "MethodNotAllowed"}
)
_CONCURRENT_READS = 16
_MATERIALIZATIONS_PER_READ = 500
_KEY_TIME = "%Y-%m-%d-T%H%M%S"


@dataclass(frozen=True)
class ReportRange:
    """Reports between two keys.

    Attributes:
        first: the first key.
        last: the last.
    """

    first: str
    last: str


@dataclass(frozen=True)
class ReportCursor:
    """Which reports were read.

    Attributes:
        watermark: every report before this key prefix was read.
        seen: keys after it that were read already.
        ahead: reports with counts of a date whose day had not come when they were read, by that date.
    """

    watermark: str
    seen: frozenset[str]
    ahead: Mapping[str, ReportRange] = field(default_factory=dict)

    @classmethod
    def load(cls, text: str | None, now: datetime) -> "ReportCursor":
        """Read a cursor; without one, begin a while ago."""
        if not text:
            return cls(_key_prefix(now - FIRST_LOOK_BACK), frozenset())
        document = json.loads(text)
        ahead = {date: ReportRange(*keys) for date, keys in document.get("ahead", {}).items()}
        return cls(document["watermark"], frozenset(document["seen"]), ahead)

    def dump(self) -> str:
        """Write a cursor."""
        ahead = {date: [keys.first, keys.last] for date, keys in sorted(self.ahead.items())}
        return json.dumps({"watermark": self.watermark, "seen": sorted(self.seen), "ahead": ahead})

    def advance(self, read: Iterable[str]) -> "ReportCursor":
        """Return the cursor after these keys were read too."""
        seen = self.seen | frozenset(read)
        newest = max((instant for key in seen if (instant := _instant(key)) is not None), default=None)
        if newest is None:
            return replace(self, seen=seen)
        # A writer whose clock is ahead must not hide what comes after its report.
        watermark = max(self.watermark, _key_prefix(min(newest, utc_now()) - SETTLE_TIME))
        return replace(self, watermark=watermark, seen=frozenset(key for key in seen if key > watermark))

    def expect(self, date_prefix: str, keys: Iterable[str]) -> "ReportCursor":
        """Return the cursor that keeps these reports of a date until its day comes."""
        known = self.ahead.get(date_prefix)
        every = [*keys, *([known.first, known.last] if known else [])]
        return replace(self, ahead={**self.ahead, date_prefix: ReportRange(min(every), max(every))})

    def resume(self, date_prefix: str, last_read: str | None) -> "ReportCursor":
        """Return the cursor after reports of a date whose day has come were read again.

        Args:
            date_prefix: the date.
            last_read: the last one that was read, or None where all were.
        """
        others = {date: keys for date, keys in self.ahead.items() if date != date_prefix}
        if last_read is not None:
            others[date_prefix] = ReportRange(last_read, self.ahead[date_prefix].last)
        return replace(self, ahead=others)


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns the Lambda's reports into materializations of manifests, summed per date and tick.",
)
def lambda_report_sensor(context: dg.SensorEvaluationContext, pipeline: PipelineResource) -> dg.SensorResult:
    """Report what the Lambda did since the last tick."""
    deployment = pipeline.deployment
    manifests, start_date = Feed(deployment.names.feed).manifests, deployment.settings.partition_start_date
    partitions_def = daily_partitions(start_date)
    now = utc_now()
    cursor = ReportCursor.load(context.cursor, now)
    bucket = deployment.names.manifest_bucket
    found = _unread(deployment.s3, bucket, cursor, now)
    by_date = _counts_by_date(context, _read_all(context, deployment.s3, bucket, found))
    oldest = dict.fromkeys(by_date, min((report.written_at for report in found), default=now))
    read = len(found)
    cursor = cursor.advance([report.key for report in found])
    for date_prefix in [date for date in cursor.ahead if partitions_def.has_partition_key(date)]:
        found, is_all = _between(deployment.s3, bucket, cursor.ahead[date_prefix])
        contents = _read_all(context, deployment.s3, bucket, found)
        earlier = _counts_by_date(context, contents).get(date_prefix, {})
        by_date.setdefault(date_prefix, {}).update(earlier)
        oldest[date_prefix] = min((report.written_at for report in found), default=now)
        read += len(found)
        cursor = cursor.resume(date_prefix, None if is_all else found[-1].key)
        context.log.info(
            f"The day of {date_prefix} has come; {len(earlier)} earlier reports have counts of it"
        )
    if not read:
        return dg.SensorResult(skip_reason="No new Lambda report", cursor=cursor.dump())
    partitions = sorted(filter(partitions_def.has_partition_key, by_date))
    counted = _counted(
        context.instance, manifests, {date_prefix: oldest[date_prefix] for date_prefix in partitions}
    )
    by_partition: dict[str, dict[str, DateCounts]] = {}
    for date_prefix in partitions:
        uncounted = {
            key: counts
            for key, counts in by_date[date_prefix].items()
            if mark_of(key) not in counted.get(date_prefix, ())
        }
        if repeated := len(by_date[date_prefix]) - len(uncounted):
            context.log.info(f"{repeated} reports of {date_prefix} are counted already")
        if uncounted:
            by_partition[date_prefix] = uncounted
    for date_prefix in sorted(set(by_date) - set(partitions)):
        if partition_problem(date_prefix, start_date, now) is None:
            cursor = cursor.expect(date_prefix, by_date[date_prefix])
            context.log.info(f"Counts of {date_prefix} wait for its day")
        else:
            skipped = sum_counts(by_date[date_prefix].values())
            context.log.warning(f"Skipped counts of {date_prefix}, which can be no partition: {skipped}")
    events = _materializations_of(context, deployment, manifests, by_partition)
    dates = ", ".join(by_partition) or "no date"
    reason = f"Read {read} Lambda reports, and counted those of {dates}"
    return dg.SensorResult(asset_events=events, skip_reason=reason, cursor=cursor.dump())


def _counts_by_date(
    context: dg.SensorEvaluationContext, contents: Mapping[str, tuple[str, bytes]]
) -> dict[str, dict[str, DateCounts]]:
    """Return what each report says of each date, by the report's key.

    Args:
        context: takes what has another shape.
        contents: URI and content of each report, by its key.
    """
    by_date: dict[str, dict[str, DateCounts]] = {}
    for key, (uri, content) in contents.items():
        try:
            report = parse_lambda_report(uri, content)
        except ReportFormatError as error:
            # It will never have another shape, so it counts as read.
            context.log.warning(f"Skipped: {error}")
            continue
        for date_prefix, counts in report.items():
            by_date.setdefault(date_prefix, {})[key] = counts
    return by_date


@dataclass(frozen=True)
class FoundReport:
    """A report that was not read yet.

    Attributes:
        key: its key.
        written_at: when it was written, by S3's clock.
        size: in bytes.
    """

    key: str
    written_at: datetime
    size: int = 0


def _unread(s3: "S3Client", bucket: str, cursor: ReportCursor, now: datetime) -> list[FoundReport]:
    """List what lies after the watermark and was not read; the cost is what is new."""
    found: list[FoundReport] = []
    latest = _key_prefix(now + CLOCK_AHEAD)
    ahead = sum(1 for key in cursor.seen if key >= latest)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=LAMBDA_REPORT_PREFIX, StartAfter=cursor.watermark
    )
    for page in pages:
        contents = page.get("Contents", [])
        for item in contents:
            key, is_ahead = item["Key"], item["Key"] >= latest
            if key in cursor.seen or _instant(key) is None or (is_ahead and ahead >= MOST_AHEAD):
                continue
            ahead += is_ahead
            found.append(FoundReport(key, item["LastModified"], item["Size"]))
        # Keys of a later time, or of none, would be listed at each tick for ever: a page of them is enough.
        if len(found) >= REPORTS_PER_TICK or (contents and contents[-1]["Key"] >= latest):
            break
    return found[:REPORTS_PER_TICK]


def _between(s3: "S3Client", bucket: str, keys: ReportRange) -> tuple[list[FoundReport], bool]:
    """List the reports of a range, as many as a tick reads, and tell whether these are all."""
    found: list[FoundReport] = []
    # S3 begins after the key it is given; so the first key's last character is left out.
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=LAMBDA_REPORT_PREFIX, StartAfter=keys.first[:-1]
    )
    for page in pages:
        for item in page.get("Contents", []):
            if item["Key"] > keys.last:
                return found, True
            if len(found) == REPORTS_PER_TICK:
                return found, False
            found.append(FoundReport(item["Key"], item["LastModified"], item["Size"]))
    return found, True


def _read_all(
    context: dg.SensorEvaluationContext, s3: "S3Client", bucket: str, reports: Sequence[FoundReport]
) -> Mapping[str, tuple[str, bytes]]:
    """Return URI and content of each report, by its key; one that can't be read for good is left out.

    Raises:
        ClientError: S3 does not answer now; the next tick reads all of them again.
    """

    def read(report: FoundReport) -> bytes | None:
        shown = printable(s3_uri(bucket, report.key))
        if report.size > MOST_REPORT_BYTES:
            context.log.warning(f"Skipped {shown}: {report.size} bytes are no report")
            return None
        try:
            return s3.get_object(Bucket=bucket, Key=report.key)["Body"].read(MOST_REPORT_BYTES)
        except ClientError as error:
            if error_code(error) not in _LASTING:
                raise
            context.log.warning(f"Skipped {shown}, which can't be read: {printable(str(error))}")
            return None

    with ThreadPoolExecutor(max_workers=_CONCURRENT_READS) as pool:
        contents = list(pool.map(read, reports))
    return {
        report.key: (s3_uri(bucket, report.key), content)
        for report, content in zip(reports, contents, strict=True)
        if content is not None
    }


def _counted(
    instance: dg.DagsterInstance, manifests: dg.AssetKey, oldest: Mapping[str, datetime]
) -> Mapping[str, set[str]]:
    """Return the marks of the reports that the materializations of some dates have counted.

    Args:
        instance: Dagster's.
        manifests: the asset.
        oldest: when the oldest report in question was written, by date; none before can count it.
    """
    counted: dict[str, set[str]] = {}
    by_instant: dict[datetime, list[str]] = {}
    for date_prefix, instant in oldest.items():
        by_instant.setdefault(instant, []).append(date_prefix)
    for instant, partitions in by_instant.items():
        records_filter = dg.AssetRecordsFilter(
            asset_key=manifests,
            asset_partitions=partitions,
            after_timestamp=(instant - CLOCK_SKEW).timestamp(),
        )
        for event in _materializations(instance, records_filter):
            if event.partition is not None:
                named = marks_of(event.metadata.get(COUNTED_REPORTS))
                counted.setdefault(event.partition, set()).update(named)
    return counted


def _materializations(
    instance: dg.DagsterInstance, records_filter: dg.AssetRecordsFilter
) -> Iterator[dg.AssetMaterialization]:
    cursor: str | None = None
    while True:
        page = instance.fetch_materializations(
            records_filter, limit=_MATERIALIZATIONS_PER_READ, cursor=cursor
        )
        for record in page.records:
            if record.asset_materialization is not None:
                yield record.asset_materialization
        if not page.has_more:
            return
        cursor = page.cursor


def _materializations_of(
    context: dg.SensorEvaluationContext,
    deployment: Deployment,
    manifests: dg.AssetKey,
    by_partition: Mapping[str, Mapping[str, DateCounts]],
) -> list[dg.AssetMaterialization]:
    """Sum up each date's reports, by their keys, and name them."""
    if not by_partition:
        return []
    waiting = _waiting(context, deployment)
    console = console_of(deployment)
    events = []
    for date_prefix, reports in by_partition.items():
        counts = sum_counts(reports.values())
        arrived = arrived_of(context.instance, manifests, date_prefix).plus(counts)
        metadata = manifests_metadata(
            deployment.names, console, date_prefix, counts, arrived, reports, waiting
        )
        events.append(dg.AssetMaterialization(manifests, partition=date_prefix, metadata=metadata))
    return events


def _waiting(context: dg.SensorEvaluationContext, deployment: Deployment) -> WaitingFiles | None:
    """Return how many files wait for a batch; None where that can't be read now, for the counts go on."""
    try:
        pending, is_cut = pending_by_date(deployment.dynamodb, deployment.names.tracking_table)
    except (ClientError, BotoCoreError) as error:
        context.log.warning(f"How many files wait for a batch can't be read: {error}")
        return None
    return WaitingFiles({date_prefix: files.files for date_prefix, files in pending.items()}, is_cut)


def _key_prefix(instant: datetime) -> str:
    return f"{LAMBDA_REPORT_PREFIX}{instant.astimezone(UTC).strftime(_KEY_TIME)}"


def _instant(key: str) -> datetime | None:
    """Return the instant in a report's key, or None where it has none."""
    stamp = key.removeprefix(LAMBDA_REPORT_PREFIX)[: len("2026-01-30-T123456")]
    if not stamp.isascii():
        # strptime takes digits of every script.
        return None
    try:
        return datetime.strptime(stamp, _KEY_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
