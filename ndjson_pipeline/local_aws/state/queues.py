"""What is kept of SQS: queues with their settings, and the messages in them."""

import json
from collections.abc import Iterator
from threading import Condition
from typing import Any

from moto.sqs import models

from ndjson_pipeline.local_aws.errors import StateRefusedError
from ndjson_pipeline.local_aws.state.changes import Changes
from ndjson_pipeline.local_aws.state.codec import Codec, Kept
from ndjson_pipeline.local_aws.state.documents import Documents
from ndjson_pipeline.local_aws.state.store import Row

QUEUES = "queues"

SQS_CLASSES = (
    Kept(
        models.Queue,
        {
            "_messages": list,
            "_pending_messages": set,
            "_messages_lock": Condition,
            "deleted_messages": set,
            # Found again by the redrive policy.
            "dead_letter_queue": lambda: None,
            "lambda_event_source_mappings": dict,
        },
    ),
    Kept(models.Message),
)
_codec = Codec(SQS_CLASSES)


class KeptQueues:
    """Reads queues and messages of moto for their rows, and makes them again.

    A message that somebody was at is there for all again: whoever it was has ended, too. How often it was
    received stays counted.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._queues = Documents("queue")
        # What may change about a message, by the name of its row.
        self._messages: dict[str, tuple[Any, ...]] = {}

    def _found(self) -> Iterator[tuple[str, Any]]:
        for region, backend in models.sqs_backends[self._account].items():
            for name, queue in backend.queues.items():
                yield f"{region}/{name}", queue

    def rows(self, changes: Changes) -> Iterator[Row]:
        """Yield what changed; SQS stands still meanwhile."""
        if QUEUES not in changes.places:
            return
        found = dict(self._found())
        documents = {name: json.dumps(_codec.encode(queue)) for name, queue in found.items()}
        yield from self._queues.changed(documents)
        present: dict[str, tuple[Any, ...]] = {}
        for name, queue in found.items():
            for message in queue._messages:
                row = f"{name}/{message.id}"
                present[row] = (message.approximate_receive_count, message.delayed_until)
                if self._messages.get(row) != present[row]:
                    yield Row("message", row, json.dumps(_codec.encode(message)))
        for row in self._messages.keys() - present.keys():
            yield Row("message", row, None)
        self._messages = present

    def restore(self, queues: Iterator[tuple[str, str]], messages: Iterator[tuple[str, str]]) -> None:
        """Make queues and messages again.

        Raises:
            StateRefusedError: a row makes no sense.
        """
        for name, text in queues:
            region, _, queue_name = name.partition("/")
            queue = _codec.decode(json.loads(text))
            models.sqs_backends[self._account][region].queues[queue_name] = queue
            self._queues.known(name, text)
        found = dict(self._found())
        by_arn = {queue.queue_arn: queue for queue in found.values()}
        for queue in found.values():
            if queue.redrive_policy:
                queue.dead_letter_queue = by_arn.get(queue.redrive_policy["deadLetterTargetArn"])
        for row, text in messages:
            name = row.rpartition("/")[0]
            if name not in found:
                raise StateRefusedError(f"the message {row!r} is in no queue")
            message = _codec.decode(json.loads(text))
            message.visible_at = 0.0
            found[name]._messages.append(message)
            self._messages[row] = (message.approximate_receive_count, message.delayed_until)
        for queue in found.values():
            queue._messages.sort(key=lambda message: message.sent_timestamp)

    @property
    def message_count(self) -> int:
        """How many messages there are."""
        return len(self._messages)
