"""Settings of a laptop's Glue job, as a person types them."""

from collections.abc import Sequence

from glue_jobs.arguments import REQUIRED, parse_arguments
from glue_jobs.errors import ArgumentsError
from ndjson_pipeline.errors import SettingsError
from ndjson_pipeline.local_aws import LocalAwsSettings, ResourceSettings

SETTINGS = (
    "MAX_COLUMNS",
    "MAX_OBJECT_MEMBERS",
    "MAX_REJECTED_FRACTION",
    "ON_MISSING",
    "RECORD_ENVELOPE",
    "RECORD_FORMAT",
    "RECORD_PATH",
    "SCHEMA_MODE",
    "TARGET_FILE_MB",
)


def job_arguments(settings: Sequence[str]) -> dict[str, str]:
    """Return settings of the Glue job as its arguments; pure.

    Args:
        settings: each as `NAME=VALUE`, such as `RECORD_FORMAT=auto`.

    Raises:
        SettingsError: one is no setting of the job, or has a value that the job refuses.
    """
    arguments: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in SETTINGS:
            raise SettingsError(
                f"expected NAME=VALUE such as RECORD_FORMAT=auto, with a name of {', '.join(SETTINGS)}; "
                f"got {setting!r}"
            )
        arguments[f"--{name}"] = value
    required = [word for name in REQUIRED for word in (f"--{name}", "snappy")]
    try:
        parse_arguments([*required, *(f"{name}={value}" for name, value in arguments.items())])
    except ArgumentsError as error:
        raise SettingsError(f"the Glue job would refuse that: {error}") from error
    return arguments


def settings_with(job_settings: Sequence[str]) -> LocalAwsSettings:
    """Return the settings of a local AWS whose Glue jobs have some settings.

    Args:
        job_settings: as `job_arguments` takes them.

    Raises:
        SettingsError: as `job_arguments`.
    """
    return LocalAwsSettings(resources=ResourceSettings(job_arguments=job_arguments(job_settings)))
