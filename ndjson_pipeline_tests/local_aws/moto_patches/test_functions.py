"""Lambda put right: each test fails where its patch is missing."""

import json
from unittest import mock

import pytest


def test_an_event_source_mapping_is_inert(aws, queue):
    iam, functions, sqs = aws.client("iam"), aws.client("lambda"), aws.client("sqs")
    trust = {"Version": "2012-10-17", "Statement": []}
    role = iam.create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    function = functions.create_function(
        FunctionName="mapped",
        Runtime="python3.11",
        Role=role,
        Handler="module.handler",
        Code={"ImageUri": "repository/image:latest"},
        PackageType="Image",
    )
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = functions.create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function["FunctionName"], Enabled=True
    )
    sqs.send_message(QueueUrl=queue, MessageBody="untouched")
    (message,) = sqs.receive_message(QueueUrl=queue, MessageSystemAttributeNames=["All"])["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    stored = functions.get_event_source_mapping(UUID=mapping["UUID"])
    assert stored["EventSourceArn"] == arn


def test_a_function_that_runs_here_tells_how_it_is_set(aws):
    functions, name = aws.client("lambda"), aws.names.manifest_builder_function
    configuration = functions.get_function_configuration(FunctionName=name)
    assert configuration["Handler"] == "lambda_ingest.manifest_builder.handler"
    assert configuration["Environment"]["Variables"]["INPUT_BUCKET"] == aws.names.input_bucket
    assert functions.get_function_configuration(
        FunctionName=configuration["FunctionArn"]
    ) == configuration | {"ResponseMetadata": mock.ANY}
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_function_configuration(FunctionName="no-such-function")
