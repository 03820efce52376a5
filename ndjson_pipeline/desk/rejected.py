"""Records that a conversion rejected, as they lie in the quarantine bucket."""

import gzip
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lambda_ingest.contract.keys import ManifestName
from ndjson_pipeline.desk.clients import Desk

Tell = Callable[[str], None]

REJECTED_FOLDER = "rejected/"
# Unpacked; a day of nothing but rejects is shown in part.
MOST_BYTES = 64 * 1024**2
_LONGEST_LINE = 1024**2
_SHOWN_CHARACTERS = 120


@dataclass(frozen=True)
class RejectedSample:
    """A rejected record.

    Attributes:
        source_file: the URI of its file.
        line_number: from 1.
        byte_offset: where its line begins.
        reason: why.
        text: the beginning of the line; None where it is no text.
    """

    source_file: str
    line_number: int | None
    byte_offset: int | None
    reason: str
    text: str | None


@dataclass
class Rejects:
    """Rejected records.

    Attributes:
        records: how many were counted.
        reasons: how many of each.
        files: how many of each source file.
        samples: some of them, of each reason first one.
        objects: how many objects there are.
        is_cut: whether more lie there than were read.
    """

    records: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    samples: list[RejectedSample] = field(default_factory=list)
    objects: int = 0
    is_cut: bool = False


def rejects_of_date(desk: Desk, date: str, samples: int, tell: Tell) -> Rejects:
    """Count a date's rejected records; reads up to `MOST_BYTES` of them.

    Args:
        desk: the deployment.
        date: the date.
        samples: so many are kept.
        tell: told how far it is.

    Raises:
        ClientError: S3 refused or failed.
    """
    return _count(desk, f"{REJECTED_FOLDER}{date}/", lambda _: True, samples, tell)


def rejects_of_file(desk: Desk, name: ManifestName, uri: str, samples: int, tell: Tell) -> Rejects:
    """Count the rejected records of one file in its manifest.

    Raises:
        ClientError: S3 or Glue refused or failed.
    """
    folder = f"{desk.output_prefix}/" if desk.output_prefix else ""
    stem = f"{REJECTED_FOLDER}{name.date_prefix}/{folder}part-{name.sequence:06d}-{name.digest}-"
    return _count(desk, stem, lambda source: source == uri, samples, tell)


def _count(desk: Desk, prefix: str, wants: Callable[[str], bool], samples: int, tell: Tell) -> Rejects:
    found, left, per_reason = Rejects(), MOST_BYTES, Counter[str]()
    spare: list[RejectedSample] = []
    for key in _keys(desk, prefix):
        found.objects += 1
        if left <= 0:
            found.is_cut = True
            continue
        body = desk.s3.get_object(Bucket=desk.names.quarantine_bucket, Key=key)["Body"]
        for line in _lines(io.BufferedReader(_Stream(body)), key):
            left -= len(line)
            if left <= 0:
                found.is_cut = True
                break
            record = _parsed(line)
            sample = _sample(record)
            if not wants(sample.source_file):
                continue
            found.records += 1
            found.reasons[sample.reason] += 1
            found.files[sample.source_file] += 1
            per_reason[sample.reason] += 1
            if per_reason[sample.reason] == 1:
                found.samples.append(sample)
            elif len(spare) < samples:
                spare.append(sample)
        tell(f"{found.records:,} records")
    found.samples = [*found.samples, *spare][:samples]
    return found


def _keys(desk: Desk, prefix: str) -> Iterator[str]:
    pages = desk.s3.get_paginator("list_objects_v2").paginate(
        Bucket=desk.names.quarantine_bucket, Prefix=prefix
    )
    for page in pages:
        yield from (one["Key"] for one in page.get("Contents", []))


class _Stream(io.RawIOBase):
    """A body of S3's as a file."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content: bytes = self._body.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _lines(stream: io.BufferedReader, key: str) -> Iterator[bytes]:
    """Yield lines, each up to a bound; what is not packed as its name says ends them."""
    reader: Any = gzip.GzipFile(fileobj=stream) if key.endswith(".gz") else stream
    try:
        while line := reader.readline(_LONGEST_LINE):
            yield line
    except (OSError, EOFError):
        return


def _parsed(line: bytes) -> dict[str, Any]:
    """Return a line's object; an empty one where it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _sample(record: dict[str, Any]) -> RejectedSample:
    raw = record.get("raw")
    return RejectedSample(
        source_file=str(record.get("source_file", "unknown")),
        line_number=_whole(record.get("line_number")),
        byte_offset=_whole(record.get("byte_offset")),
        reason=str(record.get("reason", "a line of another shape")),
        text=raw[:_SHOWN_CHARACTERS] if isinstance(raw, str) else None,
    )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
