"""What S3's refusal of an input file means: it can't be read for good, or only now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
GONE: Final = "gone"
_GONE_CODES: Final = frozenset({"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"})
_DENIED: Final = frozenset({"AccessDenied", "403", "AllAccessDisabled"})
# Of the request rather than of the file: the key or the version is none that S3 could have.
_NO_FILE: Final = frozenset({"KeyTooLongError", "InvalidURI", "InvalidArgument"})
# Codes of KMS that another try may not meet, after `KMS.`:
# https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#API_Decrypt_Errors
_KMS_PREFIX: Final = "KMS."
_KMS_PASSING: Final = (
    "Throttl",
    "LimitExceeded",
    "Internal",
    "KMSInternal",
    "DependencyTimeout",
    "KeyUnavailable",
)


def lasting_reason(error: ClientError) -> str | None:  # noqa: PLR0911 - a table
    """Return why a file can't be read for good, with the likely cause; None where another try may succeed.

    What concerns the job's credentials or the bucket is no file's fault: no reason for one to be missing.
    """
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _GONE_CODES:
        return GONE
    if status >= 500:
        return None
    if code in _DENIED:
        if "kms" in str(answer.get("Message", "")).lower():
            return f"{code}: its key refuses; allow the job's role kms:Decrypt on the key"
        return (
            f"{code}: the job's role likely lacks s3:GetObject (s3:GetObjectVersion for a version) or "
            "kms:Decrypt, or the bucket's policy denies it; without s3:ListBucket it may also be gone"
        )
    if code == "InvalidObjectState":
        return f"{code}: archived; restore it (s3:RestoreObject)"
    if code == "InvalidRequest":
        return f"{code}: likely encrypted with a customer's key (SSE-C), which the job does not have"
    if code in _NO_FILE:
        return f"{code}: S3 can have no such file"
    if code.startswith(_KMS_PREFIX) and not code.removeprefix(_KMS_PREFIX).startswith(_KMS_PASSING):
        return f"{code}: its key can't be used; look at the key's state and its policy (kms:Decrypt)"
    return None
