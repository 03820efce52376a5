"""The arrows of the house run one way, as docs/architecture.md draws them."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("lambda_ingest", "glue_jobs", "ndjson_pipeline")

# What each floor stands on: a place may import those below it, and nothing above.
FLOORS = {
    "lambda_ingest": [
        ["manifest_builder", "sweeper", "generate_ndjson"],
        ["invocation"],
        ["runtime", "audit"],
        ["batches"],
        ["files"],
        ["settings"],
        ["aws", "errors"],
        ["contract"],
    ],
    "ndjson_pipeline": [
        ["definitions"],
        ["sensors"],
        ["jobs"],
        ["schema_jobs"],
        ["assets"],
        ["cli", "webserver", "code_server"],
        ["day_report", "load_test"],
        ["conversion", "loading"],
        ["desk"],
        ["resources", "laptop", "smoke", "sweeper", "costs"],
        ["glue", "local_aws"],
        ["claims", "deployment"],
        ["history"],
        ["errors", "concurrency", "browser_requests"],
    ],
}


def modules() -> Iterator[tuple[str, Path]]:
    """Yield each module of the product by its dotted name."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules that a file names in its imports, wherever in the file they stand."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where an arrow leads"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def arrows() -> list[tuple[str, str]]:
    """Return who names whom, standard library and libraries included."""
    return [(name, imported) for name, path in modules() for imported in imports_of(path)]


def test_the_contract_needs_the_standard_library_alone() -> None:
    own = "lambda_ingest.contract"
    # The types of boto3's clients are for the type checker, and are imported by nothing that runs.
    strangers = {
        imported
        for name, imported in arrows()
        if f"{name}.".startswith(f"{own}.")
        and not f"{imported}.".startswith(f"{own}.")
        and imported.split(".")[0] not in sys.stdlib_module_names
        and not imported.startswith("mypy_boto3_")
    }
    assert strangers == set()


def test_other_packages_know_of_ingest_its_contract_alone() -> None:
    wrong = [
        (name, imported)
        for name, imported in arrows()
        if not name.startswith("lambda_ingest")
        and imported.startswith("lambda_ingest.")
        and not imported.startswith("lambda_ingest.contract.")
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("lambda_ingest", ("glue_jobs", "ndjson_pipeline", "dagster", "pyarrow")),
        ("glue_jobs", ("ndjson_pipeline", "dagster")),
    ],
)
def test_a_package_imports_none_above_it(package: str, forbidden: tuple[str, ...]) -> None:
    wrong = [
        (name, imported)
        for name, imported in arrows()
        if name.startswith(package) and f"{imported}.".startswith(tuple(f"{one}." for one in forbidden))
    ]
    assert wrong == []


def test_only_the_laptop_knows_the_local_aws() -> None:
    allowed = ("ndjson_pipeline.local_aws", "ndjson_pipeline.laptop")
    wrong = [
        (name, imported)
        for name, imported in arrows()
        if imported.startswith("ndjson_pipeline.local_aws") and not name.startswith(allowed)
    ]
    assert wrong == []


def test_nothing_imports_what_deploys() -> None:
    assert [arrow for arrow in arrows() if f"{arrow[1]}.".startswith("deploy.")] == []


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_no_arrow_runs_up(package: str) -> None:
    height = {place: -level for level, floor in enumerate(FLOORS[package]) for place in floor}
    wrong = []
    for name, imported in arrows():
        if not (name.startswith(f"{package}.") and imported.startswith(f"{package}.")):
            continue
        source, target = name.split(".")[1], imported.split(".")[1]
        if source != target and height[target] >= height[source]:
            wrong.append((name, imported))
    assert wrong == []


@pytest.mark.parametrize("package", sorted(FLOORS))
def test_every_place_has_a_floor(package: str) -> None:
    found = {name.split(".")[1] for name, _ in modules() if name.startswith(f"{package}.")}
    assert found == {place for floor in FLOORS[package] for place in floor}


def test_no_folder_holds_a_single_file() -> None:
    folders: dict[Path, int] = {}
    for _, path in modules():
        if path.name != "__init__.py":
            folders[path.parent] = folders.get(path.parent, 0) + 1
    assert [str(folder.relative_to(ROOT)) for folder, count in folders.items() if count == 1] == []


def test_no_import_of_a_test_changes_another_module() -> None:
    """What a test needs otherwise is passed in: a change by an import reaches every test after it."""
    wrong = [
        f"{path.relative_to(ROOT)}:{statement.lineno}"
        for path in sorted((ROOT / "ndjson_pipeline_tests").rglob("*.py"))
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Attribute)
    ]
    assert wrong == []
