"""What lies of a date in S3: Parquet, manifests whose rows are gone, reports."""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.keys import (
    GLUE_REPORT_PREFIX,
    LAMBDA_REPORT_PREFIX,
    ManifestName,
    s3_uri,
)
from lambda_ingest.contract.manifest import Manifest
from lambda_ingest.contract.text import printable
from ndjson_pipeline.day_report.figures import (
    MOST_EXAMPLES,
    Day,
    Expired,
    GlueReports,
    LambdaReports,
    Parquet,
)
from ndjson_pipeline.day_report.rows import ManifestTimes, instants
from ndjson_pipeline.desk.aws_errors import is_absent
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.file_story import manifest_names, read_manifest
from ndjson_pipeline.desk.overview import megabytes
from ndjson_pipeline.errors import ReportFormatError
from ndjson_pipeline.glue.report import GlueReport, parse_glue_report

Tell = Callable[[str], None]
Given = TypeVar("Given")
Read = TypeVar("Read")

_READS_AT_ONCE = 8
_MOST_REPORT_BYTES = 32 * 1024**2
_MOST_GLUE_REPORTS = 5_000
_MOST_LAMBDA_REPORTS = 1_000
_MOST_EXPIRED = 20_000
# Distinct files are told apart up to so many.
_MOST_DISTINCT = 2_000_000
_LONGEST_EXAMPLE = 300
# A report is written before its run's manifests are completed, and a run may die in between.
_AROUND = timedelta(minutes=15)
_PARQUET_STEM_PARTS = 3


def read_parquet(desk: Desk, day: Day, tell: Tell) -> set[tuple[int, str]]:
    """Count a date's Parquet, and return which manifests have some: their counters and digests.

    Raises:
        ClientError: S3 or Glue refused or failed.
    """
    prefix = f"{desk.output_prefix}/" if desk.output_prefix else ""
    folder = f"{prefix}merged-parquet-{day.date}/"
    bucket = desk.names.output_bucket
    parquet, owners = Parquet(s3_uri(bucket, folder)), set[tuple[int, str]]()
    for entry in _listed(desk, bucket, folder):
        name = str(entry["Key"]).rpartition("/")[2]
        if not name.endswith(".parquet"):
            continue
        parquet.files += 1
        parquet.size_mb += megabytes(int(entry["Size"]))
        parts = name.split("-")
        if len(parts) > _PARQUET_STEM_PARTS and parts[0] == "part" and parts[1].isdecimal():
            owners.add((int(parts[1]), parts[2]))
        if parquet.files % 1_000 == 0:
            tell(f"{parquet.files:,} Parquet files")
    day.parquet = parquet
    return owners


def read_expired(desk: Desk, day: Day, known: Iterable[ManifestName], tell: Tell) -> list[ManifestName]:
    """Read the manifests in S3 that have no row, and return their names.

    Raises:
        ClientError: S3 refused or failed.
    """
    has_row = set(known)
    names = [name for name in manifest_names(desk, day.date) if name not in has_row]
    expired, distinct = Expired(manifests=len(names)), set[int]()
    for manifest in _read_all(names[:_MOST_EXPIRED], lambda name: read_manifest(desk, name)):
        expired.read += 1
        if manifest is not None:
            _count_expired(expired, manifest, distinct)
        if expired.read % 100 == 0:
            tell(f"{expired.read:,} of {len(names):,} manifests")
    day.expired = expired if names else None
    return names


def _count_expired(expired: Expired, manifest: Manifest, distinct: set[int]) -> None:
    for file in manifest.files:
        # A builder that died may have left a manifest whose files are in another one.
        identity = hash(file.uri)
        if identity in distinct:
            continue
        if len(distinct) < _MOST_DISTINCT:
            distinct.add(identity)
        expired.files += 1
        expired.size_mb += megabytes(file.size_bytes)
    try:
        expired.created.add(parse_utc_timestamp(manifest.created_at), len(manifest.files))
    except (ValueError, OverflowError):
        return


def read_glue_reports(desk: Desk, day: Day, manifests: dict[ManifestName, ManifestTimes], tell: Tell) -> None:
    """Read the reports of the date's Glue runs, from where and when these went on.

    A report counts for the manifests whose last attempt it is; where no row tells, for each that it names.

    Raises:
        ClientError: S3 refused or failed.
    """
    reports = GlueReports()
    found = list(islice(_report_keys(desk, day, manifests), _MOST_GLUE_REPORTS + 1))
    reports.is_cut = len(found) > _MOST_GLUE_REPORTS
    bucket = desk.names.manifest_bucket
    read = _read_all(found[:_MOST_GLUE_REPORTS], lambda key: _glue_report(desk, bucket, key))
    for looked, report in enumerate(read, 1):
        if report is None:
            reports.unreadable += 1
        elif outcomes := [one for one in report.manifests.values() if _is_last(day, one, report, manifests)]:
            reports.read += 1
            for column in report.rescued_columns:
                reports.rescued.add(f"{column.path}: {column.reason}", column.records)
            for outcome in outcomes:
                reports.lost_count += len(outcome.lost_files)
                room = MOST_EXAMPLES - len(reports.lost_files)
                reports.lost_files += outcome.lost_files[: max(room, 0)]
        if looked % 20 == 0:
            tell(f"{looked:,} of {len(found):,} Glue reports")
    day.glue_reports = reports


