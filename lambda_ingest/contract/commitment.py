"""Which manifest objects were committed, as far as it can be told once their records have expired.

A manifest is committed by its record. The record gets a `ttl` once its run has ended, and vanishes; the
object stays. A builder that dies between its object and its commit leaves an object, too, whose files go into
another manifest later. What tells the two apart, in this order:

1. Its record exists, or the record of a file that it lists names it: committed. Marks come after the commit.
2. A file that it lists has a record from before the manifest was written, and that record is pending or names
   another manifest: never committed. Had it been, its mark would be on that very record. A record that began
   later is no such proof: the file's first one may have expired, and the file may have been tracked anew.
3. Nothing is left to tell: assumed committed. A pending record never expires, so the files of a manifest that
   was not committed still have theirs, or are listed by another manifest. Of two that list the same file the
   one with the higher number counts: a builder takes its number under the lock, so a dead one's is at most
   that of the builder who came after it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from lambda_ingest.contract.dates import parse_date, parse_utc_timestamp
from lambda_ingest.contract.manifest import Manifest
from lambda_ingest.contract.records import FileStatus

# Producers' clocks differ: files of tomorrow are accepted, and a record of a date may begin the day before.
_EARLIEST_RECORD = timedelta(days=1)
# DynamoDB never deletes early; this is for the difference of two clocks.
_CLOCKS = timedelta(hours=1)


class Commitment(Enum):
    """Whether a manifest object was committed."""

    COMMITTED = "committed"
    ASSUMED = "assumed committed, for nothing is left to tell"
    NEVER = "never committed"


@dataclass(frozen=True)
class FileTrace:
    """What the tracking table says of a file that a manifest lists.

    Attributes:
        status: the record's, as it stands there.
        manifest_path: the manifest that it names; None where it names none.
        created_at: when the record began, UTC text.
    """

    status: str
    manifest_path: str | None
    created_at: str


@dataclass(frozen=True)
class JudgedManifest:
    """A manifest object of a date.

    Attributes:
        path: its URI.
        manifest: what it lists.
        commitment: what `commitment_of` says of it.
    """

    path: str
    manifest: Manifest
    commitment: Commitment


def records_may_be_gone(date_prefix: str, ttl: timedelta, now: datetime) -> bool:
    """Tell whether a date is so old that records of it may have expired; pure.

    Args:
        date_prefix: the date.
        ttl: how long a record lives after it has ended.
        now: the present instant, aware.
    """
    begin = datetime.combine(parse_date(date_prefix), datetime.min.time(), UTC)
    # Counted from now, for the first and the last day of the calendar have no room beyond them.
    return now + _CLOCKS + _EARLIEST_RECORD - ttl >= begin


def commitment_of(
    path: str, manifest: Manifest, *, has_record: bool, traces: Iterable[FileTrace]
) -> Commitment:
    """Judge one manifest object by itself; pure.

    Args:
        path: its URI.
        manifest: what it lists.
        has_record: whether its record exists, strongly read.
        traces: of the files that it lists, those that have a record, strongly read; taken one by one, and no
            further than needed.
    """
    if has_record:
        return Commitment.COMMITTED
    is_elsewhere = False
    for trace in traces:
        if trace.manifest_path == path:
            return Commitment.COMMITTED
        is_open_or_other = trace.status == FileStatus.PENDING or trace.manifest_path is not None
        is_elsewhere = is_elsewhere or (is_open_or_other and _began_before(trace, manifest))
    return Commitment.NEVER if is_elsewhere else Commitment.ASSUMED


def committed_among(judged: Iterable[JudgedManifest]) -> list[JudgedManifest]:
    """Return the manifests of a date that count as committed, in order of their names; pure.

    One that is only assumed to be gives way where others list every one of its files: it is a dead builder's,
    whose batch came into other manifests. Where a file is listed by it alone, leaving it out could lose rows.

    Args:
        judged: all of the date.
    """
    taken: set[str] = set()
    counting = []
    for each in sorted(judged, key=strength, reverse=True):
        uris = {file.uri for file in each.manifest.files}
        gives_way = each.commitment is Commitment.ASSUMED and uris <= taken
        if each.commitment is not Commitment.NEVER and not gives_way:
            counting.append(each)
            taken |= uris
    return sorted(counting, key=lambda each: each.manifest.name)


def strength(judged: JudgedManifest) -> tuple[bool, int, str]:
    """Return what orders manifests that list the same file: the greatest is the one that it was loaded by."""
    name, created_at = judged.manifest.name, judged.manifest.created_at
    return judged.commitment is Commitment.COMMITTED, name.sequence, created_at


def _began_before(trace: FileTrace, manifest: Manifest) -> bool:
    try:
        return parse_utc_timestamp(trace.created_at) <= parse_utc_timestamp(manifest.created_at)
    except (ValueError, OverflowError):
        # Of another tool, or of another time; it proves nothing.
        return False
