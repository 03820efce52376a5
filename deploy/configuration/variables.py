"""Every variable that a process of the project reads, with what its code and the Terraform say of it."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from deploy.terraform.generate import Declared, declared_of
from glue_jobs.arguments import PIPES_CONTEXT, PIPES_MESSAGES, REQUIRED
from glue_jobs.native.library import SWITCH as NATIVE_VARIABLE
from glue_jobs.reporting.seal import NONCE_ARGUMENT
from lambda_ingest.contract.settings import INPUT_PREFIX_VARIABLE, SHARED_VARIABLES
from lambda_ingest.settings import Settings
from ndjson_pipeline.deployment import settings as code_location
from ndjson_pipeline.deployment.instance import database, home
from ndjson_pipeline.deployment.services import settings as services
from ndjson_pipeline.history import RETENTION_DAYS, RETENTION_VARIABLE
from ndjson_pipeline.laptop.settings import DEPLOYMENT_ONLY
from ndjson_pipeline.laptop.settings import SETTINGS as LAPTOP_SETTINGS
from ndjson_pipeline.webserver import ORIGINS_VARIABLE

TERRAFORM: Final = Path(__file__).resolve().parents[1] / "terraform"
# What a name ends in, and the unit that it so has.
_UNITS: Final = (
    ("_seconds", "s"),
    ("_minutes", "min"),
    ("_days", "days"),
    ("_mb", "MB"),
    ("_percent", "%"),
    ("_fraction", "0 to 1"),
    ("_usd", "USD"),
    ("lambda_memory_size", "MB"),
    ("_timeout", "s"),
    ("_capacity", "units/s"),
    ("files_per_manifest", "files"),
    ("files_for_partial_batch", "files"),
    ("_threshold", "files"),
    ("_workers", "workers"),
    ("_concurrent_runs", "runs"),
    ("_concurrency", "invocations"),
    ("_batch_size", "messages"),
    ("_date", "UTC date"),
    ("_members", "members"),
    ("_columns", "columns"),
)
# Instead of a variable of Terraform's: whoever starts a run gives it.
PER_RUN: Final = "each run's own"
MADE: Final = "made"
_GIVEN_ARGUMENTS: Final = {
    "JOB_NAME": "The Glue job's name.",
    "JOB_RUN_ID": "Glue's id of the run. Empty by hand.",
    "MANIFEST_PATH": "The manifests: S3 URIs with commas between, each of a manifest or of a list of some.",
    "MANIFEST_SHA256": "The SHA-256 of each object in --MANIFEST_PATH, in order; `-` where it is not known.",
    NONCE_ARGUMENT.removeprefix("--"): "A secret of the run and of whoever started it; seals its messages.",
    PIPES_CONTEXT: "Where Dagster Pipes has the run's context. Empty by hand.",
    PIPES_MESSAGES: "Where Dagster Pipes wants the run's messages. Empty by hand.",
    "MANIFEST_BUCKET": "Has the manifests, and receives the report.",
    "OUTPUT_BUCKET": "Receives the Parquet.",
    "INPUT_BUCKET": "Only files of this bucket are read. Empty: of any.",
    "QUARANTINE_BUCKET": "Receives rejected records. Empty: they are counted and reported alone.",
    "CATALOG_DATABASE": "The database of the dataset's table in the Data Catalog. Empty: there is none.",
    "CATALOG_TABLE": "That table.",
}
_ATTRIBUTE = re.compile(r"^    (\w+): (.+?)(?=^    \w+: |\Z)", re.MULTILINE | re.DOTALL)
# `NAME = expression` and `"--NAME" = expression` of a map in HCL.
_ENTRY = re.compile(r'^ +"?(?:--)?([A-Za-z_]+)"? += (.+)$', re.MULTILINE)
_NONE = re.compile(r"\bNone\b")
_VARIABLE = re.compile(r"\bvar\.([a-z_0-9]+)")


@dataclass(frozen=True)
class Variable:
    """One variable.

    Attributes:
        name: as a process has it.
        default: as it is written; None where it must be given.
        what: what it does.
        readers: which parts read it.
        terraform: the variable of Terraform that it follows; empty where Terraform sets it itself, or nobody.
        on_laptop: whether a laptop's settings take it.
    """

    name: str
    default: str | None
    what: str
    readers: str
    terraform: str = ""
    on_laptop: bool = False

    @property
    def unit(self) -> str:
        """What its number counts; empty where it is none."""
        return unit_of(self.terraform or self.name)


def unit_of(name: str) -> str:
    """Return the unit that a name tells of; empty where it tells none."""
    return next((unit for ending, unit in _UNITS if name.lower().endswith(ending)), "")


def attributes_of(described: type) -> dict[str, str]:
    """Return what a class's docstring says of its attributes, as sentences."""
    text = inspect.getdoc(described) or ""
    _, _, section = text.partition("Attributes:\n")
    found = {name: " ".join(what.split()) for name, what in _ATTRIBUTE.findall(section)}
    # What is None in the code is empty in an environment.
    return {name: _NONE.sub("empty", what[0].upper() + what[1:]) for name, what in found.items()}


