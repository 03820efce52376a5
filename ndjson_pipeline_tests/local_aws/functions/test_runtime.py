"""Functions in processes of their own."""

import json
import os

import pytest

from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings
from ndjson_pipeline.local_aws.errors import FunctionNotFoundError
from ndjson_pipeline_tests.local_aws.conftest import FUNCTIONS, eventually, process_exists


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    settings = LocalAwsSettings(
        sweeper_handler="direct_functions.handler",
        generator_handler="broken_functions.handler",
        python_path=(FUNCTIONS,),
        lambda_variables={"EXTRA": "extra"},
        lambda_timeout_seconds=2,
        queue_enabled=False,
        timer_enabled=False,
    )
    os.environ["UNRELATED_SECRET"] = "secret"
    try:
        with LocalAws(directory=tmp_path_factory.mktemp("lambda"), settings=settings) as aws:
            yield aws
    finally:
        del os.environ["UNRELATED_SECRET"]


def run(aws, command, **more):
    return aws.invoke("sweeper", {"command": command, **more})


def test_answer_is_what_the_handler_returns(aws):
    invocation = run(aws, None, text="ü\n", number=1.5)
    assert invocation.function_error is None
    assert invocation.payload == {"command": None, "text": "ü\n", "number": 1.5}


def test_large_answers_come_whole(aws):
    assert len(run(aws, "large").payload) == 300_000


def test_context_has_the_services_names(aws):
    invocation = run(aws, "context")
    context = invocation.payload
    name = aws.names.sweeper_function
    assert context["function_name"] == name
    assert context["function_version"] == "$LATEST"
    assert context["invoked_function_arn"] == f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    assert context["memory_limit_in_mb"] == "256"
    assert context["aws_request_id"] == invocation.request_id
    assert context["log_group_name"] == f"/aws/lambda/{name}"
    assert "[$LATEST]" in context["log_stream_name"]
    assert 1_000 < context["remaining"] <= 2_000


def test_environment_is_the_functions_own(aws):
    environment = run(aws, "environment").payload
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == aws.names.sweeper_function
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "us-east-1"
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint_url
    assert environment["TRACKING_TABLE"] == aws.names.tracking_table
    assert environment["EXTRA"] == "extra"
    assert "UNRELATED_SECRET" not in environment
    assert "real-looking" not in environment.values()


def test_a_process_is_used_again(aws):
    first = run(aws, "process").payload
    second = run(aws, "process").payload
    assert second["process_id"] == first["process_id"] != os.getpid()
    assert second["invocations"] == first["invocations"] + 1


def test_printing_does_not_disturb_the_answer(aws):
    assert run(aws, "print").payload == "printed"
    log = (aws.directory / "lambda" / f"{aws.names.sweeper_function}.log").read_text()
    assert "{not the protocol}\nwritten past Python\nEND RequestId" in log


def test_output_reaches_cloudwatch(aws):
    run(aws, "print")
    logs = aws.client("logs")
    group = f"/aws/lambda/{aws.names.sweeper_function}"
    events = eventually(
        lambda: logs.filter_log_events(logGroupName=group, filterPattern="written past Python")["events"]
    )
    assert "[$LATEST]" in events[0]["logStreamName"]


def test_a_raised_error_is_described(aws):
    before = run(aws, "process").payload["process_id"]
    invocation = run(aws, "raise")
    assert invocation.function_error == "Unhandled"
    assert invocation.payload["errorType"] == "KeyError"
    assert invocation.payload["errorMessage"] == "'no such thing'"
    assert "direct_functions.py" in invocation.payload["stackTrace"][0]
    # The service keeps a process whose function raised.
    assert run(aws, "process").payload["process_id"] == before


def test_a_timeout_kills_the_process(aws):
    before = run(aws, "process").payload["process_id"]
    invocation = run(aws, "hang")
    assert invocation.payload["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 2.00 seconds" in invocation.payload["errorMessage"]
    assert not process_exists(before)
    assert run(aws, "process").payload["process_id"] != before
    log = (aws.directory / "lambda" / f"{aws.names.sweeper_function}.log").read_text()
    assert "Task timed out after 2.00 seconds" in log


def test_a_dead_process_is_reported_and_replaced(aws):
    invocation = run(aws, "kill")
    assert invocation.payload["errorType"] == "Runtime.ExitError"
    assert "Killed" in invocation.payload["errorMessage"]
    assert run(aws, None).function_error is None


def test_a_process_that_dies_idle_is_replaced(aws):
    victim = run(aws, "process").payload["process_id"]
    os.kill(victim, 9)
    eventually(lambda: victim not in aws.runtime.process_ids)
    assert run(aws, "process").payload["process_id"] != victim


def test_an_answer_that_is_no_json_is_an_error(aws):
    assert run(aws, "unserializable").payload["errorType"] == "Runtime.MarshalError"


def test_a_handler_that_cannot_be_imported_is_an_error(aws):
    invocation = aws.invoke("generator")
    assert invocation.payload["errorType"] == "Runtime.ImportModuleError"
    assert "no_such_module" in invocation.payload["errorMessage"]


def test_an_unknown_function_is_named(aws):
    with pytest.raises(FunctionNotFoundError, match="nobody"):
        aws.invoke("nobody")


def test_invoke_over_the_api(aws):
    client = aws.client("lambda")
    name = aws.names.sweeper_function
    answer = client.invoke(FunctionName=name, Payload=b'{"number": 1}')
    assert answer["StatusCode"] == 200
    assert json.loads(answer["Payload"].read()) == {"number": 1}
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    failed = client.invoke(FunctionName=arn, Payload=b'{"command": "raise"}')
    assert failed["FunctionError"] == "Unhandled"
    assert json.loads(failed["Payload"].read())["errorType"] == "KeyError"


def test_invoke_without_waiting(aws):
    answer = aws.client("lambda").invoke(
        FunctionName=aws.names.sweeper_function, InvocationType="Event", Payload=b'{"command": "print"}'
    )
    assert answer["StatusCode"] == 202
