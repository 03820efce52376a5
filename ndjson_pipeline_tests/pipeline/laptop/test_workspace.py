"""The code locations of a laptop's Dagster."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ndjson_pipeline.deployment.names import location_name
from ndjson_pipeline.errors import SettingsError
from ndjson_pipeline.laptop.dagster_process import DEFINITIONS, daemon_command, dev_command
from ndjson_pipeline.laptop.workspace import check_feeds, definitions_of, write_workspace
from ndjson_pipeline_tests.patience import PATIENCE

PROJECT = Path(__file__).resolve().parents[3]
LOAD = """
import json, sys
from importlib.util import module_from_spec, spec_from_file_location

found = {}
for path in sys.argv[1:]:
    spec = spec_from_file_location("location", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    graph = module.defs.get_repository_def().asset_graph
    found[path] = sorted(key.to_user_string() for key in graph.get_all_asset_keys())
print(json.dumps(found))
"""


def test_the_feed_without_a_name_is_called_alike_everywhere(tmp_path: Path) -> None:
    written = definitions_of(tmp_path, [""]).read_text()
    own = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]
    deployed = (PROJECT / "deploy/terraform/modules/dagster/containers.tf").read_text()
    name = location_name("")
    assert [each["python_file"]["location_name"] for each in yaml.safe_load(written)["load_from"]] == [name]
    assert [each["python_module"]["location_name"] for each in own] == [name]
    assert f'one.name == "ndjson" ? "{name}" : trimprefix(one.name, "ndjson-")' in deployed


def test_a_module_alone_can_be_a_code_location() -> None:
    assert daemon_command()[1:] == ["run", "-m", DEFINITIONS, "-a", "defs"]
    assert dev_command(1)[-4:] == ["-m", DEFINITIONS, "-a", "defs"]


def test_each_feed_has_a_code_location_of_its_name_whatever_the_environment_has(tmp_path: Path) -> None:
    workspace = definitions_of(tmp_path, ["", "web-orders"])
    assert isinstance(workspace, Path)
    assert daemon_command(workspace)[-2:] == ["-w", str(workspace)]
    locations = [each["python_file"] for each in yaml.safe_load(workspace.read_text())["load_from"]]
    assert [each["location_name"] for each in locations] == ["ndjson_pipeline", "web-orders"]
    files = [str(workspace.parent / each["relative_path"]) for each in locations]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *files],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "NDJSON_FEED": "another"},
    )
    assert done.returncode == 0, done.stderr
    plain = ["manifests", "merged_parquet", "raw_ndjson"]
    assert json.loads(done.stdout) == {
        files[0]: plain,
        files[1]: [f"web-orders/{asset}" for asset in plain],
    }


def test_a_feed_alone_has_a_code_location_of_its_name(tmp_path: Path) -> None:
    assert "location_name: orders\n" in write_workspace(tmp_path, ["orders"]).read_text()


@pytest.mark.parametrize(
    ("feeds", "problem"),
    [
        (["", "Orders"], "The feed's name must"),
        (["glue"], "The feed's name must"),
        (["a/b"], "The feed's name must"),
        (["orders", "", "orders"], "'orders' is named twice"),
        (["", ""], "'' is named twice"),
    ],
)
def test_feeds_that_can_not_be_beside_each_other_are_told(feeds: list[str], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        check_feeds(feeds)


def test_feeds_that_can_be_beside_each_other_are() -> None:
    check_feeds(["", "orders", "web-orders"])
