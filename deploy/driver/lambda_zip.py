"""The Lambdas' zip: `lambda_ingest` with all that it imports, and as little else as can be."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from deploy.driver.errors import DeployError
from ndjson_pipeline.deployment.archives import archive
from ndjson_pipeline.deployment.packaging import package_files

# The services whose clients `lambda_ingest` makes; botocore's descriptions of the others are most of it.
AWS_SERVICES = ("dynamodb", "s3", "sns", "sqs")

# Any machine's: arm64 needs no wheel of its own, and what is tested is what runs.
_PURE = ("-py3-none-any.whl", "-py2.py3-none-any.whl")


def lambda_zip(wheels: Mapping[str, bytes]) -> bytes:
    """Return the zip.

    Args:
        wheels: what `lambda_ingest` imports, by filename.

    Raises:
        DeployError: a wheel has code for one kind of machine.
        PackagingError: `lambda_ingest` is not importable, or two wheels have a file of one name.
    """
    entries = list(package_files("lambda_ingest"))
    for filename, content in sorted(wheels.items()):
        if not filename.endswith(_PURE):
            raise DeployError(
                f"{filename} is not pure Python, and the Lambdas' zip holds nothing else; take what "
                "needs it out of the group lambda of pyproject.toml"
            )
        entries += _kept(content)
    return archive(entries)


def _kept(wheel: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a wheel that a Lambda reads."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as opened:
        for name in opened.namelist():
            if _is_needed(PurePosixPath(name)):
                yield name, opened.read(name)


def _is_needed(path: PurePosixPath) -> bool:
    if path.parts[0].endswith((".dist-info", ".data")):
        return False
    if path.parts[:2] == ("botocore", "data"):
        # Of regions and retries, and of a service: `botocore/data/{service}/{version}/...`.
        is_of_service = len(path.parts) > 3 and path.parts[2] in AWS_SERVICES
        return len(path.parts) == 3 or (is_of_service and not path.name.startswith("examples"))
    return path.suffix == ".py" or path.parts == ("botocore", "cacert.pem")
