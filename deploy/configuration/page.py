"""The text of docs/configuration.md."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from deploy.configuration.variables import (
    MADE,
    PER_RUN,
    TERRAFORM,
    Variable,
    default_of,
    laptop_only,
    of_processes,
    of_terraform_alone,
    refused_on_laptop,
    unit_of,
)
from deploy.terraform.generate import Declared, declared_of

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
_INTRODUCTION: Final = """\
# Configuration

This page is written by `python -m deploy.configuration` from the code and the Terraform; a test holds it
against both.

Say that batches of 5 files are wanted instead of 10. One setting, three places to set it:

| where | how |
| --- | --- |
| a laptop | `max_files_per_manifest = 5` in `.local/settings.toml`, or `MAX_FILES_PER_MANIFEST=5 make dev` |
| a deployment | `max_files_per_manifest = 5` in `deploy/terraform/dev.tfvars`, then `make deploy ENV=dev` |
| one feed of a deployment | `feeds = { orders = { max_files_per_manifest = 5 } }` in the same file |

Terraform gives it to the processes: as a variable of the environment, `MAX_FILES_PER_MANIFEST`, or as an
argument of the Glue job. The tables name both.

- **default**: what counts where nothing is set. *required* has no default. No entry: off, or not there.
- **unit**: 1 MB is 1,048,576 bytes. Dates are of [UTC](utc.md).
- **Terraform**: the variable that sets it. *made*: Terraform sets it by itself. No entry: set by hand.
- **laptop**: whether a laptop's settings take it.

An empty variable counts as absent. What makes no sense is refused at the start, in one message that names
every mistake."""
_SECTIONS: Final = {
    "functions": (
        "## Input and batches",
        "What a file must look like, and when files become a batch. Some are read by the Lambdas and by the "
        "code location, and must be the same for both: Terraform and the laptop see to that. Examples are in "
        "[ingest](ingest.md).",
    ),
    "job": (
        "## Conversion",
        "The Glue job's arguments. What they do to data is in [what your data becomes](conversion.md).",
    ),
    "code location": (
        "## Launching and orchestration",
        "Variables of each process of a feed's code location, the runs' too. "
        "[Cost and latency](operations.md#the-dial-between-cost-and-latency) shows the dial.",
    ),
    "services": (
        "## Dagster's services and instance",
        "Where Dagster runs and keeps its storage. The instance's other settings are in files, each with its "
        "reason beside it: `ndjson_pipeline/deployment/instance/local.yaml` and `production.yaml`.",
    ),
    "other": ("## AWS and the machine", "Read by whatever runs, on a laptop and in an account."),
}


def page() -> str:
    """Return the page's text."""
    processes = of_processes()
    parts = [_INTRODUCTION]
    for part, (heading, introduction) in _SECTIONS.items():
        parts += [heading, introduction, _variables(processes[part])]
    parts += [
        "## A laptop alone",
        "`.local/settings.toml` takes what has a *yes* above, and these, by Terraform's names. In the "
        "environment the names are capitals. The size check (`expected_file_size_mb`) is off on a laptop "
        "until it is set.",
        _declared(laptop_only()),
        "These are of a deployment alone, and are refused on a laptop, since they would do nothing there: "
        + ", ".join(f"`{name}`" for name in refused_on_laptop())
        + ".",
        "## Terraform alone",
        "Variables of `deploy/terraform` that no process reads: capacity, retention, access, alarms. Most "
        "can be set for one feed, in `feeds`.",
        _declared(of_terraform_alone()),
        "### The shared Dagster",
        "Attributes of the variable `dagster`, which are the variables of `modules/dagster`.",
        _declared(_of_dagster()),
        "## Commands of make",
        "`make deploy ENV=dev`, `make dev ARGS=--fresh`: what stands behind a target.",
        _table(("variable", "what it does", "of"), _MAKE),
        "## Tests",
        _table(("variable", "what it does"), _TESTS),
    ]
    return "\n\n".join(parts) + "\n"


_MAKE: Final = (
    ("`ARGS`", "Options and arguments for the command behind the target.", "`demo`, `dev`, `test`, `soak`"),
    ("`PYTHON`", "The Python that makes `.venv`; `python3.11`.", "`setup`"),
    ("`ENV`", "The environment, `dev` or `prod`; required.", "`deploy`, `destroy`"),
    ("`YES`", "`1` applies without a question, as CI does.", "`deploy`"),
    ("`IMAGE`", "An image that is there, instead of one that is built.", "`deploy`, `destroy`"),
    ("`UI_URL`", "Where the UI answers from here, such as through a tunnel.", "`deploy`"),
    ("`SMOKE`", "`1` sends a batch through prod, too; `0` through no environment.", "`deploy`"),
    ("`CONFIRM`", "The environment's name, typed beforehand.", "`destroy`"),
    ("`DELETE_DATA`", "`1` deletes buckets that hold something.", "`destroy`"),
)
_TESTS: Final = (
    ("`NDJSON_TESTS_REQUIRE_BROWSER`", "`1`: a missing chromium is a failure, not a skip."),
    ("`NDJSON_TESTS_REQUIRE_COMPILER`", "`1`: the same of a C++ compiler."),
    ("`NDJSON_TESTS_REQUIRE_TERRAFORM`", "`1`: the same of Terraform."),
    ("`NDJSON_SCREENSHOTS`", "A folder into which the tests of the UI write pictures of its pages."),
    ("`SOAK_SEED`", "Another seed for the simulated days."),
    ("`HOSTILE_EXAMPLES`", "How many hostile events are tried; 200 for more."),
)


def _of_dagster() -> list[Declared]:
    """Return what a person may set; the root gives the module the rest."""
    given = {"environment", "code_locations", "tags", "package_directory"}
    found = declared_of(TERRAFORM / "modules/dagster")
    return [one for one in found if one.kind == "variable" and one.name not in given]


def _variables(rows: Iterable[Variable]) -> str:
    headings = ("variable", "default", "unit", "what it does", "read by", "Terraform", "laptop")
    return _table(headings, [_row(one) for one in rows])


def _row(one: Variable) -> Sequence[str]:
    default = "required" if one.default is None else _code(one.default)
    return (
        f"`{one.name}`",
        default,
        one.unit,
        one.what,
        one.readers,
        one.terraform if one.terraform in {"", MADE, PER_RUN} else f"`{one.terraform}`",
        "yes" if one.on_laptop else "",
    )


def _declared(rows: Iterable[Declared]) -> str:
    return _table(
        ("variable", "default", "unit", "what it does"),
        [
            (
                f"`{one.name}`",
                "required" if one.default is None else _code(default_of(one) or "null"),
                unit_of(one.name),
                one.description,
            )
            for one in rows
        ],
    )


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in cells)} |" for cells in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
