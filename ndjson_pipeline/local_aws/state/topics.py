"""What is kept of SNS: topics and their subscriptions; not what was published."""

import json
from collections.abc import Iterator
from typing import Any

from moto.sns import models
from moto.sns.utils import FilterPolicyMatcher

from ndjson_pipeline.local_aws.errors import StateRefusedError
from ndjson_pipeline.local_aws.state.changes import Changes
from ndjson_pipeline.local_aws.state.codec import Codec, Kept
from ndjson_pipeline.local_aws.state.documents import Documents, steady
from ndjson_pipeline.local_aws.state.store import Row

TOPICS = "topics"

SNS_CLASSES = (
    Kept(models.Topic, {"sns_backend": lambda: None, "sent_notifications": list}),
    Kept(models.Subscription, {"topic": lambda: None, "_filter_policy_matcher": lambda: None}),
)
_codec = Codec(SNS_CLASSES)


class KeptTopics:
    """Reads topics and subscriptions of moto for their rows, and makes them again."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._topics = Documents("topic")
        self._subscriptions = Documents("subscription")

    def rows(self, changes: Changes) -> Iterator[Row]:
        """Yield what changed."""
        if TOPICS not in changes.places:
            return
        topics, subscriptions = steady(self._read)
        yield from self._topics.changed(topics)
        yield from self._subscriptions.changed(subscriptions)

    def _read(self) -> tuple[dict[str, str], dict[str, str]]:
        topics, subscriptions = {}, {}
        for region, backend in list(models.sns_backends[self._account].items()):
            for arn, topic in list(backend.topics.items()):
                topics[f"{region}/{arn}"] = json.dumps(_codec.encode(topic))
            for arn, subscription in list(backend.subscriptions.items()):
                document = {"topic": subscription.topic.arn, "subscription": _codec.encode(subscription)}
                subscriptions[f"{region}/{arn}"] = json.dumps(document)
        return topics, subscriptions

    def restore(self, topics: Iterator[tuple[str, str]], subscriptions: Iterator[tuple[str, str]]) -> None:
        """Make topics and subscriptions again.

        Raises:
            StateRefusedError: a row makes no sense.
        """
        for name, text in topics:
            region, _, arn = name.partition("/")
            topic = _codec.decode(json.loads(text))
            topic.sns_backend = backend = models.sns_backends[self._account][region]
            backend.topics[arn] = topic
            self._topics.known(name, text)
        for name, text in subscriptions:
            region, _, arn = name.partition("/")
            backend = models.sns_backends[self._account][region]
            document = json.loads(text)
            subscription: Any = _codec.decode(document["subscription"])
            if document["topic"] not in backend.topics:
                raise StateRefusedError(f"the subscription {arn!r} is of no topic")
            subscription.topic = backend.topics[document["topic"]]
            if subscription._filter_policy is not None:
                subscription._filter_policy_matcher = FilterPolicyMatcher(
                    subscription._filter_policy, subscription.attributes.get("FilterPolicyScope")
                )
            backend.subscriptions[arn] = subscription
            self._subscriptions.known(name, text)
