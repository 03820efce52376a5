"""What S3 says of an object without its content, and what it means where S3 says nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.keys import s3_uri

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})
# 409 is a condition's meeting with another write of the same key.
CHANGED = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
_FORBIDDEN = frozenset({"403", "AccessDenied", "Forbidden"})
_BAD_REQUEST = frozenset({"400", "BadRequest", "InvalidRequest"})
# A version that is a delete marker.
_NOT_ALLOWED = frozenset({"405", "MethodNotAllowed"})
_CHECKSUM = "Checksum"
_CHECKSUM_TYPE = "ChecksumType"


class ObjectUnreadableError(IngestError):
    """S3 refuses to say anything about an object; the message names what is likely missing."""


@dataclass(frozen=True)
class ObjectHead:
    """What HeadObject says.

    Attributes:
        size_bytes: its size.
        etag: its entity tag without quotes.
        version_id: its version; None where the bucket never kept versions.
        metadata: its user-defined metadata, by lower-case name.
        checksums: of its whole content, by algorithm, such as `CRC64NVME`; none unless asked for.
        md5: its content's MD5 in hex, where its entity tag is one.
    """

    size_bytes: int
    etag: str
    version_id: str | None
    metadata: Mapping[str, str]
    checksums: Mapping[str, str] = field(default_factory=dict)
    md5: str | None = None


def head_object(
    s3: "S3Client",
    bucket: str,
    key: str,
    *,
    version_id: str | None = None,
    with_checksums: bool = False,
) -> ObjectHead | None:
    """Return what S3 says of an object, or None where it is gone.

    Raises:
        ClientError: S3 failed, or was throttled.
        ObjectUnreadableError: S3 refuses for good; HeadObject has no body that says why, so the message names
            what is likely missing.
    """
    request: dict[str, Any] = {} if version_id is None else {"VersionId": version_id}
    if with_checksums:
        request["ChecksumMode"] = "ENABLED"
    try:
        head = s3.head_object(Bucket=bucket, Key=key, **request)
    except ClientError as error:
        code = error_code(error)
        if code in GONE | _NOT_ALLOWED:
            return None
        if code in _FORBIDDEN:
            raise ObjectUnreadableError(_forbidden(bucket, key, with_checksums=with_checksums)) from error
        if code in _BAD_REQUEST:
            raise ObjectUnreadableError(
                f"S3 answers 400 for {s3_uri(bucket, key)}: it is likely encrypted with its producer's own "
                "key (SSE-C), which nothing here has; upload it without, or with SSE-S3 or SSE-KMS"
            ) from error
        raise
    etag = head["ETag"].strip('"')
    return ObjectHead(
        size_bytes=head["ContentLength"],
        etag=etag,
        version_id=_real_version(head.get("VersionId")),
        metadata=head.get("Metadata", {}),
        checksums=_checksums(head, etag) if with_checksums else {},
        md5=_md5(head, etag),
    )


def _forbidden(bucket: str, key: str, *, with_checksums: bool) -> str:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    decrypt = f", or kms:Decrypt on the key that {key} is encrypted with" if with_checksums else ""
    return (
        f"S3 refuses HeadObject of {s3_uri(bucket, key)} (403): the role likely lacks s3:ListBucket on "
        f"arn:aws:s3:::{bucket}, without which a key that does not exist is refused, too; else s3:GetObject "
        f"on arn:aws:s3:::{bucket}/*{decrypt}; or the bucket's policy denies it"
    )


def _checksums(head: Mapping[str, Any], etag: str) -> dict[str, str]:
    """Return the checksums of the whole content; those of parts depend on how it was uploaded.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """
    kind = head.get(_CHECKSUM_TYPE)
    # What was uploaded whole has no checksums of parts, whether S3 says so or not.
    if kind != "FULL_OBJECT" and (kind is not None or "-" in etag):
        return {}
    return {
        name.removeprefix(_CHECKSUM): str(value)
        for name, value in head.items()
        if name.startswith(_CHECKSUM) and name != _CHECKSUM_TYPE
    }


def _md5(head: Mapping[str, Any], etag: str) -> str | None:
    """Return the entity tag where it is an MD5: uploaded whole, and stored plain or under SSE-S3.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    is_plain = (
        head.get("ServerSideEncryption") in {None, "AES256"} and head.get("SSECustomerAlgorithm") is None
    )
    is_hex = len(etag) == 32 and all(character in "0123456789abcdef" for character in etag)
    return etag if is_plain and is_hex else None


def _real_version(version: str | None) -> str | None:
    # A bucket that never kept versions calls its only one null.
    return None if version in {None, "", "null"} else version
