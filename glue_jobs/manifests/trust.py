"""Where manifests and the files that they list may lie.

Whoever can write the manifest bucket could otherwise have any object that the job's role reads land in the
output, or put rows in the place of another manifest's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from glue_jobs.errors import ManifestRefusedError
from lambda_ingest.contract.dates import parse_date
from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import s3_uri, split_s3_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_s3 import S3Client

    from lambda_ingest.contract.keys import ManifestName
    from lambda_ingest.contract.manifest import ManifestFile

# Ten times what the settings of ingest allow a batch.
MOST_FILES: Final = 100_000
# S3's largest object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
LARGEST_FILE_BYTES: Final = 50 * 1_099_511_627_776
_ABSENT: Final = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True)
class TrustRules:
    """What a manifest is held against.

    Attributes:
        manifest_bucket: has the pipeline's manifests.
        input_bucket: has all input; None where the run was not told, as by hand.
        input_prefix: what every input key begins with.
    """

    manifest_bucket: str
    input_bucket: str | None
    input_prefix: str


def check_place(client: S3Client, uri: str, name: ManifestName, rules: TrustRules) -> tuple[str, ...]:
    """Make sure that a manifest lies where its name says, for its output bears that name.

    By hand, without an input bucket, one may lie elsewhere if the pipeline has none of that name: it would
    replace that one's output.

    Returns:
        What could not be checked.

    Raises:
        ManifestRefusedError: it lies elsewhere.
        ClientError: S3 does not say whether there is another.
    """
    try:
        parse_date(name.date_prefix)
    except ValueError as error:
        raise ManifestRefusedError(f"is of a date that is none: {error}") from error
    own = s3_uri(rules.manifest_bucket, name.key)
    if uri == own:
        return ()
    refusal = (
        f"has the name of {own}, for it calls itself {name.filename}; it would replace that one's output"
    )
    if rules.input_bucket is not None:
        raise ManifestRefusedError(refusal)
    try:
        client.head_object(Bucket=rules.manifest_bucket, Key=name.key)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _ABSENT:
            raise
        return (f"its place: it lies elsewhere than at {own}, where nothing is",)
    raise ManifestRefusedError(refusal)


def check_files(files: Sequence[ManifestFile], rules: TrustRules) -> tuple[str, ...]:
    """Make sure that files are the pipeline's own input, each once, of sizes that files have; pure.

    Returns:
        What could not be checked.

    Raises:
        ManifestRefusedError: names the first that is not.
    """
    if len(files) > MOST_FILES:
        raise ManifestRefusedError(f"lists {len(files):,} files, and may list {MOST_FILES:,}")
    (twice,) = Counter(file.uri for file in files).most_common(1)
    if twice[1] > 1:
        raise ManifestRefusedError(f"lists {twice[0]} {twice[1]} times; its rows would be there as often")
    for file in files:
        if file.size_bytes > LARGEST_FILE_BYTES:
            raise ManifestRefusedError(f"lists {file.uri} with {file.size_bytes} bytes, more than S3 holds")
        if not _is_utf8(file.uri) or not _is_utf8(file.etag) or not _is_utf8(file.version_id or ""):
            raise ManifestRefusedError(f"lists {file.uri}, which is no text that S3 could have as a key")
        if rules.input_bucket is not None:
            _check_input(file.uri, rules.input_bucket, rules.input_prefix)
    return () if rules.input_bucket is not None else ("where its files lie: no --INPUT_BUCKET",)


def _check_input(uri: str, bucket: str, prefix: str) -> None:
    try:
        found, key = split_s3_uri(uri)
    except ContractError as error:
        raise ManifestRefusedError(f"lists what is no file: {error}") from error
    if found != bucket or not key.startswith(prefix):
        raise ManifestRefusedError(f"lists {uri}, and only files in {s3_uri(bucket, prefix)} are read")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
