"""The job's arguments, as Glue passes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from glue_jobs.errors import ArgumentsError
from glue_jobs.writing.names import CODECS

REQUIRED: Final = ("JOB_NAME", "MANIFEST_PATH", "MANIFEST_BUCKET", "OUTPUT_BUCKET", "COMPRESSION_TYPE")
PIPES_CONTEXT: Final = "dagster-pipes-context"
PIPES_MESSAGES: Final = "dagster-pipes-messages"
DEFAULT_TARGET_FILE_MB: Final = 128.0
DEFAULT_MAX_REJECTED_FRACTION: Final = 0.5


@dataclass(frozen=True)
class PipesParameters:
    """The two encoded parameters with which Dagster Pipes starts a process.

    Attributes:
        context: where the context lies, base64 of compressed JSON.
        messages: where messages go, encoded alike.
    """

    context: str
    messages: str


@dataclass(frozen=True)
class JobArguments:
    """What one run of the job is to do.

    Attributes:
        job_name: the Glue job's name.
        job_run_id: Glue's id of this run; None by hand.
        manifest_paths: S3 URIs of the manifests, or of objects that list some, each once, in order.
        manifest_bucket: receives the report.
        output_bucket: receives the Parquet.
        output_prefix: folder above the dates' folders, without slashes at its ends; may be empty.
        codec: a key of `CODECS`.
        quarantine_bucket: receives rejected records; None where there is none.
        max_rejected_fraction: a manifest with more rejected records than this of all fails.
        skips_missing: whether a manifest is done although files of it are gone or changed.
        accepts_new_columns: whether the dataset may gain columns.
        target_file_mb: wanted size of an output file, in MB of Parquet.
        pipes: None where Dagster did not start the run.
    """

    job_name: str
    job_run_id: str | None
    manifest_paths: tuple[str, ...]
    manifest_bucket: str
    output_bucket: str
    output_prefix: str
    codec: str
    quarantine_bucket: str | None
    max_rejected_fraction: float
    skips_missing: bool
    accepts_new_columns: bool
    target_file_mb: float
    pipes: PipesParameters | None


def parse_arguments(argv: Sequence[str]) -> JobArguments:
    """Read the arguments after the script's name.

    Both `--NAME value` and `--NAME=value` are read; names that the job does not know are left alone, since
    Glue adds its own.

    Raises:
        ArgumentsError: required ones are missing (all are named), or a value is none that the job knows.
    """
    values = _named_values(argv)
    missing = [name for name in REQUIRED if not values.get(name, "").strip()]
    if missing:
        named = ", ".join(f"--{name}" for name in missing)
        raise ArgumentsError(f"missing required arguments: {named}; pass each as --NAME value")
    codec = values["COMPRESSION_TYPE"].strip().lower()
    if codec not in CODECS:
        raise ArgumentsError(f"--COMPRESSION_TYPE must be one of {', '.join(CODECS)}, got {codec!r}")
    uris = [uri.strip() for uri in values["MANIFEST_PATH"].split(",") if uri.strip()]
    if not uris:
        raise ArgumentsError("--MANIFEST_PATH names no manifest; pass one S3 URI or several, comma-separated")
    return JobArguments(
        job_name=values["JOB_NAME"].strip(),
        job_run_id=values.get("JOB_RUN_ID", "").strip() or None,
        manifest_paths=tuple(dict.fromkeys(uris)),
        manifest_bucket=values["MANIFEST_BUCKET"].strip(),
        output_bucket=values["OUTPUT_BUCKET"].strip(),
        output_prefix=values.get("OUTPUT_PREFIX", "").strip().strip("/"),
        codec=codec,
        quarantine_bucket=values.get("QUARANTINE_BUCKET", "").strip() or None,
        max_rejected_fraction=_fraction(values, "MAX_REJECTED_FRACTION", DEFAULT_MAX_REJECTED_FRACTION),
        skips_missing=_choice(values, "ON_MISSING", ("fail", "skip")) == "skip",
        accepts_new_columns=_choice(values, "SCHEMA_MODE", ("evolve", "freeze")) == "evolve",
        target_file_mb=_positive(values, "TARGET_FILE_MB", DEFAULT_TARGET_FILE_MB),
        pipes=_pipes(values),
    )


def _named_values(argv: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    position = 0
    while position < len(argv):
        name, equals, value = argv[position].partition("=")
        position += 1
        if not name.startswith("--"):
            continue
        if not equals and position < len(argv) and not argv[position].startswith("--"):
            value = argv[position]
            position += 1
        values[name.removeprefix("--")] = value
    return values


def _number(values: Mapping[str, str], name: str) -> float | None:
    text = values.get(name, "").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise ArgumentsError(f"--{name} must be a number, got {text!r}") from error


def _choice(values: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """Return a value of several; the first where none is given."""
    value = values.get(name, "").strip().lower() or choices[0]
    if value not in choices:
        raise ArgumentsError(f"--{name} must be one of {', '.join(choices)}, got {value!r}")
    return value


def _fraction(values: Mapping[str, str], name: str, default: float) -> float:
    number = _number(values, name)
    if number is None:
        return default
    if not 0 <= number <= 1:
        raise ArgumentsError(f"--{name} must lie between 0 and 1, got {number}")
    return number


def _positive(values: Mapping[str, str], name: str, default: float) -> float:
    number = _number(values, name)
    if number is None:
        return default
    if not 0 < number < float("inf"):
        raise ArgumentsError(f"--{name} must be above 0, got {number}")
    return number


def _pipes(values: Mapping[str, str]) -> PipesParameters | None:
    context, messages = values.get(PIPES_CONTEXT, ""), values.get(PIPES_MESSAGES, "")
    if not context and not messages:
        return None
    if not context or not messages:
        raise ArgumentsError(f"--{PIPES_CONTEXT} and --{PIPES_MESSAGES} belong together, got only one")
    return PipesParameters(context, messages)
