"""The life of a local AWS in this process."""

import socket
import threading
import time

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from ndjson_pipeline.local_aws import LocalAws, LocalAwsError, LocalAwsSettings, moto_patches
from ndjson_pipeline.local_aws.clients import local_client
from ndjson_pipeline.local_aws.errors import ServerStartError
from ndjson_pipeline_tests.local_aws.conftest import FUNCTIONS, children, eventually

QUIET = LocalAwsSettings(queue_enabled=False, timer_enabled=False)


def test_everything_ends(tmp_path):
    threads, processes = set(threading.enumerate()), children()
    settings = LocalAwsSettings(
        manifest_builder_handler="queue_functions.handler",
        sweeper_handler="direct_functions.handler",
        python_path=(FUNCTIONS,),
        lambda_variables={"RECORD_DIRECTORY": str(tmp_path)},
    )
    with LocalAws(directory=tmp_path / "aws", settings=settings) as aws:
        aws.invoke("sweeper", {})
        sqs = aws.client("sqs")
        url = sqs.create_queue(QueueName="polled")["QueueUrl"]
        # Requests that are under way when it ends: a long poll, a function that hangs.
        poll = threading.Thread(target=sqs.receive_message, kwargs={"QueueUrl": url, "WaitTimeSeconds": 20})
        hang = threading.Thread(target=aws.invoke, args=("sweeper", {"command": "hang"}))
        poll.start()
        hang.start()
        eventually(lambda: children() - processes)
        port = int(aws.endpoint_url.rpartition(":")[2])
        started = time.monotonic()
    assert time.monotonic() - started < 10
    poll.join(5)
    hang.join(5)
    eventually(lambda: children() == processes)
    eventually(lambda: {each for each in threading.enumerate() if each.is_alive()} <= threads)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_state_ends_with_it(tmp_path):
    with LocalAws(directory=tmp_path, settings=QUIET) as aws:
        aws.client("s3").put_object(Bucket=aws.names.output_bucket, Key="old", Body=b"")
        first, credentials = aws.endpoint_url, aws.credentials
    with LocalAws(directory=tmp_path, settings=QUIET) as aws:
        assert aws.client("s3").list_objects_v2(Bucket=aws.names.output_bucket)["KeyCount"] == 0
        assert aws.credentials != credentials
    with pytest.raises(EndpointConnectionError):
        local_client("sts", first, credentials).get_caller_identity()


def test_moto_has_its_own_behaviour_afterwards(tmp_path):
    absent = object()

    def present():
        return [vars(patch.owner).get(patch.attribute, absent) for patch in moto_patches.PATCHES]

    before = present()
    with LocalAws(directory=tmp_path, settings=QUIET):
        during = present()
    assert present() == before
    assert not [pair for pair in zip(before, during, strict=True) if pair[0] is pair[1]]
    with mock_aws():
        assert boto3.client("s3", region_name="us-east-1").list_buckets()["Buckets"] == []


def test_listens_to_this_machine_alone(tmp_path):
    with LocalAws(directory=tmp_path, settings=QUIET) as aws:
        assert aws.endpoint_url.startswith("http://127.0.0.1:")


def test_a_taken_port_is_one_clear_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ServerStartError, match=f"port {port} of 127.0.0.1 cannot be used"),
            LocalAws(port, directory=tmp_path, settings=QUIET),
        ):
            pass
    with LocalAws(port, directory=tmp_path, settings=QUIET) as aws:
        assert aws.endpoint_url.endswith(f":{port}")


def test_a_failed_start_leaves_nothing(tmp_path, monkeypatch):
    threads = set(threading.enumerate())
    monkeypatch.setattr("ndjson_pipeline.local_aws.server.server.create_resources", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError), LocalAws(directory=tmp_path, settings=QUIET):
        pass
    eventually(lambda: set(threading.enumerate()) <= threads)
    monkeypatch.undo()
    with LocalAws(directory=tmp_path, settings=QUIET):
        pass


def test_outside_of_it_there_is_no_endpoint(tmp_path):
    aws = LocalAws(directory=tmp_path)
    with pytest.raises(LocalAwsError, match="context manager"):
        _ = aws.endpoint_url


def test_client_environment_serves_plain_boto3(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    with LocalAws(directory=tmp_path, settings=QUIET) as aws:
        environment = aws.client_environment()
        assert "real-looking" not in environment.values()
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        session = boto3.Session()
        credentials = session.get_credentials()
        assert credentials.access_key == aws.credentials.access_key_id
        assert credentials.secret_key == aws.credentials.secret_access_key
        assert not credentials.token
        buckets = {bucket["Name"] for bucket in session.client("s3").list_buckets()["Buckets"]}
        assert buckets == set(aws.names.buckets)


def test_settings_survive_json():
    settings = LocalAwsSettings(python_path=("a", "b"), lambda_variables={"A": "b"}, batch_size=3)
    assert LocalAwsSettings.from_json(settings.to_json()) == settings
    assert LocalAwsSettings.from_json("{}") == LocalAwsSettings()


@pytest.mark.parametrize("text", ["", "[]", '{"no_such_setting": 1}', '{"resources": {"no": 1}}'])
def test_malformed_settings_are_refused(text):
    with pytest.raises(LocalAwsError, match="settings must be a JSON object"):
        LocalAwsSettings.from_json(text)
