"""Messages that nobody could handle: seen without taking them away, and moved back.

To see a message is to receive it: it is hidden from others for a minute at most, and given back at once.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from lambda_ingest.contract.items import error_code
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.errors import PipelineError

_PER_CALL = 10
_HIDDEN_SECONDS = 60
_MOST_OBJECTS = 10
# What an AWS without the operation answers.
logger = logging.getLogger(__name__)

_UNKNOWN_OPERATION = frozenset(
    {"InvalidAction", "UnknownOperation", "UnknownOperationException", "404", "501"}
)


class UnknownMessageError(PipelineError):
    """No such message lies in the dead-letter queue."""


@dataclass(frozen=True)
class DeadLetter:
    """A message of the dead-letter queue.

    Attributes:
        message_id: SQS's.
        sent_at: when it was sent first.
        receives: how often it was received.
        objects: URIs of objects that it tells of, the first ones.
        kind: what it is, in a few words.
        body: its text.
        receipt: by which this receipt of it is given back, or deleted.
    """

    message_id: str
    sent_at: datetime | None
    receives: int
    objects: tuple[str, ...]
    kind: str
    body: str
    receipt: str


@dataclass(frozen=True)
class Redriven:
    """What was moved back.

    Attributes:
        moved: how many messages; None where AWS moves them by itself, all that lie there.
        task: AWS's task; None where they were moved one by one.
        failed: ids of those that stay.
    """

    moved: int | None
    task: str | None
    failed: tuple[str, ...] = ()


def queue_url(desk: Desk, name: str) -> str:
    """Return where a queue answers.

    Raises:
        ClientError: there is none, or it may not be used.
    """
    return str(desk.sqs.get_queue_url(QueueName=name)["QueueUrl"])


def peek(desk: Desk, limit: int) -> list[DeadLetter]:
    """Return up to `limit` messages, and give them back.

    Raises:
        ClientError: SQS refused or failed.
    """
    url = queue_url(desk, desk.names.dead_letter_queue)
    found: dict[str, DeadLetter] = {}
    try:
        for message in _receive(desk, url, limit):
            found[message.message_id] = message
    finally:
        _give_back(desk, url, list(found.values()))
    return sorted(
        found.values(), key=lambda one: (one.sent_at or datetime.max.replace(tzinfo=UTC), one.message_id)
    )


def find(desk: Desk, message_id: str, most: int) -> DeadLetter:
    """Return one message; looks at so many at most.

    Raises:
        UnknownMessageError: it is not among them.
        ClientError: SQS refused or failed.
    """
    for message in peek(desk, most):
        if message.message_id == message_id or message.message_id.startswith(message_id):
            return message
    raise UnknownMessageError(
        f"no message {message_id} is among the {most} that were looked at; `dlq list` shows them"
    )


def count(desk: Desk) -> int:
    """Return about how many messages lie there.

    Raises:
        ClientError: SQS refused or failed.
    """
    url = queue_url(desk, desk.names.dead_letter_queue)
    found = desk.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def redrive(desk: Desk) -> Redriven:
    """Move all messages back into the queue that they came from; AWS does it, or else one by one.

    An event that is handled twice counts once.

    Raises:
        ClientError: SQS refused or failed.
    """
    source = queue_url(desk, desk.names.dead_letter_queue)
    arn = desk.sqs.get_queue_attributes(QueueUrl=source, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    try:
        answer = desk.sqs.start_message_move_task(SourceArn=arn)
    except ClientError as error:
        if error_code(error) not in _UNKNOWN_OPERATION:
            raise
    except NotImplementedError:
        # moto in this process says so where its server answers that the operation is unknown.
        logger.debug("this AWS moves no messages by itself; they are moved one by one")
    else:
        return Redriven(None, answer["TaskHandle"])
    return _by_hand(desk, source)


def _by_hand(desk: Desk, source: str) -> Redriven:
    target = queue_url(desk, desk.names.queue)
    moved, failed = 0, list[str]()
    # Those that come while it goes on are left to the next time.
    for message in list(_receive(desk, source, count(desk))):
        try:
            desk.sqs.send_message(QueueUrl=target, MessageBody=message.body)
        except ClientError:
            failed.append(message.message_id)
            _give_back(desk, source, [message])
            continue
        # Sent first: a message that is there twice counts once, and one that is gone counts for nothing.
        desk.sqs.delete_message(QueueUrl=source, ReceiptHandle=message.receipt)
        moved += 1
    return Redriven(moved, None, tuple(failed))


def _receive(desk: Desk, url: str, limit: int) -> Iterator[DeadLetter]:
    seen = 0
    while seen < limit:
        answer = desk.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=min(_PER_CALL, limit - seen),
            VisibilityTimeout=_HIDDEN_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )
        messages: Any = answer.get("Messages", [])
        if not messages:
            return
        seen += len(messages)
        yield from map(_read, messages)


def _give_back(desk: Desk, url: str, messages: Sequence[DeadLetter]) -> None:
    for first in range(0, len(messages), _PER_CALL):
        desk.sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": message.receipt, "VisibilityTimeout": 0}
                for number, message in enumerate(messages[first : first + _PER_CALL])
            ],
        )


def _read(message: Mapping[str, Any]) -> DeadLetter:
    attributes = message.get("Attributes", {})
    objects, kind = objects_of(str(message.get("Body", "")))
    sent = attributes.get("SentTimestamp")
    return DeadLetter(
        message_id=str(message["MessageId"]),
        sent_at=None if sent is None else datetime.fromtimestamp(int(sent) / 1000, UTC),
        receives=int(attributes.get("ApproximateReceiveCount", 0)),
        objects=tuple(objects[:_MOST_OBJECTS]),
        kind=kind,
        body=str(message.get("Body", "")),
        receipt=str(message["ReceiptHandle"]),
    )


def objects_of(body: str) -> tuple[list[str], str]:
    """Return the objects that a message tells of, and what it is; pure, and of any body."""
    document = _object(body)
    if isinstance(document.get("Message"), str):
        inner = _object(document["Message"])
        document = inner or document
    records = document.get("Records")
    if isinstance(records, list):
        found = [uri for record in records if (uri := _of_record(record)) is not None]
        return found, f"event of S3, {len(records)} records" if found else "records of another kind"
    detail = document.get("detail")
    if document.get("source") == "aws.s3" and isinstance(detail, dict):
        uri = _uri(detail, lambda key: key)
        return [uri] if uri else [], "event of EventBridge"
    return [], "no event of S3" if document else "no JSON object"


def _of_record(record: object) -> str | None:
    s3 = record.get("s3") if isinstance(record, dict) else None
    return _uri(s3, unquote_plus) if isinstance(s3, dict) else None


def _uri(part: Mapping[str, Any], decode: Any) -> str | None:
    bucket, found = part.get("bucket"), part.get("object")
    if not isinstance(bucket, dict) or not isinstance(found, dict):
        return None
    name, key = bucket.get("name"), found.get("key")
    return f"s3://{name}/{decode(key)}" if isinstance(name, str) and isinstance(key, str) else None


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
