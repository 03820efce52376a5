"""What a person sets about a laptop's platform: who gets it, and what is refused with a sentence."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambda_ingest.contract.settings import SHARED_VARIABLES
from lambda_ingest.errors import SettingsError
from lambda_ingest.settings import Settings
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.laptop.settings import (
    DEPLOYMENT_ONLY,
    SETTINGS,
    SOURCED_VARIABLE,
    LaptopSettingsError,
    Part,
    read_settings,
)

TERRAFORM = Path(__file__).parents[3] / "deploy/terraform/modules/feed/settings.tf"
REQUIRED = {"MANIFEST_BUCKET": "manifests", "TRACKING_TABLE": "tracking"}
NAMES = {setting.name for setting in SETTINGS}


def of_file(folder: Path, text: str, environment: dict[str, str] | None = None, *given: str) -> Any:
    (folder / "settings.toml").write_text(text)
    return read_settings(folder, environment or {}, given)


def test_every_setting_of_a_deployment_is_known() -> None:
    declared = set(re.findall(r'^variable "([a-z_]+)"', TERRAFORM.read_text(), re.MULTILINE))
    assert declared <= NAMES | DEPLOYMENT_ONLY
    assert declared >= DEPLOYMENT_ONLY
    assert not NAMES & DEPLOYMENT_ONLY


def test_without_any_the_defaults_hold(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, {})
    assert settings.lines() == []
    assert not settings.checks_sizes
    assert PipelineSettings.from_environment(settings.dagster_variables()) == PipelineSettings()
    local = settings.local_aws()
    assert local.lambda_variables == {}
    assert local.resources.job_arguments == {}


def test_functions_job_and_dagster_get_the_same(tmp_path: Path) -> None:
    settings = of_file(
        tmp_path,
        """
        max_files_per_manifest = 5
        expected_file_size_mb = 3.5
        partition_start_date = 2026-01-01
        input_extensions = [".json", ".json.gz"]
        schema_mode = "freeze"
        launch_min_mb = 10
        glue_max_concurrent_runs = 1
        lambda_timeout = 30
        """,
    )
    local = settings.local_aws()
    function = Settings.from_environment({**REQUIRED, **local.lambda_variables})
    dagster = PipelineSettings.from_environment(settings.dagster_variables())
    assert (function.max_files_per_manifest, function.expected_file_size_mb) == (5, 3.5)
    assert function.input_extensions == dagster.input_extensions == (".json", ".json.gz")
    assert function.partition_start_date == dagster.partition_start_date
    assert local.shared().partition_start_date == dagster.partition_start_date
    assert local.resources.job_arguments == {"--SCHEMA_MODE": "freeze"}
    assert (dagster.launch_min_mb, dagster.max_concurrent_runs, settings.places) == (10, 1, 1)
    assert local.resources.max_concurrent_glue_runs == 1
    assert (local.lambda_timeout_seconds, local.resources.visibility_timeout_seconds) == (30, 180)
    assert settings.checks_sizes
    assert (settings.batch_files, settings.usual_mb) == (5, 3.5)


def test_the_environment_wins_over_the_file_and_the_command_over_both(tmp_path: Path) -> None:
    settings = of_file(
        tmp_path,
        "ttl_days = 10\nmax_batch_mb = 10\nlate_flush_seconds = 10",
        {"TTL_DAYS": "20", "MAX_BATCH_MB": "20", "PATH": "/bin"},
        "MAX_BATCH_MB=30",
    )
    assert settings.lines() == [
        "late_flush_seconds = 10  (settings.toml)",
        "max_batch_mb = 30  (--set)",
        "ttl_days = 20  (TTL_DAYS of the environment)",
    ]


def test_what_a_shell_has_from_a_former_start_was_chosen_by_nobody(tmp_path: Path) -> None:
    sourced = {SOURCED_VARIABLE: json.dumps({"TTL_DAYS": "5", "LAUNCH_MIN_MB": "7"})}
    settings = of_file(tmp_path, "ttl_days = 10", {**sourced, "TTL_DAYS": "5", "LAUNCH_MIN_MB": "8"})
    assert settings.lines() == [
        "launch_min_mb = 8  (LAUNCH_MIN_MB of the environment)",
        "ttl_days = 10  (settings.toml)",
    ]


def test_dagster_is_told_all_whatever_the_callers_shell_has(tmp_path: Path) -> None:
    variables = read_settings(tmp_path, {}).dagster_variables()
    assert set(variables) >= {*SHARED_VARIABLES, "LAUNCH_MIN_MB", "GLUE_MAX_WORKERS"}
    assert set(variables.values()) == {""}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("max_file_per_manifest = 5", "is no setting; did you mean max_files_per_manifest?"),
        ("colour = 'red'", "colour in .* is no setting; known are .*ttl_days"),
        ("deletion_protection = true", "is a setting of deployments, and does nothing on a laptop"),
        ("ttl_days = 'soon'", "ttl_days in .*settings.toml must be a whole number, got 'soon'"),
        ("ttl_days = 0", "must be 1 to 36500, got 0"),
        ("ttl_days = true", "must be a text, a number or a list of texts"),
        ("input_extensions = [1]", "must be a text, a number or a list of texts"),
        ("input_extensions = ['json']", "must be extensions such as"),
        ("partition_start_date = 'last year'", "must be a date as YYYY-MM-DD"),
        ("on_missing = 'stop'", "must be one of fail, skip"),
        ("max_rejected_fraction = 2", "must lie between 0 and 1"),
        ("target_file_mb = 0", "must be above 0"),
        ("compression_type = 'lzo'", "must be one of snappy"),
        ("output_prefix = '/lake/'", "must be folders with slashes between them alone"),
        ("glue_worker_type = 'huge'", "must be one of G.1X"),
        ("glue_max_workers = 2\nglue_number_of_workers = 4", "GLUE_MAX_WORKERS must be at least 4"),
        ("ttl_days = ", "can't be read as TOML"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(LaptopSettingsError, match=problem) as refused:
        of_file(tmp_path, text)
    assert "settings.toml" in str(refused.value) or "GLUE" in str(refused.value)


@pytest.mark.parametrize("given", ["RECORD_FORMAT", "COLOUR=red", "TTL_DAYS=soon"])
def test_what_is_given_and_makes_no_sense_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(LaptopSettingsError, match="need mending"):
        read_settings(tmp_path, {}, [given])


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(LaptopSettingsError, match=r"colour.*ttl_days.*AUDIT_DAYS must be 0 to 30"):
        of_file(tmp_path, "colour = 1\nttl_days = 0", {"AUDIT_DAYS": "31"})


def test_a_file_that_is_none_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "settings.toml")
    with pytest.raises(LaptopSettingsError, match="is no plain file"):
        read_settings(tmp_path, {})


TEXTS = ("-1", "0", "1", "0.5", "30", "31", "10001", "2026-01-30", ".json", "name", "x")


@pytest.mark.parametrize("name", [each.name for each in SETTINGS if each.part is Part.FUNCTIONS])
def test_functions_take_what_is_taken_here_and_no_more(tmp_path: Path, name: str) -> None:
    def taken(read: Callable[[], object]) -> bool:
        try:
            read()
        except (LaptopSettingsError, SettingsError):
            return False
        return True

    for text in TEXTS:
        environment = {name.upper(): text}
        here = taken(lambda: read_settings(tmp_path, environment))  # noqa: B023 - called at once
        there = taken(lambda: Settings.from_environment({**REQUIRED, **environment}))  # noqa: B023
        assert here == there, text
