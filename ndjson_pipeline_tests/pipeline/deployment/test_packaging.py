"""What the Glue job is made of."""

import ast
import importlib.metadata
import io
import platform
import re
import subprocess
import sys
import zipfile

import pytest

from glue_jobs.native.build import FOLDER, built_name
from glue_jobs.native.library import packaged_name
from ndjson_pipeline.deployment import packaging
from ndjson_pipeline.deployment.archives import PackagingError, archive

MODULES = packaging.installed_glue_package().modules.content


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def run_from(content: bytes, folder, code: str) -> str:
    """Run code with nothing but the archive and the standard library to import from."""
    path = folder / "archive.zip"
    path.write_bytes(content)
    program = f"import sys; sys.path.insert(0, {str(path)!r}); {code}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], check=True, capture_output=True, text=True
    ).stdout


def test_an_archive_follows_from_its_entries_alone():
    entries = [("b/c.py", b"2"), ("a.py", b"1")]
    assert archive(entries) == archive(reversed(entries))
    (first, second) = opened(archive(entries)).infolist()
    assert (first.filename, second.filename) == ("a.py", "b/c.py")
    assert {first.date_time, second.date_time} == {(1980, 1, 1, 0, 0, 0)}
    assert first.external_attr >> 16 == 0o100644


def test_an_archive_has_one_file_of_a_name():
    with pytest.raises(PackagingError, match=r"a\.py is in the archive twice"):
        archive([("a.py", b"1"), ("a.py", b"2")])


def test_each_key_follows_from_its_content():
    one = packaging.installed_glue_package()
    assert one == packaging.installed_glue_package()
    assert [re.sub("/[0-9a-f]{16}/", "/-/", file.key) for file in one.files] == [
        "glue_jobs/-/ndjson_to_parquet.py",
        "glue_jobs/-/glue_jobs.zip",
        "glue_jobs/-/modules.gluewheels.zip",
    ]
    changed = packaging.KeyedFile(one.script.name, one.script.content + b"#")
    assert changed.key != one.script.key


def test_what_terraform_is_told_is_what_the_job_is_told():
    package = packaging.installed_glue_package()
    told = package.description()
    assert package.script_location("b") == f"s3://b/{told['script']}"
    assert package.arguments("b") == {
        "--extra-py-files": f"s3://b/{told['modules']}",
        "--additional-python-modules": ",".join(f"s3://b/{key}" for key in told["wheels"]),
        "--python-modules-installer-option": "--no-index",
    }


def test_glue_modules_hold_python_and_the_native_parser_only():
    others = [name for name in opened(MODULES).namelist() if not name.endswith(".py")]
    is_built = (FOLDER / built_name()).is_file()
    assert others == ([f"glue_jobs/native/{packaged_name(platform.machine())}"] if is_built else [])


def test_a_package_has_the_native_parser_of_each_machine():
    package = packaging.glue_package([], {}, {"x86_64": b"one", "aarch64": b"other"})
    archive = opened(package.modules.content)
    assert archive.read("glue_jobs/native/ndjson-portable-x86_64.so") == b"one"
    assert archive.read("glue_jobs/native/ndjson-portable-aarch64.so") == b"other"


def test_glue_modules_hold_the_contract_and_nothing_else_of_ingest():
    ingest = {name for name in opened(MODULES).namelist() if name.startswith("lambda_ingest/")}
    assert "lambda_ingest/__init__.py" in ingest
    assert all(name.startswith("lambda_ingest/contract/") for name in ingest - {"lambda_ingest/__init__.py"})


def test_contract_is_importable_from_the_glue_modules(tmp_path):
    code = "import lambda_ingest.contract.manifest as m; print(m.__file__)"
    assert "archive.zip" in run_from(MODULES, tmp_path, code)


def test_the_zip_of_wheels_is_as_glue_wants_it():
    package = packaging.glue_package(
        ["b==2", "a==1"], {"a-1-py3-none-any.whl": b"A", "b-2-py3-none-any.whl": b"B"}, {}
    )
    assert package.wheels.name.endswith(".gluewheels.zip")
    archive = opened(package.wheels.content)
    assert archive.namelist() == [
        "wheels/a-1-py3-none-any.whl",
        "wheels/b-2-py3-none-any.whl",
        "wheels/requirements.txt",
    ]
    assert archive.read("wheels/requirements.txt") == b"a==1\nb==2\n"
    # A wheel is compressed already.
    assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_laptop_pins_what_it_has_installed():
    archive = opened(packaging.installed_glue_package().wheels.content)
    pins = [pin.split("==") for pin in archive.read(packaging.REQUIREMENTS).decode().splitlines()]
    assert dict(pins) == {name: importlib.metadata.version(name) for name in packaging.GLUE_DISTRIBUTIONS}


def test_glue_modules_import_nothing_that_glue_lacks():
    """Glue brings Spark; what else is imported must be among the pinned modules."""
    archive = opened(MODULES)
    imported = {
        alias.split(".")[0]
        for name in archive.namelist()
        if name.endswith(".py")
        for node in ast.walk(ast.parse(archive.read(name)))
        for alias in imports_of(node)
    }
    own = {"glue_jobs", "lambda_ingest"}
    types_alone = {"mypy_boto3_glue", "mypy_boto3_s3"}
    # What a distribution is imported as its files tell: backports-zstd is backports.
    pinned = {
        file.parts[0].removesuffix(".py")
        for name in packaging.GLUE_DISTRIBUTIONS
        for file in importlib.metadata.files(name) or []
    }
    assert imported - set(sys.stdlib_module_names) - own - types_alone <= pinned | {"pyspark"}


def imports_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_missing_distribution_is_named(monkeypatch):
    monkeypatch.setattr(packaging, "GLUE_DISTRIBUTIONS", ("no-such-distribution",))
    with pytest.raises(PackagingError, match="no-such-distribution is not installed"):
        packaging.installed_glue_package()


@pytest.mark.parametrize("pin", ["numpy", "numpy>=2", "numpy==2 --hash=x", "-r other.txt", "https://a/b.whl"])
def test_what_pins_nothing_is_refused(pin):
    with pytest.raises(PackagingError, match="pins nothing"):
        packaging.glue_package([pin], {}, {})


def test_missing_script_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(packaging, "_package_directory", lambda _package: tmp_path)
    with pytest.raises(PackagingError, match=r"ndjson_to_parquet\.py is missing"):
        packaging.installed_glue_package()
