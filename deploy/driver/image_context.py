"""The context that the image of Dagster's services is built from: what it holds, and the tag that follows."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("lambda_ingest", "glue_jobs", "ndjson_pipeline")
# A laptop's: they need moto, Spark or a terminal, which the image has not.
LAPTOP = ("ndjson_pipeline/cli", "ndjson_pipeline/laptop", "ndjson_pipeline/local_aws")
DOCKERFILE = "deploy/docker/Dockerfile"
_FILES = ("deploy/locks/code_location.lock", "pyproject.toml", DOCKERFILE)
_TAG_DIGITS = 16


def context_files(root: Path) -> dict[str, bytes]:
    """Return the context, by path from its top.

    Args:
        root: the project's checkout.
    """
    found = {name: (root / name).read_bytes() for name in _FILES if (root / name).is_file()}
    for package in PACKAGES:
        found.update(_sources(root, root / package))
    return dict(sorted(found.items()))


def image_tag(files: dict[str, bytes]) -> str:
    """Return the tag of the image: a digest of all that is in it, so that a tag never moves."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:_TAG_DIGITS]


def _sources(root: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.suffix in (".py", ".yaml") and path.is_file() and not name.startswith(LAPTOP):
            yield name, path.read_bytes()
