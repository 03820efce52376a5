"""SQS: no message lost or received twice, no policy erased, and less to do for each request."""

import functools
import json
import time
from typing import Any

import moto.sqs.models
from moto.core.utils import unix_time_millis

from ndjson_pipeline.local_aws.moto_patches.locks import SQS_LOCK
from ndjson_pipeline.local_aws.moto_patches.registry import Services, locked, replaces

_SECONDS_BETWEEN_LOOKS_AT_A_QUEUE = 0.1


@replaces(
    moto.sqs.models.SQSBackend,
    "change_message_visibility",
    "change_message_visibility_batch",
    "create_queue",
    "delete_message",
    "delete_message_batch",
    "purge_queue",
    "set_queue_attributes",
)
@replaces(moto.sqs.models.Queue, "add_message", "delete_message")
def _one_sqs_call_at_a_time(original: Any, _services: Services) -> Any:
    """Stock moto loses a message that is sent while another is deleted."""
    return locked(original, SQS_LOCK)


@replaces(moto.sqs.models.SQSBackend, "receive_message")
def _one_receiver_at_a_time(original: Any, services: Services) -> Any:
    """Stock moto hands one message to two receivers at once, and ends no long poll early."""

    @functools.wraps(original)
    def receive_message(
        backend: Any,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        *others: Any,
    ) -> Any:
        deadline = time.monotonic() + wait_seconds_timeout
        while True:
            with SQS_LOCK:
                messages = original(backend, queue_name, count, 0, *others)
            remaining = deadline - time.monotonic()
            if messages or remaining <= 0 or services.closing.is_set():
                return messages
            backend.get_queue(queue_name).wait_for_messages(min(remaining, _SECONDS_BETWEEN_LOOKS_AT_A_QUEUE))

    return receive_message


@replaces(moto.sqs.models.Queue, "messages")
def _messages_ask_for_the_time_once(_original: Any, _services: Services) -> Any:
    """Stock moto asks for the time twice a message whenever it looks at a queue, several times a request."""

    def messages(queue: Any) -> list[Any]:
        now = unix_time_millis()
        return [each for each in queue._messages if each.visible_at < now and each.delayed_until <= now]

    return property(messages)


@replaces(moto.sqs.models.Queue, "approximate_number_of_messages_delayed")
def _delayed_messages_ask_for_the_time_once(_original: Any, _services: Services) -> Any:
    """Stock moto asks for the time for each message of a queue."""

    def delayed(queue: Any) -> int:
        now = unix_time_millis()
        return sum(now < each.delayed_until for each in queue._messages)

    return property(delayed)


@replaces(moto.sqs.models.Queue, "approximate_number_of_messages_not_visible")
def _hidden_messages_ask_for_the_time_once(_original: Any, _services: Services) -> Any:
    """Stock moto asks for the time for each message of a queue."""

    def not_visible(queue: Any) -> int:
        now = unix_time_millis()
        return sum(now <= each.visible_at for each in queue._messages)

    return property(not_visible)


@replaces(moto.sqs.models.Queue, "_set_attributes")
def _a_queue_keeps_its_policy(original: Any, _services: Services) -> Any:
    """Stock moto erases a queue's policy when any other attribute is set.

    And it keeps a RedriveAllowPolicy that is set to nothing, as the text that it is not.
    """

    @functools.wraps(original)
    def set_attributes(queue: Any, attributes: dict[str, Any], now: float | None = None) -> None:
        if "Policy" not in attributes:
            attributes = {**attributes, "Policy": queue.policy}
        if attributes.get("RedriveAllowPolicy") == "":
            attributes = {**attributes, "RedriveAllowPolicy": None}
        original(queue, attributes, now)

    return set_attributes


@replaces(moto.sqs.models.Queue, "attributes")
def _redrive_policies_come_back_as_they_were(original: Any, _services: Services) -> Any:
    """Stock moto writes spaces into RedrivePolicy, which Terraform takes for a change."""

    def attributes(queue: Any) -> dict[str, Any]:
        result: dict[str, Any] = original.__get__(queue)
        if queue.redrive_policy:
            result["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=(",", ":"))
        return result

    return property(attributes)


@replaces(moto.sqs.models.Queue, "BASE_ATTRIBUTES")
def _queues_say_who_may_redrive(original: Any, _services: Services) -> Any:
    """Stock moto refuses to be asked for RedriveAllowPolicy."""
    return [*original, "RedriveAllowPolicy"]


@replaces(moto.sqs.models.Queue, "redrive_allow_policy")
def _queues_let_all_redrive_at_first(_original: Any, _services: Services) -> Any:
    """Stock moto has no RedriveAllowPolicy of a queue to which none was given."""
    return None
