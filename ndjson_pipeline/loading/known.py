"""Which files the pipeline has already: by its records, and by the manifests of old dates.

A page of a listing costs a query for each of its dates, of the keys between its first and its last file.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from typing import Any

from lambda_ingest.contract.commitment import records_may_be_gone
from lambda_ingest.contract.items import Item, from_item, to_item
from lambda_ingest.contract.keys import ManifestName, s3_uri
from lambda_ingest.contract.records import FileStatus
from lambda_ingest.contract.rows import text_of, whole_of
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.file_story import manifest_names, read_manifest
from ndjson_pipeline.loading.judging import Fate, Judged

Tell = Callable[[str], None]

_READS_AT_ONCE = 8
# Listings go through dates in order, so few are needed at a time.
_MOST_DATES = 4
# Beyond it the builder finds out by itself, file by file.
_MOST_MANIFESTS = 5_000
_LISTED = "in a manifest, by S3"


class KnownFiles:
    """Tells what is known of pages of files.

    Args:
        desk: the deployment.
        ttl: how long a record lives.
        tell: told how far it is.
    """

    def __init__(self, desk: Desk, ttl: timedelta, input_prefix: str, tell: Tell) -> None:
        self._desk = desk
        self._ttl = ttl
        self._prefix = input_prefix
        self._tell = tell
        self._listed: OrderedDict[str, Mapping[bytes, bytes]] = OrderedDict()
        self.unseen: list[str] = []

    def marked(self, page: Sequence[Judged]) -> list[Judged]:
        """Return a page's files in their order, those that are known marked as such.

        Raises:
            ClientError: AWS refused or failed.
        """
        dates: dict[str, list[Judged]] = {}
        for one in page:
            if one.fate is Fate.LOAD:
                dates.setdefault(one.date_prefix, []).append(one)
        known: dict[str, str] = {}
        for date, files in dates.items():
            known |= self._known_of(date, files)
        return [
            one.known(known[one.target]) if one.fate is Fate.LOAD and one.target in known else one
            for one in page
        ]

    def rows(self, date: str, targets: Iterable[str]) -> dict[str, Item]:
        """Return the records of a date's files, by their keys in the input bucket.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        keys = sorted((self._below(target) for target in targets), key=str.encode)
        wanted = set(keys)
        found = self._between(date, keys[0], keys[-1]) if keys else iter(())
        return {
            f"{self._prefix}{row['file_key']}": row for row in found if str(row.get("file_key")) in wanted
        }

    def _known_of(self, date: str, files: Sequence[Judged]) -> dict[str, str]:
        rows = self.rows(date, (one.target for one in files))
        may_be_gone = records_may_be_gone(date, self._ttl, self._desk.clock())
        found: dict[str, str] = {}
        for one in files:
            uri = s3_uri(self._desk.names.input_bucket, one.target)
            row = rows.get(one.target)
            if row is not None:
                if _knows(row, uri, one):
                    found[one.target] = text_of(row, "status") or "known"
            elif may_be_gone:
                etag = self._manifests_of(date).get(_digest(uri))
                if etag is not None and (not one.is_in_place or etag == _digest(one.source.etag)):
                    found[one.target] = _LISTED
        return found

    def _between(self, date: str, first: str, last: str) -> Iterator[Item]:
        pages = self._desk.dynamodb.get_paginator("query").paginate(
            TableName=self._desk.names.tracking_table,
            KeyConditionExpression="date_prefix = :date AND file_key BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item({":date": date, ":first": first, ":last": last}),
            ProjectionExpression="file_key, file_path, etag, alias_etag, overwritten_etag, #status, "
            "manifest_path, created_at, file_size_bytes",
            ExpressionAttributeNames={"#status": "status"},
        )
        for page in pages:
            yield from map(from_item, page["Items"])

    def _manifests_of(self, date: str) -> Mapping[bytes, bytes]:
        """Return what the manifests of a date list, as digests of URI and content."""
        if date in self._listed:
            self._listed.move_to_end(date)
            return self._listed[date]
        names = list(islice(manifest_names(self._desk, date), _MOST_MANIFESTS + 1))
        if len(names) > _MOST_MANIFESTS:
            self.unseen.append(
                f"{date} has more than {_MOST_MANIFESTS:,} manifests: which of its files were loaded before "
                "is not looked up; the manifest builder knows, and loads none again"
            )
            names = []
        found: dict[bytes, bytes] = {}
        for number, listed in enumerate(self._read(names), 1):
            found |= listed
            self._tell(f"{number:,} of {len(names):,} manifests of {date}")
        self._listed[date] = found
        while len(self._listed) > _MOST_DATES:
            self._listed.popitem(last=False)
        return found

    def _read(self, names: Sequence[ManifestName]) -> Iterator[dict[bytes, bytes]]:
        remaining = iter(names)
        with ThreadPoolExecutor(max_workers=_READS_AT_ONCE) as pool:
            while chunk := list(islice(remaining, 8 * _READS_AT_ONCE)):
                for manifest in pool.map(lambda name: read_manifest(self._desk, name), chunk):
                    files: Any = manifest.files if manifest is not None else ()
                    yield {_digest(file.uri): _digest(file.etag) for file in files}

    def _below(self, target: str) -> str:
        return target.removeprefix(self._prefix)


def _knows(row: Item, uri: str, one: Judged) -> bool:
    """Tell whether a record is of this file, and an event of it would change nothing."""
    if text_of(row, "file_path") != uri or row.get("status") not in (
        FileStatus.PENDING,
        FileStatus.MANIFESTED,
    ):
        return False
    if not one.is_in_place:
        # The copy has another tag than the file.
        size = whole_of(row, "file_size_bytes")
        return size is None or size == one.source.size_bytes
    return one.source.etag in {
        row.get("etag"),
        row.get("alias_etag"),
        row.get("overwritten_etag"),
    }


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
