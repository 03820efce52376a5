"""The local AWS as a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap

import pytest

from ndjson_pipeline.local_aws import LocalAwsError, LocalAwsProcess, LocalAwsSettings
from ndjson_pipeline.local_aws.clients import local_client
from ndjson_pipeline.local_aws.credentials import LocalCredentials
from ndjson_pipeline.local_aws.errors import FunctionNotFoundError, ServerStartError
from ndjson_pipeline_tests.local_aws.conftest import FUNCTIONS, eventually, process_exists
from ndjson_pipeline_tests.local_aws.glue_script import replace_script

SETTINGS = LocalAwsSettings(
    sweeper_handler="direct_functions.handler",
    python_path=(FUNCTIONS,),
    queue_enabled=False,
    timer_enabled=False,
)
COMMAND = [sys.executable, "-m", "ndjson_pipeline.local_aws", "--port", "0"]
HANGING_SCRIPT = b"import time\nprint('begun', flush=True)\ntime.sleep(120)\n"


def start_a_run(client_of, names):
    """Start a run that hangs; return its id."""
    replace_script(client_of("s3"), client_of("glue"), names.glue_job, HANGING_SCRIPT)
    return client_of("glue").start_job_run(JobName=names.glue_job)["JobRunId"]


def script_process(directory, run_id):
    path = directory / "glue" / run_id / "pid"
    return int(eventually(lambda: path.exists() and path.read_text()))


def test_is_like_the_one_in_this_process(tmp_path):
    with LocalAwsProcess(directory=tmp_path, settings=SETTINGS) as aws:
        buckets = aws.client("s3").list_buckets()["Buckets"]
        assert {bucket["Name"] for bucket in buckets} == set(aws.names.buckets)
        assert aws.client_environment()["AWS_ENDPOINT_URL"] == aws.endpoint_url
        assert aws.client_environment()["AWS_ACCESS_KEY_ID"] == aws.credentials.access_key_id
        assert aws.credentials.secret_access_key not in aws.log_path.read_text()
        assert aws.invoke("sweeper", {"number": 1}).payload == {"number": 1}
        failed = aws.invoke("sweeper", {"command": "raise"})
        assert (failed.function_error, failed.payload["errorType"]) == ("Unhandled", "KeyError")
        with pytest.raises(FunctionNotFoundError, match="nobody"):
            aws.invoke("nobody")
        process_id = aws.process_id
        run = script_process(tmp_path, start_a_run(aws.client, aws.names))
        function = aws.invoke("sweeper", {"command": "process"}).payload["process_id"]
        assert all(map(process_exists, (process_id, run, function)))
    assert not any(map(process_exists, (process_id, run, function)))
    with pytest.raises(LocalAwsError, match="context manager"):
        _ = aws.endpoint_url


def test_a_taken_port_is_one_clear_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ServerStartError, match=f"(?s)status 1.*port {port} of 127.0.0.1 cannot be used"),
            LocalAwsProcess(port, directory=tmp_path, settings=SETTINGS),
        ):
            pass


def test_a_slow_start_is_given_up(tmp_path):
    with (
        pytest.raises(ServerStartError, match=r"not ready within 0\.01 s"),
        LocalAwsProcess(directory=tmp_path, settings=SETTINGS, start_seconds=0.01),
    ):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_on_a_signal(tmp_path, number):
    process = subprocess.Popen(
        [*COMMAND, "--directory", str(tmp_path), "--settings", SETTINGS.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        ready = json.loads(process.stdout.readline())
        credentials = LocalCredentials(ready["access_key_id"], ready["secret_access_key"])
        assert local_client("sts", ready["endpoint_url"], credentials).get_caller_identity()
        process.send_signal(number)
        assert process.wait(20) == 0


def test_malformed_settings_are_one_clear_error(tmp_path):
    result = subprocess.run(
        [*COMMAND, "--directory", str(tmp_path), "--settings", "[]"],
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "settings must be a JSON object" in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_outlives_a_killed_parent(tmp_path):
    program = textwrap.dedent(
        f"""
        import json, sys, time
        from pathlib import Path
        from ndjson_pipeline.local_aws import LocalAwsProcess, LocalAwsSettings
        settings = LocalAwsSettings.from_json({SETTINGS.to_json()!r})
        with LocalAwsProcess(directory=Path({str(tmp_path)!r}), settings=settings) as aws:
            function = aws.invoke("sweeper", {{"command": "process"}}).payload["process_id"]
            keys = [aws.credentials.access_key_id, aws.credentials.secret_access_key]
            print(json.dumps([aws.endpoint_url, keys, aws.process_id, function]), flush=True)
            time.sleep(120)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        endpoint_url, keys, server, function = json.loads(parent.stdout.readline())
        names = type("Names", (), {})()
        names.scripts_bucket = "ndjson-scripts-sqs-123456789012-dev"
        names.glue_job = "ndjson-parquet-batch-job-dev"
        credentials = LocalCredentials(*keys)
        run = script_process(
            tmp_path, start_a_run(lambda service: local_client(service, endpoint_url, credentials), names)
        )
        assert all(map(process_exists, (server, function, run)))
        parent.kill()
    eventually(lambda: not any(map(process_exists, (server, function, run))))


def test_nothing_outlives_a_killed_server(tmp_path):
    with LocalAwsProcess(directory=tmp_path, settings=SETTINGS) as aws:
        function = aws.invoke("sweeper", {"command": "process"}).payload["process_id"]
        run = script_process(tmp_path, start_a_run(aws.client, aws.names))
        os.kill(aws.process_id, signal.SIGKILL)
        eventually(lambda: not any(map(process_exists, (function, run))))