def _report_keys(desk: Desk, day: Day, manifests: dict[ManifestName, ManifestTimes]) -> Iterator[str]:
    """Yield the keys of Glue reports, which bear the instants that they were written at."""
    times = sorted(instants(manifests))
    begin, end = (times[0], times[-1]) if times else (day.begin, day.end + timedelta(days=1))
    first, last = (f"{GLUE_REPORT_PREFIX}{one:%Y-%m-%d-T%H%M%S}" for one in (begin - _AROUND, end + _AROUND))
    for entry in _listed(desk, desk.names.manifest_bucket, GLUE_REPORT_PREFIX, after=first):
        key = str(entry["Key"])
        if key > last:
            return
        if key.endswith(".json"):
            yield key


def _glue_report(desk: Desk, bucket: str, key: str) -> GlueReport | None:
    document = _json_object(desk, bucket, key)
    try:
        return None if document is None else parse_glue_report(s3_uri(bucket, key), document)
    except ReportFormatError:
        return None


def _is_last(
    day: Day, outcome: Any, report: GlueReport, manifests: dict[ManifestName, ManifestTimes]
) -> bool:
    try:
        name = ManifestName.parse(outcome.manifest_path.rpartition("/")[2])
    except ManifestKeyError:
        return False
    times = manifests.get(name)
    if name.date_prefix != day.date or not outcome.is_completed:
        return False
    return times is None or times.glue_run_id in {None, report.job_run_id}


def read_lambda_reports(desk: Desk, day: Day, tell: Tell) -> None:
    """Read the manifest builder's reports of the UTC day, the first ones where there are many.

    Raises:
        ClientError: S3 refused or failed.
    """
    reports, keys = LambdaReports(), list[str]()
    bucket = desk.names.manifest_bucket
    for entry in _listed(desk, bucket, f"{LAMBDA_REPORT_PREFIX}{day.date}-T"):
        reports.found += 1
        if len(keys) < _MOST_LAMBDA_REPORTS:
            keys.append(str(entry["Key"]))
        if reports.found % 1_000 == 0:
            tell(f"{reports.found:,} Lambda reports")
    for document in _read_all(keys, lambda key: _json_object(desk, bucket, key)):
        if document is None:
            continue
        reports.read += 1
        _count_lambda_report(day, reports, document)
        if reports.read % 100 == 0:
            tell(f"{reports.read:,} of {len(keys):,} Lambda reports")
    day.lambda_reports = reports


def _count_lambda_report(day: Day, reports: LambdaReports, document: dict[str, Any]) -> None:
    dates, errors = document.get("dates"), document.get("errors")
    counts = dates.get(day.date) if isinstance(dates, dict) else None
    if isinstance(counts, dict):
        reports.processed += _whole(counts.get("files_processed"))
        reports.refused += _whole(counts.get("files_quarantined"))
    for error in errors if isinstance(errors, list) else []:
        if not isinstance(error, dict):
            continue
        kind = printable(str(error.get("kind", "unknown")), 80)
        reports.errors.add(kind)
        if len(reports.examples) < MOST_EXAMPLES:
            said = f"{kind}: {error.get('subject', '')}: {error.get('message', '')}"
            reports.examples.append(printable(said, _LONGEST_EXAMPLE))


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _listed(desk: Desk, bucket: str, prefix: str, after: str = "") -> Iterator[Any]:
    # Nothing of interest bears the prefix alone as its name.
    pages = desk.s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, StartAfter=after or prefix
    )
    for page in pages:
        yield from page.get("Contents", [])


def _json_object(desk: Desk, bucket: str, key: str) -> dict[str, Any] | None:
    """Return an object's JSON; None where it is gone, too large, or none."""
    try:
        body = desk.s3.get_object(Bucket=bucket, Key=key)["Body"].read(_MOST_REPORT_BYTES)
        document = json.loads(body)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _read_all(names: list[Given], read: Callable[[Given], Read]) -> Iterator[Read]:
    """Yield what is read of each, a few at once and never many in memory."""
    remaining = iter(names)
    with ThreadPoolExecutor(max_workers=_READS_AT_ONCE) as pool:
        while chunk := list(islice(remaining, 2 * _READS_AT_ONCE)):
            yield from pool.map(read, chunk)
