"""A failed manifest done without files that nobody will bring back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from lambda_ingest.contract.acceptance import Acceptance, acceptance_key
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import ManifestName, split_s3_uri
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from lambda_ingest.contract.text import printable
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.desk.aws_errors import is_absent
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.file_story import read_manifest
from ndjson_pipeline.desk.reprocessing import failed_manifest
from ndjson_pipeline.errors import PipelineError

_MOST_BYTES = 16 * 1024**2


class NotAcceptableError(PipelineError):
    """What was to be accepted makes no sense, or is no longer so."""


@dataclass(frozen=True)
class Acceptable:
    """A failed manifest, and what it may be done without.

    Attributes:
        record: the manifest's.
        manifest: what it lists.
        without: the files that are to be given up now.
        earlier: what was accepted before; None where nothing was.
        earlier_etag: of that object.
    """

    record: ManifestRecord
    manifest: Manifest
    without: tuple[ManifestFile, ...]
    earlier: Acceptance | None
    earlier_etag: str | None


def acceptable(desk: Desk, name: ManifestName, files: Sequence[str]) -> Acceptable:
    """Return what would be accepted.

    Args:
        desk: the deployment.
        name: the manifest's.
        files: that are given up: names below the input prefix, or URIs.

    Raises:
        NotFailedError: the manifest has not failed.
        NotAcceptableError: it does not list them, or they are still there.
        ClientError: AWS refused or failed.
    """
    (record,) = failed_manifest(desk, name).failed
    manifest = read_manifest(desk, name)
    if manifest is None:
        raise NotAcceptableError(f"the object of {name.filename} is gone, so nobody knows its files")
    without = [_listed(desk, manifest, file) for file in files]
    for file in without:
        if _is_there(desk, file):
            raise NotAcceptableError(
                f"{printable(file.uri)} is there with the content that the manifest lists: `ndjson-pipeline "
                f"reprocess --manifest {name.filename}` tries it again"
            )
    earlier, etag = _earlier(desk, name)
    return Acceptable(record, manifest, tuple(without), earlier, etag)


def accept(desk: Desk, what: Acceptable) -> bool:
    """Keep the acceptance beside the manifest, and have it tried again; False where it has moved on.

    Raises:
        ClientError: AWS refused or failed; or another person accepts at the same time.
    """
    name = what.record.name
    before: Iterable[str] = () if what.earlier is None else what.earlier.without
    acceptance = Acceptance(
        name,
        frozenset((*before, *(file.uri for file in what.without))),
        utc_timestamp(desk.clock()),
        str(desk.identity.get("Arn", "")),
    )
    condition = {"IfNoneMatch": "*"} if what.earlier_etag is None else {"IfMatch": what.earlier_etag}
    desk.s3.put_object(
        Bucket=desk.names.manifest_bucket,
        Key=acceptance_key(name),
        Body=acceptance.to_json(),
        ContentType="application/json",
        **condition,  # type: ignore[arg-type]
    )
    return desk.records.retry_later(what.record)


def _listed(desk: Desk, manifest: Manifest, file: str) -> ManifestFile:
    prefix = desk.shared.input_prefix
    for one in manifest.files:
        key = split_s3_uri(one.uri)[1]
        if file in {one.uri, key, key.removeprefix(prefix)}:
            return one
    raise NotAcceptableError(
        f"{manifest.name.filename} does not list {printable(file)}; its error names what it misses"
    )


def _is_there(desk: Desk, file: ManifestFile) -> bool:
    """Tell whether a file can be read as the manifest lists it."""
    bucket, key = split_s3_uri(file.uri)
    version = {} if file.version_id is None else {"VersionId": file.version_id}
    try:
        head = desk.s3.head_object(Bucket=bucket, Key=key, **version)  # type: ignore[arg-type]
    except ClientError as error:
        if is_absent(error) or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in {400, 405}:
            return False
        raise
    return head["ETag"].strip('"') == file.etag


def _earlier(desk: Desk, name: ManifestName) -> tuple[Acceptance | None, str | None]:
    try:
        answer = desk.s3.get_object(Bucket=desk.names.manifest_bucket, Key=acceptance_key(name))
    except ClientError as error:
        if not is_absent(error):
            raise
        return None, None
    try:
        return Acceptance.from_json(answer["Body"].read(_MOST_BYTES), name), answer["ETag"]
    except ContractError:
        # It counts for nothing, and is replaced.
        return None, answer["ETag"]
