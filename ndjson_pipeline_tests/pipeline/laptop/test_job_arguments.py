import pytest

from glue_jobs.arguments import REQUIRED, parse_arguments
from ndjson_pipeline.errors import SettingsError
from ndjson_pipeline.laptop.job_arguments import SETTINGS, job_arguments, settings_with
from ndjson_pipeline.local_aws import LocalAwsSettings

EXAMPLES = {
    "MAX_COLUMNS": "200",
    "MAX_OBJECT_MEMBERS": "50",
    "MAX_REJECTED_FRACTION": "0.1",
    "ON_MISSING": "skip",
    "RECORD_ENVELOPE": "keep",
    "RECORD_FORMAT": "auto",
    "RECORD_PATH": 'Records["a=b"][*]',
    "SCHEMA_MODE": "freeze",
    "TARGET_FILE_MB": "5",
}


def test_each_setting_reaches_the_job():
    assert set(EXAMPLES) == set(SETTINGS)
    given = job_arguments([f"{name}={value}" for name, value in EXAMPLES.items()])
    assert given == {f"--{name}": value for name, value in EXAMPLES.items()}
    required = [word for name in REQUIRED for word in (f"--{name}", "snappy")]
    plain = parse_arguments(required)
    for name, value in given.items():
        assert parse_arguments([*required, name, value]) != plain, name


def test_another_process_gets_them_as_they_were_given():
    settings = settings_with(["RECORD_FORMAT=auto"])
    assert settings.resources.job_arguments == {"--RECORD_FORMAT": "auto"}
    assert LocalAwsSettings.from_json(settings.to_json()) == settings


def test_without_one_the_job_has_its_defaults():
    assert job_arguments([]) == {}


@pytest.mark.parametrize("setting", ["RECORD_FORMAT", "=auto", "record_format=auto", "OUTPUT_BUCKET=x", ""])
def test_what_is_no_setting_is_refused(setting):
    with pytest.raises(SettingsError, match="expected NAME=VALUE such as RECORD_FORMAT=auto"):
        job_arguments([setting])


def test_a_value_that_the_job_refuses_is_refused_at_once():
    with pytest.raises(SettingsError, match="--RECORD_FORMAT must be one of lines, auto, got 'csv'"):
        job_arguments(["RECORD_FORMAT=csv"])
