"""What a person sets about a laptop's platform: a deployment's settings, from a file or the environment.

A file is TOML with the names of Terraform's variables, such as `max_files_per_manifest = 5`. A variable of
the environment bears the same name in capitals, and wins. Functions, Glue job and
Dagster get the same values.
"""

import json
import re
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any

from glue_jobs.arguments import REQUIRED, parse_arguments
from glue_jobs.errors import ArgumentsError
from lambda_ingest.contract.settings import SettingsReader, SharedSettings
from ndjson_pipeline.deployment.settings import SETTINGS_VARIABLES, PipelineSettings
from ndjson_pipeline.errors import PipelineError, SettingsError
from ndjson_pipeline.local_aws import LocalAwsSettings, ResourceSettings

FILE = "settings.toml"
# What of a shell's variables is from `environment.sh`, as JSON.
SOURCED_VARIABLE = "NDJSON_SOURCED"
SIZE_CHECK = "expected_file_size_mb"
START_DATE = "partition_start_date"
# The functions' default, and a size that a laptop is quick with.
_FILES_PER_MANIFEST = 10
_USUAL_MB = 0.1
_WORKERS = ("G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X", "R.1X", "R.2X", "R.4X", "R.8X")
_FOLDERS = re.compile(r"([A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*)?")


class Part(Enum):
    """Who gets a setting; Dagster reads by itself what is its own of them."""

    FUNCTIONS = "functions"
    JOB = "job"
    DAGSTER = "Dagster"
    AWS = "AWS"


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: as Terraform has it.
        part: who gets it.
        read: reads it, and tells the reader what is wrong with it.
    """

    name: str
    part: Part
    read: Callable[[SettingsReader, str], object]

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return self.name.upper()


def _whole(lowest: int, highest: int | None = None) -> Callable[[SettingsReader, str], object]:
    return lambda reader, name: reader.whole(name, lowest, lowest=lowest, highest=highest)


def _number(reader: SettingsReader, name: str) -> object:
    return reader.number(name, 0.0)


def _job(reader: SettingsReader, name: str) -> object:
    """Ask the Glue job itself."""
    given = {**dict.fromkeys(REQUIRED, "snappy"), name: reader.text(name) or ""}
    try:
        return parse_arguments([f"--{each}={value}" for each, value in given.items()])
    except ArgumentsError as error:
        reader.problems.append(str(error).removeprefix("--"))
        return None


def _one_of(*choices: str) -> Callable[[SettingsReader, str], object]:
    def read(reader: SettingsReader, name: str) -> object:
        value = reader.text(name)
        if value not in choices:
            reader.problems.append(f"{name} must be one of {', '.join(choices)}, got {value!r}")
        return value

    return read


def _folders(reader: SettingsReader, name: str) -> object:
    value = reader.text(name) or ""
    if not _FOLDERS.fullmatch(value):
        reader.problems.append(f"{name} must be folders with slashes between them alone, got {value!r}")
    return value


def _text_of(reader: SettingsReader, name: str) -> object:
    """Take a text; Dagster's own settings say what is wrong with it."""
    return reader.text(name)


def _shared(reader: SettingsReader, _name: str) -> object:
    return SharedSettings.read(reader)


