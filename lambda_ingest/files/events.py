"""S3 events as SQS messages carry them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.errors import EventFormatError


@dataclass(frozen=True)
class ObjectCreated:
    """One object that S3 says was created.

    Attributes:
        bucket: its bucket.
        key: its key, decoded.
        size_bytes: its size.
        etag: its entity tag without quotes.
        version_id: its version, where the bucket keeps versions.
        event_time: when S3 wrote it, aware; None where the event does not say.
    """

    bucket: str
    key: str
    size_bytes: int
    etag: str
    version_id: str | None = None
    event_time: datetime | None = None

    @property
    def uri(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class ParsedMessage:
    """What one SQS message asks for.

    Attributes:
        objects: the objects it reports as created.
        ignored: why each other part of it needs no work, for the log.
    """

    objects: tuple[ObjectCreated, ...]
    ignored: tuple[str, ...]


def parse_message(body: object) -> ParsedMessage:
    """Read the body of one SQS message.

    Args:
        body: the message's body as the Lambda service hands it over, normally text.

    Raises:
        EventFormatError: it is no S3 event; the message names the part that is wrong, never its content.
    """
    if not isinstance(body, str):
        raise EventFormatError(f"the body must be text, got {type(body).__name__}")
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EventFormatError(f"the body is no JSON: {type(error).__name__}") from error
    if not isinstance(event, dict):
        raise EventFormatError(f"the body must be a JSON object, got {type(event).__name__}")
    if event.get("Event") == "s3:TestEvent":
        return ParsedMessage((), ("s3:TestEvent, sent when notifications were set up",))
    if "Records" not in event:
        return ParsedMessage((), ("a message without Records",))
    records = event["Records"]
    if not isinstance(records, list):
        raise EventFormatError(f"Records must be a list, got {type(records).__name__}")
    objects: list[ObjectCreated] = []
    ignored: list[str] = []
    for position, record in enumerate(records):
        name = _field(record, "eventName", str, f"Records[{position}]")
        # The service says ObjectCreated:Put; some that forward events keep the s3: before it.
        if name.removeprefix("s3:").startswith("ObjectCreated:"):
            objects.append(_object_created(record, f"Records[{position}]"))
        else:
            ignored.append("an event that creates no object")
    return ParsedMessage(tuple(objects), tuple(ignored))


def _object_created(record: Mapping[str, Any], where: str) -> ObjectCreated:
    s3 = _field(record, "s3", dict, where)
    bucket = _field(s3, "bucket", dict, f"{where}.s3")
    described = _field(s3, "object", dict, f"{where}.s3")
    place = f"{where}.s3.object"
    # S3 leaves size and eTag out of no creation event; an absent size would read as an empty file.
    size = _field(described, "size", int, place)
    version = described.get("versionId")
    if version is not None and not isinstance(version, str):
        raise EventFormatError(f"{place}.versionId must be text, got {type(version).__name__}")
    return ObjectCreated(
        bucket=_text(bucket, "name", f"{where}.s3.bucket"),
        key=unquote_plus(_text(described, "key", place)),
        size_bytes=size,
        etag=_text(described, "eTag", place).strip('"'),
        version_id=version or None,
        event_time=_instant(record.get("eventTime")),
    )


def _instant(value: object) -> datetime | None:
    # The time only decides whether to look at the object again, so a strange one is no reason to fail.
    if not isinstance(value, str):
        return None
    try:
        return parse_utc_timestamp(value)
    except ValueError:
        return None


def _text(container: Mapping[str, Any], field: str, where: str) -> str:
    value: str = _field(container, field, str, where)
    if not value:
        raise EventFormatError(f"{where}.{field} is empty")
    return value


def _field(container: object, field: str, expected: type, where: str) -> Any:
    if not isinstance(container, dict):
        raise EventFormatError(f"{where} must be a JSON object, got {type(container).__name__}")
    if field not in container:
        raise EventFormatError(f"{where}.{field} is missing")
    value = container[field]
    if not isinstance(value, expected) or isinstance(value, bool):
        raise EventFormatError(f"{where}.{field} must be {expected.__name__}, got {type(value).__name__}")
    return value
