"""Messages of a queue on their way to a Lambda function, as an event source mapping moves them."""

import base64
import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ndjson_pipeline.local_aws.errors import LocalAwsError
from ndjson_pipeline.local_aws.functions.batch_answers import failed_message_ids
from ndjson_pipeline.local_aws.functions.runtime import LambdaRuntime

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef, MessageTypeDef

# SQS hands out and deletes at most ten messages in a call.
_MESSAGES_PER_CALL = 10
# Short polls end soon after the pump is told to stop.
_POLL_SECONDS = 1
_SECONDS_AFTER_ERROR = 1.0

_logger = logging.getLogger(__name__)


class QueuePump:
    """Polls a queue with several threads, and hands batches to a function.

    A message that the function does not acknowledge stays hidden until its visibility timeout passes; SQS
    counts its receives, and moves it to the dead-letter queue.

    Args:
        client: an SQS client.
        queue_url: the queue.
        queue_arn: its ARN, which events carry.
        region: the region, which events carry.
        runtime: what invokes the function.
        function_name: the function.
        batch_size: how many messages an invocation gets at most.
        batching_window_seconds: how long to collect a batch from its first message on.
        concurrency: how many invocations run at once at most.
    """

    def __init__(
        self,
        *,
        client: "SQSClient",
        queue_url: str,
        queue_arn: str,
        region: str,
        runtime: LambdaRuntime,
        function_name: str,
        batch_size: int,
        batching_window_seconds: float,
        concurrency: int,
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._queue_arn = queue_arn
        self._region = region
        self._runtime = runtime
        self._function_name = function_name
        self._batch_size = batch_size
        self._batching_window_seconds = batching_window_seconds
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"queue-pump-{number}", daemon=True)
            for number in range(concurrency)
        ]

    def start(self) -> None:
        """Begin polling."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask every thread to end after what it is doing; `join` waits for them."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for the threads to end."""
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                messages = self._collect()
                if messages:
                    self._hand_over(messages)
            except (BotoCoreError, ClientError, LocalAwsError, OSError) as error:
                # The service polls on whatever happens; messages in hand come again by themselves.
                if not self._stopping.is_set():
                    _logger.warning("polling %s: %s", self._queue_url, error)
                self._stopping.wait(_SECONDS_AFTER_ERROR)

    def _collect(self) -> "list[MessageTypeDef]":
        messages = self._receive(self._batch_size, _POLL_SECONDS)
        deadline = time.monotonic() + self._batching_window_seconds
        while messages and len(messages) < self._batch_size and not self._stopping.is_set():
            remaining = deadline - time.monotonic()
            wanted = self._batch_size - len(messages)
            # Without a window, only a batch beyond one call's reach is worth another call.
            if remaining <= 0 and len(messages) % _MESSAGES_PER_CALL:
                break
            more = self._receive(wanted, 1 if remaining > 0 else 0)
            messages.extend(more)
            if not more and remaining <= 0:
                break
        return messages

    def _receive(self, wanted: int, wait_seconds: int) -> "list[MessageTypeDef]":
        answer = self._client.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=min(wanted, _MESSAGES_PER_CALL),
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _hand_over(self, messages: "Sequence[MessageTypeDef]") -> None:
        event = {"Records": [self._record(message) for message in messages]}
        invocation = self._runtime.invoke(self._function_name, event)
        if invocation.function_error is not None:
            if not self._stopping.is_set():
                _logger.warning(
                    "%s failed for %d messages: %s", self._function_name, len(messages), invocation.payload
                )
            return
        failed = failed_message_ids(invocation.payload, {message["MessageId"] for message in messages})
        if failed:
            _logger.info("%s returned %d of %d messages", self._function_name, len(failed), len(messages))
        self._delete([message for message in messages if message["MessageId"] not in failed])

    def _delete(self, messages: "Sequence[MessageTypeDef]") -> None:
        for start in range(0, len(messages), _MESSAGES_PER_CALL):
            answer = self._client.delete_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages[start : start + _MESSAGES_PER_CALL])
                ],
            )
            for failure in answer.get("Failed", []):
                _logger.warning("message not deleted from %s: %s", self._queue_url, failure)

    def _record(self, message: "MessageTypeDef") -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": dict(message.get("Attributes", {})),
            "messageAttributes": {
                name: _message_attribute(value)
                for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._queue_arn,
            "awsRegion": self._region,
        }


def _message_attribute(value: "MessageAttributeValueOutputTypeDef") -> dict[str, Any]:
    record: dict[str, Any] = {
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
    if "StringValue" in value:
        record["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        record["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return record
