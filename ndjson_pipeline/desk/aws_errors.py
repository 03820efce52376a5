"""Errors of AWS as sentences that name what was asked, and what to do; pure."""

from botocore import exceptions as aws

from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.text import printable
from ndjson_pipeline.desk.calls import LastCalls

_DENIED = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "Forbidden",
        "UnauthorizedOperation",
    }
)
_BAD_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_ABSENT = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "EntityNotFoundException",
        "NoSuchBucket",
        "NoSuchKey",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# Where the permission is not called as the operation is.
# https://docs.aws.amazon.com/service-authorization/latest/reference/
_ACTIONS = {
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "CopyObject": "PutObject",
    "DeleteMessageBatch": "DeleteMessage",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketVersioning": "GetBucketVersioning",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "Invoke": "InvokeFunction",
    "ListObjectsV2": "ListBucket",
    "SendMessageBatch": "SendMessage",
}
_RIGHT_DEPLOYMENT = "is this the right --env, --feed, --region and account?"
_LOG_IN = (
    "log in (aws sso login, or aws configure), or name a profile with AWS_PROFILE; on a laptop, source what "
    "`ndjson-pipeline dev` prints"
)


def is_denied(error: Exception) -> bool:
    """Tell whether these credentials may not do what was asked."""
    return error_code(error) in _DENIED


def is_absent(error: Exception) -> bool:
    """Tell whether what was asked about is not there."""
    return error_code(error) in _ABSENT


def permission_of(operation: str, service: str | None) -> str:
    """Return the permission that an operation needs, such as `s3:ListBucket`."""
    action = _ACTIONS.get(operation, operation)
    return f"{service}:{action}" if service else action


def sentence_of(error: Exception, calls: LastCalls) -> str:
    """Return an error of boto3's as a sentence or two.

    Args:
        error: a ClientError or a BotoCoreError.
        calls: name what was asked.
    """
    if isinstance(error, aws.ClientError):
        return _refusal(error, calls)
    return _local(error)


def _local(error: Exception) -> str:
    """Say what keeps a call from being answered at all."""
    match error:
        case aws.NoRegionError():
            return "no AWS region is chosen: pass --region, or set AWS_DEFAULT_REGION"
        case aws.ProfileNotFound() | aws.ConfigNotFound():
            return f"{error}: check AWS_PROFILE, or leave it out"
        case (
            aws.NoCredentialsError()
            | aws.PartialCredentialsError()
            | aws.CredentialRetrievalError()
            | aws.TokenRetrievalError()
            | aws.SSOError()
        ):
            return f"there are no AWS credentials to be had ({error}): {_LOG_IN}"
        case aws.EndpointConnectionError() | aws.ConnectTimeoutError() | aws.ProxyConnectionError():
            return f"nothing answers at {_endpoint(error)}: {_REACH}"
        case aws.HTTPClientError():
            return f"the connection to {_endpoint(error)} broke off ({type(error).__name__}): {_REACH}"
    return f"AWS could not be asked: {printable(str(error))}"


_REACH = (
    "is the local AWS running (`ndjson-pipeline dev`), or is --endpoint-url, or AWS_ENDPOINT_URL, set where "
    "the real AWS is meant? Else check the network"
)


def _endpoint(error: Exception) -> str:
    arguments = getattr(error, "kwargs", {})
    return printable(str(arguments.get("endpoint_url") or arguments.get("proxy_url") or "AWS"))


def _refusal(error: aws.ClientError, calls: LastCalls) -> str:
    code, operation = error_code(error), error.operation_name
    target = printable(calls.target(operation) or "what was asked")
    said = printable(str(error.response.get("Error", {}).get("Message", "")), 300)
    if code in _DENIED:
        permission = permission_of(operation, calls.service(operation))
        return f"these credentials may not use {target}: they lack {permission}; ask who gives them"
    if code in _BAD_CREDENTIALS:
        return f"AWS does not take these credentials ({code}): {_LOG_IN}; and compare this machine's clock"
    if code in _ABSENT:
        return f"there is no {target}: {_RIGHT_DEPLOYMENT}"
    if code in _THROTTLED:
        return f"{target} is throttled ({code}): wait a minute and try again, or raise its capacity"
    return f"AWS refused {operation} of {target}: {code}: {said}"
