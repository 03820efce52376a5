"""What the tests of moto put right share: one local AWS, and calls that meet each other."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings


@pytest.fixture(scope="package")
def aws(tmp_path_factory):
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
    with LocalAws(directory=tmp_path_factory.mktemp("aws"), settings=settings) as aws:
        yield aws


@pytest.fixture
def queue(aws):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="patches")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def slow(monkeypatch, owner, name, seconds):
    """Make a step of moto slow, so that what other threads do falls into it."""
    original = getattr(owner, name)

    def slowed(*arguments, **named):
        result = original(*arguments, **named)
        time.sleep(seconds)
        return result

    monkeypatch.setattr(owner, name, slowed)


def at_once(*actions):
    """Run actions in a thread each; return results, or the errors they raised."""

    def outcome(action):
        try:
            return action()
        except ClientError as error:
            return error

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(outcome, actions))


def code(error):
    return error.response["Error"]["Code"]
