"""One file's whole story: seen, judged, in which manifest, converted by which run, and to what.

Its record tells most of it. Once that has expired, the date's manifests in S3 tell whether it was loaded.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from lambda_ingest.contract.commitment import records_may_be_gone
from lambda_ingest.contract.dates import utc_date
from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.file_dates import find_date
from lambda_ingest.contract.file_keys import arrival_partition, own_key_of, sort_key_of_refused
from lambda_ingest.contract.items import Item
from lambda_ingest.contract.keys import MANIFEST_PREFIX, ManifestName, s3_uri, split_s3_uri
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from lambda_ingest.contract.records import (
    ARRIVAL_DATE_ATTRIBUTE,
    ARRIVAL_FILE_KEY,
    MAX_SORT_KEY_BYTES,
    FileStatus,
    ManifestStatus,
)
from lambda_ingest.contract.rows import date_of, text_of
from lambda_ingest.contract.settings import DateSource
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.desk.aws_errors import is_absent, is_denied
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.rejected import Rejects, rejects_of_file
from ndjson_pipeline.errors import PipelineError

Tell = Callable[[str], None]

_READS_AT_ONCE = 8
_MOST_MANIFEST_BYTES = 32 * 1024**2
_SAMPLES = 3
_NO_REASON = "no reason is kept"


class UnknownFileError(PipelineError):
    """Nobody knows the file, or not enough is known to look for it."""


@dataclass(frozen=True)
class ObjectSeen:
    """An object in S3.

    Attributes:
        uri: where.
        size_bytes: how large.
        etag: of its content.
        reason: why it is in quarantine; None elsewhere.
    """

    uri: str
    size_bytes: int
    etag: str
    reason: str | None = None


@dataclass(frozen=True)
class OutputFile:
    """A Parquet file of the manifest.

    Attributes:
        uri: where.
        size_bytes: how large.
    """

    uri: str
    size_bytes: int


@dataclass
class FileStory:
    """What is known of a file.

    Attributes:
        uri: the object's.
        date: its date; None where nothing tells.
        record: its row; None where it has none, or none any more.
        record_key: of the row.
        in_input: the object, as it lies in the input bucket now.
        in_quarantine: as it lies in the quarantine bucket.
        manifest: that lists it.
        listed: what the manifest lists of it.
        manifest_record: the manifest's row; None where it has expired.
        output: what the manifest became.
        rejected: its own rejected records.
        unseen: what could not be seen, each as a sentence.
        verdict: what became of it, in a sentence.
        next_step: what to do; None where nothing is.
    """

    uri: str
    date: str | None = None
    record: Item | None = None
    record_key: str | None = None
    in_input: ObjectSeen | None = None
    in_quarantine: ObjectSeen | None = None
    manifest: ManifestName | None = None
    listed: ManifestFile | None = None
    manifest_record: ManifestRecord | None = None
    output: list[OutputFile] = field(default_factory=list)
    rejected: Rejects | None = None
    unseen: list[str] = field(default_factory=list)
    verdict: str = ""
    next_step: str | None = None

    @property
    def status(self) -> str | None:
        """Of its row."""
        return None if self.record is None else text_of(self.record, "status") or "unknown"


def tell_story(desk: Desk, name: str, date: str | None, tell: Tell) -> FileStory:
    """Find out what became of a file.

    Args:
        desk: the deployment.
        name: its name below the input prefix, its key, or its URI.
        date: its date, where nothing in its name tells.
        tell: told how far it is.

    Raises:
        UnknownFileError: nobody knows it.
        ClientError: AWS refused or failed.
    """
    story = FileStory(_uri(desk, name))
    _find_record(desk, story, date)
    bucket, key = split_s3_uri(story.uri)
    story.in_input = _object(desk, story, bucket, key)
    story.in_quarantine = _object(desk, story, desk.names.quarantine_bucket, key)
    path = None if story.record is None else text_of(story.record, "manifest_path")
    if path is not None:
        _read_manifest(desk, story, path)
    elif story.record is None and story.date is not None and _may_be_gone(desk, story.date):
        _search_manifests(desk, story, tell)
    if story.manifest is not None:
        _follow_manifest(desk, story, story.manifest, tell)
    if story.record is None and story.manifest is None and not (story.in_input or story.in_quarantine):
        raise UnknownFileError(_unknown(story))
    story.verdict, story.next_step = verdict_of(story)
    return story


def verdict_of(story: FileStory) -> tuple[str, str | None]:
    """Return what became of a file, and what to do; pure."""
    if story.status == FileStatus.QUARANTINED and story.record is not None:
        reason = text_of(story.record, "reason") or "its record has no reason"
        return (
            f"It was refused: {reason}.",
            "Have the producer mend it; or mend the setting, then `ndjson-pipeline quarantine release`",
        )
    if story.status == FileStatus.PENDING:
        return "It is accepted, and waits for its batch.", "`ndjson-pipeline flush` cuts past dates now"
    if story.manifest is None:
        return _verdict_without_manifest(story)
    said, step = _verdict_of_manifest(story)
    if story.record is not None and story.record.get("overwritten_etag"):
        return (
            f"{said} It was overwritten afterwards; the new content is in no manifest.",
            "To load the new content, upload it under a new name",
        )
    return said, step


def _verdict_without_manifest(story: FileStory) -> tuple[str, str | None]:
    if story.record is not None:
        return f"Its record has the status {story.status}, and names no manifest.", None
    if story.in_quarantine is not None:
        return (
            f"It was refused, and its record has expired: {story.in_quarantine.reason or _NO_REASON}.",
            "`ndjson-pipeline quarantine release` has it judged again",
        )
    if story.date is None:
        return "It lies in the input bucket, and nothing in its name says of which date.", "Pass --date"
    return (
        "It lies in the input bucket, and no record and no manifest knows it.",
        f"`ndjson-pipeline reconcile --date {story.date}` sends its event again, once it is 15 minutes old",
    )


def _verdict_of_manifest(story: FileStory) -> tuple[str, str | None]:
    record = story.manifest_record
    if record is None:
        there = (
            f"{len(story.output)} Parquet files of it are there" if story.output else "no Parquet is there"
        )
        return f"It is in a manifest whose record has expired; {there}.", None
    match record.status:
        case ManifestStatus.PENDING:
            return "It is in a manifest, which waits for a run.", None
        case ManifestStatus.PROCESSING:
            return f"Run {record.dagster_run_id} is converting it.", None
        case ManifestStatus.FAILED:
            again = (
                f"It is tried again at {record.retry_at}." if record.retry_at else "It is not tried again."
            )
            return (
                f"Its manifest failed: {record.error_message or _NO_REASON}. {again}",
                None
                if record.retry_at
                else f"Mend the cause, then `ndjson-pipeline reprocess --manifest {record.name.filename}`",
            )
    rejected = story.rejected.records if story.rejected is not None else 0
    if rejected:
        return (
            f"It was converted; {rejected:,} of its records were rejected.",
            "`ndjson-pipeline rejects` has them",
        )
    return "It was converted.", None


def _may_be_gone(desk: Desk, date: str) -> bool:
    """Tell whether a date is so old that a loaded file's record may have expired."""
    return records_may_be_gone(date, timedelta(days=desk.shared.ttl_days), desk.clock())


