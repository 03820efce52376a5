"""What HeadObject says, and what its refusals likely mean."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_ingest.aws.objects import ObjectHead, ObjectUnreadableError, head_object
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY, Ingest, message
from ndjson_pipeline_tests.lambda_ingest.stubs import Failing


class Bucket:
    """A client that knows one answer."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def head_object(self, **request: Any) -> Any:
        if isinstance(self._answer, str):
            raise ClientError({"Error": {"Code": self._answer, "Message": ""}}, "HeadObject")
        return self._answer


def asked(answer: Any, **request: Any) -> ObjectHead | None:
    s3: Any = Bucket(answer)
    return head_object(s3, "in", "a key", **request)


@pytest.mark.parametrize("code", ["404", "NoSuchKey", "NotFound", "NoSuchVersion", "405"])
def test_what_is_gone_is_none(code: str) -> None:
    assert asked(code) is None


def test_a_403_names_the_permission_that_is_likely_missing() -> None:
    with pytest.raises(ObjectUnreadableError) as refusal:
        asked("403")
    said = str(refusal.value)
    assert "s3://in/a key" in said
    assert said.index("s3:ListBucket on arn:aws:s3:::in") < said.index("s3:GetObject on arn:aws:s3:::in/*")
    assert "kms:Decrypt" not in said


def test_a_403_of_checksums_names_the_key_too() -> None:
    with pytest.raises(ObjectUnreadableError, match="kms:Decrypt"):
        asked("403", with_checksums=True)


def test_a_400_is_likely_a_producers_own_key() -> None:
    with pytest.raises(ObjectUnreadableError, match="SSE-C"):
        asked("400")


@pytest.mark.parametrize("code", ["503", "SlowDown", "500"])
def test_what_ends_by_itself_stays_what_it_is(code: str) -> None:
    with pytest.raises(ClientError):
        asked(code)


@pytest.mark.parametrize(
    ("changes", "checksums", "md5"),
    [
        ({}, {"CRC32": "x"}, "a" * 32),
        ({"ServerSideEncryption": "AES256"}, {"CRC32": "x"}, "a" * 32),
        ({"ServerSideEncryption": "aws:kms"}, {"CRC32": "x"}, None),
        ({"ServerSideEncryption": "aws:kms:dsse"}, {"CRC32": "x"}, None),
        ({"SSECustomerAlgorithm": "AES256"}, {"CRC32": "x"}, None),
        ({"ETag": f'"{"a" * 32}-3"', "ChecksumType": "COMPOSITE"}, {}, None),
        ({"ETag": f'"{"a" * 32}-3"', "ChecksumType": "FULL_OBJECT"}, {"CRC32": "x"}, None),
        ({"ETag": f'"{"a" * 32}-3"'}, {}, None),
    ],
)
def test_which_checksums_and_entity_tags_are_of_the_content(
    changes: dict[str, Any], checksums: dict[str, str], md5: str | None
) -> None:
    answer = {"ContentLength": 3, "ETag": f'"{"a" * 32}"', "ChecksumCRC32": "x", **changes}
    found = asked(answer, with_checksums=True)
    assert found is not None
    assert (found.checksums, found.md5) == (checksums, md5)


@pytest.mark.parametrize("name", [f"{TODAY}-a.ndjson", f"{TODAY}-a.csv"])
def test_a_message_whose_object_is_refused_fails_alone_and_says_why(ingest: Ingest, name: str) -> None:
    event = ingest.put(name)
    ingest.clock.advance(minutes=5)
    runtime = ingest.runtime(Failing(ingest.clients, "HeadObject", code="403").clients)
    good = message({"Service": "Amazon S3", "Event": "s3:TestEvent"}, "good")
    failed = ingest.deliver_messages([good, message({"Records": [event]}, "bad")], runtime=runtime)
    assert failed == ["bad"]
    (error,) = ingest.reports()[-1]["errors"]
    assert error["kind"] == "ObjectUnreadableError"
    assert "s3:ListBucket" in error["message"]