SETTINGS = (
    Setting("input_prefix", Part.FUNCTIONS, _shared),
    Setting("input_extensions", Part.FUNCTIONS, _shared),
    Setting("date_sources", Part.FUNCTIONS, _shared),
    Setting(START_DATE, Part.FUNCTIONS, _shared),
    Setting("ttl_days", Part.FUNCTIONS, _shared),
    Setting("max_files_per_manifest", Part.FUNCTIONS, _whole(1, 10_000)),
    Setting("min_files_for_partial_batch", Part.FUNCTIONS, _whole(1)),
    Setting(SIZE_CHECK, Part.FUNCTIONS, _number),
    Setting("size_tolerance_percent", Part.FUNCTIONS, _number),
    Setting("lock_ttl_seconds", Part.FUNCTIONS, _whole(1)),
    Setting("max_batch_age_seconds", Part.FUNCTIONS, _whole(0)),
    Setting("max_batch_mb", Part.FUNCTIONS, _number),
    Setting("late_flush_seconds", Part.FUNCTIONS, _whole(0)),
    Setting("refusal_alert_threshold", Part.FUNCTIONS, _whole(0)),
    Setting("audit_days", Part.FUNCTIONS, _whole(0, 30)),
    Setting("compression_type", Part.JOB, _job),
    Setting("output_prefix", Part.JOB, _folders),
    Setting("max_rejected_fraction", Part.JOB, _job),
    Setting("on_missing", Part.JOB, _job),
    Setting("schema_mode", Part.JOB, _job),
    Setting("target_file_mb", Part.JOB, _job),
    Setting("record_format", Part.JOB, _job),
    Setting("record_path", Part.JOB, _job),
    Setting("record_envelope", Part.JOB, _job),
    Setting("max_object_members", Part.JOB, _job),
    Setting("max_columns", Part.JOB, _job),
    Setting("launch_min_mb", Part.DAGSTER, _number),
    Setting("launch_max_wait_seconds", Part.DAGSTER, _number),
    Setting("glue_worker_type", Part.DAGSTER, _one_of(*_WORKERS)),
    Setting("glue_number_of_workers", Part.DAGSTER, _whole(2)),
    Setting("glue_max_workers", Part.DAGSTER, _whole(2)),
    Setting("glue_max_concurrent_runs", Part.DAGSTER, _whole(1, 1000)),
    Setting("asset_owners", Part.DAGSTER, _text_of),
    Setting("code_url", Part.DAGSTER, _text_of),
    Setting("runbook_url", Part.DAGSTER, _text_of),
    Setting("lambda_timeout", Part.AWS, _whole(1, 900)),
    Setting("lambda_memory_size", Part.AWS, _whole(128, 10_240)),
    Setting("queue_batch_size", Part.AWS, _whole(1, 10_000)),
    Setting("queue_batching_window_seconds", Part.AWS, _whole(0, 300)),
)
# What a deployment has besides, and a laptop has nothing for.
DEPLOYMENT_ONLY = frozenset(
    (
        "alert_emails",
        "audit_interval_minutes",
        "dagster_url",
        "deletion_protection",
        "dynamodb_max_read_capacity",
        "dynamodb_max_write_capacity",
        "dynamodb_on_demand",
        "dynamodb_read_capacity",
        "dynamodb_write_capacity",
        "enable_autoscaling",
        "event_route",
        "existing_buckets",
        "glue_execution_class",
        "input_retention_days",
        "input_rules",
        "kms_key_arn",
        "lambda_reserved_concurrency",
        "lambda_runtime",
        "log_retention_days",
        "manage_input_notifications",
        "manifest_wait_grace_seconds",
        "noncurrent_version_days",
        "oldest_message_alarm_seconds",
        "oldest_pending_file_alarm_seconds",
        "producers",
        "quarantine_retention_days",
        "queue_max_concurrency",
        "redrive_principals",
        "report_retention_days",
        "sweep_interval_minutes",
        "sweeper_reserved_concurrency",
        "sweeper_timeout",
    )
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}
# Dagster's own, which a laptop gives it itself.
_GIVEN = ("NDJSON_ENVIRONMENT", "NDJSON_FEED", "NDJSON_DAGSTER_URL")


class LaptopSettingsError(PipelineError):
    """A setting of the laptop makes no sense."""


@dataclass(frozen=True)
class Chosen:
    """A setting that somebody set.

    Attributes:
        setting: which.
        text: its value, as a variable of the environment has it.
        origin: where it was found, to be shown.
    """

    setting: Setting
    text: str
    origin: str


@dataclass(frozen=True)
class LaptopSettings:
    """What is set, by name; the rest keeps its default.

    Attributes:
        chosen: the settings.
    """

    chosen: Mapping[str, Chosen]

    def _variables(self, *parts: Part) -> dict[str, str]:
        return {
            each.setting.variable: each.text for each in self.chosen.values() if each.setting.part in parts
        }

    @property
    def partition_start_date(self) -> date:
        """The first date that is taken, and shown."""
        return PipelineSettings.from_environment(self.dagster_variables()).partition_start_date

    @property
    def checks_sizes(self) -> bool:
        """Whether files of other sizes are refused; on a laptop they are not, unless that is set."""
        return SIZE_CHECK in self.chosen and float(self.chosen[SIZE_CHECK].text) > 0

    @property
    def batch_files(self) -> int:
        """How many files of today make a batch."""
        return self._whole("max_files_per_manifest", _FILES_PER_MANIFEST)

    @property
    def usual_mb(self) -> float:
        """A size of test input that is taken, in MB."""
        return float(self.chosen[SIZE_CHECK].text) if self.checks_sizes else _USUAL_MB

    @property
    def places(self) -> int:
        """How many runs convert at once."""
        return PipelineSettings.from_environment(self.dagster_variables()).max_concurrent_runs

    def dagster_variables(self) -> dict[str, str]:
        """Return all that Dagster's processes read; empty is the default, whatever the caller's shell has."""
        chosen = self._variables(Part.FUNCTIONS, Part.DAGSTER)
        return {name: chosen.get(name, "") for name in SETTINGS_VARIABLES if name not in _GIVEN}

    def local_aws(self, settings: LocalAwsSettings | None = None) -> LocalAwsSettings:
        """Return the local AWS's settings with these.

        Args:
            settings: what they are put upon.
        """
        settings = settings or LocalAwsSettings()
        dagster = PipelineSettings.from_environment(self.dagster_variables())
        timeout = self._whole("lambda_timeout", int(settings.lambda_timeout_seconds))
        resources: ResourceSettings = replace(
            settings.resources,
            # As a deployment has it: six times as long as a function may take.
            visibility_timeout_seconds=6 * timeout,
            max_concurrent_glue_runs=dagster.max_concurrent_runs,
            glue_worker_type=dagster.worker_type,
            glue_number_of_workers=dagster.number_of_workers,
            job_arguments={f"--{name}": text for name, text in self._variables(Part.JOB).items()},
        )
        return replace(
            settings,
            resources=resources,
            lambda_variables={**settings.lambda_variables, **self._variables(Part.FUNCTIONS)},
            lambda_timeout_seconds=float(timeout),
            lambda_memory_mb=self._whole("lambda_memory_size", settings.lambda_memory_mb),
            batch_size=self._whole("queue_batch_size", settings.batch_size),
            batching_window_seconds=float(
                self._whole("queue_batching_window_seconds", int(settings.batching_window_seconds))
            ),
        )

    def _whole(self, name: str, default: int) -> int:
        return int(self.chosen[name].text) if name in self.chosen else default

    def lines(self) -> list[str]:
        """Return what is set, a line each, to be shown."""
        return [f"{name} = {each.text}  ({each.origin})" for name, each in sorted(self.chosen.items())]


