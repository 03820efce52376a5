"""What a service makes of its environment, and which program it becomes."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ndjson_pipeline.deployment.services.__main__ import main
from ndjson_pipeline.deployment.services.commands import workspace
from ndjson_pipeline.deployment.services.reloading import ReloadError, reload_all
from ndjson_pipeline.deployment.services.settings import CodeServer, code_servers_of
from ndjson_pipeline.errors import SettingsError
from ndjson_pipeline_tests.postgresql import PostgresServer, postgres_server

TWO = "ndjson_pipeline=code.internal:4000,clicks=clicks.internal:4001"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def variables(postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    given = {
        **postgres.environment,
        "DAGSTER_HOME": str(tmp_path / "home"),
        "NDJSON_CODE_SERVERS": TWO,
        "DAGSTER_MAX_CONCURRENT_RUNS": "9",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


def become(arguments: list[str], variables: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the program that a service becomes, with its environment."""
    calls: list[tuple[list[str], dict[str, str]]] = []

    def noted(program: str, command: list[str], environment: dict[str, str]) -> None:
        assert program == sys.executable == command[0]
        calls.append((command[1:], environment))

    assert main(arguments, variables, noted) == 0
    (call,) = calls
    return call


def test_each_service_becomes_dagsters_own_process(variables: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    command, environment = become(["daemon"], variables)
    assert command == ["-m", "dagster._daemon", "run", "-w", str(home / "workspace.yaml")]
    assert environment["PGAPPNAME"] == "dagster-daemon"
    assert {name: environment[name] for name in variables} == variables
    command, _ = become(["webserver", "--read-only"], variables)
    assert command[:2] == ["-m", "ndjson_pipeline.webserver"]
    assert "--read-only" in command
    assert "--read-only" not in become(["webserver"], variables)[0]
    command, _ = become(["code-server", "--port", "4001"], variables)
    assert command[:2] == ["-m", "ndjson_pipeline.code_server"]
    assert command[-4:] == ["-m", "ndjson_pipeline.definitions", "-a", "defs"]


def test_the_home_has_the_deployments_settings_and_every_code_server(
    variables: dict[str, str], tmp_path: Path
) -> None:
    become(["webserver"], variables)
    settings = yaml.safe_load((tmp_path / "home" / "dagster.yaml").read_text())
    assert settings["concurrency"]["runs"]["max_concurrent_runs"] == 9
    found = yaml.safe_load((tmp_path / "home" / "workspace.yaml").read_text())["load_from"]
    assert [entry["grpc_server"] for entry in found] == [
        {"host": "code.internal", "port": 4000, "location_name": "ndjson_pipeline"},
        {"host": "clicks.internal", "port": 4001, "location_name": "clicks"},
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DAGSTER_HOME", "relative", "absolute path"),
        ("NDJSON_CODE_SERVERS", "", "NDJSON_CODE_SERVERS is required"),
        ("NDJSON_CODE_SERVERS", "ndjson", "location=host:port"),
        ("NDJSON_CODE_SERVERS", "ndjson=host:0", "no port"),
        ("NDJSON_CODE_SERVERS", "a=h:1,a=i:1", "twice"),
        ("DAGSTER_MAX_CONCURRENT_RUNS", "0", "DAGSTER_MAX_CONCURRENT_RUNS"),
        ("DAGSTER_POSTGRES_HOST", "", "DAGSTER_POSTGRES_HOST"),
        ("DAGSTER_POSTGRES_PORT", "1", "can't be used"),
    ],
)
def test_what_is_wrong_is_one_clear_error(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, value: str, expected: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(name, value)
    assert main(["daemon"], {**variables, name: value}, lambda *_: pytest.fail("it began")) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()[:1]
    assert expected in line
    assert variables["DAGSTER_POSTGRES_PASSWORD"] not in line


def test_servers_are_read_in_order() -> None:
    servers = code_servers_of({"NDJSON_CODE_SERVERS": TWO})
    assert servers[1] == CodeServer("clicks", "clicks.internal", 4001)
    assert json.loads(workspace(servers))["load_from"][0]["grpc_server"]["port"] == 4000
    with pytest.raises(SettingsError, match="list such as"):
        code_servers_of({"NDJSON_CODE_SERVERS": "ndjson=ho st:1"})


class Ui:
    """Answers as the UI does, each time with the next of some states of a location."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self._states = list(states)
        self.reloaded: list[str] = []

    def __call__(self, query: str, variables: Mapping[str, str]) -> Mapping[str, Any]:
        if "workspaceOrError" in query:
            entries = [{"name": "ndjson"}]
            return {"workspaceOrError": {"__typename": "Workspace", "locationEntries": entries}}
        self.reloaded.append(variables["name"])
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return {"reloadRepositoryLocation": state}


LOADED = {
    "__typename": "WorkspaceLocationEntry",
    "loadStatus": "LOADED",
    "locationOrLoadError": {"__typename": "RepositoryLocation"},
}
BROKEN = {**LOADED, "locationOrLoadError": {"__typename": "PythonError", "message": "no such column"}}


def reload(ui: Ui) -> list[str]:
    clock = iter(range(0, 1_000, 10))
    return reload_all(ui, seconds=60, sleep=lambda _: None, monotonic=lambda: float(next(clock)))


def test_a_server_that_is_starting_is_waited_for() -> None:
    ui = Ui(BROKEN, BROKEN, LOADED)
    assert reload(ui) == ["ndjson"]
    assert ui.reloaded == ["ndjson"] * 3


def test_a_location_that_can_not_be_loaded_is_named_with_the_reason() -> None:
    with pytest.raises(ReloadError, match="ndjson: no such column"):
        reload(Ui(BROKEN))
    with pytest.raises(ReloadError, match="ndjson: not allowed"):
        reload(Ui({"__typename": "UnauthorizedError", "message": "not allowed"}))


def test_a_ui_that_is_away_is_one_clear_error() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ndjson_pipeline.deployment.services", "reload"),
            *("--url", "http://127.0.0.1:9", "--seconds", "0"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "http://127.0.0.1:9/graphql did not answer" in done.stderr
    assert "Traceback" not in done.stderr
