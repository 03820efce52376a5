"""Where a run's context and messages lie."""

import json
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from glue_jobs.reporting.seal import sealed
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.glue.messages import PIPES_PREFIX, IdentityContextInjector, IdentityMessageReader
from ndjson_pipeline_tests.pipeline.harness import NONCE, client_error

LINE = json.dumps({"method": "report_custom_message", "params": {"payload": "é"}})
CONTEXT: Any = {"asset_keys": ["merged_parquet"]}


def reader(client: Any, bucket: str = "b", identity: str = "x") -> IdentityMessageReader:
    found = IdentityMessageReader(bucket=bucket, client=client, identity=identity)
    found.nonce = NONCE
    return found


def injector(deployment: Deployment, run_id: str = "run-1") -> IdentityContextInjector:
    bucket = deployment.names.manifest_bucket
    return IdentityContextInjector(bucket=bucket, client=deployment.s3, identity="x", run_id=run_id)


def test_messages_of_the_same_run_lie_in_the_same_place() -> None:
    places = []
    for identity in "xxy":
        with reader(None, identity=identity).get_params() as params:
            places.append((params["bucket"], params["key_prefix"]))
    assert places[0] == places[1] == ("b", f"{PIPES_PREFIX}x/messages")
    assert places[2] != places[0]


def test_messages_are_read_chunk_by_chunk_once_they_have_come(deployment: Deployment) -> None:
    bucket = deployment.names.manifest_bucket
    found = reader(deployment.s3, bucket)
    with found.get_params() as params:
        assert not found.messages_are_readable(params)
        deployment.s3.put_object(
            Bucket=bucket, Key=f"{params['key_prefix']}/1.json", Body=sealed(LINE.encode(), NONCE, 1)
        )
        assert found.messages_are_readable(params)
        assert found.download_messages_chunk(1, params) == LINE
        assert found.download_messages_chunk(2, params) is None
        assert found.download_messages(None, params) == (2, LINE)
        assert found.download_messages(None, params) is None


@pytest.mark.parametrize(
    "error", [client_error("SlowDown", "GetObject"), EndpointConnectionError(endpoint_url="http://s3")]
)
def test_an_s3_that_does_not_answer_is_asked_again(
    deployment: Deployment,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(**_: Any) -> None:
        raise error

    monkeypatch.setattr(deployment.s3, "get_object", refuse)
    found = reader(deployment.s3)
    with found.get_params() as params:
        assert found.download_messages(None, params) is None
        # Not passed over: the same chunk is next.
        assert found.counter == 1
    assert f"s3://b/{PIPES_PREFIX}x/messages/1.json could not be read" in caplog.text


def test_a_context_lies_where_the_script_is_told_until_its_session_ends_well(deployment: Deployment) -> None:
    with injector(deployment).inject_context(CONTEXT) as params:
        assert params["key"].startswith(f"{PIPES_PREFIX}x/")
        answer = deployment.s3.get_object(Bucket=params["bucket"], Key=params["key"])
        assert json.loads(answer["Body"].read()) == CONTEXT
        # Who attaches to the same Glue run lays a context of its own, and takes none away.
        with injector(deployment, "run-2").inject_context(CONTEXT) as others:
            assert others["key"] != params["key"]
        deployment.s3.head_object(Bucket=params["bucket"], Key=params["key"])
    assert "Contents" not in deployment.s3.list_objects_v2(Bucket=params["bucket"], Prefix=PIPES_PREFIX)


def test_a_context_outlives_a_session_that_an_error_ends_since_glue_may_go_on(deployment: Deployment) -> None:
    with pytest.raises(InterruptedError), injector(deployment).inject_context(CONTEXT) as params:
        raise InterruptedError
    deployment.s3.head_object(Bucket=params["bucket"], Key=params["key"])


def test_a_context_that_can_not_be_removed_fails_nothing(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(**_: Any) -> None:
        raise client_error("AccessDenied", "DeleteObject")

    monkeypatch.setattr(deployment.s3, "delete_object", refuse)
    with injector(deployment).inject_context(CONTEXT):
        pass
    assert "could not be removed" in caplog.text


def test_a_runs_process_imports_neither_dagster_aws_nor_spark() -> None:
    # Each costs every run from half a second to several, before Glue can start.
    slow = ["dagster_aws", "pyspark", "pyarrow", "moto", "dagster_webserver", "pandas"]
    code = f"import ndjson_pipeline.definitions, sys; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
