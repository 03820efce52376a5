"""The archives that AWS is given."""

import ast
import importlib.metadata
import io
import subprocess
import sys
import zipfile

import pytest

from ndjson_pipeline.deployment import packaging


def names_in(archive: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


def run_from(archive: bytes, folder, code: str) -> str:
    """Run code with nothing but the archive and the standard library to import from."""
    path = folder / "archive.zip"
    path.write_bytes(archive)
    program = f"import sys; sys.path.insert(0, {str(path)!r}); {code}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize("build", [packaging.glue_modules_zip, packaging.lambda_zip])
def test_same_sources_same_bytes(build):
    assert build() == build()


@pytest.mark.parametrize("build", [packaging.glue_modules_zip, packaging.lambda_zip])
def test_holds_sources_only(build):
    assert all(name.endswith(".py") for name in names_in(build()))


def test_glue_modules_hold_the_contract_and_nothing_else_of_ingest():
    ingest = {name for name in names_in(packaging.glue_modules_zip()) if name.startswith("lambda_ingest/")}
    assert "lambda_ingest/__init__.py" in ingest
    assert all(name.startswith("lambda_ingest/contract/") for name in ingest - {"lambda_ingest/__init__.py"})


def test_contract_is_importable_from_the_glue_modules(tmp_path):
    code = "import lambda_ingest.contract.manifest as m; print(m.__file__)"
    assert "archive.zip" in run_from(packaging.glue_modules_zip(), tmp_path, code)


def test_lambda_zip_brings_what_the_runtime_lacks():
    names = names_in(packaging.lambda_zip())
    assert "aws_lambda_powertools/__init__.py" in names
    assert "lambda_ingest/contract/manifest.py" in names
    assert not [name for name in names if name.startswith(("boto3/", "botocore/", "dagster"))]


def test_lambda_zip_is_small():
    assert len(packaging.lambda_zip()) < 3_000_000


def test_glue_is_told_which_version_of_each_module_to_run():
    pins = [pin.split("==") for pin in packaging.glue_python_modules().split(",")]
    assert dict(pins) == {name: importlib.metadata.version(name) for name in packaging.GLUE_DISTRIBUTIONS}


def test_glue_modules_import_nothing_that_glue_lacks():
    """Glue brings Spark and boto3; what else is imported must be among the pinned modules."""
    archive = zipfile.ZipFile(io.BytesIO(packaging.glue_modules_zip()))
    imported = {
        alias.split(".")[0]
        for name in archive.namelist()
        for node in ast.walk(ast.parse(archive.read(name)))
        for alias in imports_of(node)
    }
    own = {"glue_jobs", "lambda_ingest"}
    types_alone = {"mypy_boto3_glue", "mypy_boto3_s3"}
    pinned = {name.replace("-", "_") for name in packaging.GLUE_DISTRIBUTIONS}
    assert imported - set(sys.stdlib_module_names) - own - types_alone == pinned | {
        "boto3",
        "botocore",
        "pyspark",
    }


def imports_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_missing_distribution_is_named(monkeypatch):
    monkeypatch.setattr(packaging, "LAMBDA_DISTRIBUTIONS", ("no-such-distribution",))
    with pytest.raises(packaging.PackagingError, match="no-such-distribution is not installed"):
        packaging.lambda_zip()


def test_missing_script_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(packaging, "_package_directory", lambda _package: tmp_path)
    with pytest.raises(packaging.PackagingError, match=r"ndjson_to_parquet\.py is missing"):
        packaging.glue_script_path()
