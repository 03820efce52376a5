"""Which files had rejected lines, from the objects that keep them: a look at the first of them."""

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import s3_uri, split_s3_uri
from lambda_ingest.contract.text import printable
from ndjson_pipeline.errors import PipelineError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

REJECTED_FOLDER = "rejected/"
# Enough to name files and reasons; `ndjson-pipeline rejects` counts all.
_MOST_BYTES = 1_048_576
_MOST_UNPACKED = 4 * 1_048_576
_MOST_OBJECTS = 5
_LONGEST_REASON = 200


@dataclass
class RejectedLines:
    """Rejected lines by file and reason, of those that were looked at.

    Attributes:
        by_file: how many, by the URI of the file and the reason.
        is_all: whether every kept object was read to its end.
    """

    by_file: Counter[tuple[str, str]] = field(default_factory=Counter)
    is_all: bool = True


class RejectedLinesUnreadableError(PipelineError):
    """What keeps the rejected lines can't be read."""


def look_into(s3: "S3Client", quarantine_bucket: str, uris: Sequence[str]) -> RejectedLines:
    """Count the lines of the first objects of rejected lines; costs a GET of 1 MB for each of five at most.

    Args:
        s3: the client.
        quarantine_bucket: the only bucket that is read, whatever a report names.
        uris: of the objects, as reports name them.

    Raises:
        RejectedLinesUnreadableError: S3 refused or failed.
    """
    found = RejectedLines()
    places = [place for uri in uris if (place := _place(uri, quarantine_bucket)) is not None]
    for bucket, key in places[:_MOST_OBJECTS]:
        try:
            answer = s3.get_object(Bucket=bucket, Key=key)
            with answer["Body"] as body:
                content = body.read(_MOST_BYTES + 1)
        except (ClientError, BotoCoreError) as error:
            raise RejectedLinesUnreadableError(
                f"{printable(s3_uri(bucket, key))} can't be read: {error}"
            ) from error
        is_whole = len(content) <= _MOST_BYTES
        found.is_all = count_lines(found.by_file, content[:_MOST_BYTES], is_whole=is_whole) and found.is_all
    found.is_all = found.is_all and len(places) <= _MOST_OBJECTS
    return found


def _place(uri: str, quarantine_bucket: str) -> tuple[str, str] | None:
    """Return bucket and key of an object of rejected lines, or None where it is none of ours."""
    try:
        bucket, key = split_s3_uri(uri)
    except ContractError:
        return None
    return (bucket, key) if bucket == quarantine_bucket and key.startswith(REJECTED_FOLDER) else None


def count_lines(by_file: Counter[tuple[str, str]], content: bytes, *, is_whole: bool = True) -> bool:
    """Count the lines of an object, plain or packed with gzip; pure but for the counter.

    Args:
        by_file: takes the counts.
        content: of the object.
        is_whole: whether it is all of the object; else its last line may be cut short, and does not count.

    Returns:
        Whether every line was counted.
    """
    unpacked, is_to_the_end = _unpacked(content)
    is_all = is_whole and is_to_the_end
    *lines, rest = unpacked.split(b"\n")
    for line in (*lines, rest) if is_all else lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            named = (str(record["source_file"]), str(record["reason"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            named = ("unknown", "a line of another shape")
        by_file[(printable(named[0]), printable(named[1], _LONGEST_REASON))] += 1
    return is_all


def _unpacked(content: bytes) -> tuple[bytes, bool]:
    """Return what a content holds, up to a bound, and whether that is all; by its first bytes."""
    if not content.startswith(b"\x1f\x8b"):
        return content, True
    reader = zlib.decompressobj(wbits=31)
    try:
        unpacked = reader.decompress(content, _MOST_UNPACKED)
    except zlib.error:
        return b"", False
    return unpacked, reader.eof and not reader.unused_data