def text_of(value: Any) -> str:
    """Return a value as an environment has it."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, tuple | list):
        return ",".join(str(each) for each in value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


@cache
def declared() -> dict[str, Declared]:
    """Return the root's Terraform variables by their names."""
    return {one.name: one for one in declared_of(TERRAFORM) if one.kind == "variable"}


def entries_of(file: str, begin: str) -> dict[str, str]:
    """Return the Terraform variable that each entry of a map follows; empty where it follows none.

    Args:
        file: of the feed's module.
        begin: the line that the map begins with.
    """
    text = (TERRAFORM / "modules/feed" / file).read_text().partition(begin)[2]
    # A map ends where a line closes it at its own depth.
    text = re.split(r"^  [})]", text, maxsplit=1, flags=re.MULTILINE)[0]
    return {
        name: found[1] if (found := _VARIABLE.search(expression)) else ""
        for name, expression in _ENTRY.findall(text)
    }


def function_variables() -> Iterator[Variable]:
    """Yield what the Lambdas read."""
    followed = entries_of("functions.tf", "function_variables = {")
    said = attributes_of(Settings)
    for field in fields(Settings):
        name = field.name.upper()
        shared = name in SHARED_VARIABLES
        readers = "Lambdas, code location" if shared else "Lambdas"
        yield _variable(
            name,
            _default_of(field.default),
            said[field.name],
            f"{readers}, Glue job" if name == INPUT_PREFIX_VARIABLE else readers,
            followed.get(name, ""),
        )


def code_location_variables() -> Iterator[Variable]:
    """Yield what a feed's code location reads, and the Lambdas do not."""
    followed = entries_of("code_location.tf", "code_location_variables = merge(") | {
        code_location.DAGSTER_URL_VARIABLE: "dagster_url"
    }
    named = {
        code_location.ENVIRONMENT_VARIABLE: "environment",
        code_location.FEED_VARIABLE: "feed",
        code_location.DAGSTER_URL_VARIABLE: "dagster_url",
        code_location.LAUNCH_MIN_MB_VARIABLE: "launch_min_mb",
        code_location.LAUNCH_MAX_WAIT_VARIABLE: "launch_max_wait",
        code_location.WORKER_TYPE_VARIABLE: "worker_type",
        code_location.WORKERS_VARIABLE: "number_of_workers",
        code_location.MAX_WORKERS_VARIABLE: "max_workers",
        code_location.PLACES_VARIABLE: "max_concurrent_runs",
    }
    said = attributes_of(code_location.PipelineSettings)
    defaults = {field.name: field.default for field in fields(code_location.PipelineSettings)}
    readers = {
        code_location.ENVIRONMENT_VARIABLE: "code location, command line",
        code_location.FEED_VARIABLE: "code location, command line",
        code_location.DAGSTER_URL_VARIABLE: "code location, UI, command line",
    }
    for name in code_location.SETTINGS_VARIABLES:
        if name in SHARED_VARIABLES:
            continue
        field = named.get(name, name.lower())
        yield _variable(
            name,
            text_of(defaults[field]),
            said[field],
            readers.get(name, "code location"),
            followed.get(name, ""),
        )
    yield Variable(
        RETENTION_VARIABLE,
        str(RETENTION_DAYS),
        "Dagster forgets each night what ended longer ago. 0 keeps all; less than 7 is refused.",
        "code location",
    )


def job_arguments() -> Iterator[Variable]:
    """Yield what the Glue job is given."""
    followed = entries_of("glue.tf", "fixed_arguments = merge(")
    for name, what in _GIVEN_ARGUMENTS.items():
        default = None if name in REQUIRED else ""
        yield Variable(f"--{name}", default, what, "Glue job", _made_by(name, followed))
    for name, terraform in followed.items():
        if terraform and name != INPUT_PREFIX_VARIABLE:
            yield _variable(f"--{name}", "", "", "Glue job", terraform)


def _made_by(name: str, followed: Mapping[str, str]) -> str:
    return MADE if name in followed else PER_RUN


