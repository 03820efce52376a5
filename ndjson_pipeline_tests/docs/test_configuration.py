"""The page of variables says what the processes read, and what the Terraform gives them."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import glue_jobs.arguments
from deploy.configuration.page import PAGE, page
from deploy.configuration.variables import (
    TERRAFORM,
    declared,
    default_of,
    entries_of,
    of_processes,
    of_terraform_alone,
)
from deploy.terraform.generate import declared_of
from lambda_ingest.settings import Settings
from ndjson_pipeline.deployment.instance.database import DatabaseSettings
from ndjson_pipeline.deployment.settings import SETTINGS_VARIABLES, PipelineSettings
from ndjson_pipeline.laptop.settings import DEPLOYMENT_ONLY
from ndjson_pipeline.laptop.settings import SETTINGS as LAPTOP_SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = of_processes()
EVERY = [one for rows in PROCESSES.values() for one in rows]


class Recorded(dict[str, str]):
    """Notes the names that are asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.read.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)


def names_of(part: str) -> set[str]:
    return {one.name for one in PROCESSES[part]}


def test_the_page_is_that_of_the_code() -> None:
    assert PAGE.read_text() == page(), "run `python -m deploy.configuration`"


def test_each_variable_of_the_lambdas_is_listed_and_given() -> None:
    environment = Recorded({"MANIFEST_BUCKET": "m", "TRACKING_TABLE": "t"})
    Settings.from_environment(environment)
    assert (
        environment.read == names_of("functions") == set(entries_of("functions.tf", "function_variables = {"))
    )


def test_each_variable_of_the_code_location_is_listed() -> None:
    environment = Recorded({})
    PipelineSettings.from_environment(environment)
    assert environment.read == set(SETTINGS_VARIABLES)
    assert environment.read <= names_of("code location") | names_of("functions")


def test_each_argument_of_the_job_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Recorded(dict.fromkeys(glue_jobs.arguments.REQUIRED, "snappy"))
    monkeypatch.setattr(glue_jobs.arguments, "_named_values", lambda _: given)
    glue_jobs.arguments.parse_arguments([])
    listed = {name.removeprefix("--") for name in names_of("job")}
    assert given.read - listed == {"INPUT_PREFIX"}
    assert listed <= given.read


def test_the_databases_variables_are_listed() -> None:
    environment = Recorded({"DAGSTER_POSTGRES_HOST": "h", "DAGSTER_POSTGRES_DB": "d"})
    environment |= {"DAGSTER_POSTGRES_SECRET_ARN": "a"}
    DatabaseSettings.from_environment(environment)
    assert environment.read <= names_of("services")


def constants() -> Iterator[str]:
    """Yield what the sources name as a variable of the project's or of Dagster's, wherever it stands."""
    for folder in ("lambda_ingest", "glue_jobs", "ndjson_pipeline"):
        for path in (ROOT / folder).rglob("*.py"):
            yield from re.findall(r'"((?:NDJSON|DAGSTER)_[A-Z_]+)"', path.read_text())


def test_no_variable_of_the_sources_is_left_out() -> None:
    # What a laptop's start writes for the shell that it names, to tell what nobody chose.
    private = {"NDJSON_SOURCED"}
    assert set(constants()) - private <= {one.name for one in EVERY}


def test_each_says_what_it_does_and_who_reads_it() -> None:
    assert [one for one in EVERY if not one.what.rstrip("`").endswith(".") or not one.readers] == []


def test_code_and_terraform_agree_on_defaults() -> None:
    defaults = {one.name: default_of(one) for one in declared().values()}
    differ = [
        one.name
        for one in EVERY
        if one.terraform in defaults and (one.default or "0") != (defaults[one.terraform] or "0")
    ]
    assert differ == []


def test_every_variable_of_terraform_is_on_the_page() -> None:
    text = page()
    missing = [name for name in declared() if f"`{name}`" not in text]
    assert missing == []
    listed = {one.terraform for one in EVERY} | {one.name for one in of_terraform_alone()}
    assert set(declared()) <= listed
    of_dagster = [one.name for one in declared_of(TERRAFORM / "modules/dagster") if one.kind == "variable"]
    given = {"environment", "code_locations", "tags", "package_directory"}
    assert [name for name in of_dagster if name not in given and f"| `{name}` |" not in text] == []


def test_a_laptop_takes_or_refuses_each_setting_of_a_feed() -> None:
    settings = {one.name for one in declared_of(TERRAFORM) if one.name in page()}
    known = {setting.name for setting in LAPTOP_SETTINGS} | DEPLOYMENT_ONLY
    assert known <= settings


def test_variables_of_make_and_tests_are_those_that_are_read() -> None:
    text = page()
    makefile = (ROOT / "Makefile").read_text()
    section = text.partition("## Commands of make")[2].partition("## Tests")[0]
    for name in re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE):
        assert re.search(rf"\$\({name}\)|,\$\({name}\)|^{name} ", makefile, re.MULTILINE), name
    tests = "".join(path.read_text() for path in (ROOT / "ndjson_pipeline_tests").rglob("*.py"))
    for name in re.findall(r"^\| `([A-Z_]+)` \|", text.partition("## Tests")[2], re.MULTILINE):
        assert f'"{name}"' in tests, name