def _uri(desk: Desk, name: str) -> str:
    if name.startswith("s3://"):
        try:
            split_s3_uri(name)
        except ContractError as error:
            raise UnknownFileError(str(error)) from error
        return name
    prefix = desk.shared.input_prefix
    return s3_uri(desk.names.input_bucket, name if name.startswith(prefix) else f"{prefix}{name}")


def _find_record(desk: Desk, story: FileStory, date: str | None) -> None:
    """Look for the row under each key that it may have, on each date that it may be of."""
    bucket, key = split_s3_uri(story.uri)
    below = key.removeprefix(desk.shared.input_prefix)
    keys = [
        found
        for found in (below, sort_key_of_refused(below), own_key_of(bucket, key))
        if len(found.encode("utf-8", "surrogatepass")) <= MAX_SORT_KEY_BYTES
    ]
    dates, is_certain = _dates(desk, story.uri, below, date)
    for candidate in dates:
        for row in desk.rows.get_some([(candidate, found) for found in keys]):
            path = row.get("file_path")
            if not isinstance(path, str) or path == story.uri:
                story.date, story.record, story.record_key = candidate, row, str(row["file_key"])
                return
    if is_certain:
        story.date = dates[0]


def _dates(desk: Desk, uri: str, below: str, date: str | None) -> tuple[list[str], bool]:
    """Return the dates that a file may be of, and whether it is of the first for sure."""
    if date is not None:
        return [date], True
    found = find_date(below, desk.shared.date_sources)
    if found.day is not None:
        return [found.day.isoformat()], True
    if found.source is DateSource.ARRIVAL:
        row = desk.rows.get(arrival_partition(uri), ARRIVAL_FILE_KEY) or {}
        if (arrived := date_of(row, ARRIVAL_DATE_ATTRIBUTE)) is not None:
            return [arrived], True
    # What has no possible date was recorded under the day that it came.
    today = utc_date(desk.clock())
    return [(today - timedelta(days=back)).isoformat() for back in (0, 1)], False


