"""All that a deployment brings, in one folder; the same sources give the same bytes."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.driver.commands import Commands
from deploy.driver.image_context import context_files, image_tag
from deploy.driver.lambda_zip import lambda_zip
from deploy.driver.native_library import COMPILER, MACHINE, native_library
from deploy.driver.wheels import GLUE, LAMBDA, pins_of, wheels_of
from ndjson_pipeline.deployment.packaging import glue_package

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LAMBDA_ZIP = "lambda.zip"
GLUE_FOLDER = "glue"
# What Terraform reads; all keys are relative to the scripts bucket.
GLUE_JOB = f"{GLUE_FOLDER}/job.json"
IMAGE_FOLDER = "image"

_MODE = 0o644
_FOLDER_MODE = 0o755
# Of files in an image's layers; any fixed instant.
_FIXED_TIME = 315_532_800


@dataclass(frozen=True)
class Artifact:
    """One thing that was made.

    Attributes:
        name: its path in the folder.
        size_bytes: of it, or of all files below it.
        digest: of its bytes, 16 hex digits.
    """

    name: str
    size_bytes: int
    digest: str


@dataclass(frozen=True)
class Packages:
    """What is in the folder.

    Attributes:
        folder: it.
        glue_files: what the scripts bucket gets, by key.
        image_tag: of the image that the context makes.
        artifacts: everything, for a person to see.
    """

    folder: Path
    glue_files: Mapping[str, Path]
    image_tag: str
    artifacts: tuple[Artifact, ...]

    @property
    def image_context(self) -> Path:
        """What the image is built from."""
        return self.folder / IMAGE_FOLDER


def make_packages(folder: Path, commands: Commands, *, root: Path = ROOT) -> Packages:
    """Write everything anew; wheels and the compiler are kept from one time to the next.

    Args:
        folder: where to.
        commands: runs pip, and the compiler.
        root: the project's checkout, which is also what is imported.

    Raises:
        DeployError, PackagingError: something is missing, or is not what its lock says.
    """
    locks = root / "deploy" / "locks"
    wheels = {
        target: wheels_of(
            target,
            lock=locks / f"{target.name}.lock",
            folder=folder / "wheels" / target.name,
            commands=commands,
        )
        for target in (LAMBDA, GLUE)
    }
    library = native_library(lock=locks / f"{COMPILER.name}.lock", folder=folder, commands=commands)
    glue = glue_package(pins_of(wheels[GLUE]), wheels[GLUE], {MACHINE: library})
    context = context_files(root)
    described = json.dumps(glue.description(), indent=2, sort_keys=True) + "\n"
    files = {
        LAMBDA_ZIP: lambda_zip(wheels[LAMBDA]),
        **{f"{GLUE_FOLDER}/{file.key}": file.content for file in glue.files},
        GLUE_JOB: described.encode(),
    }
    for stale in (GLUE_FOLDER, IMAGE_FOLDER):
        shutil.rmtree(folder / stale, ignore_errors=True)
    for name, content in files.items():
        _write(folder, name, content)
    for name, content in context.items():
        _write(folder, f"{IMAGE_FOLDER}/{name}", content)
    tag = image_tag(context)
    artifacts = [Artifact(name, len(content), _digest(content)) for name, content in files.items()]
    artifacts.append(Artifact(f"{IMAGE_FOLDER}/", sum(map(len, context.values())), tag))
    return Packages(
        folder=folder,
        glue_files={file.key: folder / GLUE_FOLDER / file.key for file in glue.files},
        image_tag=tag,
        artifacts=tuple(artifacts),
    )


def table(packages: Packages) -> str:
    """Return names, sizes and digests as a text for people."""
    width = max(len(artifact.name) for artifact in packages.artifacts)
    lines = [
        f"{artifact.name:<{width}}  {artifact.size_bytes:>12,}  {artifact.digest}"
        for artifact in packages.artifacts
    ]
    return "\n".join([f"{'in ' + packages.folder.name + '/':<{width}}  {'bytes':>12}  digest", *lines])


def _write(folder: Path, name: str, content: bytes) -> None:
    """Write a file whose mode and time say nothing of this machine."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(_MODE)
    os.utime(path, (_FIXED_TIME, _FIXED_TIME))
    for parent in path.relative_to(folder).parents:
        (folder / parent).chmod(_FOLDER_MODE)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
