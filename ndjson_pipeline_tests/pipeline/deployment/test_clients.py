"""Clients of AWS: what is tried again by itself, and what is not."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.resources import PipelineResource


class Answers:
    """What the endpoint answers, and how often it was asked."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer
        self.requests = 0

    def __call__(self, **_: Any) -> Any:
        self.requests += 1
        return self.answer()


class Body:
    """An answer's body, as urllib3 hands it on."""

    def stream(self, **_: Any) -> Any:
        yield b'{"__type": "InternalServiceException"}'


def lost() -> Any:
    raise ReadTimeoutError(endpoint_url="https://glue")


def unavailable() -> AWSResponse:
    return AWSResponse("https://glue", 500, {}, Body())


@pytest.mark.parametrize("answer", [lost, unavailable])
def test_a_start_is_sent_once_whatever_the_answer_and_reads_are_sent_again(
    deployment: Deployment, answer: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    starts, reads = Answers(answer), Answers(answer)
    for client, operation, answers in (
        (deployment.glue_starts, "StartJobRun", starts),
        (deployment.glue, "GetJobRun", reads),
    ):
        client.meta.events.register_first(f"before-send.glue.{operation}", answers)
    try:
        with pytest.raises(Exception, match=r"timed out|timeout|InternalService"):
            deployment.glue_starts.start_job_run(JobName="job")
        with pytest.raises(Exception, match=r"timed out|timeout|InternalService"):
            deployment.glue.get_job_run(JobName="job", RunId="jr_1")
    finally:
        deployment.glue_starts.meta.events.unregister("before-send.glue.StartJobRun", starts)
        deployment.glue.meta.events.unregister("before-send.glue.GetJobRun", reads)
    assert starts.requests == 1
    assert reads.requests > 1


def test_runs_are_started_by_the_client_that_sends_once(deployment: Deployment) -> None:
    runs = PipelineResource().glue_runs(logging.getLogger("glue"))
    assert runs._starter is deployment.glue_starts
    assert runs._glue is deployment.glue
