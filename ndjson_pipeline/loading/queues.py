"""The feed's queue as a load uses it: how much waits there, and events that are sent."""

import json
from collections.abc import Callable, Sequence
from functools import cached_property

from lambda_ingest.contract.created_objects import created_event
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.dead_letters import queue_url
from ndjson_pipeline.loading.errors import LoadStoppedError
from ndjson_pipeline.loading.judging import Judged
from ndjson_pipeline.loading.pace import Depth

_TRIES = 8
_LONGEST_PAUSE_SECONDS = 20.0


class Queues:
    """The queue and its dead-letter queue.

    Args:
        desk: the deployment.
        sleep: waits for some seconds.
    """

    def __init__(self, desk: Desk, sleep: Callable[[float], None]) -> None:
        self._desk = desk
        self._sleep = sleep

    @cached_property
    def _queue(self) -> str:
        return queue_url(self._desk, self._desk.names.queue)

    @cached_property
    def _dead_letters(self) -> str:
        return queue_url(self._desk, self._desk.names.dead_letter_queue)

    def depth(self) -> Depth:
        """Return what lies in both.

        Raises:
            ClientError: SQS refused or failed.
        """
        return Depth(sum(self._counts(self._queue)), self._counts(self._dead_letters)[0])

    def send(self, files: Sequence[Judged]) -> None:
        """Send an event for each of up to ten objects; what SQS is too busy for goes again after a pause.

        Raises:
            LoadStoppedError: SQS did not take all of them; those before are taken.
            ClientError: SQS refused or failed.
        """
        left = {str(number): one for number, one in enumerate(files)}
        for attempt in range(_TRIES):
            answer = self._desk.sqs.send_message_batch(
                QueueUrl=self._queue,
                Entries=[{"Id": each, "MessageBody": self._message(one)} for each, one in left.items()],
            )
            refused = {entry["Id"]: entry for entry in answer.get("Failed", [])}
            left = {each: one for each, one in left.items() if each in refused}
            if not left:
                return
            if any(entry["SenderFault"] for entry in refused.values()):
                break
            self._sleep(min(_LONGEST_PAUSE_SECONDS, 0.5 * 2**attempt))
        codes = sorted({str(entry["Code"]) for entry in refused.values()})
        raise LoadStoppedError(
            f"{self._desk.names.queue} did not take {len(left)} of {len(files)} events ({', '.join(codes)})"
        )

    def _counts(self, url: str) -> tuple[int, int]:
        found = self._desk.sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return (
            int(found["ApproximateNumberOfMessages"]),
            int(found["ApproximateNumberOfMessagesNotVisible"]),
        )

    def _message(self, one: Judged) -> str:
        return json.dumps(
            created_event(
                self._desk.names.input_bucket,
                one.target,
                size_bytes=one.source.size_bytes,
                etag=one.source.etag,
                written_at=one.source.modified_at,
            )
        )
