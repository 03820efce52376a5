"""What the Glue job is made of: its script, its own modules, the wheels of others; and where each lies in S3.

A deployment builds it with wheels, a laptop without: there the modules are installed.
"""

import hashlib
import importlib.metadata
import importlib.util
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from glue_jobs.native.build import FOLDER, built_name
from glue_jobs.native.library import packaged_name
from ndjson_pipeline.deployment.archives import PackagingError, archive

# All keys begin so; the job's role may read nothing else of the scripts bucket.
GLUE_FOLDER = "glue_jobs"
GLUE_SCRIPT = "ndjson_to_parquet.py"
# What the Glue script imports beyond the standard library and Spark, with what that needs itself. Glue 5.1
# brings older ones of most; what is tested here is what runs there.
GLUE_DISTRIBUTIONS = (
    *("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"),
    *("dagster-pipes", "numpy", "pyarrow"),
    *("backports-zstd", "cramjam", "lz4"),
)

# Glue takes a zip for a zip of wheels by this ending, and installs what its requirements.txt names:
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html, appendix A.
WHEELS_ENDING = ".gluewheels.zip"
WHEELS_FOLDER = "wheels"
REQUIREMENTS = f"{WHEELS_FOLDER}/requirements.txt"
# What Glue passes on to pip: the zip is all that it looks into.
INSTALLER_OPTION = "--no-index"

_DIGEST_DIGITS = 16
_PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+")


@dataclass(frozen=True)
class KeyedFile:
    """An object of the scripts bucket.

    Its key carries a digest of its content. So an upload changes nothing under a run that goes on; Glue, by
    whom it is read by its key, can't take one content for another; what is there need not be sent again.

    Attributes:
        name: the last part of its key.
        content: its bytes.
    """

    name: str
    content: bytes

    @property
    def key(self) -> str:
        """Its key, `glue_jobs/{digest}/{name}`."""
        digest = hashlib.sha256(self.content).hexdigest()[:_DIGEST_DIGITS]
        return f"{GLUE_FOLDER}/{digest}/{self.name}"


@dataclass(frozen=True)
class GluePackage:
    """What the job needs of the scripts bucket.

    Attributes:
        script: what Glue runs.
        modules: `glue_jobs` with ingest's contract and the native parser, as a zip that Python imports from.
        wheels: a zip of wheels, which Glue installs before the script begins.
    """

    script: KeyedFile
    modules: KeyedFile
    wheels: KeyedFile

    @property
    def files(self) -> tuple[KeyedFile, ...]:
        """All of it."""
        return self.script, self.modules, self.wheels

    def script_location(self, bucket: str) -> str:
        """Return the script's URI."""
        return f"s3://{bucket}/{self.script.key}"

    def arguments(self, bucket: str) -> dict[str, str]:
        """Return the job's arguments that say what it imports, and from where."""
        return {
            "--extra-py-files": f"s3://{bucket}/{self.modules.key}",
            "--additional-python-modules": f"s3://{bucket}/{self.wheels.key}",
            "--python-modules-installer-option": INSTALLER_OPTION,
        }

    def description(self) -> dict[str, object]:
        """Return the same for Terraform, which knows the bucket: keys relative to it."""
        return {
            "script": self.script.key,
            "modules": self.modules.key,
            "wheels": [self.wheels.key],
            "installer_option": INSTALLER_OPTION,
        }


def glue_package(
    pins: Sequence[str], wheels: Mapping[str, bytes], libraries: Mapping[str, bytes]
) -> GluePackage:
    """Return the job's package.

    Args:
        pins: what Glue is to install, each as `name==version`.
        wheels: the wheels of those pins, by filename; without one, the pin must be installed where the job
            runs.
        libraries: the native parser, by the kind of machine (`platform.machine()`); where there is none for
            the machine that the job runs on, pyarrow's parser does the work.

    Raises:
        PackagingError: the script or a package is not there, or a pin is none.
    """
    wrong = [pin for pin in pins if not _PIN.fullmatch(pin)]
    if wrong:
        raise PackagingError(f"{wrong[0]!r} pins nothing; expected name==version")
    script = _package_directory("glue_jobs") / GLUE_SCRIPT
    if not script.is_file():
        raise PackagingError(f"{script} is missing; install the project from a complete checkout")
    entries = {f"{WHEELS_FOLDER}/{name}": content for name, content in wheels.items()}
    entries[REQUIREMENTS] = "".join(f"{pin}\n" for pin in sorted(pins)).encode()
    return GluePackage(
        script=KeyedFile(GLUE_SCRIPT, script.read_bytes()),
        modules=KeyedFile("glue_jobs.zip", _glue_modules_zip(libraries)),
        wheels=KeyedFile(f"modules{WHEELS_ENDING}", archive(entries.items(), is_compressed=False)),
    )


def installed_glue_package() -> GluePackage:
    """Return the package of a job that runs where its modules are installed, as on a laptop.

    Raises:
        PackagingError: as `glue_package`, or one of `GLUE_DISTRIBUTIONS` is not installed.
    """
    built = FOLDER / built_name()
    libraries = {platform.machine(): built.read_bytes()} if built.is_file() else {}
    return glue_package([f"{name}=={_version(name)}" for name in GLUE_DISTRIBUTIONS], {}, libraries)


def _glue_modules_zip(libraries: Mapping[str, bytes]) -> bytes:
    ingest = _package_directory("lambda_ingest")
    return archive(
        [
            *package_files("glue_jobs"),
            *((f"glue_jobs/native/{packaged_name(machine)}", one) for machine, one in libraries.items()),
            ("lambda_ingest/__init__.py", (ingest / "__init__.py").read_bytes()),
            *package_files("lambda_ingest.contract"),
        ]
    )


def package_files(package: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each Python file of an importable package.

    Raises:
        PackagingError: it is not importable.
    """
    directory = _package_directory(package)
    prefix = PurePosixPath(*package.split("."))
    for path in sorted(directory.rglob("*.py")):
        yield str(prefix / PurePosixPath(*path.relative_to(directory).parts)), path.read_bytes()


def _package_directory(package: str) -> Path:
    specification = importlib.util.find_spec(package)
    if specification is None or not specification.submodule_search_locations:
        raise PackagingError(
            f"package {package} is not importable; install the project, or run in its folder"
        )
    return Path(specification.submodule_search_locations[0])


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise PackagingError(
            f"{distribution} is not installed; install the project's requirements"
        ) from error
