"""One setting, one truth: what two sides need is turned once, and both follow."""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from lambda_ingest.contract.settings import SHARED_VARIABLES, DateSource, SharedSettings
from lambda_ingest.settings import Settings
from ndjson_pipeline.deployment.clients import deployment_of
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.errors import SettingsError
from ndjson_pipeline.laptop.dagster_process import daemon_command
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline.local_aws import LocalAwsError, LocalAwsSettings

REQUIRED = {"MANIFEST_BUCKET": "manifests", "TRACKING_TABLE": "tracking"}
TURNED = [
    ("TTL_DAYS", "90", "ttl_days", 90),
    ("PARTITION_START_DATE", "2019-06-01", "partition_start_date", date(2019, 6, 1)),
    ("INPUT_PREFIX", "drop", "input_prefix", "drop/"),
    ("INPUT_EXTENSIONS", ".json,.json.gz", "input_extensions", (".json", ".json.gz")),
    ("DATE_SOURCES", "path,arrival", "date_sources", (DateSource.PATH, DateSource.ARRIVAL)),
]


def test_every_shared_setting_is_turned_here() -> None:
    assert {name for name, *_ in TURNED} == set(SHARED_VARIABLES)


@pytest.mark.parametrize(("name", "text", "attribute", "value"), TURNED)
def test_both_sides_follow(name: str, text: str, attribute: str, value: object) -> None:
    assert getattr(Settings.from_environment({**REQUIRED, name: text}), attribute) == value
    assert getattr(PipelineSettings.from_environment({name: text}), attribute) == value


@pytest.mark.parametrize("attribute", [attribute for _, _, attribute, _ in TURNED])
def test_both_sides_have_the_same_default(attribute: str) -> None:
    default = getattr(SharedSettings(), attribute)
    for empty in ({}, dict.fromkeys(SHARED_VARIABLES, "")):
        assert getattr(Settings.from_environment({**REQUIRED, **empty}), attribute) == default
        assert getattr(PipelineSettings.from_environment(empty), attribute) == default


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("TTL_DAYS", "0"),
        ("PARTITION_START_DATE", "2025-02-30"),
        ("INPUT_EXTENSIONS", "json"),
        ("DATE_SOURCES", "today"),
    ],
)
def test_the_code_location_names_what_is_wrong(name: str, wrong: str) -> None:
    with pytest.raises(SettingsError, match=f"need mending: {name} must be"):
        PipelineSettings.from_environment({name: wrong})


@pytest.mark.usefixtures("module_deployment")
def test_a_deployment_is_another_where_a_shared_setting_is_turned() -> None:
    before = deployment_of(os.environ)
    assert deployment_of({**os.environ, "TTL_DAYS": "90"}).settings.ttl_days == 90
    assert deployment_of(os.environ) is before


def loaded(variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Load the code location in a process of its own, as a code server does."""
    code = (
        "import json; from ndjson_pipeline.definitions import defs;"
        "graph = defs.get_repository_def().asset_graph;"
        "keys = sorted(graph.get_all_asset_keys());"
        "print(json.dumps([graph.get(key).partitions_def.get_first_partition_key() for key in keys]))"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_first_partition_is_that_of_the_processs_environment() -> None:
    assert json.loads(loaded({"PARTITION_START_DATE": "2019-06-01"}).stdout) == ["2019-06-01"] * 3


def test_a_first_partition_that_makes_no_sense_is_one_clear_error() -> None:
    done = loaded({"PARTITION_START_DATE": "last year"})
    assert done.returncode != 0
    assert "PARTITION_START_DATE must be a date as YYYY-MM-DD, got 'last year'" in done.stderr


def test_the_laptop_gives_dagster_what_the_functions_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the caller's own environment has."""
    turned = {name: text for name, text, *_ in TURNED if name != "INPUT_PREFIX"}
    platform = LocalPlatform(
        tmp_path, daemon_command(), settings=LocalAwsSettings(lambda_variables={**turned, "OTHER": "x"})
    )
    platform.aws._ready = {
        "endpoint_url": "http://127.0.0.1:1",
        "account": "123456789012",
        "access_key_id": "key",
        "secret_access_key": "secret",
    }
    monkeypatch.setenv("INPUT_PREFIX", "elsewhere/")
    settings = PipelineSettings.from_environment({**os.environ, **platform.environment})
    assert (settings.ttl_days, settings.partition_start_date) == (90, date(2019, 6, 1))
    assert settings.input_extensions == (".json", ".json.gz")
    assert settings.date_sources == (DateSource.PATH, DateSource.ARRIVAL)
    assert settings.input_prefix == SharedSettings.input_prefix
    assert "OTHER" not in platform.environment


def test_the_local_aws_says_which_variable_of_the_functions_makes_no_sense() -> None:
    settings = LocalAwsSettings(lambda_variables={"TTL_DAYS": "soon"})
    with pytest.raises(LocalAwsError, match="TTL_DAYS must be a whole number, got 'soon'"):
        settings.shared()
