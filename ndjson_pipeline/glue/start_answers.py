"""What an error of StartJobRun says of whether a run was started."""

from enum import Enum

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from lambda_ingest.contract.items import error_code


class StartAnswer(Enum):
    """What is known after a start that returned no run."""

    BUSY = "as many runs are going as the job allows"
    THROTTLED = "too many requests"
    REFUSED = "refused, or never sent"
    UNCLEAR = "a run may have been started"


# https://docs.aws.amazon.com/glue/latest/webapi/API_StartJobRun.html
# OperationTimeoutException has status 400, and says no more than a lost answer does.
_UNCLEAR_CODES = frozenset(
    {
        "OperationTimeoutException",
        "InternalServiceException",
        "InternalFailure",
        "InternalError",
        "InternalServerError",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
_THROTTLING_CODES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
    }
)
# Of all errors that are no answer, these alone come before anything is sent.
_UNSENT = (ParamValidationError, NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)


def answer_of(error: Exception) -> StartAnswer:
    """Judge; pure. Only an answer that clearly refuses counts as refused."""
    if not isinstance(error, ClientError):
        return StartAnswer.REFUSED if isinstance(error, _UNSENT) else StartAnswer.UNCLEAR
    code = error_code(error)
    if code == "ConcurrentRunsExceededException":
        return StartAnswer.BUSY
    if code in _THROTTLING_CODES:
        return StartAnswer.THROTTLED
    if code in _UNCLEAR_CODES or http_status(error) >= 500:
        return StartAnswer.UNCLEAR
    return StartAnswer.REFUSED


def http_status(error: ClientError) -> int:
    """Return an answer's HTTP status, 0 where it has none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
