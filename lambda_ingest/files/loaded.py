"""What was loaded of old dates: told by their manifests in S3, for the records may have expired.

A date's manifests are listed and read once in an execution environment; after that only what is newer. What
is kept of a file are a digest of its URI and one of its content, some 250 bytes in all.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import RESERVED_SECONDS, Patience, RemainingSeconds
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.commitment import (
    Commitment,
    FileTrace,
    JudgedManifest,
    commitment_of,
    records_may_be_gone,
    strength,
)
from lambda_ingest.contract.errors import ContractError, IngestError
from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.keys import MANIFEST_PREFIX, ManifestName, s3_uri
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from lambda_ingest.contract.records import MAX_SORT_KEY_BYTES, manifest_record_key

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

# A file without a record was loaded a day ago at least, the shortest life of a record, if it was loaded at
# all. So a listing of this age still shows all that matters.
_FRESH = timedelta(hours=1)
# A dead builder's object may have a higher number than the next committed one. A new listing begins so far
# before the last known number.
_NUMBERS_BACK = 100
_CONCURRENT_READS = 16
_READS_BETWEEN_LOOKS = 64
# Files of one manifest are often touched together, and judging one costs three calls.
_MOST_JUDGED = 8
# Of all dates that are kept; the date that is asked for is kept whatever it takes.
_MOST_FILES = 200_000
_MOST_DATES = 100


class LoadedUnknownError(IngestError):
    """The time did not reach for a date's manifests; the message's retry goes on with what was read."""


@dataclass(frozen=True)
class Loaded:
    """A file as the manifest lists it by which it was loaded.

    Attributes:
        manifest_path: the manifest's URI.
        file: what it lists.
    """

    manifest_path: str
    file: ManifestFile


@dataclass
class _Date:
    """What is known of one date; its lock lets one thread read at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    listed_at: datetime | None = None
    unread: list[ManifestName] = field(default_factory=list)
    known: set[ManifestName] = field(default_factory=set)
    # By a digest of the URI: each manifest that lists it, with a digest of the content that it lists.
    listings: dict[bytes, tuple[tuple[ManifestName, bytes], ...]] = field(default_factory=dict)
    counting: set[ManifestName] = field(default_factory=set)


