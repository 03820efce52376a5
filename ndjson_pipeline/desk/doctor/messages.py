"""Queues, their policy, and who hears of alerts."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.doctor.finding import Finding, State, judged, ok

_DEPLOY = "deploy again (`make deploy`)"
_LEAST_RECEIVES = 3


def queue(desk: Desk) -> Iterator[Finding]:
    """Tell whether the queue takes S3's events, and gives up on what fails."""
    attributes = _attributes(desk, desk.names.queue)
    problems = []
    redrive = _parsed(attributes.get("RedrivePolicy"))
    if not str(redrive.get("deadLetterTargetArn", "")).endswith(f":{desk.names.dead_letter_queue}"):
        problems.append(("what fails again and again goes nowhere", _DEPLOY))
    elif int(redrive.get("maxReceiveCount", 0)) < _LEAST_RECEIVES:
        problems.append(
            (f"messages have {redrive.get('maxReceiveCount')} tries", f"give them {_LEAST_RECEIVES} or more")
        )
    visible = attributes.get("VisibilityTimeout", "?")
    yield judged("queue", problems, f"{desk.names.queue}, hides a message for {visible} s")
    yield _policy(desk, _parsed(attributes.get("Policy")))


def dead_letters(desk: Desk) -> Iterator[Finding]:
    """Tell whether the dead-letter queue is there, and empty."""
    attributes = _attributes(desk, desk.names.dead_letter_queue)
    count = int(attributes.get("ApproximateNumberOfMessages", 0))
    if count:
        step = "`ndjson-pipeline dlq list` shows them"
        yield Finding("dead letters", State.WRONG, f"{count} messages that nobody could handle", step)
    else:
        yield ok("dead letters", "none")


def topic(desk: Desk) -> Iterator[Finding]:
    """Tell whether anybody hears of alerts."""
    arn = f"arn:{_partition(desk)}:sns:{desk.region}:{desk.account}:{desk.names.alert_topic}"
    attributes = desk.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    found = desk.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    confirmed = [one for one in found if str(one["SubscriptionArn"]).startswith("arn:")]
    waiting = int(attributes.get("SubscriptionsPending", 0))
    if not confirmed:
        more = f"; {waiting} wait for their confirmation" if waiting else ""
        step = f"subscribe somebody to {desk.names.alert_topic}, and confirm it"
        yield Finding("alerts", State.WARNING, f"nobody hears of them{more}", step)
    else:
        yield ok("alerts", f"{len(confirmed)} subscriptions of {desk.names.alert_topic}")


def _policy(desk: Desk, policy: Mapping[str, Any]) -> Finding:
    """Tell whether the input bucket may send."""
    statements = policy.get("Statement", [])
    allows = any(
        one.get("Effect") == "Allow"
        and "s3.amazonaws.com" in json.dumps(one.get("Principal"))
        and desk.names.input_bucket in json.dumps(one.get("Condition", {}))
        for one in (statements if isinstance(statements, list) else [])
        if isinstance(one, dict)
    )
    bridge = "events.amazonaws.com" in json.dumps(statements)
    problem = f"{desk.names.input_bucket} may not send to it"
    return judged("queue's policy", [] if allows or bridge else [(problem, _DEPLOY)], "S3 may send")


def _attributes(desk: Desk, name: str) -> Mapping[str, str]:
    url = desk.sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: Any = desk.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return dict(found)


def _parsed(text: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _partition(desk: Desk) -> str:
    return desk.session.get_partition_for_region(desk.region)
