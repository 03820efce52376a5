import json
import sys

import dagster_pipes
import pytest

from glue_jobs.arguments import PipesParameters
from glue_jobs.reporting.pipes import open_announcer
from glue_jobs.reporting.seal import unsealed


@pytest.fixture
def parameters(lake, monkeypatch):
    monkeypatch.setattr(dagster_pipes.PipesContext, "_instance", None)
    context = {
        "asset_keys": ["merged_parquet"],
        "code_version_by_asset_key": {},
        "provenance_by_asset_key": {},
        "partition_key": "2026-01-30",
        "partition_key_range": None,
        "partition_time_window": None,
        "run_id": "run",
        "job_name": None,
        "retry_number": 0,
        "extras": {},
    }
    lake.client.put_object(Bucket=lake.manifests, Key="pipes/context.json", Body=json.dumps(context))
    return PipesParameters(
        dagster_pipes.encode_param({"bucket": lake.manifests, "key": "pipes/context.json"}),
        dagster_pipes.encode_param({"bucket": lake.manifests, "key_prefix": "pipes/messages"}),
    )


def messages_of(lake):
    answer = lake.client.list_objects_v2(Bucket=lake.manifests, Prefix="pipes/messages/")
    bodies = [
        lake.client.get_object(Bucket=lake.manifests, Key=item["Key"])["Body"].read().decode()
        for item in sorted(answer["Contents"], key=lambda item: int(item["Key"].split("/")[-1].split(".")[0]))
    ]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def test_tells_lines_and_the_report(lake, parameters):
    with open_announcer(parameters, lake.client) as announcer:
        announcer.line("files 1 of 2")
        announcer.report("s3://m/logs/1", {"status": "completed"})
    opened, line, report, closed = messages_of(lake)
    assert opened["method"] == "opened"
    assert line["params"] == {"message": "files 1 of 2", "level": "INFO"}
    assert report["method"] == "report_custom_message"
    assert report["params"]["payload"] == {
        "kind": "glue_report",
        "report_uri": "s3://m/logs/1",
        "report": {"status": "completed"},
    }
    assert closed == {"__dagster_pipes_version": "0.1", "method": "closed", "params": {}}


def test_a_failure_goes_on_and_is_told(lake, parameters):
    with pytest.raises(ValueError, match="why"), open_announcer(parameters, lake.client) as announcer:
        announcer.report(None, {})
        raise ValueError("why")
    assert messages_of(lake)[-1]["params"]["exception"]["message"] == "ValueError: why\n"


def test_without_dagster_lines_go_to_the_log(lake, caplog):
    with caplog.at_level("INFO"), open_announcer(None, lake.client) as announcer:
        announcer.line("files 1 of 2")
        announcer.report("s3://m/1", {})
    assert "files 1 of 2" in caplog.text


def test_an_absent_context_does_not_hold_up_the_work(lake, parameters, caplog):
    lake.client.delete_object(Bucket=lake.manifests, Key="pipes/context.json")
    with open_announcer(parameters, lake.client) as announcer:
        announcer.line("goes on")
    assert "the channel to Dagster can't be opened" in caplog.text


def test_without_the_package_the_work_goes_on(lake, parameters, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "dagster_pipes", None)
    with open_announcer(parameters, lake.client) as announcer:
        announcer.line("goes on")
    assert "dagster_pipes is not installed" in caplog.text


def test_a_message_that_can_not_be_sent_is_logged(lake, parameters, caplog):
    with open_announcer(parameters, lake.client) as announcer:
        pass
    announcer.line("too late")
    assert "Dagster can't be told a line" in caplog.text


def test_with_a_nonce_each_chunk_is_sealed_and_the_nonce_is_told_nowhere(lake, parameters, caplog):
    nonce = "a" * 64
    with caplog.at_level("DEBUG"), open_announcer(parameters, lake.client, nonce) as announcer:
        announcer.report("s3://m/logs/1", {"status": "completed"})
    found = {
        int(key.rpartition("/")[2].removesuffix(".json")): lake.get(lake.manifests, key)
        for key in lake.keys(lake.manifests, "pipes/messages/")
    }
    contents = [unsealed(chunk, nonce, index) for index, chunk in sorted(found.items())]
    assert None not in contents
    methods = [json.loads(line)["method"] for content in contents for line in content.splitlines()]
    assert methods == ["opened", "report_custom_message", "closed"]
    assert not any(nonce.encode() in chunk for chunk in found.values())
    assert nonce not in caplog.text


def test_without_a_nonce_that_is_said(lake, parameters, caplog):
    with open_announcer(parameters, lake.client):
        pass
    assert "no nonce was given" in caplog.text