def read_settings(folder: Path, environment: Mapping[str, str], given: Sequence[str] = ()) -> LaptopSettings:
    """Read and check what is set.

    Args:
        folder: the laptop's folder, in which the file may lie.
        environment: variables, which win over the file.
        given: each as `NAME=VALUE`, such as `RECORD_FORMAT=auto`; they win over both.

    Raises:
        LaptopSettingsError: the file can't be read, a name is unknown, or a value makes no sense; all that is
            wrong is said at once.
    """
    path = folder / FILE
    found, problems = _of_file(path)
    chosen = {
        name: Chosen(_BY_NAME[name], text, path.name) for name, text in found.items() if name in _BY_NAME
    }
    sourced = _sourced(environment)
    for setting in SETTINGS:
        text = environment.get(setting.variable, "").strip()
        if text and sourced.get(setting.variable) != text:
            chosen[setting.name] = Chosen(setting, text, f"{setting.variable} of the environment")
    for text in given:
        name, equals, value = text.partition("=")
        if name.lower() not in _BY_NAME or not equals:
            problems.append(_unknown(name, "--set") if equals else f"--set takes NAME=VALUE, got {text!r}")
        else:
            chosen[name.lower()] = Chosen(_BY_NAME[name.lower()], value.strip(), "--set")
    problems += [problem for each in chosen.values() if (problem := _problem(each, path))]
    if not problems:
        problems = _together(chosen)
    if problems:
        raise LaptopSettingsError("The laptop's settings need mending: " + "; ".join(problems) + ".")
    return LaptopSettings(chosen)


def _sourced(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return what a shell has from the file that a former start wrote for it: nobody chose that."""
    try:
        found = json.loads(environment.get(SOURCED_VARIABLE, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _of_file(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the texts of a file's settings by their names, and what is wrong with names and kinds."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise LaptopSettingsError(f"{path} is no plain file, and settings are read from one.")
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LaptopSettingsError(
            f"{path} can't be read as TOML, such as `max_files_per_manifest = 5`: {error}."
        ) from error
    texts: dict[str, str] = {}
    problems: list[str] = []
    for name, value in document.items():
        if name not in _BY_NAME:
            problems.append(_unknown(name, str(path)))
        elif (text := _text(value)) is None:
            problems.append(f"{name} in {path} must be a text, a number or a list of texts")
        elif text:
            texts[name] = text
    return texts, problems


def _text(value: Any) -> str | None:
    """Return a value of TOML as a variable of the environment has it, or None where it can't be one."""
    if isinstance(value, list):
        return ",".join(value) if all(isinstance(each, str) for each in value) else None
    if isinstance(value, bool | dict):
        return None
    return str(value).strip()


def _unknown(name: str, place: str) -> str:
    if name.lower() in DEPLOYMENT_ONLY:
        return f"{name} in {place} is a setting of deployments, and does nothing on a laptop; take it out"
    close = get_close_matches(name.lower(), _BY_NAME, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(_BY_NAME))}"
    return f"{name} in {place} is no setting; {hint}"


def _problem(chosen: Chosen, path: Path) -> str | None:
    variable = chosen.setting.variable
    reader = SettingsReader({variable: chosen.text})
    chosen.setting.read(reader, variable)
    if not reader.problems:
        return None
    problem = "; ".join(reader.problems)
    return f"{chosen.setting.name} in {path}{problem[len(variable) :]}" if chosen.origin == FILE else problem


def _together(chosen: Mapping[str, Chosen]) -> list[str]:
    """Return what is wrong with values beside each other."""
    try:
        PipelineSettings.from_environment(LaptopSettings(chosen).dagster_variables())
    except SettingsError as error:
        return [str(error)]
    return []
