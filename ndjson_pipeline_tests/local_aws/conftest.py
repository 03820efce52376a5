"""What the tests of the local AWS share."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from ndjson_pipeline.local_aws import LocalAws
from ndjson_pipeline_tests.patience import PATIENCE

Value = TypeVar("Value")
FUNCTIONS = str(Path(__file__).parent / "handlers")


def eventually(look: Callable[[], Value], seconds: float = 20.0) -> Value:
    """Return what `look` returns once it is true; fail with the last value after a deadline."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while not (value := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s; last seen: {value!r}"
        time.sleep(0.02)
    return value


def process_exists(process_id: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def children() -> set[int]:
    """Return the processes whose parent is this one."""
    return {
        int(child)
        for path in Path(f"/proc/{os.getpid()}/task").glob("*/children")
        for child in path.read_text().split()
        if process_exists(int(child))
    }


def messages_in(aws: LocalAws, queue: str) -> tuple[int, int]:
    """Return how many messages a queue shows and hides."""
    sqs = aws.client("sqs")
    attributes = sqs.get_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    return (
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )


@pytest.fixture(scope="session", autouse=True)
def nothing_left() -> Iterator[None]:
    """No child process outlives the tests."""
    before = children()
    yield
    eventually(lambda: children() <= before, 5)


@pytest.fixture(autouse=True)
def no_real_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in these tests may find an account."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real-looking")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real-looking")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real-looking")
