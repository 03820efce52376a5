"""`doctor`: each part is ok, or what to do; with little permission it says what it could not see."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.doctor.orchestration import SENSORS
from ndjson_pipeline.local_aws import lambda_environment
from ndjson_pipeline_tests.pipeline.cli.conftest import Busy, Cli, Deny
from ndjson_pipeline_tests.pipeline.harness import day

pytestmark = pytest.mark.usefixtures("deployment", "emptied")


class Functions:
    """Lambda as a deployment has it."""

    def __init__(self, deployment: Deployment, **variables: str) -> None:
        self._names = deployment.names
        self._variables = {**lambda_environment(), **variables}

    def get_function_configuration(self, *, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        return {
            "FunctionName": FunctionName,
            "State": "Active",
            "Timeout": 60,
            "MemorySize": 256,
            "Environment": {"Variables": self._variables},
        }

    def list_event_source_mappings(self, *, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        mapping = {
            "EventSourceArn": f"arn:aws:sqs:us-east-1:123456789012:{self._names.queue}",
            "State": "Enabled",
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
        return {"EventSourceMappings": [mapping]}


@pytest.fixture
def functions(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Functions:
    functions = Functions(deployment)
    monkeypatch.setattr(Desk, "functions", functions)
    return functions


def states(cli: Cli) -> dict[str, str]:
    return {finding["part"]: finding["state"] for finding in cli("doctor", "--json").document["findings"]}


def test_a_whole_deployment_is_ok(cli: Cli, functions: Functions) -> None:
    done = cli("doctor")
    assert done.code == 0, done.out
    found = states(cli)
    wanting = {"alerts": "warning", "Dagster": "not seen"}
    assert {part: state for part, state in found.items() if state != "ok"} == wanting


def test_with_no_permission_it_says_what_it_could_not_see(cli: Cli, deny: Deny) -> None:
    deny()
    done = cli("doctor", "--json")
    assert done.code == 0
    findings = {one["part"]: one for one in done.document["findings"]}
    unseen = [one for one in findings.values() if one["state"] == "not seen"]
    assert len(unseen) >= 12
    assert findings["tracking table"]["to_do"] == "give dynamodb:DescribeTable"
    assert findings["buckets"]["to_do"] == "give s3:ListBucket on them"
    assert findings["credentials"]["state"] == "ok"


def test_of_what_was_never_deployed_each_part_says_so(cli: Cli) -> None:
    done = cli("doctor", "--feed", "absent", "--json")
    assert done.code == 3
    findings = {one["part"]: one for one in done.document["findings"]}
    for part in ("buckets", "queue", "tracking table", "alerts", "manifest builder", "Glue job", "catalog"):
        assert findings[part]["state"] == "wrong", findings[part]
        assert findings[part]["to_do"]


def test_without_an_answer_aws_is_asked_once(cli: Cli) -> None:
    done = cli("doctor", "--endpoint-url", "http://127.0.0.1:9", "--json")
    assert done.code == 3
    found = {one["part"]: one["state"] for one in done.document["findings"]}
    assert found["credentials"] == "wrong"
    assert found["everything in AWS"] == "not seen"
    assert found["versions"] == "ok"


def test_a_clock_that_is_off_is_wrong(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    old = "Fri, 30 Jan 2026 00:00:00 GMT"
    identity = {
        "Account": "123456789012",
        "Arn": "arn:aws:sts::123456789012:user/a",
        "ResponseMetadata": {"HTTPHeaders": {"date": old}},
    }
    monkeypatch.setattr(Desk, "identity", identity)
    assert states(cli)["clock"] == "wrong"


def test_a_function_with_anothers_bucket_is_wrong(
    cli: Cli, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Desk, "functions", Functions(deployment, MANIFEST_BUCKET="theirs", TTL_DAYS="7"))
    found = states(cli)
    assert found["manifest builder"] == "wrong"
    assert found["shared settings"] == "warning"


@pytest.mark.parametrize(("refused", "state"), [(6, "wrong"), (3, "ok")])
def test_a_size_check_that_refuses_most_files_is_wrong(
    cli: Cli, busy: Busy, monkeypatch: pytest.MonkeyPatch, refused: int, state: str
) -> None:
    monkeypatch.setattr(Desk, "functions", Functions(busy.deployment, EXPECTED_FILE_SIZE_MB="3.5"))
    for number in range(9):
        is_refused = number < refused
        attributes = {"reason": "size out of tolerance: 0.1 MB"} if is_refused else {}
        status = "quarantined" if is_refused else "pending"
        busy.file(f"{day()}-{number}.ndjson", status, date_prefix=day(), **attributes)
    assert states(cli)["size check"] == state


class _Dagster(BaseHTTPRequestHandler):
    """Answers as Dagster's UI does; `state` is what a test makes of it."""

    state: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        self._answer({"dagster_version": "1.13.27"})

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
        for part, answer in self.state.items():
            if part in query:
                self._answer({"data": answer})
                return

    def _answer(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def dagster(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Iterator[dict[str, Any]]:
    """A Dagster whose sensors are on, and whose daemons run."""
    sensors = [{"name": name, "sensorState": {"status": "RUNNING"}} for name in SENSORS]
    location = {"__typename": "RepositoryLocation", "repositories": [{"name": "r", "sensors": sensors}]}
    entry = {"name": "ndjson_pipeline", "loadStatus": "LOADED", "locationOrLoadError": location}
    state: dict[str, Any] = {
        "workspaceOrError": {"workspaceOrError": {"__typename": "Workspace", "locationEntries": [entry]}},
        "daemonHealth": {
            "instance": {
                "daemonHealth": {
                    "allDaemonStatuses": [{"daemonType": "SENSOR", "required": True, "healthy": True}]
                },
                "concurrencyLimit": {"slotCount": 2, "limit": 2},
            }
        },
        "launchPartitionBackfill": {
            "launchPartitionBackfill": {"__typename": "LaunchBackfillSuccess", "backfillId": "abc"}
        },
    }
    _Dagster.state = state
    with HTTPServer(("127.0.0.1", 0), _Dagster) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        monkeypatch.setenv("NDJSON_DAGSTER_URL", f"http://127.0.0.1:{server.server_port}")
        yield state
        server.shutdown()
        thread.join()


def test_dagster_is_asked(cli: Cli, dagster: dict[str, Any]) -> None:
    found = states(cli)
    assert [found[part] for part in ("Dagster", "sensors", "daemons", "pool")] == ["ok"] * 4


def test_it_asks_for_every_sensor_that_there_is() -> None:
    assert set(SENSORS) == {sensor.name for sensor in build_defs().sensors or ()}


def test_another_feeds_sensors_are_its_own(cli: Cli, dagster: dict[str, Any]) -> None:
    entries = dagster["workspaceOrError"]["workspaceOrError"]["locationEntries"]
    off = [{"name": name, "sensorState": {"status": "STOPPED"}} for name in SENSORS]
    location = {"__typename": "RepositoryLocation", "repositories": [{"name": "r", "sensors": off}]}
    entries.append({"name": "orders", "loadStatus": "LOADED", "locationOrLoadError": location})
    assert states(cli)["sensors"] == "ok"


def test_a_code_location_that_does_not_load_is_named(cli: Cli, dagster: dict[str, Any]) -> None:
    (entry,) = dagster["workspaceOrError"]["workspaceOrError"]["locationEntries"]
    entry["locationOrLoadError"] = {"__typename": "PythonError", "message": "no module"}
    (finding,) = [one for one in cli("doctor", "--json").document["findings"] if one["part"] == "sensors"]
    assert (finding["state"], finding["said"]) == ("wrong", "ndjson_pipeline: no module")


def test_a_sensor_that_is_off_and_a_daemon_that_is_gone_are_wrong(cli: Cli, dagster: dict[str, Any]) -> None:
    (entry,) = dagster["workspaceOrError"]["workspaceOrError"]["locationEntries"]
    entry["locationOrLoadError"]["repositories"][0]["sensors"][0]["sensorState"]["status"] = "STOPPED"
    dagster["daemonHealth"]["instance"]["daemonHealth"]["allDaemonStatuses"][0]["healthy"] = False
    dagster["daemonHealth"]["instance"]["concurrencyLimit"]["limit"] = 5
    findings = {one["part"]: one for one in cli("doctor", "--json").document["findings"]}
    assert "manifest_sensor of ndjson_pipeline is off" in findings["sensors"]["said"]
    assert findings["daemons"]["state"] == "wrong"
    assert findings["pool"]["state"] == "warning"


def test_code_that_is_not_loaded_is_wrong(cli: Cli, dagster: dict[str, Any]) -> None:
    (entry,) = dagster["workspaceOrError"]["workspaceOrError"]["locationEntries"]
    entry["locationOrLoadError"] = {"__typename": "PythonError", "message": "ImportError: nothing"}
    findings = {one["part"]: one for one in cli("doctor", "--json").document["findings"]}
    assert "ImportError" in findings["sensors"]["said"]


def test_a_dagster_that_does_not_answer_is_wrong(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDJSON_DAGSTER_URL", "http://127.0.0.1:9")
    findings = {one["part"]: one for one in cli("doctor", "--json").document["findings"]}
    assert findings["Dagster"]["state"] == "wrong"
    assert "does not answer" in findings["Dagster"]["said"]


def test_a_whole_date_is_converted_again_by_a_backfill(cli: Cli, dagster: dict[str, Any]) -> None:
    done = cli("reprocess", "--date", "2026-01-30", "--everything", "--yes", "--json")
    assert done.document["backfill"] == "abc"
    dagster["launchPartitionBackfill"] = {
        "launchPartitionBackfill": {"__typename": "PartitionKeysNotFoundError", "message": "no such date"}
    }
    refused = cli("reprocess", "--date", "2026-01-30", "--everything", "--yes")
    assert refused.code == 1
    assert "no such date" in refused.err
