"""The archives that AWS is given: the Lambdas' zip, plus the Glue job's script with its modules.

The same sources give the same bytes, so that a deployment sees a change only where there is one.
"""

import importlib.metadata
import importlib.util
import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from ndjson_pipeline.errors import PipelineError

GLUE_SCRIPT_KEY = "glue_jobs/ndjson_to_parquet.py"
GLUE_MODULES_KEY = "glue_jobs/glue_jobs.zip"
# What the Lambda imports that its Python runtime lacks; all three are pure Python. boto3 is in the runtime.
LAMBDA_DISTRIBUTIONS = ("aws-lambda-powertools", "jmespath", "typing-extensions")
# What the Glue script imports beyond the standard library, boto3 and Spark. Glue 5.1 brings older ones of the
# first two; what is tested here is what runs there.
GLUE_DISTRIBUTIONS = ("pyarrow", "numpy", "dagster-pipes")

# Zip cannot hold an earlier instant.
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_READABLE_BY_ALL = 0o100644


class PackagingError(PipelineError):
    """Something that belongs into an archive is not installed."""


def glue_script_path() -> Path:
    """Return the path of the Glue job's script.

    Raises:
        PackagingError: the script is not there.
    """
    script = _package_directory("glue_jobs") / PurePosixPath(GLUE_SCRIPT_KEY).name
    if not script.is_file():
        raise PackagingError(f"{script} is missing; install the project from a complete checkout")
    return script


def glue_modules_zip() -> bytes:
    """Return what the Glue script imports: `glue_jobs` with ingest's contract.

    Raises:
        PackagingError: one of the packages is not there.
    """
    ingest = _package_directory("lambda_ingest")
    return _archive(
        [
            *_package_files("glue_jobs"),
            ("lambda_ingest/__init__.py", (ingest / "__init__.py").read_bytes()),
            *_package_files("lambda_ingest.contract"),
        ]
    )


def glue_python_modules() -> str:
    """Return the value of Glue's `--additional-python-modules`: each distribution at the installed version.

    Raises:
        PackagingError: one of `GLUE_DISTRIBUTIONS` is not installed.
    """
    return ",".join(f"{name}=={_version(name)}" for name in GLUE_DISTRIBUTIONS)


def lambda_zip() -> bytes:
    """Return what the three Lambdas run: `lambda_ingest` with what it imports beyond the runtime.

    Raises:
        PackagingError: the package or one of `LAMBDA_DISTRIBUTIONS` is not installed.
    """
    entries = list(_package_files("lambda_ingest"))
    for distribution in LAMBDA_DISTRIBUTIONS:
        entries.extend(_distribution_files(distribution))
    return _archive(entries)


def _package_directory(package: str) -> Path:
    specification = importlib.util.find_spec(package)
    if specification is None or not specification.submodule_search_locations:
        raise PackagingError(
            f"package {package} is not importable; install the project, or run in its folder"
        )
    return Path(specification.submodule_search_locations[0])


def _package_files(package: str) -> Iterator[tuple[str, bytes]]:
    directory = _package_directory(package)
    prefix = PurePosixPath(*package.split("."))
    for path in sorted(directory.rglob("*.py")):
        yield str(prefix / PurePosixPath(*path.relative_to(directory).parts)), path.read_bytes()


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise PackagingError(
            f"{distribution} is not installed; install the project's requirements"
        ) from error


def _distribution_files(distribution: str) -> Iterator[tuple[str, bytes]]:
    _version(distribution)
    for file in importlib.metadata.files(distribution) or ():
        # Scripts lie outside site-packages, and bytecode belongs to one interpreter.
        if ".." not in file.parts and "__pycache__" not in file.parts and file.suffix == ".py":
            yield str(file), Path(str(file.locate())).read_bytes()


def _archive(entries: Iterable[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(entries):
            information = zipfile.ZipInfo(name, date_time=_FIXED_TIME)
            information.compress_type = zipfile.ZIP_DEFLATED
            information.external_attr = _READABLE_BY_ALL << 16
            archive.writestr(information, content)
    return buffer.getvalue()