class LoadedFiles:
    """Finds files in the committed manifests of a date."""

    def __init__(
        self, table: Table, s3: "S3Client", patience: Patience, *, bucket: str, input_prefix: str
    ) -> None:
        self._table = table
        self._s3 = s3
        self._patience = patience
        self._bucket = bucket
        self._input_prefix = input_prefix
        self._dates: OrderedDict[str, _Date] = OrderedDict()
        self._judged: OrderedDict[ManifestName, JudgedManifest] = OrderedDict()
        self._lock = threading.Lock()

    def is_needed(self, date_prefix: str, now: datetime) -> bool:
        """Tell whether a date is so old that a file without a record may have been loaded."""
        return records_may_be_gone(date_prefix, self._table.ttl, now)

    def find(self, date_prefix: str, uri: str, remaining_seconds: RemainingSeconds) -> Loaded | None:
        """Return a file as it was loaded, or None where no committed manifest of its date lists it.

        Raises:
            ClientError: S3 or DynamoDB refused or failed.
            LoadedUnknownError: the time did not reach.
        """
        date = self._date(date_prefix)
        with date.lock:
            self._refresh(date_prefix, date, remaining_seconds)
            # Under the lock, so that the files of a batch, which are often of one manifest, judge it once.
            judged = [
                found
                for name, _ in date.listings.get(_digest(uri), ())
                if (found := self._judge_once(name, remaining_seconds)) is not None
                and found.commitment is not Commitment.NEVER
            ]
        for found in sorted(judged, key=strength, reverse=True):
            for file in found.manifest.files:
                if file.uri == uri:
                    return Loaded(found.path, file)
        return None

    def lists(self, date_prefix: str, uri: str, etag: str, remaining_seconds: RemainingSeconds) -> bool:
        """Tell whether a committed manifest lists a file with this content; costs a judgement a manifest.

        Raises:
            ClientError: S3 or DynamoDB refused or failed.
            LoadedUnknownError: the time did not reach.
        """
        date = self._date(date_prefix)
        with date.lock:
            self._refresh(date_prefix, date, remaining_seconds)
            for name, content in date.listings.get(_digest(uri), ()):
                if content != _digest(etag):
                    continue
                if name not in date.counting:
                    judged = self.judge(name, remaining_seconds)
                    if judged is None or judged.commitment is Commitment.NEVER:
                        continue
                    date.counting.add(name)
                return True
        return False

    def _judge_once(self, name: ManifestName, remaining_seconds: RemainingSeconds) -> JudgedManifest | None:
        with self._lock:
            found = self._judged.get(name)
        if found is not None:
            return found
        found = self.judge(name, remaining_seconds)
        # What counts as committed stays so; a young object that does not may be committed yet.
        if found is not None and found.commitment is not Commitment.NEVER:
            with self._lock:
                self._judged[name] = found
                while len(self._judged) > _MOST_JUDGED:
                    self._judged.popitem(last=False)
        return found

    def judge(self, name: ManifestName, remaining_seconds: RemainingSeconds) -> JudgedManifest | None:
        """Read a manifest object and judge it, or return None where it is gone, or is no manifest.

        Raises:
            ClientError: S3 or DynamoDB refused or failed.
            UnreadKeysError: the table is throttled, and the time is up.
        """
        manifest = self._read(name)
        if manifest is None:
            return None
        path = s3_uri(self._bucket, name.key)
        record = self._table.read(name.date_prefix, manifest_record_key(name.filename))
        commitment = commitment_of(
            path,
            manifest,
            has_record=record is not None,
            traces=self._traces(manifest, remaining_seconds),
        )
        return JudgedManifest(path, manifest, commitment)

    def _traces(self, manifest: Manifest, remaining_seconds: RemainingSeconds) -> Iterator[FileTrace]:
        # A manifest of another tool may list a file twice, which DynamoDB refuses to read; what is too long
        # for a sort key is no record's.
        keys = dict.fromkeys(
            key
            for file in manifest.files
            if len((key := file.record_key(self._input_prefix)).encode()) <= MAX_SORT_KEY_BYTES
        )
        uris = {file.uri for file in manifest.files}
        waits = self._patience.waits(remaining_seconds)
        for item in self._table.read_many(manifest.name.date_prefix, list(keys), waits):
            # The record of another bucket's file of the same name tells nothing of this one.
            if item.get("file_path") in uris:
                yield FileTrace(
                    str(item.get("status", "")), item.get("manifest_path"), str(item.get("created_at", ""))
                )

    def _date(self, date_prefix: str) -> _Date:
        """Return what is kept of a date, and forget the longest unused of others where it is too much."""
        with self._lock:
            date = self._dates.setdefault(date_prefix, _Date())
            self._dates.move_to_end(date_prefix)
            while len(self._dates) > 1 and (
                len(self._dates) > _MOST_DATES
                or sum(len(each.listings) for each in self._dates.values()) > _MOST_FILES
            ):
                self._dates.popitem(last=False)
            return date

    def _refresh(self, date_prefix: str, date: _Date, remaining_seconds: RemainingSeconds) -> None:
        now = self._table.clock()
        if date.listed_at is None or now - date.listed_at >= _FRESH:
            for name in self._names(date_prefix, date, remaining_seconds):
                date.known.add(name)
                date.unread.append(name)
            date.listed_at = now
        while date.unread:
            _demand_time(date_prefix, remaining_seconds, len(date.unread))
            chunk = date.unread[:_READS_BETWEEN_LOOKS]
            for name, manifest in zip(chunk, self._read_all(chunk), strict=True):
                for file in manifest.files if manifest else ():
                    digest, listing = _digest(file.uri), (name, _digest(file.etag))
                    date.listings[digest] = (*date.listings.get(digest, ()), listing)
            del date.unread[: len(chunk)]

    def _names(
        self, date_prefix: str, date: _Date, remaining_seconds: RemainingSeconds
    ) -> Iterator[ManifestName]:
        """Yield the names that are not known yet, and go on where an earlier listing ended."""
        last = max((name.sequence for name in date.known), default=0)
        first = ManifestName(date_prefix, max(last - _NUMBERS_BACK, 0), "0" * 8)
        request: dict[str, Any] = {"StartAfter": first.key}
        while True:
            _demand_time(date_prefix, remaining_seconds, None)
            page = self._s3.list_objects_v2(
                Bucket=self._bucket, Prefix=f"{MANIFEST_PREFIX}{date_prefix}/", **request
            )
            for entry in page.get("Contents", []):
                try:
                    name = ManifestName.parse(entry["Key"].rpartition("/")[2])
                except ContractError as error:
                    logger.info(
                        "Passed over an object that is no manifest", key=entry["Key"], reason=str(error)
                    )
                    continue
                if name.key == entry["Key"] and name not in date.known:
                    yield name
            if not page.get("IsTruncated"):
                return
            request = {"ContinuationToken": page["NextContinuationToken"]}

    def _read_all(self, names: Sequence[ManifestName]) -> list[Manifest | None]:
        with ThreadPoolExecutor(max_workers=min(_CONCURRENT_READS, len(names))) as pool:
            return list(pool.map(self._read, names))

    def _read(self, name: ManifestName) -> Manifest | None:
        try:
            response = self._s3.get_object(Bucket=self._bucket, Key=name.key)
            manifest = Manifest.from_json(response["Body"].read())
        except ClientError as error:
            if error_code(error) not in {"NoSuchKey", "404"}:
                raise
            return None
        except ContractError as error:
            logger.warning("Passed over an object that lists nothing", key=name.key, reason=str(error))
            return None
        if manifest.name != name:
            logger.warning("Passed over a manifest that bears another's name", key=name.key)
            return None
        return manifest


def _demand_time(date_prefix: str, remaining_seconds: RemainingSeconds, unread: int | None) -> None:
    if remaining_seconds() < RESERVED_SECONDS:
        left = "not all are listed" if unread is None else f"{unread} are left"
        raise LoadedUnknownError(
            f"the manifests of {date_prefix}, whose records may have expired, are still being read ({left}); "
            "the retry goes on from there"
        )


def _digest(uri: str) -> bytes:
    return hashlib.blake2b(uri.encode("utf-8", "surrogatepass"), digest_size=16).digest()
