"""Events of S3 as SQS messages carry them: S3's own notifications, EventBridge's events, and either in SNS.

S3 notification    {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {...}}]}
EventBridge        {"source": "aws.s3", "detail-type": "Object Created", "detail": {...}}
by SNS             {"Type": "Notification", "Message": "<one of them as text>"}

A message is acknowledged only where every part of it is understood. An event of S3 that creates no object
needs no work. Whatever else there is makes the message fail, and it ends in the dead-letter queue, where
somebody can look at it; what other parts of it report is taken all the same.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.errors import EventFormatError

_TEST_EVENT = "s3:TestEvent"
# All that S3 writes into it; with anything else it is something else.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
_TEST_EVENT_FIELDS = frozenset({"Service", "Event", "Time", "Bucket", "RequestId", "HostId"})
_SOURCE = "aws:s3"
_BRIDGE_SOURCE = "aws.s3"
_CREATED = "ObjectCreated"
_BRIDGE_CREATED = "Object Created"
# What else S3 tells, by the part before the colon.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
_OTHER_EVENTS = frozenset(
    {
        "IntelligentTiering",
        "LifecycleExpiration",
        "LifecycleTransition",
        "ObjectAcl",
        "ObjectRemoved",
        "ObjectRestore",
        "ObjectTagging",
        "ReducedRedundancyLostObject",
        "Replication",
    }
)
# https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-s3.html
_OTHER_BRIDGE_EVENTS = frozenset(
    {
        "Async Copy Completion",
        "Object ACL Updated",
        "Object Access Tier Changed",
        "Object Deleted",
        "Object Restore Completed",
        "Object Restore Expired",
        "Object Restore Initiated",
        "Object Storage Class Changed",
        "Object Tags Added",
        "Object Tags Deleted",
    }
)
# JSON's integers are exact up to here; S3's objects are far smaller.
_LARGEST_SIZE = 2**53
# What a bucket may be called, with room for names of old. It stands in URIs, so it must hold no slash.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
# Entity tags and versions become headers.
_HEADER_TEXT = re.compile(r"[!-~]{1,1024}")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# How many things that are wrong are told of a message; a message holds thousands.
_MOST_TOLD = 3


@dataclass(frozen=True)
class ParsedMessage:
    """What one SQS message asks for.

    Attributes:
        objects: the objects it reports as created.
        ignored: why other parts of it need no work, for the log.
        problem: what is wrong with it, never its content; None where all of it is understood.
    """

    objects: tuple[ObjectCreated, ...]
    ignored: tuple[str, ...]
    problem: str | None


def parse_message(body: object) -> ParsedMessage:
    """Read the body of one SQS message; whatever it is, it raises nothing that is foreseen.

    Args:
        body: the message's body as the Lambda service hands it over, normally text.
    """
    parts = _Parts()
    parts.take(lambda: _read_body(body, parts, is_wrapped=False))
    return parts.result()


@dataclass
class _Parts:
    """The parts of one message as they are read."""

    objects: list[ObjectCreated] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def take(self, read: Callable[[], None]) -> None:
        """Read one part; what is wrong with it is kept, and leaves the others alone."""
        try:
            read()
        except EventFormatError as error:
            self.problems.append(str(error))

    def result(self) -> ParsedMessage:
        told = self.problems[:_MOST_TOLD]
        if len(self.problems) > _MOST_TOLD:
            told.append(f"and {len(self.problems) - _MOST_TOLD} more")
        return ParsedMessage(
            tuple(self.objects),
            tuple(f"{reason} ({count})" if count > 1 else reason for reason, count in self.ignored.items()),
            "; ".join(told) or None,
        )


def _read_body(body: object, parts: _Parts, *, is_wrapped: bool) -> None:
    """Read every shape that a body has: one that was put together has several, and nothing of it is lost."""
    document = _json_object(body)
    is_known = False
    if "Records" in document:
        is_known = True
        parts.take(lambda: _read_notification(document, parts))
    if "detail-type" in document or "detail" in document:
        is_known = True
        parts.take(lambda: _read_bridge_event(document, parts))
    if "Type" in document or "TopicArn" in document:
        is_known = True
        parts.take(lambda: _read_sns(document, parts, is_wrapped=is_wrapped))
    if is_known:
        return
    if document.get("Event") == _TEST_EVENT and document.keys() <= _TEST_EVENT_FIELDS:
        parts.ignored[f"{_TEST_EVENT}, sent when notifications were set up"] += 1
        return
    raise EventFormatError(
        "the body is no event of S3: it has neither Records, as S3's notifications have, nor the source and "
        "detail-type of EventBridge's events, nor the Type of an SNS message"
    )


def _json_object(body: object) -> Mapping[str, Any]:
    if not isinstance(body, str):
        raise EventFormatError(f"the body must be text, got {type(body).__name__}")
    try:
        document = json.loads(body, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError) as error:
        raise EventFormatError(f"the body is no JSON: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise EventFormatError(f"the body must be a JSON object, got {type(document).__name__}")
    return document


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that has a field twice: whichever counts, the other would be lost."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise EventFormatError("the body has a JSON object with a field twice")
    return document


def _read_sns(document: Mapping[str, Any], parts: _Parts, *, is_wrapped: bool) -> None:
    kind = _field(document, "Type", str, "the SNS message")
    if kind in {"SubscriptionConfirmation", "UnsubscribeConfirmation"}:
        raise EventFormatError(
            f"an SNS {kind} and no event: no event comes by this topic until its subscription is confirmed. "
            "Subscribe the queue from the queue's own account, or open the message's SubscribeURL once, if "
            "you know the topic; then delete the message"
        )
    if kind != "Notification":
        raise EventFormatError("the SNS message's Type must be Notification")
    if is_wrapped:
        raise EventFormatError("an SNS message within an SNS message")
    message = _field(document, "Message", str, "the SNS message")
    _read_body(message, parts, is_wrapped=True)


def _read_notification(document: Mapping[str, Any], parts: _Parts) -> None:
    records = _field(document, "Records", list, "the body")
    if not records:
        raise EventFormatError("Records is empty")
    for position, record in enumerate(records):
        where = f"Records[{position}]"
        parts.take(partial(_read_record, record, where, parts))


def _read_record(record: object, where: str, parts: _Parts) -> None:
    if not isinstance(record, dict):
        raise EventFormatError(f"{where} must be a JSON object, got {type(record).__name__}")
    # The service says ObjectCreated:Put; some that forward events keep the s3: before it.
    name = _field(record, "eventName", str, where).removeprefix("s3:")
    if record.get("eventSource", _SOURCE) != _SOURCE:
        # Streams of DynamoDB have Records, too.
        raise EventFormatError(f"{where}.eventSource must be {_SOURCE}")
    kind, _, detail = name.partition(":")
    if kind == _CREATED and detail:
        parts.objects.append(_notified_object(record, where))
    elif kind in _OTHER_EVENTS:
        parts.ignored[f"an event that creates no object: {kind}"] += 1
    else:
        raise EventFormatError(f"{where}.eventName is none that S3 has")


def _notified_object(record: Mapping[str, Any], where: str) -> ObjectCreated:
    s3 = _field(record, "s3", dict, where)
    described = _field(s3, "object", dict, f"{where}.s3")
    place = f"{where}.s3.object"
    return ObjectCreated(
        bucket=_bucket(_field(s3, "bucket", dict, f"{where}.s3"), f"{where}.s3.bucket"),
        key=_decoded(_text(described, "key", place), f"{place}.key"),
        size_bytes=_size(described, place),
        etag=_etag(described, "eTag", place),
        version_id=_version(described, "versionId", place),
        event_time=_instant(record.get("eventTime")),
    )


def _read_bridge_event(document: Mapping[str, Any], parts: _Parts) -> None:
    if _field(document, "source", str, "the EventBridge event") != _BRIDGE_SOURCE:
        raise EventFormatError(f"the EventBridge event's source must be {_BRIDGE_SOURCE}")
    kind = _field(document, "detail-type", str, "the EventBridge event")
    if kind in _OTHER_BRIDGE_EVENTS:
        parts.ignored[f"an event that creates no object: {kind}"] += 1
        return
    if kind != _BRIDGE_CREATED:
        raise EventFormatError("the EventBridge event's detail-type is none that S3 has")
    detail = _field(document, "detail", dict, "the EventBridge event")
    described = _field(detail, "object", dict, "detail")
    parts.objects.append(
        ObjectCreated(
            bucket=_bucket(_field(detail, "bucket", dict, "detail"), "detail.bucket"),
            # Not URL-encoded, unlike that of a notification.
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
            key=_text(described, "key", "detail.object"),
            size_bytes=_size(described, "detail.object"),
            etag=_etag(described, "etag", "detail.object"),
            version_id=_version(described, "version-id", "detail.object"),
            event_time=_instant(document.get("time")),
        )
    )


def _bucket(container: Mapping[str, Any], where: str) -> str:
    name = _text(container, "name", where)
    if _BUCKET.fullmatch(name) is None:
        raise EventFormatError(f"{where}.name is no bucket's name")
    return name


def _decoded(encoded: str, where: str) -> str:
    """Decode a key, once; what is not encoded as S3 does it would name an object that does not exist."""
    if _BROKEN_ESCAPE.search(encoded):
        raise EventFormatError(f"{where} is not URL-encoded: a % without two hex digits")
    try:
        key = unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError as error:
        raise EventFormatError(f"{where} is not URL-encoded UTF-8") from error
    return key


def _size(described: Mapping[str, Any], where: str) -> int:
    # S3 leaves size and entity tag out of no creation; an absent size would read as an empty file.
    size: int = _field(described, "size", int, where)
    if not 0 <= size <= _LARGEST_SIZE:
        raise EventFormatError(f"{where}.size is no object's size")
    return size


def _etag(described: Mapping[str, Any], name: str, where: str) -> str:
    etag = _text(described, name, where).strip('"')
    if _HEADER_TEXT.fullmatch(etag) is None:
        raise EventFormatError(f"{where}.{name} is no entity tag")
    return etag


def _version(described: Mapping[str, Any], name: str, where: str) -> str | None:
    version = described.get(name)
    if version is not None and not isinstance(version, str):
        raise EventFormatError(f"{where}.{name} must be text, got {type(version).__name__}")
    # A bucket that keeps no versions any more calls its newest one null.
    if version in {None, "", "null"}:
        return None
    if _HEADER_TEXT.fullmatch(version) is None:
        raise EventFormatError(f"{where}.{name} is no version")
    return version


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
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # Half of a surrogate pair is valid JSON, and no text that AWS takes.
        raise EventFormatError(f"{where}.{field} is no Unicode text") from error
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
