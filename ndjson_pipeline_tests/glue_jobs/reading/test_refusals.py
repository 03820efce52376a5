"""What S3's refusal of an input file means."""

import pytest
from botocore.exceptions import ClientError

from glue_jobs.errors import InputReadError, MissingInputError
from glue_jobs.reading.inputs import read_whole
from glue_jobs.reading.refusals import lasting_reason
from lambda_ingest.contract.manifest import ManifestFile


def refusal(code, status, message="no"):
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "GetObject",
    )


@pytest.mark.parametrize(
    ("code", "status", "likely"),
    [
        ("NoSuchKey", 404, "gone"),
        ("AccessDenied", 403, "s3:GetObject"),
        ("InvalidObjectState", 403, "archived"),
        ("InvalidRequest", 400, "SSE-C"),
        ("KMS.DisabledException", 400, "kms:Decrypt"),
        ("KMS.NotFoundException", 400, "kms:Decrypt"),
        ("KMS.KMSInvalidStateException", 409, "kms:Decrypt"),
        ("KeyTooLongError", 400, "no such file"),
    ],
)
def test_what_lasts_has_a_reason_that_says_what_to_look_at(code, status, likely):
    assert likely in (lasting_reason(refusal(code, status)) or "")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("SlowDown", 503),
        ("InternalError", 500),
        ("ServiceUnavailable", 503),
        ("RequestTimeout", 400),
        ("KMS.ThrottlingException", 400),
        ("KMS.InternalException", 500),
        ("KMS.KeyUnavailableException", 500),
        # Of the job's credentials or of the bucket, not of the file.
        ("ExpiredToken", 400),
        ("InvalidAccessKeyId", 403),
        ("RequestTimeTooSkewed", 403),
        ("NoSuchBucket", 404),
        ("Unheard", 400),
    ],
)
def test_what_may_pass_or_is_of_no_file_has_none(code, status):
    assert lasting_reason(refusal(code, status)) is None


class Refusing:
    def __init__(self, error):
        self.error = error

    def get_object(self, **_):
        raise self.error


def test_a_file_that_is_denied_is_missing_and_one_that_is_slow_is_not():
    file = ManifestFile("s3://in/a\nb", 1, "e")
    with pytest.raises(MissingInputError, match=r"a\\nb: AccessDenied") as caught:
        read_whole(Refusing(refusal("AccessDenied", 403)), file)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputReadError) as slow:
        read_whole(Refusing(refusal("SlowDown", 503)), file)
    assert not isinstance(slow.value, MissingInputError)
