"""The code location as Dagster loads it."""

import json
import os
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from ndjson_pipeline.definitions import build_defs, defs
from ndjson_pipeline_tests.patience import PATIENCE

PROJECT = Path(__file__).resolve().parents[2]
LOAD = """
import json, socket, sys

def refuse(*arguments, **named):
    raise AssertionError(f"the network was asked for: {arguments}")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from ndjson_pipeline.definitions import defs

repository = defs.get_repository_def()
print(json.dumps(sorted(key.to_user_string() for key in repository.asset_graph.get_all_asset_keys())))
"""


LOAD_NAMES = """
import json
from ndjson_pipeline.definitions import defs

repository = defs.get_repository_def()
asset = next(found for found in defs.assets if hasattr(found, "op"))
print(json.dumps({
    "keys": sorted(key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()),
    "pool": asset.op.pool,
    "jobs": sorted(job.name for job in repository.get_all_jobs()),
    "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    "tags": sorted({json.dumps(dict(job.run_tags)) for job in repository.get_all_jobs()}),
    "checks": sorted({key.asset_key.to_user_string() for key in repository.asset_graph.asset_check_keys}),
}))
"""


def environment_without_aws(home: Path) -> dict[str, str]:
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "NDJSON_")) and name != "DAGSTER_HOME"
    }
    return {**variables, "HOME": str(home), "DAGSTER_HOME": str(home)}


def test_loads_without_aws_variables_and_without_a_network(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
        cwd=tmp_path,
        env=environment_without_aws(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["manifests", "merged_parquet", "raw_ndjson"]


@pytest.mark.parametrize(
    ("variables", "prefix", "pool", "tags"),
    [
        ({}, "", "glue", ["{}"]),
        ({"NDJSON_FEED": ""}, "", "glue", ["{}"]),
        # Dagster's own job of all assets bears no tag.
        ({"NDJSON_FEED": "orders"}, "orders/", "orders", ['{"ndjson/feed": "orders"}', "{}"]),
    ],
    ids=["no variable", "an empty one", "a feed"],
)
def test_the_environment_names_the_feed_whose_code_location_it_is(
    variables: dict[str, str], prefix: str, pool: str, tags: list[str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD_NAMES],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
        cwd=tmp_path,
        env={**environment_without_aws(tmp_path), **variables},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == {
        "keys": [f"{prefix}{asset}" for asset in ("manifests", "merged_parquet", "raw_ndjson")],
        "pool": pool,
        "jobs": [
            "__ASSET_JOB",
            "audit_input_listing",
            "change_schema",
            "convert_manifests",
            "purge_history",
            "rebuild_changed_dates",
            "reprocess_failed_manifests",
            "sweep_now",
        ],
        "sensors": [
            "failure_alert_sensor",
            "handover_sensor",
            "lambda_report_sensor",
            "manifest_sensor",
            "raw_files_sensor",
            "reconcile_sensor",
        ],
        "tags": tags,
        "checks": [f"{prefix}merged_parquet"],
    }


def test_a_feed_whose_name_makes_no_sense_is_one_clear_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD_NAMES],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
        cwd=tmp_path,
        env={**environment_without_aws(tmp_path), "NDJSON_FEED": "Orders"},
    )
    assert done.returncode != 0
    assert "NDJSON_FEED must be a small letter" in done.stderr


def test_only_the_parquet_is_made_here() -> None:
    graph = defs.get_repository_def().asset_graph
    executable = {key.to_user_string() for key in graph.executable_asset_keys}
    everything = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert everything == {"raw_ndjson", "manifests", "merged_parquet"}
    assert executable == {"merged_parquet"}


def test_an_operator_finds_the_jobs() -> None:
    jobs = {job.name for job in defs.get_repository_def().get_all_jobs()}
    assert jobs >= {
        "convert_manifests",
        "reprocess_failed_manifests",
        "sweep_now",
        "audit_input_listing",
    }


def test_each_asset_depends_on_the_one_before_it_by_the_same_partitions() -> None:
    graph = defs.get_repository_def().asset_graph
    parents = {
        key: {parent.to_user_string() for parent in graph.get(dg.AssetKey(key)).parent_keys}
        for key in ("raw_ndjson", "manifests", "merged_parquet")
    }
    assert parents == {"raw_ndjson": set(), "manifests": {"raw_ndjson"}, "merged_parquet": {"manifests"}}
    partitions = {graph.get(dg.AssetKey(key)).partitions_def for key in parents}
    assert len(partitions) == 1


def test_the_parquet_is_late_after_a_day_and_its_flush() -> None:
    policy = defs.get_repository_def().asset_graph.get(dg.AssetKey("merged_parquet")).freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(
        warn_window=timedelta(hours=25), fail_window=timedelta(hours=28)
    )


def test_both_sensors_run_by_default() -> None:
    sensors = {sensor.name: sensor for sensor in defs.get_repository_def().sensor_defs}
    for name in ("manifest_sensor", "lambda_report_sensor"):
        assert sensors[name].default_status is dg.DefaultSensorStatus.RUNNING


def test_an_override_takes_the_place_of_a_resource_of_the_same_name() -> None:
    stub = object()
    overridden = build_defs(resource_overrides={"pipeline": stub})
    assert (overridden.resources or {})["pipeline"] is stub
    assert (build_defs().resources or {})["pipeline"] is not stub


def test_a_launch_form_shows_what_an_operator_sets_and_no_waits_of_the_machinery() -> None:
    """Fields of resources and of the executor are forms' fields, unless they are configured for good."""
    for job in build_defs().get_repository_def().get_all_jobs():
        form = job.run_config_schema.config_type.fields
        pipeline = form["resources"].config_type.fields.get("pipeline")
        fields = {} if pipeline is None else getattr(pipeline.config_type, "fields", {})
        assert pipeline is None or "seconds" not in (pipeline.description or ""), job.name
        settings = getattr(fields["config"].config_type, "fields", {}) if "config" in fields else {}
        assert settings == {}, job.name
        assert getattr(form["execution"].config_type.fields["config"].config_type, "fields", {}) == {}


@pytest.mark.timeout(90)
def test_the_workspace_file_loads(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dagster", "definitions", "validate"),
            *("-w", str(PROJECT / "workspace.yaml")),
        ],
        capture_output=True,
        text=True,
        timeout=80 * PATIENCE,
        check=False,
        cwd=tmp_path,
        env=environment_without_aws(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "ndjson_pipeline" in done.stdout + done.stderr


def test_no_table_of_pyproject_beats_the_workspace_file() -> None:
    tools = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]
    assert not {"dagster", "dg"} & tools.keys()
