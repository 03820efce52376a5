"""The job's arguments, as Glue passes them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from glue_jobs.errors import ArgumentsError
from glue_jobs.manifests.reading import NO_SHA256
from glue_jobs.manifests.trust import TrustRules
from glue_jobs.reporting.seal import NONCE_ARGUMENT
from glue_jobs.writing.names import CODECS
from lambda_ingest.contract.settings import SharedSettings

REQUIRED: Final = ("JOB_NAME", "MANIFEST_PATH", "MANIFEST_BUCKET", "OUTPUT_BUCKET", "COMPRESSION_TYPE")
PIPES_CONTEXT: Final = "dagster-pipes-context"
PIPES_MESSAGES: Final = "dagster-pipes-messages"
DEFAULT_TARGET_FILE_MB: Final = 128.0
DEFAULT_MAX_REJECTED_FRACTION: Final = 0.5
# A few thousand signals of a machine are members like any others; ids as names are told apart before.
DEFAULT_MAX_OBJECT_MEMBERS: Final = 6_000
DEFAULT_MAX_COLUMNS: Final = 10_000
# How a deployment writes that there is no path, since Glue takes no empty argument: the value itself.
NO_RECORD_PATH: Final = "$"
_SHA256: Final = re.compile("[0-9a-f]{64}")
_DIGITS: Final = re.compile("[0-9]{1,9}")


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
class CatalogName:
    """A table of the Glue Data Catalog.

    Attributes:
        database: has the table.
        table: its name in there.
    """

    database: str
    table: str


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
        max_rejected_fraction: a manifest of which more than this is rejected fails, by records or by bytes.
        skips_missing: whether a manifest is done although files of it are gone or changed.
        accepts_new_columns: whether the dataset may gain columns.
        target_file_mb: wanted size of an output file, in MB of Parquet.
        record_format: how records follow each other in a file: `lines`, or `auto` for whatever it shows.
        record_path: where in each value the records are, such as `Records[*]`; empty where it is one itself.
        keeps_envelope: whether a record keeps what lies around it, where there is a path.
        max_object_members: so many members of one object become columns at most.
        max_columns: so many columns the dataset has at most, counted at the leaves.
        pipes: None where Dagster did not start the run.
        manifest_hashes: the SHA-256, as hex, of objects among `manifest_paths`, as far as it is known.
        trust: where manifests and their files may lie.
        catalog: the table over the dataset; None where there is none.
        nonce: known to this run and to whoever started it, and never told; None by hand.
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
    record_format: str
    record_path: str
    keeps_envelope: bool
    max_object_members: int
    max_columns: int
    pipes: PipesParameters | None
    manifest_hashes: Mapping[str, str]
    trust: TrustRules
    catalog: CatalogName | None
    nonce: str | None = field(repr=False)


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
        record_format=_choice(values, "RECORD_FORMAT", ("lines", "auto")),
        record_path=_record_path(values),
        keeps_envelope=_choice(values, "RECORD_ENVELOPE", ("drop", "keep")) == "keep",
        max_object_members=_count(values, "MAX_OBJECT_MEMBERS", DEFAULT_MAX_OBJECT_MEMBERS),
        max_columns=_count(values, "MAX_COLUMNS", DEFAULT_MAX_COLUMNS),
        pipes=_pipes(values),
        manifest_hashes=_hashes(values, uris),
        trust=_trust(values),
        catalog=_catalog(values),
        nonce=values.get(NONCE_ARGUMENT.removeprefix("--"), "").strip() or None,
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


def _hashes(values: Mapping[str, str], uris: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of objects by their URIs; there is one for each URI, in order, or none at all."""
    text = values.get("MANIFEST_SHA256", "").strip()
    if not text:
        return {}
    hashes = [each.strip().lower() for each in text.split(",")]
    if len(hashes) != len(uris):
        raise ArgumentsError(
            f"--MANIFEST_SHA256 has {len(hashes)} values and --MANIFEST_PATH {len(uris)}; pass one for each, "
            f"in order, and {NO_SHA256} where it is not known"
        )
    found: dict[str, str] = {}
    for uri, sha256 in zip(uris, hashes, strict=True):
        if sha256 == NO_SHA256:
            continue
        if not _SHA256.fullmatch(sha256):
            raise ArgumentsError(f"--MANIFEST_SHA256 must hold 64 hex digits for each, got {sha256!r}")
        if found.setdefault(uri, sha256) != sha256:
            raise ArgumentsError(f"--MANIFEST_SHA256 has two different values for {uri}")
    return found


def _trust(values: Mapping[str, str]) -> TrustRules:
    prefix = values.get("INPUT_PREFIX", "").strip() or SharedSettings.input_prefix
    return TrustRules(
        manifest_bucket=values["MANIFEST_BUCKET"].strip(),
        input_bucket=values.get("INPUT_BUCKET", "").strip() or None,
        input_prefix=prefix if prefix.endswith("/") else f"{prefix}/",
    )


def _catalog(values: Mapping[str, str]) -> CatalogName | None:
    database, table = (values.get(name, "").strip() for name in ("CATALOG_DATABASE", "CATALOG_TABLE"))
    if not database and not table:
        return None
    if not database or not table:
        raise ArgumentsError("--CATALOG_DATABASE and --CATALOG_TABLE belong together, got only one")
    return CatalogName(database, table)


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


def _count(values: Mapping[str, str], name: str, default: int) -> int:
    text = values.get(name, "").strip()
    if not text:
        return default
    # ASCII alone: int() takes other scripts' digits, signs and underscores, too.
    if not _DIGITS.fullmatch(text) or int(text) < 1:
        raise ArgumentsError(f"--{name} must be a whole number of at least 1, got {text!r}")
    return int(text)


def _record_path(values: Mapping[str, str]) -> str:
    path = values.get("RECORD_PATH", "").strip()
    return "" if path == NO_RECORD_PATH else path


def _pipes(values: Mapping[str, str]) -> PipesParameters | None:
    context, messages = values.get(PIPES_CONTEXT, ""), values.get(PIPES_MESSAGES, "")
    if not context and not messages:
        return None
    if not context or not messages:
        raise ArgumentsError(f"--{PIPES_CONTEXT} and --{PIPES_MESSAGES} belong together, got only one")
    return PipesParameters(context, messages)
