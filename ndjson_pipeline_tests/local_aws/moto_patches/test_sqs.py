"""SQS put right: each test fails where its patch is missing."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import moto.sqs.models
from moto.sqs.models import Message, Queue

from ndjson_pipeline_tests.local_aws.moto_patches.conftest import at_once


class TestQueues:
    """SQSBackend, Queue."""

    def test_a_message_sent_while_another_is_deleted_stays(self, aws, queue, monkeypatch):
        sqs = aws.client("sqs")
        sqs.send_message(QueueUrl=queue, MessageBody="first")
        (first,) = sqs.receive_message(QueueUrl=queue)["Messages"]
        in_the_middle = threading.Event()

        def replace(queue, messages):
            in_the_middle.set()
            time.sleep(0.2)
            vars(queue)["_messages"] = messages

        # A delete replaces the list of messages by one without the deleted.
        messages = property(lambda queue: vars(queue)["_messages"], replace)
        monkeypatch.setattr(Queue, "_messages", messages, raising=False)

        def delete():
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])

        def send():
            in_the_middle.wait(5)
            sqs.send_message(QueueUrl=queue, MessageBody="second")

        at_once(delete, send)
        (second,) = sqs.receive_message(QueueUrl=queue).get("Messages", [])
        assert second["Body"] == "second"

    def test_a_message_goes_to_one_receiver(self, aws, queue, monkeypatch):
        sqs = aws.client("sqs")
        sqs.send_message(QueueUrl=queue, MessageBody="only")
        original = Message.mark_received

        def mark_received(message, visibility_timeout=None):
            time.sleep(0.1)
            return original(message, visibility_timeout)

        monkeypatch.setattr(Message, "mark_received", mark_received)
        answers = at_once(*[lambda: sqs.receive_message(QueueUrl=queue).get("Messages", [])] * 4)
        assert sum(len(messages) for messages in answers) == 1

    def test_a_long_poll_sees_a_message_at_once(self, aws, queue):
        sqs = aws.client("sqs")
        with ThreadPoolExecutor(1) as threads:
            poll = threads.submit(sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=10)
            time.sleep(0.2)
            sent = time.monotonic()
            aws.client("sqs").send_message(QueueUrl=queue, MessageBody="here")
            assert poll.result()["Messages"][0]["Body"] == "here"
        assert time.monotonic() - sent < 2

    def test_a_policy_survives_other_attributes(self, aws):
        sqs = aws.client("sqs")
        url = sqs.get_queue_url(QueueName=aws.names.queue)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["VisibilityTimeout"] == "30"
        assert "InputBucketSendsEvents" in attributes["Policy"]

    def test_a_policy_can_be_replaced(self, aws, queue):
        sqs = aws.client("sqs")
        for effect in ("Allow", "Deny"):
            policy = {
                "Version": "2012-10-17",
                "Statement": [{"Sid": "s", "Effect": effect, "Principal": "*", "Action": "sqs:*"}],
            }
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
        stored = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
        assert json.loads(stored)["Statement"][0]["Effect"] == "Deny"

    def test_counts_tell_waiting_hidden_and_delayed_apart(self, aws, queue):
        sqs = aws.client("sqs")
        for _ in range(2):
            sqs.send_message(QueueUrl=queue, MessageBody="now")
        sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=60)
        sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "1"
        assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
        assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"

    def test_a_backlog_does_not_slow_a_send(self, aws, queue, monkeypatch):
        sqs = aws.client("sqs")
        for _ in range(20):
            entries = [{"Id": str(number), "MessageBody": "waiting"} for number in range(10)]
            sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        asked = []
        original = moto.sqs.models.unix_time_millis
        counted = lambda *arguments: asked.append(1) or original(*arguments)  # noqa: E731
        monkeypatch.setattr(moto.sqs.models, "unix_time_millis", counted)
        sqs.send_message(QueueUrl=queue, MessageBody="one more")
        assert len(asked) < 20


class TestRedrive:
    """Queue.attributes, Queue.BASE_ATTRIBUTES, Queue.redrive_allow_policy."""

    def test_a_redrive_policy_comes_back_as_it_was(self, aws, queue):
        sqs = aws.client("sqs")
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3}, separators=(",", ":"))
        source = sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy})["QueueUrl"]
        try:
            found = sqs.get_queue_attributes(QueueUrl=source, AttributeNames=["RedrivePolicy"])["Attributes"]
            assert found["RedrivePolicy"] == policy
        finally:
            sqs.delete_queue(QueueUrl=source)

    def test_a_queue_says_who_may_redrive(self, aws, queue):
        sqs = aws.client("sqs")
        names = ["RedriveAllowPolicy"]
        assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        policy = json.dumps({"redrivePermission": "denyAll"})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedriveAllowPolicy": policy})
        found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        assert found == {"RedriveAllowPolicy": policy}
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedriveAllowPolicy": ""})
        assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)