def _object(desk: Desk, story: FileStory, bucket: str, key: str) -> ObjectSeen | None:
    try:
        head = desk.s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_absent(error):
            return None
        if is_denied(error):
            story.unseen.append(
                f"{s3_uri(bucket, key)} can't be looked at: s3:GetObject is missing, or it is gone"
            )
            return None
        raise
    return ObjectSeen(
        s3_uri(bucket, key),
        int(head["ContentLength"]),
        head["ETag"].strip('"'),
        head.get("Metadata", {}).get("quarantine_reason"),
    )


def _read_manifest(desk: Desk, story: FileStory, path: str) -> None:
    try:
        story.manifest = ManifestName.from_uri(path)
    except ContractError as error:
        story.unseen.append(f"its record names a manifest that is none: {error}")
        return
    manifest = read_manifest(desk, story.manifest)
    if manifest is None:
        story.unseen.append(f"the manifest's object {path} is gone, or is no manifest")
        return
    story.listed = next((file for file in manifest.files if file.uri == story.uri), None)


def _search_manifests(desk: Desk, story: FileStory, tell: Tell) -> None:
    """Look through the date's manifests in S3, the newest first; costs a read each until it is found."""
    date = str(story.date)
    names = sorted(manifest_names(desk, date), reverse=True)
    remaining, read = iter(names), 0
    with ThreadPoolExecutor(max_workers=_READS_AT_ONCE) as pool:
        while chunk := list(islice(remaining, 4 * _READS_AT_ONCE)):
            for manifest in pool.map(lambda name: read_manifest(desk, name), chunk):
                for file in manifest.files if manifest else ():
                    if file.uri == story.uri and manifest is not None:
                        story.manifest, story.listed = manifest.name, file
                        return
            read += len(chunk)
            tell(f"{read:,} of {len(names):,} manifests of {date}")


def manifest_names(desk: Desk, date: str) -> Iterator[ManifestName]:
    """Yield the manifests of a date that lie in S3; what else lies there is passed over.

    Raises:
        ClientError: S3 refused or failed.
    """
    pages = desk.s3.get_paginator("list_objects_v2").paginate(
        Bucket=desk.names.manifest_bucket, Prefix=f"{MANIFEST_PREFIX}{date}/"
    )
    for page in pages:
        for entry in page.get("Contents", []):
            try:
                name = ManifestName.parse(entry["Key"].rpartition("/")[2])
            except ContractError:
                continue
            if name.key == entry["Key"]:
                yield name


def read_manifest(desk: Desk, name: ManifestName) -> Manifest | None:
    """Return a manifest as it lies in S3; None where it is gone, or is none.

    Raises:
        ClientError: S3 refused or failed.
    """
    try:
        answer = desk.s3.get_object(Bucket=desk.names.manifest_bucket, Key=name.key)
        return Manifest.from_json(answer["Body"].read(_MOST_MANIFEST_BYTES))
    except ClientError as error:
        if not is_absent(error):
            raise
    except ContractError:
        pass
    return None


def _follow_manifest(desk: Desk, story: FileStory, name: ManifestName, tell: Tell) -> None:
    story.manifest_record = desk.records.find(name)
    try:
        story.output = output_of(desk, name)
        story.rejected = rejects_of_file(desk, name, story.uri, _SAMPLES, tell)
    except ClientError as error:
        if not (is_denied(error) or is_absent(error)):
            raise
        story.unseen.append(
            f"its output can't be looked at: {error.operation_name} is refused, or its bucket is gone"
        )


def output_of(desk: Desk, name: ManifestName) -> list[OutputFile]:
    """Return the Parquet files of a manifest.

    Raises:
        ClientError: S3 or Glue refused or failed.
    """
    folder = f"{desk.output_prefix}/" if desk.output_prefix else ""
    stem = f"{folder}merged-parquet-{name.date_prefix}/part-{name.sequence:06d}-{name.digest}-"
    bucket = desk.names.output_bucket
    pages: Any = desk.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=stem)
    return [
        OutputFile(s3_uri(bucket, one["Key"]), int(one["Size"]))
        for page in pages
        for one in page.get("Contents", [])
    ]


def _unknown(story: FileStory) -> str:
    when = story.date or "today or yesterday"
    hint = "" if story.date is not None else "; pass --date, if it came on another day"
    return (
        f"nobody knows {story.uri}: there is no record of {when}, no manifest, and no object in the input or "
        f"quarantine bucket{hint}. Names below the input prefix, keys and URIs are taken"
    )
