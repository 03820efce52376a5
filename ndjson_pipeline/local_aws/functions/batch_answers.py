"""What the answer of a function says about the messages it was given."""

from collections.abc import Collection
from typing import Any


def failed_message_ids(answer: Any, message_ids: Collection[str]) -> frozenset[str]:
    """Read an answer by the rules of SQS partial batch responses.

    Args:
        answer: what the handler returned, as JSON.
        message_ids: the ids of the batch.

    Returns:
        The messages that must come again: none where the answer is null, empty or names none; those it names;
        or all, where it has another shape, or names a message that is not of the batch.
    """
    everything = frozenset(message_ids)
    if answer is None:
        return frozenset()
    if not isinstance(answer, dict):
        return everything
    failures = answer.get("batchItemFailures")
    if failures is None:
        return frozenset()
    if not isinstance(failures, list):
        return everything
    failed = set()
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, str) or identifier not in everything:
            return everything
        failed.add(identifier)
    return frozenset(failed)