def service_variables() -> Iterator[Variable]:
    """Yield what Dagster's services read of where they run."""
    of_all = "code server, daemon, UI"
    yield Variable(
        services.HOME_VARIABLE,
        None,
        "A folder that can be written, by its whole path. Each service lays the instance's settings into it.",
        of_all,
        MADE,
    )
    yield Variable(
        services.CODE_SERVERS_VARIABLE,
        None,
        "Where the code servers answer, such as `ndjson_pipeline=code.internal:4000,clicks=c.internal:4000`.",
        "daemon, UI",
        MADE,
    )
    what = "The name by which Dagster's PostgreSQL answers; `verify-full` compares its certificate with it."
    yield Variable(database.HOST_VARIABLE, None, what, of_all)
    yield Variable(database.PORT_VARIABLE, "5432", "Its port.", of_all)
    yield Variable(database.DATABASE_VARIABLE, None, "The database's name in it.", of_all)
    yield Variable(
        database.SECRET_VARIABLE,
        "",
        "The secret with `username` and `password`, as RDS makes it. The process reads it itself.",
        of_all,
    )
    for name in (database.USER_VARIABLE, database.PASSWORD_VARIABLE):
        yield Variable(name, "", "Instead of the secret, where there is no Secrets Manager.", of_all)
    for name, default in (("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", "/opt/rds/global-bundle.pem")):
        what = "How PostgreSQL proves who it is; its own client reads it. The default is the image's."
        yield Variable(name, default, what, of_all)
    yield Variable(
        home.MAX_RUNS_VARIABLE,
        "4",
        "Runs of all feeds at once: the places of all pools, and two a feed beside them.",
        of_all,
        "dagster.max_concurrent_runs",
    )
    yield Variable(
        ORIGINS_VARIABLE,
        "",
        "Other origins by which browsers reach the UI, such as `https://dagster.example.com`, with commas.",
        "UI",
    )


def other_variables() -> Iterator[Variable]:
    """Yield what is of AWS, of the machine, or of a developer."""
    everywhere = "everything that calls AWS"
    yield Variable("AWS_ENDPOINT_URL", "", "Where AWS answers; the local AWS's address.", everywhere)
    yield Variable("AWS_REGION", "", "The deployment's region.", everywhere)
    yield Variable("AWS_DEFAULT_REGION", "", "The same, where AWS_REGION is not set.", everywhere)
    yield Variable("AWS_PROFILE", "", "Whose credentials, as in all of AWS's tools.", "command line")
    yield Variable("AWS_MAX_ATTEMPTS", "3", "How often AWS is asked before it is given up.", "command line")
    yield Variable(
        NATIVE_VARIABLE,
        "1",
        "0 switches the native parser off; the job then takes pyarrow's, and is slower.",
        "Glue job",
    )
    yield Variable("JAVA_HOME", "", "The Java of Spark; else the machine's, else a bundled one.", "laptop")


def _variable(name: str, default: str | None, what: str, readers: str, terraform: str) -> Variable:
    """Return a variable; where it follows one of Terraform, that one's description says what it does."""
    on_laptop = terraform in {setting.name for setting in LAPTOP_SETTINGS}
    one = declared().get(terraform)
    if one is None:
        return Variable(name, default, what, readers, MADE)
    default = default or default_of(one)
    return Variable(name, default, one.description, readers, terraform, on_laptop)


def default_of(one: Declared) -> str:
    """Return a Terraform variable's default as a process is given it."""
    text = " ".join((one.default or "").split())
    if text.startswith("["):
        return ",".join(re.findall(r'"([^"]*)"', text))
    return "" if text in {"null", "{}"} else text.strip('"')


def _default_of(value: object) -> str | None:
    return None if value is MISSING else text_of(value)


@cache
def of_processes() -> Mapping[str, tuple[Variable, ...]]:
    """Return the variables by the part that they are listed under."""
    return {
        "functions": tuple(function_variables()),
        "job": tuple(job_arguments()),
        "code location": tuple(code_location_variables()),
        "services": tuple(service_variables()),
        "other": tuple(other_variables()),
    }


def of_terraform_alone() -> list[Declared]:
    """Return the root's variables that no process is given."""
    followed = {one.terraform for rows in of_processes().values() for one in rows}
    return [one for name, one in declared().items() if name not in followed]


def laptop_only() -> list[Declared]:
    """Return what a laptop takes for its AWS, and no process is given as a variable."""
    followed = {one.terraform for rows in of_processes().values() for one in rows}
    return [declared()[one.name] for one in LAPTOP_SETTINGS if one.name not in followed]


def refused_on_laptop() -> list[str]:
    """Return the deployment's variables that a laptop refuses."""
    return sorted(DEPLOYMENT_ONLY)
